//! Matrices in several buffers.

use super::layers::Case;
use super::*;
use crate::backend::sweep::SPAN;
use crate::error::Error;
use crate::gpu::weights::Weights;
use crate::method::mask::Pattern;
use crate::method::statistics::layer_statistics;
use crate::method::target::Target;
use crate::quantization::{Quantization, Range};
use crate::testing::inputs;
use crate::weights::columns::Columns;
use crate::weights::storage::Storage;

/// Two spans of columns and a part of a third.
const COLS: usize = 2 * SPAN + 20;
const TOKENS: usize = 300;

/// Runs `test` where pieces of matrices have a span of lines each, on one device for all such tests.
pub fn on_gpu_with_pieces(test: impl FnOnce(&Gpu)) {
    static SHARED: OnceLock<Option<Gpu>> = OnceLock::new();
    let shared =
        SHARED.get_or_init(|| name().map(|name| open_with(Some(&name), Tile::DEFAULT).unwrap().with_pieces(0)));
    match shared {
        Some(gpu) => test(gpu),
        None => println!("{SKIPPED}"),
    }
}

fn case(order: Order, pattern: Pattern, quantization: Option<Quantization>) -> Case {
    Case {
        rows: 50,
        cols: COLS,
        dead: vec![600],
        order,
        target: Target {
            pattern,
            storage: Storage::F16,
            quantization,
        },
    }
}

/// Groups within blocks and across pieces, of columns as they stand in their piece and scattered over all of them.
fn cases() -> [Case; 4] {
    let quantization = |group, static_groups, range| {
        Some(Quantization {
            bits: 4,
            group,
            symmetric: false,
            static_groups,
            range,
            scales: Storage::F16,
        })
    };
    let half = Pattern::Sparsity(0.5);
    [
        case(Order::Natural, Pattern::NofM { n: 2, m: 4 }, None),
        case(Order::Natural, half, quantization(300, false, Range::MinMax)),
        case(Order::Natural, half, quantization(COLS, false, Range::Mse)),
        case(Order::Activity, half, quantization(128, true, Range::MinMax)),
    ]
}

/// Everything that is computed of the cases' layers.
#[derive(PartialEq)]
struct Everything {
    sums: Vec<Vec<f32>>,
    diagonal: Vec<f64>,
    u: Vec<Vec<f32>>,
    compressed: Vec<Vec<u8>>,
    scales: Vec<Vec<f32>>,
    numbers: Vec<f64>,
}

fn everything(gpu: &Gpu) -> Everything {
    let sums = gram(gpu, COLS, &inputs(TOKENS, COLS, &[600]));
    let mut found = Everything {
        diagonal: gpu.diagonal(&sums).unwrap(),
        sums: [&sums.hi, &sums.lo]
            .map(|matrix| matrix.download(gpu).unwrap())
            .to_vec(),
        u: Vec::new(),
        compressed: Vec::new(),
        scales: Vec::new(),
        numbers: Vec::new(),
    };
    for order in [Order::Natural, Order::Activity] {
        let sums = gram(gpu, COLS, &inputs(TOKENS, COLS, &[600]));
        let factor = factor(gpu, sums, order).unwrap();
        for case in cases().iter().filter(|case| case.order == order) {
            let layer = case.compress(&factor).unwrap();
            found.numbers.extend([layer.loss.unwrap(), layer.error.unwrap()]);
            found.compressed.push(layer.bytes);
            found
                .scales
                .extend(layer.quantization.map(|quantized| quantized.scales));
        }
        let bytes = cases()[0].bytes();
        let statistics = layer_statistics(cases()[0].weight(&bytes), &factor, &Control::default()).unwrap();
        found.numbers.extend([statistics.estimate, statistics.energy]);
        found.numbers.extend(statistics.curve);
        found.u.push(u_of(&factor));
    }
    found
}

#[test]
fn gpu_gives_the_same_bits_in_whatever_pieces_matrices_lie() {
    on_gpu(|gpu| {
        let whole = everything(gpu);
        on_gpu_with_pieces(|gpu| {
            let found = everything(gpu);
            assert!(found.sums == whole.sums, "another Gram matrix");
            assert!(found.u == whole.u, "another U");
            assert!(found == whole, "another result");
        });
    });
}

#[test]
fn gpu_cuts_matrices_at_spans() {
    on_gpu_with_pieces(|gpu| {
        let matrix = Matrix::new(gpu, COLS, 3).unwrap();
        let lines: Vec<_> = matrix.cut(500..1030).map(|piece| (piece.top, piece.lines)).collect();
        assert_eq!(lines, [(0, 500..512), (512, 512..1024), (1024, 1024..1030)]);
        assert_eq!(matrix.cut(7..7).count(), 0);
        let values: Vec<f32> = (0..3 * COLS).map(|k| k as f32).collect();
        matrix.write(gpu, &values).unwrap();
        assert!(matrix.download(gpu).unwrap() == values);
        let last = matrix.part(1030, 2);
        assert_eq!((last.start, last.first, last.second), (6 * 3 + 2, 3, 1));
    });
}

#[test]
fn gpu_refuses_what_cannot_be_cut() {
    on_gpu_with_pieces(|gpu| {
        let is_too_large =
            |error: Option<Error>| assert!(matches!(error, Some(Error::GpuTooLarge { .. })), "{error:?}");
        // Groups of 12 that would lie in two pieces.
        let mut case = case(Order::Natural, Pattern::NofM { n: 5, m: 12 }, None);
        case.cols = 600;
        let factor = factor(gpu, gram(gpu, 600, &inputs(100, 600, &[])), case.order).unwrap();
        is_too_large(case.compress(&factor).err());
        // Weights in more pieces than a kernel reads, and a span that no buffer holds.
        let columns = Columns::zeros(1, 5 * SPAN, &Control::default()).unwrap();
        is_too_large(Weights::upload(gpu, &columns).err());
        is_too_large(Matrix::new(gpu, SPAN, 1 << 30).err());
    });
}
