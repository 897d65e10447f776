// C = alpha A B, or C += alpha A B, of parts of matrices. A and B may be parts of C's buffer that the product does not write.

struct Params {
  m: u32, n: u32, k: u32,
  // Where the parts begin, and how far apart their entries are along k, m and n.
  a: u32, a_k: u32, a_m: u32,
  b: u32, b_k: u32, b_n: u32,
  c: u32, c_m: u32,
  alpha: f32,
  accumulate: u32,
  // C is the upper triangle of a matrix: entries [m, n] of it with n < m are left as they are.
  is_upper: u32,
  // B is zero where k > n.
  is_b_upper: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
//: operands

fn read_a(k: u32, m: u32, depth: u32) -> f32 {
  if (k < depth && m < params.m) { return A[params.a + k * params.a_k + m * params.a_m]; }
  return 0.0;
}

fn read_b(k: u32, n: u32, depth: u32) -> f32 {
  if (k < depth && n < params.n) { return B[params.b + k * params.b_k + n * params.b_n]; }
  return 0.0;
}

fn store(m: u32, n: u32, sum: f32) {
  if (m >= params.m || n >= params.n || (params.is_upper == 1u && n < m)) { return; }
  let index = params.c + m * params.c_m + n;
  if (params.accumulate == 1u) {
    c[index] += params.alpha * sum;
  } else {
    c[index] = params.alpha * sum;
  }
}

@compute @workgroup_size(THREADS)
fn gemm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let m0 = group.y * 4u * TM4;
  let n0 = group.x * 4u * TN4;
  if (params.is_upper == 1u && n0 + 4u * TN4 <= m0) { return; }
  let depth = select(params.k, min(params.k, n0 + 4u * TN4), params.is_b_upper == 1u);
  product_tile(m0, n0, depth, thread);
}
