//! From what the pickle says to ranges of the file: every tensor is held against its storage, every storage against its entry.

use super::pickle::{Item, Read, Rebuilt, Span, Value};
use super::zip::{Archive, Stored};
use crate::checkpoint::header::{Entry, shown};
use crate::error::{Error, Result};

/// The tensors of a state dict, ordered by offset. Numbers, texts and None beside them are nothing of ours; all else that is not
/// a tensor is refused.
pub fn entries(path: &str, archive: &Archive, read: &Read) -> Result<Vec<Entry>> {
    let mut named = Vec::new();
    for Item { key, value, .. } in read.items(path)? {
        let name = match key {
            Value::Text(name) => Some(name),
            _ => None,
        };
        match (name, value) {
            (Some(name), Value::Tensor(number)) => named.push((name, number)),
            (_, Value::None | Value::Bool | Value::Int(_) | Value::Number | Value::Text(_)) => {}
            (name, other) => {
                return Err(Error::BinNotATensor {
                    path: path.to_owned(),
                    entry: shown(name.map_or(key.kind(), |name| read.text(name))),
                    kind: other.kind().to_owned(),
                });
            }
        }
    }
    // By place first: one text as the name of a million tensors is found without reading it.
    named.sort_unstable();
    refuse_twice(path, read, &named, |one, other| one == other)?;
    named.sort_unstable_by_key(|(name, _)| read.text(*name));
    refuse_twice(path, read, &named, |one, other| read.text(one) == read.text(other))?;
    let files = Files { path, archive, read };
    let entries = named
        .iter()
        .map(|&(name, number)| files.entry(read.text(name), &read.tensor(number)));
    let mut entries = entries.collect::<Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| entry.begin);
    Ok(entries)
}

/// `named` is in an order that has equal names side by side.
fn refuse_twice(path: &str, read: &Read, named: &[(Span, u32)], same: impl Fn(Span, Span) -> bool) -> Result<()> {
    match named.windows(2).find(|pair| same(pair[0].0, pair[1].0)) {
        Some(pair) => Err(Error::DuplicateTensor {
            path: path.to_owned(),
            tensor: shown(read.text(pair[0].0)),
        }),
        None => Ok(()),
    }
}

struct Files<'r, 'a> {
    path: &'r str,
    archive: &'r Archive<'a>,
    read: &'r Read<'a>,
}

impl Files<'_, '_> {
    fn entry(&self, name: &str, tensor: &Rebuilt) -> Result<Entry> {
        let (path, shown_name) = (|| self.path.to_owned(), || shown(name));
        let shape = self.shape(name, tensor)?;
        let element = tensor.dtype.bits() / 8;
        let elements = shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
        let too_large = || Error::ShapeOverflow {
            path: path(),
            tensor: shown_name(),
        };
        let bytes = elements.and_then(|n| n.checked_mul(element)).ok_or_else(too_large)?;
        if bytes > 0 && !is_contiguous(&shape, self.read.stride(tensor)) {
            return Err(Error::BinNotContiguous {
                path: path(),
                tensor: shown_name(),
            });
        }
        let storage = self.storage(name, tensor)?;
        let begin = tensor.offset.checked_mul(element);
        let end = begin.and_then(|begin| begin.checked_add(bytes));
        match (begin, end) {
            (Some(begin), Some(end)) if end <= storage.size => Ok(Entry {
                name: name.to_owned(),
                dtype: tensor.dtype,
                shape,
                begin: storage.begin + begin,
                end: storage.begin + end,
            }),
            _ => Err(Error::BinBeyondStorage {
                path: path(),
                tensor: shown_name(),
                offset: tensor.offset,
                bytes,
                size: storage.size,
            }),
        }
    }

    fn shape(&self, name: &str, tensor: &Rebuilt) -> Result<Box<[u64]>> {
        let dimension = |size: i64| {
            u64::try_from(size).map_err(|_| Error::BadDimension {
                path: self.path.to_owned(),
                tensor: shown(name),
                dimension: size.to_string(),
            })
        };
        self.read.shape(tensor).map(dimension).collect()
    }

    /// The entry of the tensor's storage, which has exactly the size that the pickle says.
    fn storage(&self, name: &str, tensor: &Rebuilt) -> Result<Stored<'_>> {
        let storage = tensor.storage;
        let entry = format!("data/{}", self.read.text(storage.key));
        let Some(stored) = self.archive.find(&entry) else {
            return Err(Error::BinNoStorage {
                path: self.path.to_owned(),
                tensor: shown(name),
                entry,
            });
        };
        let element = storage.dtype.map_or(1, |dtype| dtype.bits() / 8);
        match storage.elements.checked_mul(element) {
            Some(bytes) if bytes == stored.size => Ok(stored),
            _ => Err(Error::BinStorageSize {
                path: self.path.to_owned(),
                tensor: shown(name),
                entry,
                elements: storage.elements,
                size: stored.size,
            }),
        }
    }
}

/// Whether the elements lie row by row without a gap. A dimension of one element may have any stride.
fn is_contiguous(shape: &[u64], stride: impl DoubleEndedIterator<Item = i64>) -> bool {
    let mut expected = 1u64;
    shape.iter().rev().zip(stride.rev()).all(|(&size, stride)| {
        let holds = size == 1 || u64::try_from(stride) == Ok(expected);
        expected = expected.saturating_mul(size);
        holds
    })
}
