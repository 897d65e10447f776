//! Weights that lie on no grid, and layers that a layout cannot hold.

use super::example::{Example, Wish};
use crate::checkpoint::tests::{Folder, Random};
use crate::control::Control;
use crate::error::Error;
use crate::pack::part::{GgmlType, Part};
use crate::pack::write::write_part;
use crate::weights::storage::Storage;

#[test]
fn a_weight_beside_the_grid_is_named() {
    for seed in 0..100 {
        let mut random = Random(seed);
        let of = Example::random(&mut random, Wish::default());
        let mut dense = of.dense();
        let at = random.below(of.rows * of.cols);
        // Beyond every code, and numbers that are none.
        let size = of.storage.size();
        let (row, col) = (at / of.cols, at % of.cols);
        let (zero, scale) = (f32::from(of.zero(row, col)), of.scale(row, col));
        let (below, above) = ((-zero - 1.0) * scale, ((1 << of.bits) as f32 - zero) * scale);
        let wrong = random.pick(&[1e4f32, f32::NAN, f32::INFINITY, below, above]);
        if of.storage == Storage::BF16 && of.bits == 8 {
            continue;
        }
        of.storage.encode(&[wrong], &mut dense[at * size..][..size]);
        let folder = Folder::new();
        let layer = of.open_with(&folder, &dense).unwrap();
        let expected = Error::NotOnGrid {
            path: folder.path().join("model.safetensors").to_str().unwrap().to_owned(),
            layer: "a".to_owned(),
            row: at / of.cols,
        };
        assert_eq!(layer.zeros(&Control::default()), Err(expected.clone()));
        let packing = write_part(&layer, Part::GptqQweight, None, &mut |_| Ok(()), &Control::default());
        assert_eq!(packing, Err(expected));
    }
}

/// One unit in the last place beside the stored weight is found too, but for a grid finer than the dtype.
#[test]
fn the_last_bit_counts() {
    let mut random = Random(3);
    let mut of = Example::random(
        &mut random,
        Wish {
            cols: Some(64),
            bits: Some(4),
            ..Wish::default()
        },
    );
    of.storage = Storage::F16;
    of.scales.fill(0.25);
    for (col, zero) in of.members.iter().zip(&mut of.codes) {
        *zero = if of.zeros[*col] == 0 { 5 } else { 0 };
    }
    let mut dense = of.dense();
    dense[0] ^= 1;
    let folder = Folder::new();
    let counted = of.open_with(&folder, &dense).unwrap().zeros(&Control::default());
    assert!(matches!(counted, Err(Error::NotOnGrid { row: 0, .. })));
}

#[test]
fn what_a_layout_cannot_hold_is_refused() {
    let open = |wish: Wish| {
        let folder = Folder::new();
        let mut of = Example::random(&mut Random(1), wish);
        if wish.symmetric == Some(false) {
            of.zeros[0] = 0;
            of.codes.fill(0);
        }
        of.open(&folder)
    };
    let refused = |wish: Wish, part: Part| {
        let outcome = write_part(&open(wish), part, None, &mut |_| Ok(()), &Control::default());
        assert!(matches!(outcome, Err(Error::Internal { .. })), "{part:?}");
    };
    let wish = |symmetric, bits| Wish {
        symmetric: Some(symmetric),
        bits: Some(bits),
        blocks: Some(32),
        ..Wish::default()
    };
    refused(wish(false, 4), Part::GptqQzeros);
    refused(wish(false, 4), Part::Ggml(GgmlType::Q4_0));
    refused(wish(true, 8), Part::Ggml(GgmlType::Q4_0));
    refused(wish(true, 3), Part::CtWeightPacked);
    let ordered = Wish {
        group_order: true,
        ..wish(true, 4)
    };
    refused(ordered, Part::NbitsB { block: 32 });
    refused(ordered, Part::Ggml(GgmlType::Q4_0));
}
