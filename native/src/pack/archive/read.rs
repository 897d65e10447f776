//! Reads an archive through a memory map. A section is checked by its checksum before it is unpacked, and what it says is
//! checked all the same.

use std::path::Path;

use rayon::prelude::*;

use super::band::{band_rows, decode, frame_count};
use super::frame::{Decoder, FRAME_HEADER, Frame};
use super::section::{Kind, SUFFIX, Section};
use super::{FILE_HEADER, INDEX_NAME, MAGIC, VERSION};
use crate::checkpoint::{MappedFile, Orientation, map_file, shown};
use crate::control::Control;
use crate::error::{Error, Result, display, internal};
use crate::pack::dense::storage;
use crate::pack::tensors::words;
use crate::pack::write::{Sink, write_oriented};
use crate::weights::storage::Storage;

/// Weights that are unpacked before they are written.
const AT_ONCE: usize = 8 << 20;
/// The index's offset, which ends the file.
const TRAILER: usize = 8;

struct Entry {
    section: Section,
    /// Where it begins and how long it is as a whole, in bytes.
    begin: usize,
    length: usize,
    payload: std::ops::Range<usize>,
}

pub struct Archive {
    file: MappedFile,
    entries: Vec<Entry>,
}

impl Archive {
    /// Reads the index and every section's header. Errors: `file.not-readable`, `archive.not-an-archive`, `archive.version`,
    /// `archive.truncated`, `archive.damaged`.
    pub fn open(path: &Path) -> Result<Self> {
        let mut archive = Self {
            file: map_file(path, 0)?,
            entries: Vec::new(),
        };
        archive.check_file_header()?;
        archive.entries = archive.read_index()?;
        Ok(archive)
    }

    fn path(&self) -> String {
        display(&self.file.path)
    }

    fn check_file_header(&self) -> Result<()> {
        let (path, bytes) = (self.path(), &self.file.map[..]);
        if bytes.len() < FILE_HEADER || !bytes.starts_with(&MAGIC) {
            return Err(Error::NotAnArchive { path });
        }
        let version = u32::from_le_bytes(bytes[8..FILE_HEADER].try_into().expect("four bytes"));
        match version {
            VERSION => Ok(()),
            _ => Err(Error::ArchiveVersion { path, version }),
        }
    }

    fn read_index(&self) -> Result<Vec<Entry>> {
        let bytes = &self.file.map[..];
        let truncated = || Error::ArchiveTruncated { path: self.path() };
        let (body, trailer) = bytes
            .split_last_chunk::<TRAILER>()
            .filter(|(body, _)| body.len() > FILE_HEADER)
            .ok_or_else(truncated)?;
        let end = u64::from_le_bytes(*trailer);
        let index = usize::try_from(end)
            .ok()
            .and_then(|end| body.get(end..))
            .ok_or_else(truncated)?;
        let (section, begin, length) = Section::parse(index).ok_or_else(truncated)?;
        let is_last = begin + length + SUFFIX == index.len();
        if section.kind != Kind::Index || !is_last {
            return Err(truncated());
        }
        let damaged = || self.damaged(INDEX_NAME);
        let payload = checked(&index[begin..], length).ok_or_else(damaged)?;
        let mut entries = Vec::new();
        let (mut rest, mut expected) = (payload, FILE_HEADER);
        while !rest.is_empty() {
            let (offset, name) = take_index_entry(&mut rest).ok_or_else(damaged)?;
            if offset != expected as u64 {
                return Err(damaged());
            }
            let entry = self.read_entry(expected, end as usize, name)?;
            expected += entry.length;
            entries.push(entry);
        }
        match expected as u64 == end {
            true => Ok(entries),
            false => Err(damaged()),
        }
    }

    fn read_entry(&self, begin: usize, end: usize, name: &str) -> Result<Entry> {
        let bytes = self.file.map.get(begin..end);
        let parsed = bytes
            .and_then(Section::parse)
            .filter(|(section, ..)| section.name == name && section.kind != Kind::Index);
        let (section, header, length) = parsed.ok_or_else(|| self.damaged(name))?;
        Ok(Entry {
            section,
            begin,
            length: header + length + SUFFIX,
            payload: begin + header..begin + header + length,
        })
    }

    fn damaged(&self, section: &str) -> Error {
        Error::ArchiveDamaged {
            path: self.path(),
            section: shown(section),
        }
    }

    /// Each section and its whole length in the file, in bytes.
    pub fn sections(&self) -> impl Iterator<Item = (&Section, usize)> {
        self.entries.iter().map(|entry| (&entry.section, entry.length))
    }

    /// Errors: `archive.no-section`.
    fn entry(&self, name: &str) -> Result<&Entry> {
        let entry = self.entries.iter().find(|entry| entry.section.name == name);
        entry.ok_or_else(|| Error::NoSection {
            path: self.path(),
            section: shown(name),
        })
    }

    /// A section's payload, held against its checksum. Errors: `archive.damaged`.
    fn payload(&self, entry: &Entry) -> Result<&[u8]> {
        let bytes = &self.file.map[entry.payload.start..entry.begin + entry.length];
        checked(bytes, entry.payload.len()).ok_or_else(|| self.damaged(&entry.section.name))
    }

