//! The header of a section: what its payload is, in a form that is checked before it is believed.

use crate::checkpoint::Dtype;
use crate::pack::bits::check_width;
use crate::pack::dense::storage;
use crate::pack::grid::group_count;

/// "SECT", length of the header, length of the payload, checksum of both lengths and the header.
pub const PREFIX: usize = 20;
/// The checksum behind the payload.
pub const SUFFIX: usize = 4;
const MARK: [u8; 4] = *b"SECT";
/// The fields before the dimensions.
const FIXED: usize = 16;
/// Bytes of a section beside its dimensions, its texts and its payload.
pub const OVERHEAD: usize = PREFIX + FIXED + SUFFIX;
const HAS_ZERO_POINTS: u8 = 1;
const HAS_GROUP_ORDER: u8 = 2;
/// A row is held in memory.
pub const MAX_COLS: u64 = 1 << 20;
const MAX_ROWS: u64 = 1 << 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Index,
    File,
    Tensor,
    Layer,
}

const KINDS: [Kind; 4] = [Kind::Index, Kind::File, Kind::Tensor, Kind::Layer];

#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub kind: Kind,
    pub name: String,
    /// The type of tensors and layers; empty otherwise.
    pub dtype: String,
    /// The shape of tensors and layers; of a file its length in bytes.
    pub shape: Vec<u64>,
    /// Bits of a code; 0: the values are stored as they are.
    pub bits: u32,
    /// Columns that share a scale; 0 where there are no codes.
    pub group_size: u64,
    pub has_zero_points: bool,
    pub has_group_order: bool,
}

impl Section {
    /// A section of a kind that has no codes.
    pub fn plain(kind: Kind, name: &str, shape: Vec<u64>) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            dtype: String::new(),
            shape,
            bits: 0,
            group_size: 0,
            has_zero_points: false,
            has_group_order: false,
        }
    }

    /// What stands before a payload of so many bytes.
    pub fn to_bytes(&self, payload: u64) -> Vec<u8> {
        let flags = u8::from(self.has_zero_points) * HAS_ZERO_POINTS + u8::from(self.has_group_order) * HAS_GROUP_ORDER;
        let kind = KINDS.iter().position(|&kind| kind == self.kind).expect("one of them");
        let (dtype, dimensions) = (self.dtype.len() as u8, self.shape.len() as u8);
        let mut header = vec![kind as u8, self.bits as u8, flags, dtype, dimensions, 0];
        header.extend((self.name.len() as u16).to_le_bytes());
        header.extend(self.group_size.to_le_bytes());
        header.extend(self.shape.iter().flat_map(|dimension| dimension.to_le_bytes()));
        header.extend(self.dtype.as_bytes());
        header.extend(self.name.as_bytes());
        let mut bytes = MARK.to_vec();
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(payload.to_le_bytes());
        bytes.extend(header_checksum(&bytes[4..16], &header).to_le_bytes());
        bytes.extend(header);
        bytes
    }

    /// Reads what stands at the start of `bytes`: the section, its length up to the payload, and the payload's. None where it is
    /// damaged, or does not fit into `bytes` as a whole.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize, usize)> {
        let prefix = bytes.get(..PREFIX)?;
        let header_length = u32::from_le_bytes(prefix[4..8].try_into().ok()?) as usize;
        let payload = u64::from_le_bytes(prefix[8..16].try_into().ok()?);
        let checksum = u32::from_le_bytes(prefix[16..].try_into().ok()?);
        let header = bytes.get(PREFIX..PREFIX + header_length)?;
        if prefix[..4] != MARK || header_checksum(&prefix[4..16], header) != checksum {
            return None;
        }
        let begin = PREFIX + header_length;
        let rest = (bytes.len() - begin) as u64;
        if payload.checked_add(SUFFIX as u64)? > rest {
            return None;
        }
        Some((Self::parse_header(header)?, begin, payload as usize))
    }

    fn parse_header(header: &[u8]) -> Option<Self> {
        let fixed = header.get(..FIXED)?;
        let name_length = u16::from_le_bytes([fixed[6], fixed[7]]) as usize;
        let (dtype_length, dimensions) = (fixed[3] as usize, fixed[4] as usize);
        let shape = header.get(FIXED..FIXED + 8 * dimensions)?;
        let texts = &header[FIXED + 8 * dimensions..];
        if fixed[2] & !(HAS_ZERO_POINTS | HAS_GROUP_ORDER) != 0 || texts.len() != dtype_length + name_length {
            return None;
        }
        let (dtype, name) = texts.split_at(dtype_length);
        let section = Self {
            kind: *KINDS.get(fixed[0] as usize)?,
            name: std::str::from_utf8(name).ok()?.to_owned(),
            dtype: std::str::from_utf8(dtype).ok()?.to_owned(),
            shape: shape
                .as_chunks()
                .0
                .iter()
                .map(|bytes| u64::from_le_bytes(*bytes))
                .collect(),
            bits: fixed[1].into(),
            group_size: u64::from_le_bytes(fixed[8..16].try_into().ok()?),
            has_zero_points: fixed[2] & HAS_ZERO_POINTS != 0,
            has_group_order: fixed[2] & HAS_GROUP_ORDER != 0,
        };
        section.is_consistent().then_some(section)
    }

    /// Whether it can be read.
    pub fn is_consistent(&self) -> bool {
        match self.kind {
            Kind::Index => true,
            Kind::File => self.shape.len() == 1,
            Kind::Tensor => Dtype::of(&self.dtype).is_some(),
            Kind::Layer => {
                let is_matrix = matches!(self.shape[..], [0..MAX_ROWS, 0..=MAX_COLS]);
                let has_codes = check_width(self.bits).is_ok() && (1..=MAX_COLS).contains(&self.group_size);
                is_matrix && storage(&self.dtype).is_ok() && (self.bits == 0 || has_codes)
            }
        }
    }

    /// Rows and columns of a layer.
    pub fn matrix(&self) -> (usize, usize) {
        (self.shape[0] as usize, self.shape[1] as usize)
    }

    /// Groups of a row.
    pub fn groups(&self) -> usize {
        group_count(self.matrix().1, self.group_size as usize)
    }
}

fn header_checksum(lengths: &[u8], header: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(lengths);
    checksum.update(header);
    checksum.finalize()
}
