// Counts of the saliencies w² / U_jj² of a layer by their bits. Both passes are one kernel, because a division need not give the same
// bits in two.

const COLUMNS: u32 = 16u; // columns that a workgroup counts
const BINS: u32 = 32768u; // of the leading bits, the exponent and seven of the mantissa
const INSIDE: u32 = 65536u; // values in a bin

struct Params {
  rows: u32,
  // The columns of w that are here: the first, and how many.
  top: u32, cols: u32,
  stride: u32, // rows of memory between columns
  is_second: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// First pass: of each bin how many there are [BINS], and the sum of their other bits, its lower and its upper half [BINS] each.
// Second pass: of each wanted bin how many there are of each value [wanted bins, INSIDE].
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read> w: array<f32>; // [cols, stride]
@group(0) @binding(3) var<storage, read> u_diagonal: array<f32>; // of all columns
@group(0) @binding(4) var<storage, read> wanted: array<u32>; // [BINS]: 0, or one more than the bin's place among the wanted ones

@compute @workgroup_size(256)
fn count_saliencies(@builtin(workgroup_id) group: vec3u, @builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.rows) { return; }
  let end = min((group.y + 1u) * COLUMNS, params.cols);
  for (var j = group.y * COLUMNS; j < end; j++) {
    let value = w[j * params.stride + id.x];
    let u = u_diagonal[params.top + j];
    let bits = bitcast<u32>((value * value) / (u * u)) & 0x7fffffffu;
    let bin = bits / INSIDE;
    let rest = bits % INSIDE;
    if (params.is_second == 1u) {
      let place = wanted[bin];
      if (place > 0u) { atomicAdd(&counts[(place - 1u) * INSIDE + rest], 1u); }
    } else {
      atomicAdd(&counts[bin], 1u);
      let before = atomicAdd(&counts[BINS + bin], rest);
      if (before > 0xffffffffu - rest) { atomicAdd(&counts[2u * BINS + bin], 1u); }
    }
  }
}
