//! ZIP archives that lie, and files that are none.

use super::make::{
    CENTRAL, END, LOCAL, archive, code, dict, file_of, header, join, parse, patched, pickle, refusal, weight,
};
use crate::checkpoint::tests::heap::{FIXED, peak_heap};
use crate::error::Error;

fn honest() -> Vec<u8> {
    file_of(&[("w", weight())])
}

fn assert_refused(file: &[u8], expected: &str) {
    let refused = refusal(file);
    assert_eq!(code(&refused), expected, "{refused}");
}

#[test]
fn cut_at_every_byte_and_lengthened() {
    let file = honest();
    for length in 0..file.len() {
        let refused = refusal(&file[..length]);
        assert!(
            matches!(refused, Error::BinNotAnArchive { .. } | Error::ZipTruncated { .. }),
            "{length}: {refused}"
        );
    }
    assert_refused(&join(&[&file, b"\0"]), "checkpoint.zip-truncated");
    assert_refused(&join(&[&file, &[0; 22]]), "checkpoint.zip-truncated");
    assert_refused(&join(&[&file, &file]), "checkpoint.zip-directory");
    assert_refused(&join(&[b"PK\x03\x04", &file]), "checkpoint.zip-directory");
}

#[test]
fn other_files() {
    assert_refused(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "checkpoint.bin-legacy");
    assert_refused(
        b"version https://git-lfs.github.com/spec/v1\n",
        "checkpoint.lfs-pointer",
    );
    assert_refused(b"<html>not found</html>", "checkpoint.bin-not-an-archive");
    assert_refused(&archive(&[("m/version", b"3")]), "checkpoint.bin-no-pickle");
    let pickle = pickle(&dict(&[("w", weight())]));
    for name in ["m/constants.pkl", "m/code/__torch__.py"] {
        let script = archive(&[("m/data.pkl", &pickle), (name, b""), ("m/data/0", &[1; 24])]);
        assert_refused(&script, "checkpoint.bin-script");
    }
}

#[test]
fn directories() {
    let file = honest();
    let end = header(&file, END, 0);
    let size = file.len() as u32;
    for (at, bytes) in [
        // Disks, counts (of this disk and of all), bytes, begin.
        (4, 1u32.to_le_bytes().to_vec()),
        (8, 2u16.to_le_bytes().to_vec()),
        (8, [4u16.to_le_bytes(); 2].concat()),
        (8, [0xffffu16.to_le_bytes(); 2].concat()),
        (12, 0u32.to_le_bytes().to_vec()),
        (12, size.to_le_bytes().to_vec()),
        (16, 0u32.to_le_bytes().to_vec()),
        (16, size.to_le_bytes().to_vec()),
        (16, u32::MAX.to_le_bytes().to_vec()),
    ] {
        assert_refused(&patched(file.clone(), end + at, &bytes), "checkpoint.zip-directory");
    }
    assert_refused(&patched(file.clone(), end + 20, &[1]), "checkpoint.zip-truncated");
    let central = header(&file, CENTRAL, 1);
    // Signature, length of the name, of the extra field, of the comment, disk.
    for (at, byte) in [(0, b'Q'), (28, 0xff), (30, 4), (32, 9), (34, 1)] {
        let refused = refusal(&patched(file.clone(), central + at, &[byte]));
        assert!(
            matches!(refused, Error::ZipDirectory { .. } | Error::ZipEntry { .. }),
            "{at}: {refused}"
        );
    }
}

#[test]
fn a_zip64_directory_is_read_and_its_lies_are_refused() {
    let file = honest();
    let end = header(&file, END, 0);
    let begin = u64::from(u32::from_le_bytes(file[end + 16..end + 20].try_into().unwrap()));
    let wide = |count: u64, bytes: u64, begin: u64, record_at: u64| {
        let numbers = [44, 0, 0, count, count, bytes, begin].map(u64::to_le_bytes);
        let record = join(&[b"PK\x06\x06", &numbers[0], &[0; 4], &numbers[2..].concat()]);
        let locator = join(&[b"PK\x06\x07\0\0\0\0", &record_at.to_le_bytes(), &[1, 0, 0, 0]]);
        let narrow = join(&[b"PK\x05\x06\0\0\0\0", &[0xff; 12], &[0; 2]]);
        join(&[&file[..end], &record, &locator, &narrow])
    };
    let bytes = end as u64 - begin;
    assert_eq!(
        parse(&wide(3, bytes, begin, end as u64)).unwrap(),
        parse(&file).unwrap()
    );
    for lie in [
        wide(2, bytes, begin, end as u64),
        wide(3, bytes - 1, begin, end as u64),
        wide(3, u64::MAX - begin + 1, begin, end as u64),
        wide(3, bytes, u64::MAX, end as u64),
        wide(3, bytes, begin, u64::MAX),
        wide(3, bytes, begin, end as u64 - 1),
        wide(3, 0, 0, 0),
    ] {
        let refused = refusal(&lie);
        assert!(
            matches!(refused, Error::ZipDirectory { .. } | Error::ZipTooLarge { .. }),
            "{refused}"
        );
    }
    for (count, bytes) in [(u64::MAX, bytes), (1 << 21, 1 << 40)] {
        let (refused, peak) = peak_heap(|| refusal(&wide(count, bytes, begin, end as u64)));
        assert!(matches!(refused, Error::ZipTooLarge { .. }), "{refused}");
        assert!(peak < FIXED, "{peak}");
    }
}

