//! Pack against the naive writer, then unpack what either wrote.

use std::sync::Arc;

use super::example::{Example, Wish, safetensors};
use super::naive;
use crate::checkpoint::tests::{Folder, Random};
use crate::control::Control;
use crate::pack::dense::dtype_name;
use crate::pack::layer::QuantizedLayer;
use crate::pack::part::{GgmlType, Part};
use crate::pack::read::{DataFile, NbitsPlaces, PackedLayer};
use crate::pack::write::write_part;

const CASES: u64 = 30;

pub fn packed(layer: &QuantizedLayer, part: Part, rows: Option<&[u32]>) -> Vec<u8> {
    let mut out = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        Ok(())
    };
    write_part(layer, part, rows, sink, &Control::default()).unwrap();
    if rows.is_none() {
        assert_eq!(out.len() as u64, part.bytes(&layer.measures()).unwrap(), "{part:?}");
    }
    out
}

fn unpacked(layer: &PackedLayer, of: &Example) -> Vec<u8> {
    let mut out = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        Ok(())
    };
    layer.write(of.storage, None, sink, &Control::default()).unwrap();
    out
}

fn each(wish: Wish, check: impl Fn(&Example, &QuantizedLayer, &Folder)) {
    for seed in 0..CASES {
        let mut random = Random(seed);
        let example = Example::random(&mut random, wish);
        let folder = Folder::new();
        check(&example, &example.open(&folder), &folder);
    }
}

#[test]
fn gptq() {
    for (format, zero_offset, group_order) in [("v1", 1, false), ("v2", 0, false), ("v2", 0, true)] {
        let wish = Wish {
            no_zero_point_zero: format == "v1",
            group_order,
            ..Wish::default()
        };
        each(wish, |of, layer, folder| {
            let zeros_part = if format == "v1" {
                Part::GptqQzeros
            } else {
                Part::GptqV2Qzeros
            };
            let qweight = packed(layer, Part::GptqQweight, None);
            let qzeros = packed(layer, zeros_part, None);
            let scales = packed(layer, Part::GptqScales, None);
            let g_idx = packed(layer, Part::GptqGidx, None);
            assert!(qweight == naive::qweight(of));
            assert!(qzeros == naive::qzeros(of, zero_offset.into()));
            assert!(scales == naive::gptq_scales(of));
            assert!(g_idx == naive::g_idx(of));
            let (rows, groups) = (of.rows as u64, of.groups as u64);
            let words = |codes: usize| (codes * of.bits as usize).div_ceil(32) as u64;
            let tensors = [
                ("a.qweight", "I32", vec![words(of.cols), rows], qweight),
                ("a.qzeros", "I32", vec![groups, words(of.rows)], qzeros),
                ("a.scales", "F16", vec![groups, rows], scales),
                ("a.g_idx", "I32", vec![of.cols as u64], g_idx),
            ];
            let file = safetensors(folder, "packed.safetensors", &tensors);
            let read = PackedLayer::gptq(file, "a", of.bits, of.group_size, zero_offset).unwrap();
            assert!(unpacked(&read, of) == of.dense());
        });
    }
}

#[test]
fn pack_quantized() {
    for bits in [2, 4, 8] {
        let wish = Wish {
            bits: Some(bits),
            ..Wish::default()
        };
        each(wish, |of, layer, folder| {
            let codes = packed(layer, Part::CtWeightPacked, None);
            let bytes = of.storage.size();
            let scales = packed(layer, Part::CtWeightScale { bytes }, None);
            let zeros = packed(layer, Part::CtWeightZeroPoint, None);
            assert!(codes == naive::weight_packed(of));
            assert!(scales == naive::weight_scale(of));
            assert!(zeros == naive::weight_zero_point(of));
            let (rows, groups) = (of.rows as u64, of.groups as u64);
            let words = |codes: usize| (codes * of.bits as usize).div_ceil(32) as u64;
            let dtype = dtype_name(of.storage);
            let shape: Vec<u8> = [rows, of.cols as u64].iter().flat_map(|n| n.to_le_bytes()).collect();
            let mut tensors = vec![
                ("a.weight_packed", "I32", vec![rows, words(of.cols)], codes),
                ("a.weight_scale", dtype, vec![rows, groups], scales),
                ("a.weight_shape", "I64", vec![2], shape),
            ];
            if !of.is_symmetric {
                tensors.push(("a.weight_zero_point", "I32", vec![words(of.rows), groups], zeros));
            }
            let file = safetensors(folder, "packed.safetensors", &tensors);
            let read = PackedLayer::pack_quantized(file, "a", of.bits, of.group_size).unwrap();
            assert!(unpacked(&read, of) == of.dense());
        });
    }
}

