// Coordinate descent on the codes of up to 32 columns (method.md, section 11): one thread a row.

const WIDTH: u32 = 32u;
const QUADS: u32 = 8u;
const LANES: u32 = 64u;

struct Params {
  cols: u32,
  stride: u32, // rows of memory between columns
  top: u32, // the first column of q and gradient that is here
  a_top: u32, // the first row of A that is here
  first: u32, // of these columns
  width: u32,
  storage: u32,
  most: f32, // the largest code
  groups: u32,
  zero: u32, // nothing, but the compiler does not know that
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> q: array<f32>; // [columns, stride]
@group(0) @binding(2) var<storage, read> gradient: array<f32>; // (W - Q) A [columns, stride]
@group(0) @binding(3) var<storage, read_write> changes: array<f32>; // [these columns, stride]
@group(0) @binding(4) var<storage, read> a: array<f32>; // [rows, cols]
@group(0) @binding(5) var<storage, read> roots: array<f32>; // [cols]
@group(0) @binding(6) var<storage, read> kept: array<u32>; // [words of 32 columns, stride]

// A[first + k, first + 4 q + ..], strictly upper.
var<workgroup> corner: array<vec4f, WIDTH * QUADS>;

fn opaque(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

// The gradient of the j-th of these columns.
fn gradient_of(j: u32, row: u32) -> f32 {
  if (j < params.width) { return gradient[(params.first - params.top + j) * params.stride + row]; }
  return 0.0;
}

fn entry(k: u32, j: u32) -> f32 {
  if (j < params.width && k < j) { return a[(params.first - params.a_top + k) * params.cols + params.first + j]; }
  return 0.0;
}

@compute @workgroup_size(LANES)
fn refine(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = id.x;
  for (var e = thread; e < WIDTH * QUADS; e += LANES) {
    let k = e / QUADS;
    let j = 4u * (e % QUADS);
    corner[e] = vec4f(entry(k, j), entry(k, j + 1u), entry(k, j + 2u), entry(k, j + 3u));
  }
  workgroupBarrier();
  var values: array<vec4f, QUADS>;
  for (var i = 0u; i < QUADS; i++) {
    values[i] = vec4f(gradient_of(4u * i, row), gradient_of(4u * i + 1u, row), gradient_of(4u * i + 2u, row), gradient_of(4u * i + 3u, row));
  }
  let keep = kept[params.first / WIDTH * params.stride + row];
  for (var j = 0u; j < params.width; j++) {
    let column = params.first + j;
    let place = (column - params.top) * params.stride + row;
    let before = q[place];
    var stored = 0.0;
    if ((keep & (1u << j)) != 0u) {
      let wanted = before + opaque(values[j / 4u][j % 4u] / roots[column]);
      stored = rounded(opaque(on_grid(wanted, column, row)), params.storage);
    }
    let change = (stored - before) * roots[column];
    for (var i = j / 4u; i < QUADS; i++) { values[i] -= change * corner[j * QUADS + i]; }
    changes[j * params.stride + row] = change;
    q[place] = stored;
  }
}
