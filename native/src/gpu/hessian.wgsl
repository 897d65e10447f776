// Matrices made of others, entry by entry: of a Gram matrix the Hessian that is factored, and the one scaled to a diagonal of 1; of
// that one, with a penalty, what its ridge inverse is made of; of an inverse U.
// A matrix may lie in several buffers of whole lines; here is one of those that are read and one of those that are written.

struct Params {
  n: u32,
  // The first line of each buffer, and how many it has.
  out_top: u32, out_lines: u32,
  source_top: u32, source_lines: u32,
  // The scale as the sum of two numbers.
  scale_hi: f32,
  scale_lo: f32,
  added: f32, // to the diagonal
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> hi: array<f32>; // [n, n], upper triangle where nothing else is said
@group(0) @binding(3) var<storage, read> lo: array<f32>;
@group(0) @binding(4) var<storage, read> diagonal: array<f32>; // [n]
@group(0) @binding(5) var<storage, read> order: array<u32>; // [n]: the column that comes first ..

fn scaled(index: u32) -> f32 {
  return hi[index] * params.scale_hi + (hi[index] * params.scale_lo + lo[index] * params.scale_hi);
}

// Upper triangle of out [n, n] = scale (hi + lo) with another diagonal, rows and columns in the reverse of `order`.
@compute @workgroup_size(16, 16)
fn hessian(@builtin(global_invocation_id) id: vec3u) {
  let n = params.n;
  let y = params.out_top + id.y;
  if (id.x >= n || id.y >= params.out_lines || id.x < y) { return; }
  let i = order[n - 1u - y];
  let j = order[n - 1u - id.x];
  // A line before those of the buffer becomes a large number.
  let line = min(i, j) - params.source_top;
  if (line >= params.source_lines) { return; }
  var value = diagonal[i];
  if (i != j) { value = scaled(line * n + max(i, j)); }
  out[id.y * n + id.x] = value;
}

// out [n, n] = scale (hi + lo), entry i, j multiplied with diagonal[i] diagonal[j], and 1 on the diagonal; rows and columns in `order`.
@compute @workgroup_size(16, 16)
fn correlation(@builtin(global_invocation_id) id: vec3u) {
  let n = params.n;
  let y = params.out_top + id.y;
  if (id.x >= n || id.y >= params.out_lines) { return; }
  let i = order[y];
  let j = order[id.x];
  let line = min(i, j) - params.source_top;
  if (line >= params.source_lines) { return; }
  var value = 1.0;
  if (i != j) { value = scaled(line * n + max(i, j)) * (diagonal[i] * diagonal[j]); }
  out[id.y * n + id.x] = value;
}

// Upper triangle of out [n, n] = hi, of which both triangles are there, and more on the diagonal; rows and columns reversed.
@compute @workgroup_size(16, 16)
fn ridge(@builtin(global_invocation_id) id: vec3u) {
  let n = params.n;
  let y = params.out_top + id.y;
  if (id.x >= n || id.y >= params.out_lines || id.x < y) { return; }
  let line = n - 1u - y - params.source_top;
  if (line >= params.source_lines) { return; }
  out[id.y * n + id.x] = hi[line * n + n - 1u - id.x] + select(0.0, params.added, id.x == y);
}

// out [n, n] = the symmetric matrix with the upper triangle of hi.
@compute @workgroup_size(16, 16)
fn mirror(@builtin(global_invocation_id) id: vec3u) {
  let n = params.n;
  let y = params.out_top + id.y;
  if (id.x >= n || id.y >= params.out_lines) { return; }
  let line = min(id.x, y) - params.source_top;
  if (line < params.source_lines) { out[id.y * n + id.x] = hi[line * n + max(id.x, y)]; }
}

// Upper triangle of out [n, n] = that of hi mirrored at the other diagonal.
@compute @workgroup_size(16, 16)
fn flip(@builtin(global_invocation_id) id: vec3u) {
  let n = params.n;
  let y = params.out_top + id.y;
  if (id.x >= n || id.y >= params.out_lines || id.x < y) { return; }
  let line = n - 1u - id.x - params.source_top;
  if (line < params.source_lines) { out[id.y * n + id.x] = hi[line * n + n - 1u - y]; }
}

// out [n] = the diagonal of hi [n, n]
@compute @workgroup_size(64)
fn diagonal_of(@builtin(global_invocation_id) id: vec3u) {
  let column = params.source_top + id.x;
  if (id.x < params.source_lines) { out[column] = hi[id.x * params.n + column]; }
}
