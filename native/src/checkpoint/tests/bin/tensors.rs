//! Tensors that lie about their storages, and what may stand beside tensors.

use super::make::{
    archive, call, code, dict, file, file_of, global, int, join, numbers, parse, pickle, refusal, storage, tensor,
    text, tuple, weight,
};
use crate::error::Error;

#[test]
fn a_file_made_by_hand_is_read() {
    let made = file_of(&[
        ("b", weight()),
        ("a", tensor(storage("HalfStorage", "0", 12), 2, &[3], &[1])),
    ]);
    let begin = made.windows(24).position(|bytes| bytes == [1; 24]).unwrap() as u64;
    let found = parse(&made).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|e| {
            (
                e.name.as_str(),
                e.dtype.name(),
                &e.shape[..],
                e.begin - begin,
                e.end - begin,
            )
        })
        .collect();
    assert_eq!(found, [("b", "F32", &[2, 3][..], 0, 24), ("a", "F16", &[3], 4, 10)]);
}

fn refused(weight: Vec<u8>) -> Error {
    refusal(&file_of(&[("w", weight)]))
}

#[test]
fn storages() {
    let path = || super::make::PATH.to_owned();
    let w = || "w".to_owned();
    let of = |elements| storage("FloatStorage", "0", elements);
    assert_eq!(
        refused(tensor(storage("FloatStorage", "1", 6), 0, &[2, 3], &[3, 1])),
        Error::BinNoStorage {
            path: path(),
            tensor: w(),
            entry: "data/1".to_owned()
        }
    );
    for elements in [0, 5, 7, 24, i64::MAX] {
        assert_eq!(
            refused(tensor(of(elements), 0, &[2, 3], &[3, 1])),
            Error::BinStorageSize {
                path: path(),
                tensor: w(),
                entry: "data/0".to_owned(),
                elements: elements as u64,
                size: 24
            }
        );
    }
    for (offset, shape, stride, bytes) in [
        (1, [2, 3], [3, 1], 24),
        (0, [2, 4], [4, 1], 32),
        (i64::MAX, [1, 1], [1, 1], 4),
    ] {
        assert_eq!(
            refused(tensor(of(6), offset, &shape, &stride)),
            Error::BinBeyondStorage {
                path: path(),
                tensor: w(),
                offset: offset as u64,
                bytes,
                size: 24
            }
        );
    }
    assert_eq!(
        code(&refused(tensor(of(6), 7, &[0], &[1]))),
        "checkpoint.bin-beyond-storage"
    );
    for (shape, stride) in [
        ([2, 3], [1, 2]),
        ([2, 3], [0, 0]),
        ([2, 3], [0, 1]),
        ([2, 2], [3, 1]),
        ([2, 3], [3, -1]),
        ([2, 3], [i64::MIN, i64::MIN]),
    ] {
        assert_eq!(
            code(&refused(tensor(of(6), 0, &shape, &stride))),
            "checkpoint.bin-not-contiguous"
        );
    }
    for shape in [[i64::MAX, 3], [1 << 32, 1 << 32]] {
        assert_eq!(
            code(&refused(tensor(of(6), 0, &shape, &[3, 1]))),
            "checkpoint.shape-overflow"
        );
    }
    assert!(matches!(
        refused(tensor(of(6), 0, &[-2, 3], &[3, 1])),
        Error::BadDimension { dimension, .. } if dimension == "-2"
    ));
    assert!(parse(&file_of(&[("w", tensor(of(6), 5, &[1, 1, 1], &[9, 0, -4]))])).is_ok());
}

#[test]
fn a_storage_of_bytes_has_its_dtype_from_the_tensor() {
    let id = [
        text("storage"),
        global("torch.storage", "UntypedStorage"),
        text("0"),
        text("cpu"),
        int(24),
    ];
    let untyped = || join(&[&tuple(&id), b"Q"]);
    let hooks = || call(&global("collections", "OrderedDict"), &[]);
    let rebuilt = |function: &str, more: Vec<Vec<u8>>| {
        let first = [
            untyped(),
            int(4),
            numbers(&[2, 4]),
            numbers(&[4, 1]),
            b"\x89".to_vec(),
            hooks(),
        ];
        call(&global("torch._utils", function), &[&first[..], &more].concat())
    };
    let found = parse(&file_of(&[(
        "w",
        rebuilt("_rebuild_tensor_v3", vec![global("torch", "uint16")]),
    )]))
    .unwrap();
    assert_eq!((found[0].dtype.name(), found[0].end - found[0].begin), ("U16", 16));
    for wrong in [
        rebuilt("_rebuild_tensor_v2", vec![]),
        rebuilt("_rebuild_tensor_v3", vec![]),
        rebuilt("_rebuild_tensor_v3", vec![global("torch", "FloatStorage")]),
        rebuilt("_rebuild_tensor_v3", vec![global("torch", "int8"), b"}".to_vec()]),
    ] {
        assert_eq!(code(&refused(wrong)), "checkpoint.pickle-malformed");
    }
}

#[test]
fn what_stands_beside_tensors() {
    let plain = [
        int(3),
        b"G\0\0\0\0\0\0\0\0".to_vec(),
        b"N".to_vec(),
        b"\x88".to_vec(),
        text("x"),
    ];
    for value in plain {
        assert_eq!(parse(&file_of(&[("w", weight()), ("step", value)])).unwrap().len(), 1);
    }
    for (value, expected) in [
        (dict(&[("w", weight())]), "dict"),
        (b"]".to_vec(), "list"),
        (tuple(&[weight()]), "tuple"),
        (b"C\x01x".to_vec(), "bytes"),
        (storage("FloatStorage", "0", 6), "storage"),
        (global("torch", "FloatStorage"), "type"),
    ] {
        let found = refusal(&file_of(&[("w", weight()), ("x", value)]));
        assert!(
            matches!(&found, Error::BinNotATensor { entry, kind, .. } if entry == "x" && kind == expected),
            "{found}"
        );
    }
    let by_number = join(&[b"}", &int(1), &weight(), b"s"]);
    assert!(matches!(refusal(&file(&pickle(&by_number))), Error::BinNotATensor { entry, .. } if entry == "number"));
    assert_eq!(
        code(&refusal(&file_of(&[("w", weight()), ("w", weight())]))),
        "checkpoint.duplicate-tensor"
    );
    assert_eq!(parse(&file_of(&[])).unwrap(), []);
}

#[test]
fn byte_order_and_checksums() {
    let pickle = pickle(&dict(&[("w", weight())]));
    let with = |order: &[u8]| archive(&[("m/data.pkl", &pickle), ("m/byteorder", order), ("m/data/0", &[1; 24])]);
    assert!(parse(&with(b"little")).is_ok());
    for order in ["big", "", "little\n"] {
        assert!(matches!(refusal(&with(order.as_bytes())), Error::BinByteOrder { order: found, .. } if found == order));
    }
    let mut damaged = with(b"little");
    let at = damaged.windows(2).position(|bytes| bytes == b"\x89c").unwrap();
    damaged[at] = 0x88;
    assert!(matches!(refusal(&damaged), Error::ZipChecksum { entry, .. } if entry == "data.pkl"));
}
