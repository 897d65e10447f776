// Out of a Gram matrix the Hessian that is factored.

struct Params {
  n: u32,
  // The scale as the sum of two numbers.
  scale_hi: f32,
  scale_lo: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> hi: array<f32>; // [n, n], upper triangle
@group(0) @binding(3) var<storage, read> lo: array<f32>;
@group(0) @binding(4) var<storage, read> diagonal: array<f32>; // [n]
@group(0) @binding(5) var<storage, read> order: array<u32>; // [n]: the column that comes first ..

// out [n, n] = scale (hi + lo) with another diagonal, rows and columns in the reverse of `order`; zeros below the diagonal.
@compute @workgroup_size(16, 16)
fn hessian(@builtin(global_invocation_id) id: vec3u) {
  let n = params.n;
  if (id.x >= n || id.y >= n) { return; }
  var value = 0.0;
  if (id.x >= id.y) {
    let i = order[n - 1u - id.y];
    let j = order[n - 1u - id.x];
    if (i == j) {
      value = diagonal[i];
    } else {
      let index = min(i, j) * n + max(i, j);
      value = hi[index] * params.scale_hi + (hi[index] * params.scale_lo + lo[index] * params.scale_hi);
    }
  }
  out[id.y * n + id.x] = value;
}

// out [n] = the diagonal of hi [n, n]
@compute @workgroup_size(64)
fn diagonal_of(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.n) { out[id.x] = hi[id.x * params.n + id.x]; }
}
