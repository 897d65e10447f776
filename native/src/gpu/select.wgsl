// The threshold of a block: the saliency of a given rank, found by counting, eleven, ten and ten bits at a time. The bits of numbers
// that are not negative are in the order of the numbers. Counts are integers, so the order of counting changes nothing.

const BINS: u32 = 2048u;
const COLUMNS: u32 = 16u; // columns that a workgroup counts

struct Params {
  rows: u32,
  stride: u32, // rows of memory between columns
  w_top: u32, // the first column of w that is here
  first: u32,
  width: u32,
  rank: u32,
  // The bits that are looked at: how many are below them, and how many there are.
  shift: u32,
  bits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// The bits found so far, with what is left of the rank; then BINS counts.
@group(0) @binding(1) var<storage, read_write> found: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>; // [width, stride]
@group(0) @binding(3) var<storage, read> w: array<f32>; // [columns, stride]
@group(0) @binding(4) var<storage, read> u_diagonal: array<f32>; // [cols]

// scores = w² / U_jj², and the counts set back.
@compute @workgroup_size(64)
fn score(@builtin(workgroup_id) group: vec3u, @builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  let j = params.first + id.y;
  if (i < params.rows) {
    let value = w[(j - params.w_top) * params.stride + i];
    let u = u_diagonal[j];
    scores[id.y * params.stride + i] = (value * value) / (u * u);
  }
  if (group.x == 0u && group.y == 0u) {
    for (var bin = id.x; bin < BINS; bin += 64u) { atomicStore(&found[2u + bin], 0u); }
    if (id.x == 0u) {
      atomicStore(&found[0], 0u);
      atomicStore(&found[1], params.rank);
    }
  }
}

var<workgroup> counts: array<atomic<u32>, BINS>;

// Counts the scores whose higher bits are those found, by the bits that are looked at.
@compute @workgroup_size(256)
fn count(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  for (var bin = thread; bin < BINS; bin += 256u) { atomicStore(&counts[bin], 0u); }
  workgroupBarrier();
  let row = group.x * 256u + thread;
  let prefix = atomicLoad(&found[0]);
  let end = min((group.y + 1u) * COLUMNS, params.width);
  if (row < params.rows) {
    for (var j = group.y * COLUMNS; j < end; j++) {
      let bits = bitcast<u32>(scores[j * params.stride + row]) & 0x7fffffffu;
      // Twice, because all 32 bits cannot be shifted away at once.
      let above = (bits >> params.shift) >> params.bits;
      if (above == prefix) { atomicAdd(&counts[(bits >> params.shift) & ((1u << params.bits) - 1u)], 1u); }
    }
  }
  workgroupBarrier();
  for (var bin = thread; bin < BINS; bin += 256u) {
    let here = atomicLoad(&counts[bin]);
    if (here > 0u) { atomicAdd(&found[2u + bin], here); }
  }
}

var<workgroup> sums: array<u32, 256>;

// Finds the bin in which the rank falls, adds its bits to those found, and sets the counts back.
@compute @workgroup_size(256)
fn choose(@builtin(local_invocation_index) thread: u32) {
  var sum = 0u;
  for (var i = 0u; i < 8u; i++) { sum += atomicLoad(&found[2u + thread * 8u + i]); }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread == 0u) {
    var rank = atomicLoad(&found[1]);
    var chunk = 0u;
    while (chunk < 255u && rank >= sums[chunk]) {
      rank -= sums[chunk];
      chunk += 1u;
    }
    var bin = chunk * 8u;
    var here = atomicLoad(&found[2u + bin]);
    while (bin < BINS - 1u && rank >= here) {
      rank -= here;
      bin += 1u;
      here = atomicLoad(&found[2u + bin]);
    }
    atomicStore(&found[0], (atomicLoad(&found[0]) << params.bits) | bin);
    atomicStore(&found[1], rank);
  }
  workgroupBarrier();
  for (var bin = thread; bin < BINS; bin += 256u) { atomicStore(&found[2u + bin], 0u); }
}
