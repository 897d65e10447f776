//! Numbers out of files, at odd alignments and across chunk borders, against conversions written from the formats' definitions.

use super::{Folder, Random, file_of};
use crate::checkpoint::{Checkpoint, Scan};
use crate::control::Control;
use crate::error::Error;

/// A file whose one tensor "x" begins at an odd address: the header is a byte longer than a multiple of 8.
fn unaligned(folder: &Folder, dtype: &str, elements: usize, data: &[u8]) -> Checkpoint {
    let mut json = format!(
        r#"{{"x":{{"dtype":"{dtype}","shape":[{elements}],"data_offsets":[0,{}]}}}}"#,
        data.len()
    );
    while json.len() % 8 != 1 {
        json.push(' ');
    }
    let checkpoint = Checkpoint::open_file(&folder.write("x.safetensors", file_of(json, data))).unwrap();
    assert_eq!(checkpoint.bytes("x").unwrap().as_ptr() as usize % 2, 1);
    checkpoint
}

fn load(checkpoint: &Checkpoint) -> Vec<f32> {
    let mut out = vec![f32::NAN; checkpoint.tensor("x").unwrap().elements()];
    checkpoint.load_f32("x", &mut out).unwrap();
    out
}

/// (-1)^sign * 2^(exponent - bias) * (1 + mantissa / 2^bits), subnormals and infinities as IEEE 754 has them.
fn by_definition(bits: u16, exponent_bits: u32, mantissa_bits: u32) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    let fraction = f64::from(bits & ((1 << mantissa_bits) - 1)) / f64::from(1 << mantissa_bits);
    let bias = (1 << (exponent_bits - 1)) - 1;
    match exponent {
        0 => sign * fraction * 2f64.powi(1 - bias),
        e if e == (1 << exponent_bits) - 1 && fraction == 0.0 => sign * f64::INFINITY,
        e if e == (1 << exponent_bits) - 1 => f64::NAN,
        e => sign * (1.0 + fraction) * 2f64.powi(e - bias),
    }
}

#[test]
fn every_float16_and_bfloat16() {
    let folder = Folder::new();
    let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for (dtype, exponent_bits, mantissa_bits) in [("F16", 5, 10), ("BF16", 8, 7)] {
        let loaded = load(&unaligned(&folder, dtype, 1 << 16, &all));
        for (bits, &value) in (0..=u16::MAX).zip(&loaded) {
            let expected = by_definition(bits, exponent_bits, mantissa_bits);
            let same = expected.is_nan() && value.is_nan() || f64::from(value).to_bits() == expected.to_bits();
            assert!(same, "{dtype} {bits:#x}: {value} {expected}");
        }
    }
}

#[test]
fn float32_keeps_its_bits_across_chunks() {
    let folder = Folder::new();
    let mut random = Random(1);
    let bits: Vec<u32> = (0..3 * (1 << 16) + 17).map(|_| random.next() as u32).collect();
    let data: Vec<u8> = bits.iter().flat_map(|b| b.to_le_bytes()).collect();
    let loaded = load(&unaligned(&folder, "F32", bits.len(), &data));
    assert_eq!(loaded.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), bits);
}

#[test]
fn float16_across_chunks() {
    let folder = Folder::new();
    let mut random = Random(2);
    let bits: Vec<u16> = (0..2 * (1 << 16) + 1029)
        .map(|_| random.next() as u16 & 0x7bff)
        .collect();
    let data: Vec<u8> = bits.iter().flat_map(|b| b.to_le_bytes()).collect();
    let loaded = load(&unaligned(&folder, "F16", bits.len(), &data));
    let expected: Vec<f32> = bits.iter().map(|&b| by_definition(b, 5, 10) as f32).collect();
    assert_eq!(loaded, expected);
}

fn scan(dtype: &str, data: &[u8], size: usize) -> Scan {
    let folder = Folder::new();
    let checkpoint = unaligned(&folder, dtype, data.len() / size, data);
    checkpoint.scan("x", &Control::default()).unwrap()
}

