// Which weights are kept: one thread for each row of 32 columns, a bit for each of them.

const WORD: u32 = 32u;

struct Params {
  rows: u32,
  stride: u32, // rows of memory between columns
  // The columns of w that are here: the first, and how many.
  top: u32,
  cols: u32,
  // All but the n smallest of every m neighbours are kept; where m is 0, what is larger than what `found` begins with.
  n: u32,
  m: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> words: array<u32>; // [words, stride]
@group(0) @binding(2) var<storage, read> w: array<f32>; // [cols, stride]
@group(0) @binding(3) var<storage, read> found: array<u32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>, 2>; // kept and not kept before; kept

var<workgroup> changed: atomic<u32>;
var<workgroup> kept: atomic<u32>;

// The bits of a weight's magnitude, which are in the order of magnitudes. `column`: of those here.
fn magnitude(column: u32, row: u32) -> u32 {
  return bitcast<u32>(w[column * params.stride + row]) & 0x7fffffffu;
}

fn is_kept(column: u32, row: u32) -> bool {
  let own = magnitude(column, row);
  if (params.m == 0u) { return own > found[0]; }
  let first = column / params.m * params.m;
  let end = min(first + params.m, params.cols);
  var before = 0u;
  for (var other = first; other < end; other++) {
    let size = magnitude(other, row);
    before += select(0u, 1u, size < own || (size == own && other < column));
  }
  return before >= params.n;
}

@compute @workgroup_size(64)
fn project(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = id.x;
  let first = WORD * id.y;
  let index = (params.top / WORD + id.y) * params.stride + row;
  var word = 0u;
  if (row < params.rows) {
    let end = min(first + WORD, params.cols);
    for (var j = first; j < end; j++) {
      if (is_kept(j, row)) { word |= 1u << (j - first); }
    }
  }
  atomicAdd(&changed, countOneBits(word & ~words[index]));
  atomicAdd(&kept, countOneBits(word));
  words[index] = word;
  workgroupBarrier();
  if (thread == 0u) {
    atomicAdd(&counts[0], atomicLoad(&changed));
    atomicAdd(&counts[1], atomicLoad(&kept));
  }
}