    /// Errors: `archive.no-section`, `archive.damaged`; `internal` if it is no file.
    pub fn read_file(&self, name: &str) -> Result<Vec<u8>> {
        let entry = self.entry(name)?;
        if entry.section.kind != Kind::File {
            return Err(internal("this section is no file"));
        }
        let mut payload = self.payload(entry)?;
        let frame = Frame::take(&mut payload).filter(|_| payload.is_empty());
        let bytes = frame.and_then(|frame| frame.read(entry.section.shape[0]));
        bytes.ok_or_else(|| self.damaged(name))
    }

    /// The size of a tensor or layer as it is written, in bytes. Errors: `archive.no-section`, `archive.damaged`; `internal` if
    /// it is a file.
    pub fn dense_bytes(&self, name: &str) -> Result<u64> {
        let Entry { section, payload, .. } = self.entry(name)?;
        match section.kind {
            Kind::Tensor => Ok(payload.len() as u64),
            Kind::Layer => {
                let size = storage(&section.dtype)?.size() as u64;
                let weights = section.shape[0].checked_mul(section.shape[1]);
                let bytes = weights.and_then(|weights| weights.checked_mul(size));
                bytes.ok_or_else(|| self.damaged(name))
            }
            Kind::File | Kind::Index => Err(internal("this section is no tensor")),
        }
    }

    /// Writes a tensor as it is, or a layer's dense weight the way round that it is to be held. Errors: as `dense_bytes`,
    /// `cancelled`, those of `sink`.
    pub fn write(&self, name: &str, orientation: Orientation, sink: Sink, control: &Control) -> Result<()> {
        let entry = self.entry(name)?;
        let payload = self.payload(entry)?;
        match entry.section.kind {
            Kind::Tensor => sink(payload),
            Kind::Layer => {
                let (rows, cols) = entry.section.matrix();
                let storage = storage(&entry.section.dtype)?;
                write_oriented(orientation, (rows, cols, storage), sink, |sink| {
                    self.write_layer(&entry.section, payload, sink, control)
                })
            }
            Kind::File | Kind::Index => Err(internal("this section is no tensor")),
        }
    }

    fn write_layer(&self, section: &Section, mut payload: &[u8], sink: Sink, control: &Control) -> Result<()> {
        let damaged = || self.damaged(&section.name);
        let storage = storage(&section.dtype)?;
        let (rows, cols) = section.matrix();
        let order = match section.has_group_order && section.bits > 0 {
            true => Some(take_order(&mut payload, section).ok_or_else(damaged)?),
            false => None,
        };
        let bands = take_bands(payload, section, storage).ok_or_else(damaged)?;
        control.begin(bands.len() as u64)?;
        let height = band_rows(cols);
        let at_once = (AT_ONCE / (height * cols).max(1)).max(1);
        for (number, bands) in bands.chunks(at_once).enumerate() {
            let unpacked = bands
                .par_iter()
                .enumerate()
                .map_init(Decoder::new, |decoder, (i, frames)| {
                    let first = (number * at_once + i) * height;
                    let dense = decode(
                        frames,
                        section,
                        storage,
                        order.as_deref(),
                        height.min(rows - first),
                        decoder,
                    );
                    control.advance(1)?;
                    dense.ok_or_else(damaged)
                });
            for dense in unpacked.collect::<Result<Vec<_>>>()? {
                sink(&dense)?;
            }
        }
        Ok(())
    }
}

/// A payload of so many bytes, if the checksum behind it is right.
fn checked(bytes: &[u8], length: usize) -> Option<&[u8]> {
    let (payload, rest) = bytes.split_at_checked(length)?;
    let checksum = u32::from_le_bytes(*rest.first_chunk()?);
    (crc32fast::hash(payload) == checksum).then_some(payload)
}

fn take_index_entry<'a>(bytes: &mut &'a [u8]) -> Option<(u64, &'a str)> {
    let (offset, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    Some((u64::from_le_bytes(*offset), std::str::from_utf8(name).ok()?))
}

fn take_order(payload: &mut &[u8], section: &Section) -> Option<Vec<u32>> {
    let frame = Frame::take(payload)?;
    let order: Vec<u32> = words(Decoder::new().raw(frame, 4 * section.matrix().1)?).collect();
    let groups = section.groups();
    order.iter().all(|&group| (group as usize) < groups).then_some(order)
}

/// The frames of every band.
fn take_bands<'a>(mut payload: &'a [u8], section: &Section, storage: Storage) -> Option<Vec<Vec<Frame<'a>>>> {
    let (rows, cols) = section.matrix();
    let frames = frame_count(section, storage);
    let count = if cols == 0 { 0 } else { rows.div_ceil(band_rows(cols)) };
    // Before memory is taken for so many.
    if count > payload.len() / (frames * FRAME_HEADER) {
        return None;
    }
    let mut take = || (0..frames).map(|_| Frame::take(&mut payload)).collect();
    let bands = (0..count).map(|_| take()).collect::<Option<_>>();
    bands.filter(|_| payload.is_empty())
}
