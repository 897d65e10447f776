// Adds xᵀ x of some tokens to sums in twice float32's precision, hi + lo; the upper triangle only.

struct Params {
  // Tokens first .. first + tokens of x.
  first: u32,
  tokens: u32,
  cols: u32,
  // The lines of the sums that are in the buffers: the first, and how many.
  top: u32, lines: u32,
  // The number of x, for those who ask which was not finite.
  chunk: u32,
  // Nothing, but the compiler does not know that.
  zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [tokens, cols]
@group(0) @binding(2) var<storage, read_write> hi: array<f32>; // [lines, cols]
@group(0) @binding(3) var<storage, read_write> lo: array<f32>; // [lines, cols]
@group(0) @binding(4) var<storage, read_write> first_bad: atomic<u32>;

fn read_a(k: u32, m: u32, depth: u32) -> f32 {
  if (k < depth && m < params.cols) { return x[(params.first + k) * params.cols + m]; }
  return 0.0;
}

fn read_b(k: u32, n: u32, depth: u32) -> f32 {
  return read_a(k, n, depth);
}

// The same number, of which the compiler cannot know how it came about: so it neither contracts nor reorders across it.
fn opaque(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

fn store(m: u32, n: u32, sum: f32) {
  let line = m - params.top;
  if (line >= params.lines || n >= params.cols || n < m) { return; }
  let index = line * params.cols + n;
  // Knuth's two-sum: hi + sum = total + rest, exactly.
  let addend = opaque(sum);
  let old = hi[index];
  let total = opaque(old + addend);
  let part = opaque(total - old);
  let rest = opaque(old - opaque(total - part)) + opaque(addend - part);
  hi[index] = total;
  lo[index] += rest;
  if (m == n && (bitcast<u32>(addend) & 0x7f800000u) == 0x7f800000u) { atomicMin(&first_bad, params.chunk); }
}

@compute @workgroup_size(THREADS)
fn gram(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let m0 = params.top + group.y * 4u * TM4;
  let n0 = group.x * 4u * TN4;
  if (n0 + 4u * TN4 <= m0) { return; }
  product_tile(m0, n0, params.tokens, thread);
}