#[test]
fn a_scan_counts_zeros_and_finds_the_first_that_is_not_finite() {
    let elements = 4 * (1 << 16) + 5;
    let one = |dtype| match dtype {
        "F32" => 1f32.to_bits(),
        "F16" => 0x3c00,
        _ => 0x3f80,
    };
    // The smallest subnormal is no zero, the largest finite number is finite.
    for (dtype, size, sign, largest, infinity) in [
        ("F32", 4, 0x8000_0000, f32::MAX.to_bits(), f32::INFINITY.to_bits()),
        ("F16", 2, 0x8000, 0x7bff, 0x7c00),
        ("BF16", 2, 0x8000, 0x7f7f, 0x7f80),
    ] {
        let mut bits = vec![one(dtype); elements];
        bits[1] = 1;
        bits[2] = 0;
        bits[65_536] = sign;
        bits[100_000] = sign | largest;
        bits[elements - 1] = 0;
        let data = |bits: &[u32]| -> Vec<u8> { bits.iter().flat_map(|b| b.to_le_bytes()[..size].to_vec()).collect() };
        let finite = Scan {
            elements,
            zeros: 3,
            first_not_finite: None,
        };
        assert_eq!(scan(dtype, &data(&bits), size), finite);
        for (first, second) in [(0, 1), (70_000, 200_000), (elements - 2, elements - 1)] {
            let mut bits = bits.clone();
            let zeros = 3 - [first, second].iter().filter(|&&i| bits[i] & !sign == 0).count();
            bits[first] = sign | infinity;
            bits[second] = infinity + 1;
            assert_eq!(
                scan(dtype, &data(&bits), size),
                Scan {
                    elements,
                    zeros,
                    first_not_finite: Some(first)
                }
            );
        }
    }
}

#[test]
fn a_scan_is_cancelled() {
    let folder = Folder::new();
    let control = Control::default();
    control.cancel();
    let checkpoint = unaligned(&folder, "F32", 1, &[0; 4]);
    assert_eq!(checkpoint.scan("x", &control), Err(Error::Cancelled {}));
}

#[test]
fn token_ids() {
    let folder = Folder::new();
    let wide: Vec<u8> = [0i64, -1, 50_271, 1 << 53]
        .iter()
        .flat_map(|id| id.to_le_bytes())
        .collect();
    let ids = unaligned(&folder, "I64", 4, &wide).read_ids("x").unwrap();
    assert_eq!(ids, [0.0, -1.0, 50_271.0, 9_007_199_254_740_992.0]);
    let narrow: Vec<u8> = [7i32, i32::MIN].iter().flat_map(|id| id.to_le_bytes()).collect();
    assert_eq!(
        unaligned(&folder, "I32", 2, &narrow).read_ids("x").unwrap(),
        [7.0, -2_147_483_648.0]
    );
    for too_large in [(1i64 << 53) + 1, i64::MIN, i64::MAX] {
        let data = [3i64.to_le_bytes(), too_large.to_le_bytes()].concat();
        let refused = unaligned(&folder, "I64", 2, &data).read_ids("x").unwrap_err();
        assert!(matches!(refused, Error::IntegerTooLarge { index: 1, .. }), "{refused}");
    }
}

#[test]
fn other_dtypes_are_listed_and_refused_when_read() {
    let folder = Folder::new();
    let file = folder.path().join("x.safetensors").to_str().unwrap().to_owned();
    for dtype in ["F64", "U8", "F8_E4M3", "I64", "BOOL"] {
        let size = if ["F64", "I64"].contains(&dtype) { 8 } else { 1 };
        let checkpoint = unaligned(&folder, dtype, 1, &vec![0; size]);
        assert_eq!(checkpoint.tensors()[0].dtype.name(), dtype);
        let (path, tensor, dtype) = (file.clone(), "x".to_owned(), dtype.to_owned());
        let refused = Error::NotAWeightDtype { path, tensor, dtype };
        assert_eq!(checkpoint.load_f32("x", &mut [0.0]), Err(refused.clone()));
        assert_eq!(checkpoint.scan("x", &Control::default()), Err(refused));
    }
    let weights = unaligned(&folder, "F32", 1, &[0; 4]);
    let (path, tensor) = (file.clone(), "x".to_owned());
    assert_eq!(
        weights.read_ids("x"),
        Err(Error::NotAnIdDtype {
            path,
            tensor,
            dtype: "F32".to_owned()
        })
    );
    assert_eq!(
        weights.bytes("y"),
        Err(Error::NoTensor {
            path: file,
            tensor: "y".to_owned()
        })
    );
}

#[cfg(unix)]
#[test]
fn shards_behind_symbolic_links_are_read_as_one() {
    let (blobs, folder) = (Folder::new(), Folder::new());
    for (shard, name, value) in [("1.safetensors", "a", 1u8), ("2.safetensors", "b", 2)] {
        let json = format!(r#"{{"{name}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#);
        let blob = blobs.write(&format!("blob-{name}"), file_of(json, &[value]));
        std::os::unix::fs::symlink(blob, folder.path().join(shard)).unwrap();
    }
    folder.write(
        "model.safetensors.index.json",
        r#"{"metadata":{},"weight_map":{"b":"2.safetensors","a":"1.safetensors"}}"#,
    );
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.bytes("a").unwrap(), [1]);
    assert_eq!(checkpoint.bytes("b").unwrap(), [2]);
    let tensor = checkpoint.tensor("b").unwrap();
    assert_eq!(checkpoint.file_of(tensor), blobs.path().join("blob-b"));
    assert_eq!(
        std::fs::read(checkpoint.file_of(tensor)).unwrap()[tensor.offset as usize],
        2
    );
}
