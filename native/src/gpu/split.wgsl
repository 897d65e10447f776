// ADMM's iterations (method.md, section 11) beside their product and their projection: one thread for each row of 32 columns. Of the
// iterate c what is kept is D, and what is not is V / ρ.

const WORD: u32 = 32u;
const LANES: u32 = 64u;

struct Params {
  stride: u32, // rows of memory between columns
  // The columns that are here: the first, and how many.
  top: u32,
  cols: u32,
  groups: u32, // of rows
  relaxation: f32,
  rescaling: f32, // of V / ρ
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> kept: array<u32>; // [words, stride]
@group(0) @binding(2) var<storage, read_write> c: array<f32>; // [cols, stride], as those that follow
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;
@group(0) @binding(5) var<storage, read> product: array<f32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>; // [words, groups]

fn word_of(id: vec3u) -> u32 {
  return kept[(params.top / WORD + id.y) * params.stride + id.x];
}

fn is_kept(word: u32, column: u32) -> bool {
  return ((word >> (column % WORD)) & 1u) == 1u;
}

// x = D - V / ρ - W
@compute @workgroup_size(LANES)
fn deviate(@builtin(global_invocation_id) id: vec3u) {
  let word = word_of(id);
  let end = min(WORD * (id.y + 1u), params.cols);
  for (var j = WORD * id.y; j < end; j++) {
    let at = j * params.stride + id.x;
    x[at] = select(-params.rescaling, 1.0, is_kept(word, j)) * c[at] - w[at];
  }
}

// c = D, x = W - D
@compute @workgroup_size(LANES)
fn keep_only(@builtin(global_invocation_id) id: vec3u) {
  let word = word_of(id);
  let end = min(WORD * (id.y + 1u), params.cols);
  for (var j = WORD * id.y; j < end; j++) {
    let at = j * params.stride + id.x;
    let value = select(0.0, c[at], is_kept(word, j));
    c[at] = value;
    x[at] = w[at] - value;
  }
}

var<workgroup> lost: array<f32, LANES>;

// c = B + V / ρ, `product` being B - W, B taken further from D; and the sums of (B - W) (x - (B - W)), which is tr((W - B) A (W - B)ᵀ) / ρ.
@compute @workgroup_size(LANES)
fn relax(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let word = word_of(id);
  let end = min(WORD * (id.y + 1u), params.cols);
  var sum = 0.0;
  for (var j = WORD * id.y; j < end; j++) {
    let at = j * params.stride + id.x;
    let p = product[at];
    sum += p * (x[at] - p);
    c[at] = params.relaxation * (w[at] + p) + select(params.rescaling, 1.0 - params.relaxation, is_kept(word, j)) * c[at];
  }
  lost[thread] = sum;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { lost[thread] += lost[thread + half]; }
  }
  if (thread == 0u) { sums[(params.top / WORD + id.y) * params.groups + group.x] = lost[0]; }
}
