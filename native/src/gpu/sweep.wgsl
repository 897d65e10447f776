// The sweep of a block of columns, up to 32 of them at a time: one thread a row. First the errors of the block's columns before them
// are spread over these, then these go one by one.

const WIDTH: u32 = 32u;
const QUADS: u32 = 8u;
const LANES: u32 = 64u;

// What is pruned.
const NOTHING: u32 = 0u;
const ALL: u32 = 1u;
const UP_TO_RANK: u32 = 2u;
const N_OF_M: u32 = 3u;
const MASKED: u32 = 4u;

struct Params {
  cols: u32,
  stride: u32, // rows of memory between columns
  w_top: u32, // the first column of w that is here
  u_top: u32, // the first row of U that is here
  first: u32, // of these columns
  width: u32,
  block: u32, // the first column of the block
  span: u32, // the first column of the span, whose errors are kept
  pruned: u32,
  n: u32,
  m: u32,
  storage: u32,
  most: f32, // the largest code
  groups: u32,
  squares: u32, // where the sums of this block's squares begin
  zero: u32, // nothing, but the compiler does not know that
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> w: array<f32>; // [columns, stride]
@group(0) @binding(2) var<storage, read_write> errors: array<f32>; // [columns of the span, stride]
@group(0) @binding(3) var<storage, read_write> squares: array<f32>; // [blocks, stride]
@group(0) @binding(4) var<storage, read> u: array<f32>; // [rows, cols]
@group(0) @binding(5) var<storage, read> scores: array<f32>; // [columns of the block, stride]
@group(0) @binding(6) var<storage, read> found: array<u32>; // the bits of the threshold come first; or what is kept, [words of 32 columns, stride]
//: grids

// U[k, first + 4 q + ..] of 32 rows: first those of earlier columns, then the corner, strictly upper.
var<workgroup> u_rows: array<vec4f, WIDTH * QUADS>;
var<workgroup> u_diagonal: array<f32, WIDTH>;

fn opaque(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

// The weight of the j-th of these columns.
fn weight(j: u32, row: u32) -> f32 {
  if (j < params.width) { return w[(params.first - params.w_top + j) * params.stride + row]; }
  return 0.0;
}

fn u_entry(row: u32, column: u32) -> f32 {
  if (column < params.width && row < params.first + column) { return u[(row - params.u_top) * params.cols + params.first + column]; }
  return 0.0;
}

// Fetches rows `top` .. of U, of which the strictly upper part counts.
fn load_u(top: u32, thread: u32) {
  workgroupBarrier();
  for (var e = thread; e < WIDTH * QUADS; e += LANES) {
    let row = top + e / QUADS;
    let column = 4u * (e % QUADS);
    u_rows[e] = vec4f(u_entry(row, column), u_entry(row, column + 1u), u_entry(row, column + 2u), u_entry(row, column + 3u));
  }
  workgroupBarrier();
}

// One bit for each of the columns first .. first + m: whether it is kept, the n least salient being pruned, the leftmost of equals first.
fn keep_most_salient(values: ptr<function, array<vec4f, QUADS>>, first: u32) -> u32 {
  var saliency: array<f32, WIDTH>;
  for (var j = 0u; j < params.m; j++) {
    let value = (*values)[(first + j) / 4u][(first + j) % 4u];
    let diagonal = u_diagonal[first + j];
    saliency[j] = opaque((value * value) / (diagonal * diagonal));
  }
  var kept = 0u;
  for (var j = 0u; j < params.m; j++) {
    var before = 0u;
    for (var other = 0u; other < params.m; other++) {
      let is_before = saliency[other] < saliency[j] || (saliency[other] == saliency[j] && other < j);
      before += select(0u, 1u, is_before);
    }
    if (before >= params.n) { kept |= 1u << (first + j); }
  }
  return kept;
}

@compute @workgroup_size(LANES)
fn sweep(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = id.x;
  let stride = params.stride;
  var values: array<vec4f, QUADS>;
  for (var q = 0u; q < QUADS; q++) {
    // All four at once: DirectX cannot write to a component that is not known when it compiles.
    values[q] = vec4f(weight(4u * q, row), weight(4u * q + 1u, row), weight(4u * q + 2u, row), weight(4u * q + 3u, row));
  }
  var kept = 0u;
  for (var j = 0u; j < params.width; j++) {
    var keep = params.pruned != ALL;
    if (params.pruned == UP_TO_RANK) {
      // By their bits, as they were counted.
      let score = scores[(params.first + j - params.block) * stride + row];
      keep = (bitcast<u32>(score) & 0x7fffffffu) > found[0];
    }
    if (keep) { kept |= 1u << j; }
  }
  if (params.pruned == MASKED) { kept = found[params.first / WIDTH * stride + row]; }
  if (thread < params.width) {
    let column = params.first + thread;
    u_diagonal[thread] = u[(column - params.u_top) * params.cols + column];
  }
  for (var top = params.block; top < params.first; top += WIDTH) {
    load_u(top, thread);
    let end = min(WIDTH, params.first - top);
    for (var k = 0u; k < end; k++) {
      let error = errors[(top + k - params.span) * stride + row];
      for (var q = 0u; q < QUADS; q++) { values[q] -= error * u_rows[k * QUADS + q]; }
    }
  }
  load_u(params.first, thread);
  var sum = 0.0;
  for (var j = 0u; j < params.width; j++) {
    if (params.pruned == N_OF_M && j % params.m == 0u) {
      let bits = (0xffffffffu >> (WIDTH - params.m)) << j;
      kept = (kept & ~bits) | keep_most_salient(&values, j);
    }
    let quad = j / 4u;
    let value = values[quad][j % 4u];
    var stored = 0.0;
    if ((kept & (1u << j)) != 0u) { stored = rounded(opaque(on_grid(value, params.first + j, row)), params.storage); }
    let error = (value - stored) / u_diagonal[j];
    sum += error * error;
    for (var q = quad; q < QUADS; q++) { values[q] -= error * u_rows[j * QUADS + q]; }
    errors[(params.first + j - params.span) * stride + row] = error;
    w[(params.first - params.w_top + j) * stride + row] = stored;
  }
  squares[params.squares + row] += sum;
}
