//! The directory of a ZIP archive (APPNOTE.TXT 6.3.10), over the memory map. One archive has one reading: the end record is the
//! end of the file, the directory ends where it begins, no two entries have one name or share a byte.

use crate::checkpoint::header::{MAX_HEADER, shown};
use crate::error::{Error, Result};

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const LOCAL_BYTES: u64 = 30;
const CENTRAL_BYTES: u64 = 46;
const END_BYTES: usize = 22;
const END_64_BYTES: usize = 56;
const LOCATOR_64_BYTES: usize = 20;
/// In a field of 32 bits: the number is in the ZIP64 extra field.
const IN_EXTRA: u64 = 0xffff_ffff;
const EXTRA_64: u16 = 1;
/// A data descriptor follows; the name is UTF-8. Neither changes how an entry is read, every other flag does.
const HARMLESS_FLAGS: u16 = 1 << 3 | 1 << 11;
/// More than ten times the tensors of the largest model.
const MAX_ENTRIES: u64 = 1 << 20;

/// One entry; `begin` is where its data begins in the file, `size` how many bytes it has there.
#[derive(Clone, Copy)]
pub struct Stored<'a> {
    /// Without the archive's folder.
    pub name: &'a str,
    pub begin: u64,
    pub size: u64,
    local: u64,
    checksum: u32,
    /// Neither compressed nor encrypted.
    is_plain: bool,
}

/// A whole archive, every entry checked.
pub struct Archive<'a> {
    file: &'a [u8],
    /// By name.
    entries: Vec<Stored<'a>>,
}

impl<'a> Archive<'a> {
    /// Errors: `checkpoint.zip-*`.
    pub fn open(path: &str, file: &'a [u8]) -> Result<Self> {
        let directory = Directory::find(path, file)?;
        let mut entries = Vec::with_capacity(directory.count as usize);
        let mut rest = Bytes {
            bytes: &file[directory.begin as usize..directory.end as usize],
        };
        let mut folder = None;
        while !rest.bytes.is_empty() {
            let malformed = Error::ZipDirectory {
                path: path.to_owned(),
                offset: directory.end - rest.bytes.len() as u64,
            };
            let central = Central::take(&mut rest).ok_or(malformed)?;
            entries.push(stored(path, file, &directory, &central, &mut folder)?);
        }
        if entries.len() as u64 != directory.count {
            return Err(Error::ZipDirectory {
                path: path.to_owned(),
                offset: directory.end,
            });
        }
        refuse_overlaps(path, &mut entries)?;
        refuse_duplicates(path, &mut entries)?;
        Ok(Self { file, entries })
    }

    /// Errors: `checkpoint.zip-compressed`.
    pub fn refuse_compressed(&self, path: &str) -> Result<()> {
        match self.entries.iter().find(|entry| !entry.is_plain) {
            Some(entry) => Err(Error::ZipCompressed {
                path: path.to_owned(),
                entry: shown(entry.name),
            }),
            None => Ok(()),
        }
    }

    /// `name` is without the archive's folder.
    pub fn find(&self, name: &str) -> Option<Stored<'a>> {
        let found = self.entries.binary_search_by(|entry| entry.name.cmp(name));
        found.ok().map(|i| self.entries[i])
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name)
    }

    /// The bytes of a small entry, held against its checksum; PyTorch writes 0 where it was told to compute none.
    ///
    /// Errors: `checkpoint.zip-checksum`.
    pub fn checked_data(&self, path: &str, entry: Stored) -> Result<&'a [u8]> {
        let data = &self.file[entry.begin as usize..][..entry.size as usize];
        if entry.checksum != 0 && crc32fast::hash(data) != entry.checksum {
            return Err(Error::ZipChecksum {
                path: path.to_owned(),
                entry: shown(entry.name),
            });
        }
        Ok(data)
    }
}

/// Where the directory lies: `begin..end` in the file.
struct Directory {
    begin: u64,
    end: u64,
    count: u64,
}

