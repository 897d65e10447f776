// One tile of a product Σ_k A[k, m] B[k, n], shared by gemm.wgsl and gram.wgsl, which say where A and B are read and what becomes
// of the sums. A workgroup of WX * WY threads computes 8 WY rows by 8 WX columns, each thread 8 x 8 sums. k goes up one by one
// for every sum, so that the tile's size changes no order of summation.

const TM4: u32 = 2u * WY; // quads of rows of a tile
const TN4: u32 = 2u * WX; // quads of columns
const THREADS: u32 = WX * WY;

var<workgroup> tile_a: array<vec4f, KT * TM4>; // [KT, rows]
var<workgroup> tile_b: array<vec4f, KT * TN4>; // [KT, columns]

// The tile whose first row is m0 and whose first column n0, over k < depth.
fn product_tile(m0: u32, n0: u32, depth: u32, thread: u32) {
  let tx = thread % WX;
  let ty = thread / WX;
  var c00 = vec4f(); var c01 = vec4f();
  var c10 = vec4f(); var c11 = vec4f();
  var c20 = vec4f(); var c21 = vec4f();
  var c30 = vec4f(); var c31 = vec4f();
  var c40 = vec4f(); var c41 = vec4f();
  var c50 = vec4f(); var c51 = vec4f();
  var c60 = vec4f(); var c61 = vec4f();
  var c70 = vec4f(); var c71 = vec4f();
  for (var k0 = 0u; k0 < depth; k0 += KT) {
    for (var e = thread; e < KT * TM4; e += THREADS) {
      let k = k0 + e / TM4;
      let m = m0 + 4u * (e % TM4);
      tile_a[e] = vec4f(read_a(k, m, depth), read_a(k, m + 1u, depth), read_a(k, m + 2u, depth), read_a(k, m + 3u, depth));
    }
    for (var e = thread; e < KT * TN4; e += THREADS) {
      let k = k0 + e / TN4;
      let n = n0 + 4u * (e % TN4);
      tile_b[e] = vec4f(read_b(k, n, depth), read_b(k, n + 1u, depth), read_b(k, n + 2u, depth), read_b(k, n + 3u, depth));
    }
    workgroupBarrier();
    for (var k = 0u; k < KT; k++) {
      let a0 = tile_a[k * TM4 + ty];
      let a1 = tile_a[k * TM4 + WY + ty];
      let b0 = tile_b[k * TN4 + tx];
      let b1 = tile_b[k * TN4 + WX + tx];
      c00 += a0.x * b0; c01 += a0.x * b1;
      c10 += a0.y * b0; c11 += a0.y * b1;
      c20 += a0.z * b0; c21 += a0.z * b1;
      c30 += a0.w * b0; c31 += a0.w * b1;
      c40 += a1.x * b0; c41 += a1.x * b1;
      c50 += a1.y * b0; c51 += a1.y * b1;
      c60 += a1.z * b0; c61 += a1.z * b1;
      c70 += a1.w * b0; c71 += a1.w * b1;
    }
    workgroupBarrier();
  }
  // In a loop, because compilers take long over 64 copies of what is done with a sum.
  let sums = array<vec4f, 16>(c00, c01, c10, c11, c20, c21, c30, c31, c40, c41, c50, c51, c60, c61, c70, c71);
  for (var i = 0u; i < 64u; i++) {
    let row = i / 8u;
    let column = i % 8u;
    let m = m0 + 4u * (ty + WY * (row / 4u)) + row % 4u;
    let n = n0 + 4u * (tx + WX * (column / 4u)) + column % 4u;
    store(m, n, sums[i / 4u][i % 4u]);
  }
}
