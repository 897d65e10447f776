// Scales and zero points (method.md, section 4): one thread fits one group of one row.

struct Params {
  stride: u32, // rows of memory between columns
  groups: u32,
  most: f32, // the largest code
  middle: f32, // the zero point of symmetric codes
  is_symmetric: u32,
  scales: u32, // the type they are rounded to
  shares: u32, // ranges that are tried, of the whole one times `share`: one, or all
  zero: u32, // nothing, but the compiler does not know that
  height: u32, // columns of each of the buffers that w lies in
  is_masked: u32,
  share: array<vec4f, 20>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> grids: array<f32>; // [2, groups, stride]: scales, then zero points
@group(0) @binding(2) var<storage, read> w0: array<f32>; // [columns, stride]
@group(0) @binding(3) var<storage, read> members: array<u32>; // columns of w
@group(0) @binding(4) var<storage, read> fits: array<vec4u>; // group, and where in `members` it begins and ends
// What does not fit into w0.
@group(0) @binding(5) var<storage, read> w1: array<f32>;
@group(0) @binding(6) var<storage, read> w2: array<f32>;
@group(0) @binding(7) var<storage, read> w3: array<f32>;
@group(0) @binding(8) var<storage, read> kept: array<u32>; // [words of 32 columns, stride]

const LEAST_SCALE: f32 = 5.9604644775390625e-8; // 2^-24

// The same number, of which the compiler cannot know how it came about: so it neither contracts nor reorders across it.
fn opaque(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

// Scale and zero point of weights between low <= 0 and high >= 0.
fn grid(low: f32, high: f32, share: f32) -> vec2f {
  let is_flat = low == 0.0 && high == 0.0;
  var least = select(low, -1.0, is_flat);
  var greatest = select(high, 1.0, is_flat);
  if (params.is_symmetric == 1u) {
    greatest = max(-least, greatest);
    least = -greatest;
  }
  least = opaque(share * least);
  var scale = opaque(opaque(share * greatest) - least) / params.most;
  if (params.scales != F32) {
    scale = rounded(scale, F16);
    // bfloat16 has fewer digits than float16 and a wider range: the second float16 makes a scale too large infinite.
    if (params.scales == BF16) { scale = rounded(rounded(scale, BF16), F16); }
    scale = max(scale, LEAST_SCALE);
  }
  if (params.is_symmetric == 1u) { return vec2f(scale, params.middle); }
  return vec2f(scale, round(clamp(-least / scale, 0.0, params.most)));
}

// d^2.4 of d >= 0, to float32's accuracy: (d * d^-0.2)³, the root by Newton's method.
fn power_2_4(d: f32) -> f32 {
  // To 3 %: a number's bits are nearly its logarithm, of which a root takes a share.
  var root = bitcast<f32>(0x4c2bac71u - bitcast<u32>(d) / 5u);
  for (var i = 0; i < 3; i++) {
    let square = root * root;
    root *= 1.2 - 0.2 * (d * root * square * square);
  }
  let power = d * root;
  return power * power * power;
}

// Zero where it is not kept.
fn weight(column: u32, row: u32) -> f32 {
  if (params.is_masked == 1u && ((kept[column / 32u * params.stride + row] >> (column % 32u)) & 1u) == 0u) { return 0.0; }
  let index = column % params.height * params.stride + row;
  switch (column / params.height) {
    case 0u: { return w0[index]; }
    case 1u: { return w1[index]; }
    case 2u: { return w2[index]; }
    default: { return w3[index]; }
  }
}

@compute @workgroup_size(64)
fn fit(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let group = fits[id.y].x;
  let first = fits[id.y].y;
  let end = fits[id.y].z;
  var low = 0.0;
  var high = 0.0;
  for (var k = first; k < end; k++) {
    let value = weight(members[k], row);
    low = min(low, value);
    high = max(high, value);
  }
  var best = grid(low, high, 1.0);
  if (params.shares > 1u) {
    var least = 3.4e38;
    for (var s = 0u; s < params.shares; s++) {
      let tried = grid(low, high, params.share[s / 4u][s % 4u]);
      var error = 0.0;
      for (var k = first; k < end; k++) {
        let value = weight(members[k], row);
        error += power_2_4(abs(tried.x * level(value, tried.x, tried.y, params.most) - value));
      }
      if (error < least) {
        least = error;
        best = tried;
      }
    }
  }
  grids[group * params.stride + row] = best.x;
  grids[(params.groups + group) * params.stride + row] = best.y;
}
