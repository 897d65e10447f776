//! ZIP archives and pickles made by hand, whatever they say.

use crate::checkpoint::header::Entry;
use crate::checkpoint::torch;
use crate::error::{Error, Result};

pub const PATH: &str = "pytorch_model.bin";

pub fn parse(file: &[u8]) -> Result<Vec<Entry>> {
    torch::parse(PATH, file)
}

pub fn refusal(file: &[u8]) -> Error {
    parse(file).expect_err("a lie")
}

pub fn code(refused: &Error) -> String {
    serde_json::to_value(refused).unwrap()["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Opcodes as bytes.
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub fn text(text: &str) -> Vec<u8> {
    join(&[b"X", &(text.len() as u32).to_le_bytes(), text.as_bytes()])
}

pub fn int(number: i64) -> Vec<u8> {
    join(&[b"\x8a\x08", &number.to_le_bytes()])
}

pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    join(&[b"(", &items.concat(), b"t"])
}

pub fn numbers(numbers: &[i64]) -> Vec<u8> {
    tuple(&numbers.iter().map(|&number| int(number)).collect::<Vec<_>>())
}

pub fn call(callable: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    join(&[callable, &tuple(arguments), b"R"])
}

pub fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let pairs = items.iter().map(|(key, value)| join(&[&text(key), value]));
    join(&[b"}(", &pairs.collect::<Vec<_>>().concat(), b"u"])
}

pub fn storage(class: &str, key: &str, elements: i64) -> Vec<u8> {
    let id = [
        text("storage"),
        global("torch", class),
        text(key),
        text("cpu"),
        int(elements),
    ];
    join(&[&tuple(&id), b"Q"])
}

pub fn tensor(storage: Vec<u8>, offset: i64, shape: &[i64], stride: &[i64]) -> Vec<u8> {
    let hooks = call(&global("collections", "OrderedDict"), &[]);
    let arguments = [
        storage,
        int(offset),
        numbers(shape),
        numbers(stride),
        b"\x89".to_vec(),
        hooks,
    ];
    call(&global("torch._utils", "_rebuild_tensor_v2"), &arguments)
}

/// Six float32 numbers.
pub fn weight() -> Vec<u8> {
    tensor(storage("FloatStorage", "0", 6), 0, &[2, 3], &[3, 1])
}

/// A whole pickle of protocol 2.
pub fn pickle(body: &[u8]) -> Vec<u8> {
    join(&[b"\x80\x02", body, b"."])
}

/// A file with this pickle and 24 bytes of the storage 0.
pub fn file(pickle: &[u8]) -> Vec<u8> {
    archive(&[
        ("m/data.pkl", pickle),
        ("m/byteorder", b"little"),
        ("m/data/0", &[1; 24]),
    ])
}

/// The file of a dict of these items.
pub fn file_of(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    file(&pickle(&dict(items)))
}

/// A ZIP archive with true checksums, entries stored.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in entries {
        let [name_length, size] = [name.len(), data.len()].map(|length| (length as u32).to_le_bytes());
        let local = (file.len() as u32).to_le_bytes();
        let checksum = crc32fast::hash(data).to_le_bytes();
        let common = join(&[&[0; 8], &checksum, &size, &size, &name_length[..2], &[0; 2]]);
        file.extend(join(&[b"PK\x03\x04\0\0", &common, name.as_bytes(), data]));
        directory.extend(join(&[
            b"PK\x01\x02\0\0\0\0",
            &common,
            &[0; 10],
            &local,
            name.as_bytes(),
        ]));
    }
    let count = (entries.len() as u16).to_le_bytes();
    let [bytes, begin] = [directory.len(), file.len()].map(|length| (length as u32).to_le_bytes());
    join(&[
        &file,
        &directory,
        b"PK\x05\x06\0\0\0\0",
        &count,
        &count,
        &bytes,
        &begin,
        &[0; 2],
    ])
}

/// Where the `number`-th header with this signature begins.
pub fn header(file: &[u8], signature: &[u8; 4], number: usize) -> usize {
    let mut found = (0..file.len()).filter(|&at| file[at..].starts_with(signature));
    found.nth(number).expect("a header")
}

pub const LOCAL: &[u8; 4] = b"PK\x03\x04";
pub const CENTRAL: &[u8; 4] = b"PK\x01\x02";
pub const END: &[u8; 4] = b"PK\x05\x06";

/// The file with other bytes at a place.
pub fn patched(mut file: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}
