//! Every lie a header, an index or a folder can tell, and the variant it is refused by.

use std::fs::{self, File};

use super::{Folder, file_of};
use crate::checkpoint::{Checkpoint, header};
use crate::error::Error;

const PATH: &str = "model.safetensors";

fn refusal(file: &[u8]) -> Error {
    header::parse(PATH, file).expect_err("a lie")
}

/// The refusal of a header over `data_bytes` bytes of data.
fn header_refusal(json: &str, data_bytes: usize) -> Error {
    refusal(&file_of(json, &vec![0; data_bytes]))
}

fn path() -> String {
    PATH.to_owned()
}

fn a() -> String {
    "a".to_owned()
}

#[test]
fn a_true_header_is_read() {
    let json = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   "#;
    let entries = header::parse(PATH, &file_of(json, &[0; 16])).unwrap();
    let start = 8 + json.len() as u64;
    let found: Vec<_> = entries
        .iter()
        .map(|e| (e.name.as_str(), e.dtype.name(), &e.shape[..], e.begin, e.end))
        .collect();
    assert_eq!(
        found,
        [
            ("a", "F32", &[][..], start, start + 4),
            ("b", "F16", &[2, 3], start + 4, start + 16)
        ]
    );
}

#[test]
fn an_empty_object_and_a_tensor_without_elements_are_true() {
    assert_eq!(header::parse(PATH, &file_of("{}", &[])).unwrap(), []);
    let json = r#"{"a":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    assert_eq!(header::parse(PATH, &file_of(json, &[7])).unwrap().len(), 2);
}

#[test]
fn lengths() {
    assert_eq!(refusal(b""), Error::TooShort { path: path(), size: 0 });
    assert_eq!(refusal(&[0; 7]), Error::TooShort { path: path(), size: 7 });
    let header = 3;
    assert_eq!(
        refusal(b"\x03\0\0\0\0\0\0\0{}"),
        Error::HeaderBeyondFile {
            path: path(),
            header,
            size: 10
        }
    );
    assert_eq!(
        refusal(&[0xff; 64]),
        Error::HeaderBeyondFile {
            path: path(),
            header: u64::MAX,
            size: 64
        }
    );
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert_eq!(refusal(pointer), Error::LfsPointer { path: path() });
}

#[test]
fn a_header_of_more_than_100_megabytes() {
    let folder = Folder::new();
    let file = folder.path().join(PATH);
    let written = File::create(&file).unwrap();
    written.set_len(200_000_000).unwrap();
    std::os::unix::fs::FileExt::write_at(&written, &100_000_001u64.to_le_bytes(), 0).unwrap();
    let refused = Checkpoint::open_file(&file).err().unwrap();
    assert_eq!(
        refused,
        Error::HeaderTooLarge {
            path: display(&file),
            header: 100_000_001,
            limit: 100_000_000
        }
    );
}

