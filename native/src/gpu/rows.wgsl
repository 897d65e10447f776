// Sums over the columns of each row, and what conjugate gradients make of them (method.md, section 11): one thread a row.

const WORD: u32 = 32u; // columns that are summed before they are added to those before them, and of a word of `kept`

struct Params {
  stride: u32, // rows of memory between columns
  // The columns that are here: the first, and how many.
  top: u32,
  cols: u32,
  // Where in `sums` those of a step begin: the squares of its residual; behind them its curvature, and the squares of the next.
  step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>; // [2 steps + 1, stride]
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // [cols, stride], the direction; as all that follow
@group(0) @binding(3) var<storage, read> other: array<f32>; // x A; of `turn` the residual
@group(0) @binding(4) var<storage, read_write> residual: array<f32>;
@group(0) @binding(5) var<storage, read> kept: array<u32>; // [words, stride]
@group(0) @binding(6) var<storage, read_write> z: array<f32>;

// Of the columns from `first` on, a multiple of 32 of those here.
fn word_of(first: u32, row: u32) -> u32 {
  return kept[(params.top + first) / WORD * params.stride + row];
}

// a / b; 0 where b is.
fn ratio(a: f32, b: f32) -> f32 {
  if (b > 0.0) { return a / b; }
  return 0.0;
}

// Adds the sum of x * other to the squares.
@compute @workgroup_size(64)
fn dot_rows(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  var total = sums[params.step + row];
  for (var first = 0u; first < params.cols; first += WORD) {
    var sum = 0.0;
    for (var j = first; j < min(first + WORD, params.cols); j++) {
      let at = j * params.stride + row;
      sum += x[at] * other[at];
    }
    total += sum;
  }
  sums[params.step + row] = total;
}

// Residual and direction, both what is kept of x A, and the squares.
@compute @workgroup_size(64)
fn begin_rows(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  var total = sums[params.step + row];
  for (var first = 0u; first < params.cols; first += WORD) {
    let word = word_of(first, row);
    var sum = 0.0;
    for (var j = first; j < min(first + WORD, params.cols); j++) {
      let at = j * params.stride + row;
      let value = select(0.0, other[at], ((word >> (j - first)) & 1u) == 1u);
      residual[at] = value;
      x[at] = value;
      sum += value * value;
    }
    total += sum;
  }
  sums[params.step + row] = total;
}

// A step along x, whose curvature is known: z and its residual, and the next squares.
@compute @workgroup_size(64)
fn descend_rows(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let next = params.step + 2u * params.stride + row;
  let length = ratio(sums[params.step + row], sums[params.step + params.stride + row]);
  var total = sums[next];
  for (var first = 0u; first < params.cols; first += WORD) {
    let word = word_of(first, row);
    var sum = 0.0;
    for (var j = first; j < min(first + WORD, params.cols); j++) {
      let at = j * params.stride + row;
      z[at] += length * x[at];
      let value = residual[at] - select(0.0, length * other[at], ((word >> (j - first)) & 1u) == 1u);
      residual[at] = value;
      sum += value * value;
    }
    total += sum;
  }
  sums[next] = total;
}

// The next direction, when the next squares are known.
@compute @workgroup_size(64)
fn turn_rows(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let share = ratio(sums[params.step + 2u * params.stride + row], sums[params.step + row]);
  for (var j = 0u; j < params.cols; j++) {
    let at = j * params.stride + row;
    x[at] = share * x[at] + other[at];
  }
}