#[test]
fn sizes_and_offsets_in_the_zip64_extra_field() {
    let file = honest();
    let (central, end) = (header(&file, CENTRAL, 2), header(&file, END, 0));
    let local = u64::from(u32::from_le_bytes(file[central + 42..central + 46].try_into().unwrap()));
    let with_extra = |numbers: &[u64]| {
        let wide: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let extra = join(&[b"\x09\x00\x01\x00x\x01\x00", &(wide.len() as u16).to_le_bytes(), &wide]);
        let grown = join(&[&file[..end], &extra, &file[end..]]);
        let grown = patched(grown, central + 20, &[0xff; 8]);
        let grown = patched(grown, central + 30, &(extra.len() as u16).to_le_bytes());
        let grown = patched(grown, central + 42, &[0xff; 4]);
        let bytes = u32::from_le_bytes(file[end + 12..end + 16].try_into().unwrap()) + extra.len() as u32;
        patched(grown, end + extra.len() + 12, &bytes.to_le_bytes())
    };
    assert_eq!(parse(&with_extra(&[24, 24, local])).unwrap(), parse(&file).unwrap());
    assert_refused(&with_extra(&[24, 24]), "checkpoint.zip-directory");
    assert_refused(&with_extra(&[24, 23, local]), "checkpoint.zip-compressed");
    assert_refused(&with_extra(&[u64::MAX, u64::MAX, local]), "checkpoint.zip-entry");
    assert_refused(&with_extra(&[24, 24, u64::MAX]), "checkpoint.zip-entry");
    assert_refused(&with_extra(&[1 << 40, 1 << 40, local]), "checkpoint.zip-entry");
}

#[test]
fn entries() {
    let file = honest();
    let [pickle, storage] = [0, 2].map(|number| header(&file, CENTRAL, number));
    let size = |at: usize| file[at + 24..at + 28].to_vec();
    // A bomb: a deflated pickle, and one that is said to become 4 GB.
    assert_refused(&patched(file.clone(), pickle + 10, &[8]), "checkpoint.zip-compressed");
    assert_refused(
        &patched(file.clone(), pickle + 24, &[0xfe, 0xff, 0xff, 0xff]),
        "checkpoint.zip-compressed",
    );
    // Encrypted, and with a masked local header.
    assert_refused(&patched(file.clone(), pickle + 8, &[1, 0]), "checkpoint.zip-compressed");
    assert_refused(
        &patched(file.clone(), pickle + 8, &[0, 0x20]),
        "checkpoint.zip-compressed",
    );
    assert!(parse(&patched(file.clone(), pickle + 8, &[8, 8])).is_ok());
    // Longer than the file, and up to the directory.
    for length in [u32::MAX - 1, file.len() as u32] {
        let lie = [length.to_le_bytes(); 2].concat();
        assert_refused(&patched(file.clone(), storage + 20, &lie), "checkpoint.zip-entry");
    }
    // Two names for one place, and a storage that reaches into the next header.
    let name = b"m/data.pkl";
    let two = archive(&[("m/data.pkl", b"."), ("m/data.pk2", b".")]);
    let second = header(&two, CENTRAL, 1);
    assert_refused(&patched(two.clone(), second + 46, name), "checkpoint.zip-entry");
    let renamed = patched(
        patched(two.clone(), second + 46, name),
        header(&two, LOCAL, 1) + 30,
        name,
    );
    assert_refused(&renamed, "checkpoint.zip-duplicate");
    let longer = (u32::from_le_bytes(size(pickle).try_into().unwrap()) + 1).to_le_bytes();
    assert_refused(
        &patched(file.clone(), pickle + 20, &[longer; 2].concat()),
        "checkpoint.zip-overlap",
    );
    let place = patched(renamed, second + 42, &[0; 4]);
    assert_refused(&place, "checkpoint.zip-overlap");
    // A local header that is none, or of another name.
    for at in [0, 26, 30] {
        let local = header(&file, LOCAL, 0);
        assert_refused(
            &patched(file.clone(), local + at, b"?"),
            if at == 0 {
                "checkpoint.bin-not-an-archive"
            } else {
                "checkpoint.zip-entry"
            },
        );
    }
    assert_refused(
        &patched(file.clone(), header(&file, LOCAL, 1), b"?"),
        "checkpoint.zip-entry",
    );
}

#[test]
fn names() {
    for name in [
        "data.pkl",
        "/data.pkl",
        "m/../data.pkl",
        "../m/data.pkl",
        "m//data.pkl",
        "m/./data.pkl",
        "m/",
        "n/data.pkl",
        "m\\data.pkl",
        "m/c:x",
        "m/x\0",
        "",
    ] {
        assert_refused(
            &archive(&[("m/version", b"3"), (name, b"")]),
            "checkpoint.zip-entry-name",
        );
    }
    let file = archive(&[("m/versionx", b"3")]);
    for header in [header(&file, CENTRAL, 0) + 46, header(&file, LOCAL, 0) + 30] {
        assert!(parse(&patched(file.clone(), header + 2, b"\xff")).is_err());
    }
}

#[test]
fn thousands_of_entries_in_little_memory() {
    let names: Vec<String> = (0..60_000).map(|number| format!("m/data/{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let file = archive(&entries);
    let (refused, peak) = peak_heap(|| refusal(&file));
    assert_eq!(code(&refused), "checkpoint.bin-no-pickle");
    assert!(peak < file.len(), "{peak} bytes for {}", file.len());
}
