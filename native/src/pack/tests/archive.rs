//! Archives: what goes in comes out bit for bit, every changed byte is found, and a lie about lengths takes no memory.

use std::fs;
use std::path::{Path, PathBuf};

use super::example::{Example, Wish, safetensors};
use crate::checkpoint::Orientation;
use crate::checkpoint::tests::heap::peak_heap;
use crate::checkpoint::tests::matrix::naive;
use crate::checkpoint::tests::{Folder, Random};
use crate::control::Control;
use crate::error::Error;
use crate::pack::archive::{Archive, ArchiveWriter, Kind};

fn read(archive: &Archive, name: &str) -> Result<Vec<u8>, Error> {
    read_as(archive, name, Orientation::Upright)
}

fn read_as(archive: &Archive, name: &str, orientation: Orientation) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        Ok(())
    };
    archive.write(name, orientation, sink, &Control::default())?;
    Ok(out)
}

/// A quantized layer, the same one without its codes, a tensor and two files.
fn archive_of(of: &Example, folder: &Folder) -> PathBuf {
    let layer = of.open(folder);
    let shape = vec![of.rows as u64, of.cols as u64];
    let tensors = [
        (
            "b.weight",
            crate::pack::dense::dtype_name(of.storage),
            shape,
            of.dense(),
        ),
        ("ids", "I64", vec![2], vec![1; 16]),
    ];
    let others = safetensors(folder, "others.safetensors", &tensors);
    let path = folder.path().join("model.tamis");
    let control = Control::default();
    let mut writer = ArchiveWriter::new(&path).unwrap();
    writer.add_file("config.json", b"{}").unwrap();
    writer.add_file("tokenizer.json", &[b'x'; 10_000]).unwrap();
    writer.add_layer(&layer, &control).unwrap();
    writer.add_sparse(&others, "b.weight", &control).unwrap();
    writer.add_tensor(&others, "ids").unwrap();
    writer.finish().unwrap();
    path
}

#[test]
fn what_goes_in_comes_out() {
    for seed in 0..100 {
        let mut random = Random(seed);
        let group_order = random.below(4) == 0;
        let of = Example::random(
            &mut random,
            Wish {
                group_order,
                all_levels: true,
                ..Wish::default()
            },
        );
        let folder = Folder::new();
        let archive = Archive::open(&archive_of(&of, &folder)).unwrap();
        let names: Vec<_> = archive
            .sections()
            .map(|(section, _)| (section.kind, section.name.as_str()))
            .collect();
        let expected = [
            (Kind::File, "config.json"),
            (Kind::File, "tokenizer.json"),
            (Kind::Layer, "a.weight"),
            (Kind::Layer, "b.weight"),
            (Kind::Tensor, "ids"),
        ];
        assert_eq!(names, expected);
        assert_eq!(archive.read_file("config.json").unwrap(), b"{}");
        assert_eq!(archive.read_file("tokenizer.json").unwrap(), [b'x'; 10_000]);
        assert!(read(&archive, "a.weight").unwrap() == of.dense(), "{seed}");
        let turned = naive(&of.dense(), of.rows, of.cols, of.storage.size());
        assert!(
            read_as(&archive, "a.weight", Orientation::Transposed).unwrap() == turned,
            "{seed}"
        );
        assert!(read(&archive, "b.weight").unwrap() == of.dense(), "{seed}");
        assert_eq!(read(&archive, "ids").unwrap(), [1; 16]);
        assert_eq!(archive.dense_bytes("a.weight").unwrap(), of.dense().len() as u64);
    }
}

/// -0, NaN and infinity among the weights of a layer without codes.
#[test]
fn unquantized_weights_keep_every_bit() {
    let folder = Folder::new();
    let mut random = Random(1);
    let bytes: Vec<u8> = (0..4 * 300 * 7)
        .map(|i| if i / 4 % 3 == 0 { 0 } else { random.next() as u8 })
        .collect();
    let file = safetensors(&folder, "a.safetensors", &[("w", "F32", vec![7, 300], bytes.clone())]);
    let path = folder.path().join("model.tamis");
    let mut writer = ArchiveWriter::new(&path).unwrap();
    writer.add_sparse(&file, "w", &Control::default()).unwrap();
    writer.finish().unwrap();
    assert!(read(&Archive::open(&path).unwrap(), "w").unwrap() == bytes);
}

/// More than one band, the last one shorter.
#[test]
fn a_layer_of_several_bands() {
    let of = Example::random(
        &mut Random(5),
        Wish {
            rows: Some(2500),
            cols: Some(1000),
            bits: Some(3),
            ..Wish::default()
        },
    );
    let folder = Folder::new();
    let archive = Archive::open(&archive_of(&of, &folder)).unwrap();
    assert!(read(&archive, "a.weight").unwrap() == of.dense());
    assert!(read(&archive, "b.weight").unwrap() == of.dense());
}