fn display(path: &std::path::Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn text() {
    assert_eq!(
        refusal(&file_of(b"{\"a\xff\"}", &[])),
        Error::HeaderNotUtf8 {
            path: path(),
            offset: 8 + 3
        }
    );
    for (json, at) in [
        ("", 8),
        ("{", 9),
        ("{} x", 11),
        ("{\"a\" 1}", 13),
        ("{,}", 9),
        ("{\"\\ud800\":1}", 17),
    ] {
        match header_refusal(json, 0) {
            Error::HeaderNotJson { offset, .. } => assert!(offset.abs_diff(at) <= 1, "{json} at {offset}"),
            other => panic!("{json}: {other}"),
        }
    }
    for json in ["[]", "1", "null", "\"text\"", &"[".repeat(100_000)] {
        assert_eq!(header_refusal(json, 0), Error::HeaderNotAnObject { path: path() });
    }
}

#[test]
fn forms() {
    let bomb = format!(r#"{{"a":{{"dtype":"F32","x":{}"#, "[".repeat(1_000_000));
    let deep_shape = format!(r#"{{"a":{{"dtype":"F32","shape":{}"#, "[".repeat(1_000_000));
    let dimensions = format!(
        r#"{{"a":{{"dtype":"U8","shape":[{}1],"data_offsets":[0,1]}}}}"#,
        "1,".repeat(64)
    );
    let forms = [
        r#"{"a":1}"#,
        r#"{"a":null}"#,
        r#"{"a":{}}"#,
        r#"{"a":{"dtype":"F32","shape":[1]}}"#,
        r#"{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":0}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4.0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551616]}}"#,
        r#"{"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}"#,
        &bomb,
        &deep_shape,
        &dimensions,
    ];
    for json in forms {
        match header_refusal(json, 4) {
            Error::HeaderMalformed { tensor, offset, .. } => {
                assert_eq!(tensor, "a");
                assert!((13..8 + json.len()).contains(&offset), "{offset}");
            }
            other => panic!("{json}: {other}"),
        }
    }
    let metadata = header_refusal(r#"{"__metadata__":{"format":1}}"#, 0);
    assert!(matches!(metadata, Error::HeaderMalformed { tensor, .. } if tensor == "__metadata__"));
}

#[test]
fn names_and_dtypes() {
    let entry = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
    let twice = format!(r#"{{"a":{entry},"b":{entry},"a":{entry}}}"#);
    assert_eq!(
        header_refusal(&twice, 1),
        Error::DuplicateTensor {
            path: path(),
            tensor: a()
        }
    );
    let escaped = format!(r#"{{"a":{entry},"\u0061":{entry}}}"#);
    assert_eq!(
        header_refusal(&escaped, 1),
        Error::DuplicateTensor {
            path: path(),
            tensor: a()
        }
    );
    let metadata = r#"{"__metadata__":{},"__metadata__":{}}"#;
    assert_eq!(
        header_refusal(metadata, 0),
        Error::DuplicateTensor {
            path: path(),
            tensor: "__metadata__".to_owned()
        }
    );
    let dtype = r#"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#;
    assert_eq!(
        header_refusal(dtype, 4),
        Error::UnknownDtype {
            path: path(),
            tensor: a(),
            dtype: "F31".to_owned()
        }
    );
}

#[test]
fn a_long_name_is_cut_in_the_message() {
    let name = "é".repeat(100_000);
    let json = format!(r#"{{"{name}":{{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}}}"#);
    match header_refusal(&json, 4) {
        Error::SizeMismatch { tensor, .. } => assert_eq!(tensor, format!("{}…", "é".repeat(200))),
        other => panic!("{other}"),
    }
}

#[test]
fn shapes() {
    let with_shape = |shape: &str| format!(r#"{{"a":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,16]}}}}"#);
    for (shape, dimension) in [
        ("-1", "-1"),
        ("4,1.5", "1.5"),
        ("2,-2,-3", "-2"),
        ("4.0", "4.0"),
        ("1e3", "1000.0"),
    ] {
        let expected = Error::BadDimension {
            path: path(),
            tensor: a(),
            dimension: dimension.to_owned(),
        };
        assert_eq!(header_refusal(&with_shape(shape), 16), expected);
    }
    for shape in [
        "9223372036854775808,2",
        "18446744073709551615",
        "4294967296,4294967296",
        "576460752303423488",
    ] {
        assert_eq!(
            header_refusal(&with_shape(shape), 16),
            Error::ShapeOverflow {
                path: path(),
                tensor: a()
            }
        );
    }
    for (shape, expected) in [("2,3", 24), ("", 4), ("0", 0), ("3", 12)] {
        let mismatch = Error::SizeMismatch {
            path: path(),
            tensor: a(),
            expected,
            actual: 16,
        };
        assert_eq!(header_refusal(&with_shape(shape), 16), mismatch);
    }
    let nibbles = r#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#;
    assert_eq!(
        header_refusal(nibbles, 2),
        Error::PartOfAByte {
            path: path(),
            tensor: a(),
            bits: 12
        }
    );
}

#[test]
fn offsets() {
    let two = |begin: u64, end: u64| {
        let elements = end.saturating_sub(begin);
        format!(
            r#"{{"b":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}},"a":{{"dtype":"U8","shape":[{elements}],"data_offsets":[{begin},{end}]}}}}"#
        )
    };
    assert_eq!(
        header_refusal(&two(8, 4), 8),
        Error::OffsetsReversed {
            path: path(),
            tensor: a(),
            begin: 8,
            end: 4
        }
    );
    assert_eq!(
        header_refusal(&two(4, 9), 8),
        Error::OffsetsOutside {
            path: path(),
            tensor: a(),
            end: 9,
            size: 8
        }
    );
    let far = 1 << 60;
    assert_eq!(
        header_refusal(&two(4, far), 8),
        Error::OffsetsOutside {
            path: path(),
            tensor: a(),
            end: far,
            size: 8
        }
    );
    assert_eq!(
        header_refusal(&two(3, 8), 8),
        Error::OffsetsOverlap {
            path: path(),
            tensor: a(),
            other: "b".to_owned(),
            offset: 3
        }
    );
    assert_eq!(
        header_refusal(&two(6, 8), 8),
        Error::Hole {
            path: path(),
            tensor: a(),
            offset: 4,
            bytes: 2
        }
    );
    assert_eq!(
        header_refusal(&two(4, 7), 8),
        Error::TrailingBytes {
            path: path(),
            offset: 7,
            bytes: 1
        }
    );
    assert_eq!(
        header_refusal("{}", 3),
        Error::TrailingBytes {
            path: path(),
            offset: 0,
            bytes: 3
        }
    );
}

fn open(folder: &Folder) -> Error {
    Checkpoint::open(folder.path()).err().expect("a refusal")
}

#[test]
fn folders() {
    let folder = Folder::new();
    let inside = |name: &str| display(&folder.path().join(name));
    assert_eq!(
        open(&folder),
        Error::NoWeights {
            path: display(folder.path())
        }
    );
    let bin = folder.write("pytorch_model.bin", "PK and some more");
    assert_eq!(
        open(&folder),
        Error::BinNotAnArchive {
            path: inside("pytorch_model.bin")
        }
    );
    assert_eq!(
        Checkpoint::open(&bin).err(),
        Some(Error::NotAFolder { path: display(&bin) })
    );
    fs::create_dir(folder.path().join(PATH)).unwrap();
    assert_eq!(open(&folder), Error::NotAFile { path: inside(PATH) });
    fs::remove_dir(folder.path().join(PATH)).unwrap();
    folder.write(PATH, "");
    assert_eq!(
        open(&folder),
        Error::TooShort {
            path: inside(PATH),
            size: 0
        }
    );
    let missing = Checkpoint::open_file(&folder.path().join("none.safetensors"))
        .err()
        .unwrap();
    assert!(matches!(missing, Error::NotReadable { path, .. } if path == inside("none.safetensors")));
}

fn one_byte(name: &str) -> Vec<u8> {
    file_of(
        format!(r#"{{"{name}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#),
        &[1],
    )
}

#[test]
fn indexes() {
    let folder = Folder::new();
    let index = "model.safetensors.index.json";
    let inside = |name: &str| display(&folder.path().join(name));
    let refused_with = |text: &str| {
        folder.write(index, text);
        open(&folder)
    };
    for text in [
        "",
        "[]",
        "{}",
        r#"{"weight_map":[]}"#,
        r#"{"weight_map":{"a":1}}"#,
        r#"{"weight_map":{"a":"b"}"#,
    ] {
        let refused = refused_with(text);
        assert!(
            matches!(&refused, Error::IndexMalformed { path, .. } if *path == inside(index)),
            "{text}: {refused}"
        );
    }
    for shard in [
        "../x.safetensors",
        "/etc/passwd",
        "x/y",
        "x\\\\y",
        "..",
        ".",
        "",
        "c:x",
        "x\\u0000y",
    ] {
        let refused = refused_with(&format!(r#"{{"weight_map":{{"a":"{shard}"}}}}"#));
        assert!(
            matches!(&refused, Error::ShardName { tensor, .. } if tensor == "a"),
            "{shard}: {refused}"
        );
    }
    let twice = r#"{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}"#;
    assert_eq!(
        refused_with(twice),
        Error::IndexDuplicate {
            path: inside(index),
            tensor: a()
        }
    );

    let two = r#"{"metadata":{"total_size":2},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"#;
    folder.write("1.safetensors", one_byte("a"));
    let (tensor, missing) = ("b".to_owned(), inside("2.safetensors"));
    assert_eq!(
        refused_with(two),
        Error::ShardMissing {
            path: missing,
            index: inside(index),
            tensor
        }
    );
    folder.write("2.safetensors", one_byte("c"));
    let (tensor, shard) = ("b".to_owned(), "2.safetensors".to_owned());
    assert_eq!(
        refused_with(two),
        Error::TensorNotInShard {
            path: inside(index),
            tensor,
            shard
        }
    );
    folder.write("2.safetensors", one_byte("a"));
    let (path, other) = (inside("2.safetensors"), inside("1.safetensors"));
    assert_eq!(
        refused_with(two),
        Error::TensorInTwoShards {
            path,
            tensor: a(),
            other
        }
    );
    folder.write("2.safetensors", one_byte("b"));
    assert!(Checkpoint::open(folder.path()).is_ok());
    let swapped = r#"{"weight_map":{"a":"2.safetensors","b":"1.safetensors"}}"#;
    assert!(matches!(refused_with(swapped), Error::TensorNotInShard { .. }));

    File::options()
        .write(true)
        .open(folder.path().join(index))
        .unwrap()
        .set_len(100_000_001)
        .unwrap();
    assert_eq!(
        open(&folder),
        Error::IndexTooLarge {
            path: inside(index),
            size: 100_000_001,
            limit: 100_000_000
        }
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_at_once() {
    let folder = Folder::new();
    let pipe = folder.path().join(PATH);
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(open(&folder), Error::NotAFile { path: display(&pipe) });
}
