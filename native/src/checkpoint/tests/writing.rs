//! What is written is read back bit for bit, by us and by the reference implementation, and nothing half-written stays.

use std::fs;

use super::{Folder, Random};
use crate::checkpoint::{Checkpoint, Dtype, ShardWriter, TensorSpec};
use crate::error::Error;
use crate::machine::lock::FileLock;

fn spec(name: &str, dtype: &str, shape: &[u64]) -> TensorSpec {
    TensorSpec {
        name: name.to_owned(),
        dtype: Dtype::of(dtype).unwrap(),
        shape: shape.to_vec(),
    }
}

fn random_bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    (0..count).map(|_| random.next() as u8).collect()
}

/// Two tensors and a scalar; the second is longer than the writer's buffer and the first leaves it unaligned.
fn example(folder: &Folder) -> (std::path::PathBuf, [Vec<u8>; 3]) {
    let path = folder.path().join("model.safetensors");
    let data = [random_bytes(3, 1), random_bytes(2 * 1_100_000, 2), random_bytes(4, 3)];
    let specs = [
        spec("z", "U8", &[3]),
        spec("a\"\\é.weight", "BF16", &[1_100, 1_000]),
        spec("m", "F32", &[]),
    ];
    let mut writer = ShardWriter::new(&path, &specs).unwrap();
    for (spec, bytes) in specs.iter().zip(&data) {
        writer.write_bytes(&spec.name, bytes).unwrap();
    }
    assert!(!path.exists());
    writer.finish().unwrap();
    (path, data)
}

#[test]
fn readback() {
    let folder = Folder::new();
    let (path, data) = example(&folder);
    let checkpoint = Checkpoint::open_file(&path).unwrap();
    let read: Vec<_> = checkpoint
        .tensors()
        .iter()
        .map(|t| (t.name.as_str(), t.dtype.name(), &t.shape[..]))
        .collect();
    let expected = [
        ("z", "U8", &[3][..]),
        ("a\"\\é.weight", "BF16", &[1_100, 1_000]),
        ("m", "F32", &[]),
    ];
    assert_eq!(read, expected);
    for ((name, ..), bytes) in expected.iter().zip(&data) {
        assert!(checkpoint.bytes(name).unwrap() == bytes);
    }
    assert_eq!(checkpoint.tensors()[0].offset % 8, 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_reference_implementation_reads_it() {
    let folder = Folder::new();
    let (path, data) = example(&folder);
    let file = fs::read(path).unwrap();
    let read = safetensors::SafeTensors::deserialize(&file).unwrap();
    assert_eq!(read.len(), 3);
    assert!(read.tensor("a\"\\é.weight").unwrap().data() == data[1]);
    assert_eq!(read.tensor("a\"\\é.weight").unwrap().shape(), [1_100, 1_000]);
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&file).unwrap();
    assert_eq!(
        metadata.metadata().as_ref().unwrap().get("format").map(String::as_str),
        Some("pt")
    );
}

#[test]
fn a_copy_has_the_same_bytes() {
    let folder = Folder::new();
    let (path, data) = example(&folder);
    let source = Checkpoint::open_file(&path).unwrap();
    let copy = folder.path().join("copy.safetensors");
    let mut writer = ShardWriter::new(&copy, &[spec("a\"\\é.weight", "F16", &[1_100_000])]).unwrap();
    writer.copy("a\"\\é.weight", &source).unwrap();
    writer.finish().unwrap();
    assert!(Checkpoint::open_file(&copy).unwrap().bytes("a\"\\é.weight").unwrap() == data[1]);
}

#[test]
fn a_file_that_is_mapped_can_be_replaced() {
    let folder = Folder::new();
    let (path, data) = example(&folder);
    let before = Checkpoint::open_file(&path).unwrap();
    let mut writer = ShardWriter::new(&path, &[spec("z", "U8", &[1])]).unwrap();
    writer.write_bytes("z", &[9]).unwrap();
    writer.finish().unwrap();
    assert_eq!(before.bytes("z").unwrap(), data[0]);
    assert_eq!(Checkpoint::open_file(&path).unwrap().bytes("z").unwrap(), [9]);
}

#[test]
fn an_unfinished_file_is_removed() {
    let folder = Folder::new();
    let path = folder.path().join("model.safetensors");
    let specs = [spec("a", "U8", &[2]), spec("b", "U8", &[1])];
    let is_empty = || fs::read_dir(folder.path()).unwrap().count() == 0;

    drop(ShardWriter::new(&path, &specs).unwrap());
    assert!(is_empty());
    let mut writer = ShardWriter::new(&path, &specs).unwrap();
    assert!(
        matches!(writer.write_bytes("b", &[0]), Err(Error::Internal { .. })),
        "out of turn"
    );
    assert!(
        matches!(writer.write_bytes("a", &[0]), Err(Error::Internal { .. })),
        "too short"
    );
    writer.write_bytes("a", &[0, 0]).unwrap();
    assert!(matches!(writer.finish(), Err(Error::Internal { .. })), "b is missing");
    assert!(is_empty());
}

#[test]
fn a_partial_file_of_an_earlier_process_is_replaced() {
    let folder = Folder::new();
    folder.write("model.safetensors.partial", vec![1; 10_000]);
    example(&folder);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let folder = Folder::new();
    let path = folder.path().join("model.safetensors");
    let refused = |specs: &[TensorSpec]| ShardWriter::new(&path, specs).err().unwrap();
    let twice = refused(&[spec("a", "U8", &[1]), spec("a", "U8", &[1])]);
    assert!(matches!(twice, Error::DuplicateTensor { .. }), "{twice}");
    let overflow = refused(&[spec("a", "F32", &[u64::MAX, 2])]);
    assert!(matches!(overflow, Error::ShapeOverflow { .. }), "{overflow}");
    let nowhere = ShardWriter::new(&folder.path().join("none/model.safetensors"), &[])
        .err()
        .unwrap();
    assert!(matches!(nowhere, Error::NotWritable { .. }), "{nowhere}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_lock_is_held_once() {
    let folder = Folder::new();
    let path = folder.path().join("lock");
    let held = FileLock::acquire(&path).unwrap();
    let refused = FileLock::acquire(&path).err();
    assert_eq!(
        refused,
        Some(Error::Locked {
            path: path.to_str().unwrap().to_owned()
        })
    );
    drop(held);
    assert!(FileLock::acquire(&path).is_ok());
}