impl Directory {
    fn find(path: &str, file: &[u8]) -> Result<Self> {
        let truncated = || Error::ZipTruncated { path: path.to_owned() };
        let end_at = file.len().checked_sub(END_BYTES).ok_or_else(truncated)?;
        let (before, end) = file.split_at(end_at);
        // Without a comment: nothing that comes after the record can be one.
        if !end.starts_with(&END) || !end.ends_with(&[0, 0]) {
            return Err(truncated());
        }
        let malformed = Error::ZipDirectory {
            path: path.to_owned(),
            offset: end_at as u64,
        };
        let has_locator =
            before.len() >= LOCATOR_64_BYTES && before[end_at - LOCATOR_64_BYTES..].starts_with(&LOCATOR_64);
        let read = match has_locator {
            true => Self::read_64(before),
            false => Self::read_32(end, end_at as u64),
        };
        let Some((directory, bytes)) = read else {
            return Err(malformed);
        };
        if directory.count > MAX_ENTRIES || bytes > MAX_HEADER {
            return Err(Error::ZipTooLarge {
                path: path.to_owned(),
                entries: directory.count,
                limit: MAX_ENTRIES,
            });
        }
        // What is allocated for the entries is bounded by bytes that are there.
        let is_true =
            directory.begin.checked_add(bytes) == Some(directory.end) && directory.count <= bytes / CENTRAL_BYTES;
        if is_true { Ok(directory) } else { Err(malformed) }
    }

    /// The directory and how many bytes it is said to have.
    fn read_32(end: &[u8], end_at: u64) -> Option<(Self, u64)> {
        let mut record = Bytes { bytes: end };
        let (_signature, disks) = (record.u32()?, record.u32()?);
        let (here, count) = (record.u16()?, record.u16()?.into());
        let (bytes, begin) = (record.u32()?.into(), record.u32()?.into());
        let directory = Self {
            begin,
            end: end_at,
            count,
        };
        (disks == 0 && u64::from(here) == count).then_some((directory, bytes))
    }

    /// As `read_32`; `before` ends with the locator of the ZIP64 record, which lies right before it.
    fn read_64(before: &[u8]) -> Option<(Self, u64)> {
        let (before, locator) = before.split_at(before.len() - LOCATOR_64_BYTES);
        let mut locator = Bytes { bytes: locator };
        let (_signature, disk, record_at, disks) = (locator.u32()?, locator.u32()?, locator.u64()?, locator.u32()?);
        let (before, record) = before.split_at_checked(before.len().checked_sub(END_64_BYTES)?)?;
        let mut record = Bytes { bytes: record };
        let is_record = record.array()? == END_64 && record.u64()? == END_64_BYTES as u64 - 12;
        let _versions = record.u32()?;
        let record_disks = record.u64()?;
        let (here, count, bytes, begin) = (record.u64()?, record.u64()?, record.u64()?, record.u64()?);
        let end = before.len() as u64;
        let is_alone = disk == 0 && disks <= 1 && record_disks == 0 && here == count && record_at == end;
        (is_record && is_alone).then_some((Self { begin, end, count }, bytes))
    }
}

/// An entry as the directory has it.
struct Central<'a> {
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u64,
    size: u64,
    local: u64,
    name: &'a [u8],
}

impl<'a> Central<'a> {
    fn take(rest: &mut Bytes<'a>) -> Option<Self> {
        if rest.array()? != CENTRAL {
            return None;
        }
        let _versions = rest.u32()?;
        let (flags, method) = (rest.u16()?, rest.u16()?);
        let _time = rest.u32()?;
        let checksum = rest.u32()?;
        let (packed, size) = (rest.u32()?.into(), rest.u32()?.into());
        let lengths = [rest.u16()?, rest.u16()?, rest.u16()?].map(usize::from);
        let disk = rest.u16()?;
        let _attributes = rest.array::<6>()?;
        let local = rest.u32()?.into();
        let name = rest.take(lengths[0])?;
        let mut extra = rest.take(lengths[1])?;
        let _comment = rest.take(lengths[2])?;
        let mut central = Self {
            flags,
            method,
            checksum,
            packed,
            size,
            local,
            name,
        };
        while !extra.is_empty() {
            let mut field = Bytes { bytes: extra };
            let (id, length) = (field.u16()?, field.u16()?);
            let wide = Bytes {
                bytes: field.take(length.into())?,
            };
            extra = field.bytes;
            if id == EXTRA_64 {
                central.widen(wide)?;
            }
        }
        (disk == 0).then_some(central)
    }

