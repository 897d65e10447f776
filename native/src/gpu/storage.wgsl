// Rounding to the types that weights and scales are stored in, as weights/storage.rs does it. What decides the result is done in
// integers, or is exact, so that no liberty of the compiler can change it.

const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;

fn is_nan(bits: u32) -> bool {
  return (bits & 0x7fffffffu) > 0x7f800000u;
}

// The nearest value of the type, ties to even. Too large a value becomes infinite.
fn rounded(x: f32, storage: u32) -> f32 {
  let bits = bitcast<u32>(x);
  if (storage == F32 || is_nan(bits)) { return x; }
  if (storage == BF16) { return bitcast<f32>((bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u); }
  let sign = bits & 0x80000000u;
  let magnitude = bits ^ sign;
  var result = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u;
  // Above 65504: infinite.
  if (result > 0x477fe000u) { result = 0x7f800000u; }
  // Below 2^-14 float16 has a fixed step, 2^-24; the products are exact.
  if (magnitude < 0x38800000u) { result = bitcast<u32>(round(bitcast<f32>(magnitude) * 16777216.0) * 5.9604644775390625e-8); }
  return bitcast<f32>(result | sign);
}

// The multiple of `scale` that `w` is quantized to, in scales: the code less the zero point. A zero comes out positive.
fn level(w: f32, scale: f32, zero: f32, most: f32) -> f32 {
  let code = w / scale;
  if (is_nan(bitcast<u32>(code))) { return code; }
  // The limits are integers, so it is the same as rounding first.
  let result = round(clamp(code, -zero, most - zero));
  return select(result, 0.0, result == 0.0);
}