/// Every section of an archive, read: what the first one that is refused is refused for.
fn outcome(path: &Path) -> Result<(), Error> {
    let archive = Archive::open(path)?;
    let names: Vec<_> = archive
        .sections()
        .map(|(section, _)| (section.kind, section.name.clone()))
        .collect();
    for (kind, name) in names {
        match kind {
            Kind::File => archive.read_file(&name).map(drop)?,
            _ => read(&archive, &name).map(drop)?,
        }
    }
    Ok(())
}

#[test]
fn every_damaged_byte_is_found_by_its_section() {
    let of = Example::random(
        &mut Random(9),
        Wish {
            rows: Some(5),
            cols: Some(33),
            ..Wish::default()
        },
    );
    let folder = Folder::new();
    let path = archive_of(&of, &folder);
    let bytes = fs::read(&path).unwrap();
    let archive = Archive::open(&path).unwrap();
    let mut ends = Vec::new();
    let mut at = 12;
    for (section, length) in archive.sections() {
        at += length;
        ends.push((at, section.name.clone()));
    }
    let mutant = folder.path().join("damaged.tamis");
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::remove_file(&mutant).ok();
        fs::write(&mutant, &damaged).unwrap();
        let refusal = outcome(&mutant).unwrap_err();
        let name = ends.iter().find(|(end, _)| at < *end).map(|(_, name)| name.as_str());
        match (&refusal, name) {
            (Error::NotAnArchive { .. }, _) => assert!(at < 8),
            (Error::ArchiveVersion { .. }, _) => assert!((8..12).contains(&at)),
            (Error::ArchiveTruncated { .. }, None) => {}
            (Error::ArchiveDamaged { section, .. }, Some(name)) => assert_eq!(section, name, "byte {at}"),
            (Error::ArchiveDamaged { section, .. }, None) => assert_eq!(section, "index", "byte {at}"),
            _ => panic!("byte {at}: {refusal}"),
        }
    }
    for length in 0..bytes.len() {
        fs::remove_file(&mutant).ok();
        fs::write(&mutant, &bytes[..length]).unwrap();
        let refusal = outcome(&mutant).unwrap_err();
        assert!(
            matches!(refusal, Error::NotAnArchive { .. } | Error::ArchiveTruncated { .. }),
            "{refusal}"
        );
    }
}

/// Checksums set right again after a change, so that what a section says is believed by nothing but its checks.
#[test]
fn lies_are_refused_and_take_no_memory() {
    let of = Example::random(
        &mut Random(11),
        Wish {
            rows: Some(5),
            cols: Some(33),
            ..Wish::default()
        },
    );
    let folder = Folder::new();
    let bytes = fs::read(archive_of(&of, &folder)).unwrap();
    let mutant = folder.path().join("lie.tamis");
    let mut refused = 0;
    // The memory is counted of this thread.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    let pool = pool.build().unwrap();
    for seed in 0..3000 {
        let mut random = Random(seed);
        let mut lie = bytes.clone();
        for _ in 0..1 + random.below(2) {
            let at = 12 + random.below(bytes.len() - 20);
            lie[at] = random.pick(&[0, 1, 2, 3, 8, 0x7f, 0xff, random.0 as u8]);
        }
        set_checksums(&mut lie);
        fs::remove_file(&mutant).ok();
        fs::write(&mutant, &lie).unwrap();
        let (outcome, peak) = peak_heap(|| pool.install(|| outcome(&mutant)));
        // A few bands of a million weights.
        assert!(peak < 150 << 20, "{peak} bytes, {seed}");
        match outcome {
            Ok(()) => {}
            Err(Error::Internal { detail }) => panic!("{detail}, {seed}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 500, "{refused}");
}

/// As long as the sections' marks and lengths can be followed.
fn set_checksums(bytes: &mut [u8]) {
    let mut at = 12;
    while let Some(prefix) = bytes.get(at..at + 20).filter(|prefix| prefix.starts_with(b"SECT")) {
        let header = u32::from_le_bytes(prefix[4..8].try_into().unwrap()) as usize;
        let payload = u64::from_le_bytes(prefix[8..16].try_into().unwrap()) as usize;
        let Some(end) = payload
            .checked_add(at + 20 + header)
            .filter(|end| end + 4 <= bytes.len())
        else {
            return;
        };
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&bytes[at + 4..at + 16]);
        checksum.update(&bytes[at + 20..at + 20 + header]);
        let checksum = checksum.finalize().to_le_bytes();
        bytes[at + 16..at + 20].copy_from_slice(&checksum);
        let checksum = crc32fast::hash(&bytes[at + 20 + header..end]).to_le_bytes();
        bytes[end..end + 4].copy_from_slice(&checksum);
        at = end + 4;
    }
}

#[test]
fn a_name_is_taken_once() {
    let folder = Folder::new();
    let path = folder.path().join("model.tamis");
    let mut writer = ArchiveWriter::new(&path).unwrap();
    writer.add_file("config.json", b"{}").unwrap();
    assert!(matches!(
        writer.add_file("config.json", b""),
        Err(Error::Internal { .. })
    ));
    drop(writer);
    assert!(!path.exists() && fs::read_dir(folder.path()).unwrap().count() == 0);
}