    /// Those numbers that did not fit, in this order.
    fn widen(&mut self, mut wide: Bytes) -> Option<()> {
        for number in [&mut self.size, &mut self.packed, &mut self.local] {
            if *number == IN_EXTRA {
                *number = wide.u64()?;
            }
        }
        Some(())
    }
}

/// Checks an entry against its local header. `folder` is that of the first entry, which all have to lie in.
fn stored<'a>(
    path: &str,
    file: &[u8],
    directory: &Directory,
    central: &Central<'a>,
    folder: &mut Option<&'a str>,
) -> Result<Stored<'a>> {
    let entry = || shown(&String::from_utf8_lossy(&central.name[..central.name.len().min(1000)]));
    let path = || path.to_owned();
    let refused_name = || Error::ZipEntryName {
        path: path(),
        entry: entry(),
    };
    let name = plain_name(central.name, folder).ok_or_else(refused_name)?;
    let begin = data_begin(file, central);
    let fits = |begin: &u64| {
        begin
            .checked_add(central.packed)
            .is_some_and(|end| end <= directory.begin)
    };
    let misplaced = || Error::ZipEntry {
        path: path(),
        entry: entry(),
    };
    Ok(Stored {
        name,
        begin: begin.filter(fits).ok_or_else(misplaced)?,
        size: central.packed,
        local: central.local,
        checksum: central.checksum,
        is_plain: central.method == 0 && central.flags & !HARMLESS_FLAGS == 0 && central.packed == central.size,
    })
}

/// `FOLDER/name` without the folder, of which an archive has one.
fn plain_name<'a>(name: &'a [u8], folder: &mut Option<&'a str>) -> Option<&'a str> {
    let name = std::str::from_utf8(name).ok()?;
    let (own, inside) = name.split_once('/')?;
    let is_plain = !name.contains(['\\', ':', '\0']) && name.split('/').all(|part| !["", ".", ".."].contains(&part));
    (is_plain && *folder.get_or_insert(own) == own).then_some(inside)
}

/// Only the name and the lengths of the local header are read: the directory has the rest.
fn data_begin(file: &[u8], central: &Central) -> Option<u64> {
    let mut local = Bytes::at(file, central.local)?;
    if local.array()? != LOCAL {
        return None;
    }
    let _version_to_sizes = local.array::<22>()?;
    let (name_length, extra) = (local.u16()?, local.u16()?);
    let name = local.take(name_length.into())?;
    (name == central.name).then(|| central.local + LOCAL_BYTES + u64::from(name_length) + u64::from(extra))
}

fn refuse_overlaps(path: &str, entries: &mut [Stored]) -> Result<()> {
    entries.sort_unstable_by_key(|entry| (entry.local, entry.begin + entry.size));
    match entries
        .windows(2)
        .find(|pair| pair[0].begin + pair[0].size > pair[1].local)
    {
        Some(pair) => Err(Error::ZipOverlap {
            path: path.to_owned(),
            entry: shown(pair[1].name),
            other: shown(pair[0].name),
        }),
        None => Ok(()),
    }
}

fn refuse_duplicates(path: &str, entries: &mut [Stored]) -> Result<()> {
    entries.sort_unstable_by_key(|entry| entry.name);
    match entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(Error::ZipDuplicate {
            path: path.to_owned(),
            entry: shown(pair[0].name),
        }),
        None => Ok(()),
    }
}

/// Little-endian numbers, from the front; None where the bytes end.
struct Bytes<'a> {
    bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    fn at(file: &'a [u8], offset: u64) -> Option<Self> {
        let bytes = file.get(usize::try_from(offset).ok()?..)?;
        Some(Self { bytes })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
