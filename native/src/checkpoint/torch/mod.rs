//! `.bin` files as `torch.save` writes them since PyTorch 1.6: a ZIP archive whose entries are stored as they are, with
//! `data.pkl`, a pickle that says what there is, and `data/N`, the bytes of one storage each. A tensor is therefore a range of
//! the file, as in safetensors.
//!
//! A pickle is a program. Ours is not run: `pickle.rs` follows the opcodes that rebuild tensors and refuses all others, by name
//! and place. Nothing is imported, called or made that the pickle asks for.
//!
//! The readers on crates.io were read first. `pytorch-reader` (0.23.0-pre.1, of Burn) is careful, but it hands out bytes and not
//! where they lie, keeps calls it does not know as opaque values where they are refused here, and its refusals have no codes.
//! `repugnant-pickle` is a scraper by its own account. `zip` (9.8) is lenient where one reading is wanted: it takes an earlier
//! end of the archive where the last does not parse, and keeps every field of any number of entries.

mod globals;
mod opcode;
mod pickle;
mod state_dict;
pub(super) mod zip;

use super::header::{Entry, MAX_HEADER, shown};
use crate::error::{Error, Result};
use zip::Archive;

/// Reads and checks a whole file; the entries come back ordered by offset. Tied weights are two entries of the same bytes.
/// `path` only names the file in errors.
pub fn parse(path: &str, file: &[u8]) -> Result<Vec<Entry>> {
    refuse_other_formats(path, file)?;
    let archive = Archive::open(path, file)?;
    if archive.has("constants.pkl") || archive.names().any(|name| name.starts_with("code/")) {
        return Err(Error::BinScript { path: path.to_owned() });
    }
    // A script's code is compressed: only now.
    archive.refuse_compressed(path)?;
    check_byte_order(path, &archive)?;
    let Some(pickle) = archive.find("data.pkl") else {
        return Err(Error::BinNoPickle { path: path.to_owned() });
    };
    let size = pickle.size;
    if size > MAX_HEADER {
        return Err(Error::PickleTooLarge {
            path: path.to_owned(),
            size,
            limit: MAX_HEADER,
        });
    }
    let read = pickle::read(path, archive.checked_data(path, pickle)?)?;
    state_dict::entries(path, &archive, &read)
}

fn refuse_other_formats(path: &str, file: &[u8]) -> Result<()> {
    let path = path.to_owned();
    if file.starts_with(b"PK\x03\x04") {
        return Ok(());
    }
    if file.starts_with(b"version https://git-lfs") {
        return Err(Error::LfsPointer { path });
    }
    // Every pickle of a protocol from 2 up begins so: before 1.6, `torch.save` wrote several in a row.
    match file.first() {
        Some(&opcode::PROTO) => Err(Error::BinLegacy { path }),
        _ => Err(Error::BinNotAnArchive { path }),
    }
}

/// Files without the entry are of a time when PyTorch wrote little-endian only.
fn check_byte_order(path: &str, archive: &Archive) -> Result<()> {
    let Some(entry) = archive.find("byteorder") else {
        return Ok(());
    };
    match archive.checked_data(path, entry)? {
        b"little" => Ok(()),
        other => Err(Error::BinByteOrder {
            path: path.to_owned(),
            order: shown(&String::from_utf8_lossy(&other[..other.len().min(32)])),
        }),
    }
}