#[test]
fn matmul_nbits() {
    for block in [16, 32, 128] {
        let wish = Wish {
            blocks: Some(block),
            ..Wish::default()
        };
        each(wish, |of, layer, folder| {
            let b = packed(layer, Part::NbitsB { block }, None);
            let scales = packed(layer, Part::NbitsScales { block }, None);
            let zeros = packed(layer, Part::NbitsZeroPoints { block }, None);
            assert!(b == naive::nbits_b(of, block));
            assert!(scales == naive::nbits_scales(of, block));
            assert!(zeros == naive::nbits_zero_points(of, block));
            let bytes = [&[1, 2, 3], &b[..], &scales, &zeros].concat();
            let file = Arc::new(DataFile::open(&folder.write("weights.data", bytes)).unwrap());
            let at = NbitsPlaces {
                b: 3,
                scales: 3 + b.len() as u64,
                zero_points: (!of.is_symmetric).then_some(3 + (b.len() + scales.len()) as u64),
                bits: if of.bits == 3 { 4 } else { of.bits },
                block,
            };
            let read = PackedLayer::nbits(file, &at, of.rows, of.cols).unwrap();
            assert!(unpacked(&read, of) == of.dense());
        });
    }
}

#[test]
fn ggml() {
    type Naive = fn(&Example) -> Vec<u8>;
    let kinds: [(GgmlType, bool, &[u32], Naive); 3] = [
        (GgmlType::Q4_0, true, &[2, 3, 4], naive::q4_0),
        (GgmlType::Q8_0, true, &[2, 3, 4, 8], naive::q8_0),
        (GgmlType::Q4_1, false, &[4], naive::q4_1),
    ];
    for (kind, symmetric, widths, expected) in kinds {
        for &bits in widths {
            let wish = Wish {
                bits: Some(bits),
                symmetric: Some(symmetric),
                blocks: Some(32),
                ..Wish::default()
            };
            each(wish, |of, layer, folder| {
                let blocks = packed(layer, Part::Ggml(kind), None);
                assert!(blocks == expected(of), "{kind:?}");
                let file = Arc::new(DataFile::open(&folder.write("a.gguf", [&[0; 7], &blocks[..]].concat())).unwrap());
                let read = PackedLayer::ggml(file, kind, 7, of.rows, of.cols).unwrap();
                assert!(unpacked(&read, of) == of.dense(), "{kind:?}");
            });
        }
    }
}

/// Eight bits in bfloat16: two codes may be stored as one value, which comes back whichever of them was written.
#[test]
fn codes_that_share_a_value() {
    let wish = Wish {
        bits: Some(8),
        symmetric: Some(false),
        blocks: Some(32),
        all_levels: true,
        ..Wish::default()
    };
    each(wish, |of, layer, folder| {
        let block = 32;
        let parts = [
            Part::NbitsB { block },
            Part::NbitsScales { block },
            Part::NbitsZeroPoints { block },
        ];
        let [b, scales, zeros] = parts.map(|part| packed(layer, part, None));
        let at = NbitsPlaces {
            b: 0,
            scales: b.len() as u64,
            zero_points: Some((b.len() + scales.len()) as u64),
            bits: 8,
            block,
        };
        let file = folder.write("weights.data", [b, scales, zeros].concat());
        let file = Arc::new(DataFile::open(&file).unwrap());
        assert!(unpacked(&PackedLayer::nbits(file, &at, of.rows, of.cols).unwrap(), of) == of.dense());
    });
}

#[test]
fn rows_in_another_order() {
    let wish = Wish {
        bits: Some(4),
        symmetric: Some(true),
        blocks: Some(32),
        ..Wish::default()
    };
    each(wish, |of, layer, _| {
        let order: Vec<u32> = (0..of.rows as u32).rev().chain([0]).collect();
        let parts = [
            Part::Ggml(GgmlType::Q4_0),
            Part::CtWeightPacked,
            Part::CtWeightScale { bytes: 2 },
            Part::NbitsB { block: 32 },
        ];
        for part in parts {
            let (plain, moved) = (packed(layer, part, None), packed(layer, part, Some(&order)));
            let width = plain.len() / of.rows;
            let expected: Vec<u8> = order
                .iter()
                .flat_map(|&row| plain[row as usize * width..][..width].to_vec())
                .collect();
            assert!(moved == expected);
        }
    });
}

#[test]
fn zeros_are_counted() {
    each(Wish::default(), |of, layer, _| {
        let all = (0..of.rows).flat_map(|row| (0..of.cols).map(move |col| (row, col)));
        let expected = all.filter(|&(row, col)| of.code(row, col) == of.zero(row, col)).count();
        assert_eq!(layer.zeros(&Control::default()).unwrap(), expected as u64);
    });
}
