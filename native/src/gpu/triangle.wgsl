// The Cholesky factor R of a matrix (RᵀR, R upper) and its inverse, CORNER columns at a time; products of more columns are gemm.wgsl's.
// The matrix is [n, n] row-major, zeros below the diagonal; of its rows those from `top` on are here.

const CORNER: u32 = 32u;
const QUADS: u32 = 8u;

struct Params {
  n: u32,
  // The first column of the corner, and how many it has.
  first: u32,
  width: u32,
  top: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> is_indefinite: atomic<u32>;

var<workgroup> corner: array<f32, CORNER * CORNER>;
var<workgroup> inverse: array<f32, CORNER * CORNER>;

fn entry(row: u32, column: u32) -> u32 {
  return (row - params.top) * params.n + column;
}

// The corner at `first`, filled up with ones on the diagonal. `column`: the thread's.
fn load_corner(first: u32, width: u32, column: u32) {
  for (var i = 0u; i < CORNER; i++) {
    var value = select(0.0, 1.0, i == column);
    if (i < width && column < width) { value = matrix[entry(first + i, first + column)]; }
    corner[i * CORNER + column] = value;
  }
  workgroupBarrier();
}

// Overwrites one corner with its Cholesky factor.
@compute @workgroup_size(CORNER)
fn factor_corner(@builtin(local_invocation_index) column: u32) {
  load_corner(params.first, params.width, column);
  for (var j = 0u; j < CORNER; j++) {
    let pivot = corner[j * CORNER + j];
    // Positive and finite, by its bits: comparisons with NaN are not to be relied on here.
    let bits = bitcast<u32>(pivot);
    if (column == 0u && (bits == 0u || bits >= 0x7f800000u)) { atomicStore(&is_indefinite, 1u); }
    let root = sqrt(pivot);
    workgroupBarrier();
    if (column == j) { corner[j * CORNER + j] = root; }
    if (column > j) { corner[j * CORNER + column] /= root; }
    workgroupBarrier();
    if (column > j) {
      let r = corner[j * CORNER + column];
      for (var i = j + 1u; i <= column; i++) { corner[i * CORNER + column] -= corner[j * CORNER + i] * r; }
    }
    workgroupBarrier();
  }
  if (column < params.width) {
    for (var i = 0u; i <= column; i++) {
      matrix[entry(params.first + i, params.first + column)] = corner[i * CORNER + column];
    }
  }
}

// Overwrites the rows of a corner, right of it, with R⁻ᵀ times them: one thread a column.
@compute @workgroup_size(64)
fn solve_rows(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  for (var e = thread; e < CORNER * CORNER; e += 64u) {
    let i = e / CORNER;
    let j = e % CORNER;
    var value = select(0.0, 1.0, i == j);
    if (i < params.width && j < params.width) { value = matrix[entry(params.first + i, params.first + j)]; }
    corner[e] = value;
  }
  workgroupBarrier();
  let column = params.first + params.width + group.x * 64u + thread;
  if (column >= params.n) { return; }
  var y: array<f32, CORNER>;
  for (var i = 0u; i < CORNER; i++) {
    var value = 0.0;
    if (i < params.width) { value = matrix[entry(params.first + i, column)]; }
    for (var k = 0u; k < i; k++) { value -= corner[k * CORNER + i] * y[k]; }
    y[i] = value / corner[i * CORNER + i];
    if (i < params.width) { matrix[entry(params.first + i, column)] = y[i]; }
  }
}

// Overwrites every corner of the `width` columns from `first` on with its inverse: one workgroup each, one thread a column.
@compute @workgroup_size(CORNER)
fn invert_corners(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) column: u32) {
  let first = params.first + group.x * CORNER;
  let width = min(CORNER, params.width - group.x * CORNER);
  load_corner(first, width, column);
  inverse[column * CORNER + column] = 1.0 / corner[column * CORNER + column];
  for (var i = column; i > 0u; i--) {
    let row = i - 1u;
    var sum = 0.0;
    for (var k = i; k <= column; k++) { sum += corner[row * CORNER + k] * inverse[k * CORNER + column]; }
    inverse[row * CORNER + column] = -sum / corner[row * CORNER + row];
  }
  if (column < width) {
    for (var i = 0u; i <= column; i++) { matrix[entry(first + i, first + column)] = inverse[i * CORNER + column]; }
  }
}
