//! The header of a safetensors file: `u64` length (little-endian), that many bytes of JSON, then the data.
//!
//! The JSON is read by a typed visitor of our own and not by the `safetensors` crate (0.8), which this parser is tested
//! against: the crate lets the last of two equal names win, names neither the tensor nor the numbers of most lies, and
//! collects the whole header in serde's buffer first, at more than 16 times the header's size. Here the JSON streams out of
//! the memory map into one small record a tensor.

use std::borrow::Cow;

use serde::Deserializer as _;
use serde::de::{Deserialize, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::dtype::Dtype;
use crate::error::{Error, Result};

/// The reference implementation's limit, in bytes.
pub const MAX_HEADER: u64 = 100_000_000;
pub const LENGTH_BYTES: u64 = 8;
/// PyTorch's own limit; it keeps a header of nothing but dimensions from growing in memory.
const MAX_DIMENSIONS: usize = 64;
/// Names come from the file and end in messages: no message is longer than a screen for it.
const MAX_SHOWN: usize = 200;

/// One tensor as the header declares it, checked. `begin..end` are byte offsets in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Box<[u64]>,
    pub begin: u64,
    pub end: u64,
}

/// Reads and checks the header of a whole file; the entries come back ordered by offset and cover the data without a gap.
/// `path` only names the file in errors.
pub fn parse(path: &str, file: &[u8]) -> Result<Vec<Entry>> {
    let json = header_json(path, file)?;
    let data_start = LENGTH_BYTES + json.len() as u64;
    let mut entries = parse_json(path, json)?;
    refuse_duplicates(path, &mut entries)?;
    check_layout(path, &mut entries, file.len() as u64 - data_start)?;
    for entry in &mut entries {
        entry.begin += data_start;
        entry.end += data_start;
    }
    Ok(entries)
}

/// Holds the start of a file about to be written, its length and JSON, to the same rules; returns the tensors' sizes in the
/// order of the JSON.
pub fn check(path: &str, start: &[u8]) -> Result<Vec<u64>> {
    let mut entries = parse_json(path, header_json(path, start)?)?;
    let sizes = entries.iter().map(|entry| entry.end - entry.begin).collect();
    let data_size = entries.iter().map(|entry| entry.end).max().unwrap_or(0);
    refuse_duplicates(path, &mut entries)?;
    check_layout(path, &mut entries, data_size)?;
    Ok(sizes)
}

fn header_json<'a>(path: &str, file: &'a [u8]) -> Result<&'a str> {
    let path = || path.to_owned();
    let size = file.len() as u64;
    let Some((length, rest)) = file.split_first_chunk() else {
        return Err(Error::TooShort { path: path(), size });
    };
    if file.starts_with(b"version https://git-lfs") {
        return Err(Error::LfsPointer { path: path() });
    }
    let header = u64::from_le_bytes(*length);
    if header > size - LENGTH_BYTES {
        return Err(Error::HeaderBeyondFile {
            path: path(),
            header,
            size,
        });
    }
    if header > MAX_HEADER {
        return Err(Error::HeaderTooLarge {
            path: path(),
            header,
            limit: MAX_HEADER,
        });
    }
    std::str::from_utf8(&rest[..header as usize]).map_err(|error| Error::HeaderNotUtf8 {
        path: path(),
        offset: LENGTH_BYTES as usize + error.valid_up_to(),
    })
}

fn parse_json(path: &str, json: &str) -> Result<Vec<Entry>> {
    let mut reader = HeaderReader {
        path,
        entries: Vec::new(),
        tensor: None,
        refusal: None,
    };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let parsed = deserializer
        .deserialize_map(&mut reader)
        .and_then(|()| deserializer.end());
    let Err(error) = parsed else {
        return Ok(reader.entries);
    };
    if let Some(refusal) = reader.refusal {
        return Err(refusal);
    }
    let offset = LENGTH_BYTES as usize + json_offset(json, &error);
    let (path, reason) = (path.to_owned(), shown(&error.to_string()));
    Err(match reader.tensor {
        _ if !error.is_data() => Error::HeaderNotJson { path, offset, reason },
        None => Error::HeaderNotAnObject { path },
        Some(tensor) => Error::HeaderMalformed {
            path,
            tensor: shown(&tensor),
            offset,
            reason,
        },
    })
}

/// The byte of `json` an error of serde_json points at.
pub fn json_offset(json: &str, error: &serde_json::Error) -> usize {
    let lines_before = json.split_inclusive('\n').take(error.line().saturating_sub(1));
    let start: usize = lines_before.map(str::len).sum();
    (start + error.column().saturating_sub(1)).min(json.len())
}

/// `text` cut to what fits in a message.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Collects the tensors of the header object. A lie that serde_json would describe in its own words is kept in `refusal`.
struct HeaderReader<'p> {
    path: &'p str,
    entries: Vec<Entry>,
    /// The name of the tensor being read.
    tensor: Option<String>,
    refusal: Option<Error>,
}

impl<'de> Visitor<'de> for &mut HeaderReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut metadata_seen = false;
        while let Some(name) = map.next_key::<String>()? {
            let is_metadata = name == "__metadata__";
            self.tensor = Some(name);
            if !is_metadata {
                map.next_value_seed(&mut *self)?;
            } else if metadata_seen {
                let (path, tensor) = (self.path.to_owned(), "__metadata__".to_owned());
                self.refusal = Some(Error::DuplicateTensor { path, tensor });
                return Err(A::Error::custom("duplicate"));
            } else {
                map.next_value::<Option<Metadata>>()?;
                metadata_seen = true;
            }
        }
        Ok(())
    }
}

/// `__metadata__`: strings by name; nothing here needs them.
struct Metadata;

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Strings;
        impl<'de> Visitor<'de> for Strings {
            type Value = Metadata;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Metadata, A::Error> {
                while map.next_entry::<Cow<str>, Cow<str>>()?.is_some() {}
                Ok(Metadata)
            }
        }
        deserializer.deserialize_map(Strings)
    }
}

/// Unknown fields are refused: a layout this program does not know is not one to guess at.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry<'a> {
    #[serde(borrow)]
    dtype: Cow<'a, str>,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// The dimensions, or the first one that is not a whole number from 0 up.
struct Shape(std::result::Result<Box<[u64]>, String>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Dimensions;
        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a list of dimensions")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Shape, A::Error> {
                let mut shape = Vec::new();
                let mut bad = None;
                while let Some(dimension) = seq.next_element::<serde_json::Number>()? {
                    if shape.len() == MAX_DIMENSIONS {
                        return Err(A::Error::custom(format_args!("more than {MAX_DIMENSIONS} dimensions")));
                    }
                    match dimension.as_u64() {
                        Some(whole) => shape.push(whole),
                        None => bad = bad.or(Some(dimension.to_string())),
                    }
                }
                Ok(Shape(bad.map_or(Ok(shape.into()), Err)))
            }
        }
        deserializer.deserialize_seq(Dimensions)
    }
}

impl<'de> DeserializeSeed<'de> for &mut HeaderReader<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        let raw = RawEntry::deserialize(deserializer)?;
        let name = self.tensor.take().unwrap_or_default();
        let (path, tensor) = (self.path.to_owned(), shown(&name));
        let refusal = match (Dtype::of(&raw.dtype), raw.shape.0) {
            (Some(dtype), Ok(shape)) => {
                let (begin, end) = raw.data_offsets;
                self.entries.push(Entry {
                    name,
                    dtype,
                    shape,
                    begin,
                    end,
                });
                return Ok(());
            }
            (None, _) => Error::UnknownDtype {
                path,
                tensor,
                dtype: shown(&raw.dtype),
            },
            (_, Err(dimension)) => Error::BadDimension {
                path,
                tensor,
                dimension,
            },
        };
        self.refusal = Some(refusal);
        Err(D::Error::custom("refused"))
    }
}

fn refuse_duplicates(path: &str, entries: &mut [Entry]) -> Result<()> {
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    match entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(Error::DuplicateTensor {
            path: path.to_owned(),
            tensor: shown(&pair[0].name),
        }),
        None => Ok(()),
    }
}

/// As the reference implementation has it: ordered by offset, each tensor begins where the one before ends, is as long as
/// its shape and dtype say, and the last ends the file.
fn check_layout(path: &str, entries: &mut [Entry], size: u64) -> Result<()> {
    entries.sort_unstable_by(|a, b| (a.begin, a.end, &a.name).cmp(&(b.begin, b.end, &b.name)));
    let mut covered = 0;
    for (i, entry) in entries.iter().enumerate() {
        let (begin, end) = (entry.begin, entry.end);
        let (path, tensor) = (path.to_owned(), shown(&entry.name));
        if end < begin {
            return Err(Error::OffsetsReversed {
                path,
                tensor,
                begin,
                end,
            });
        }
        let expected = byte_size(&path, entry)?;
        if end - begin != expected {
            return Err(Error::SizeMismatch {
                path,
                tensor,
                expected,
                actual: end - begin,
            });
        }
        if end > size {
            return Err(Error::OffsetsOutside {
                path,
                tensor,
                end,
                size,
            });
        }
        if begin < covered {
            let other = shown(&entries[i - 1].name);
            return Err(Error::OffsetsOverlap {
                path,
                tensor,
                other,
                offset: begin,
            });
        }
        if begin > covered {
            return Err(Error::Hole {
                path,
                tensor,
                offset: covered,
                bytes: begin - covered,
            });
        }
        covered = end;
    }
    match size - covered {
        0 => Ok(()),
        bytes => Err(Error::TrailingBytes {
            path: path.to_owned(),
            offset: covered,
            bytes,
        }),
    }
}

fn byte_size(path: &str, entry: &Entry) -> Result<u64> {
    let (path, tensor) = (path.to_owned(), shown(&entry.name));
    let elements = entry
        .shape
        .iter()
        .try_fold(1u64, |product, &dimension| product.checked_mul(dimension));
    match elements.and_then(|n| n.checked_mul(entry.dtype.bits())) {
        None => Err(Error::ShapeOverflow { path, tensor }),
        Some(bits) if bits % 8 != 0 => Err(Error::PartOfAByte { path, tensor, bits }),
        Some(bits) => Ok(bits / 8),
    }
}
