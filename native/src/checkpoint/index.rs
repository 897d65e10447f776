//! `model.safetensors.index.json` and `pytorch_model.bin.index.json`: which shard each tensor lies in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path};

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::header::{MAX_HEADER, json_offset, shown};
use crate::error::{Error, Result, display};

/// Shards by name; tensors, each with the number of its shard.
pub struct Index<'a> {
    pub shards: Vec<Shard>,
    pub tensors: Vec<(Cow<'a, str>, usize)>,
}

pub struct Shard {
    /// A plain file name.
    pub name: String,
    /// One tensor the index puts in it, for messages.
    pub first_tensor: String,
}

/// The text of the index; refuses what is no index by its size.
pub fn read(path: &Path) -> Result<String> {
    let unreadable = |error: std::io::Error| Error::NotReadable {
        path: display(path),
        reason: error.to_string(),
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile { path: display(path) });
    }
    if metadata.len() > MAX_HEADER {
        return Err(Error::IndexTooLarge {
            path: display(path),
            size: metadata.len(),
            limit: MAX_HEADER,
        });
    }
    fs::read_to_string(path).map_err(unreadable)
}

/// Errors: `checkpoint.index-malformed`, `checkpoint.index-duplicate`, `checkpoint.shard-name`.
pub fn parse<'a>(path: &str, text: &'a str) -> Result<Index<'a>> {
    let raw: RawIndex = serde_json::from_str(text).map_err(|error| Error::IndexMalformed {
        path: path.to_owned(),
        offset: json_offset(text, &error),
        reason: shown(&error.to_string()),
    })?;
    let mut numbers = HashMap::new();
    let mut index = Index {
        shards: Vec::new(),
        tensors: Vec::new(),
    };
    for (tensor, shard) in raw.weight_map.0 {
        if !is_plain_file_name(&shard) {
            return Err(Error::ShardName {
                path: path.to_owned(),
                shard: shown(&shard),
                tensor: shown(&tensor),
            });
        }
        let number = *numbers.entry(shard).or_insert_with_key(|name| {
            index.shards.push(Shard {
                name: name.to_string(),
                first_tensor: tensor.to_string(),
            });
            index.shards.len() - 1
        });
        index.tensors.push((tensor, number));
    }
    index.tensors.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    match index.tensors.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Error::IndexDuplicate {
            path: path.to_owned(),
            tensor: shown(&pair[0].0),
        }),
        None => Ok(index),
    }
}

/// No folder, no drive, no way out of the checkpoint's folder, on any system.
fn is_plain_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let is_one_name = matches!(components.next(), Some(Component::Normal(_))) && components.next().is_none();
    is_one_name && !name.contains(['/', '\\', ':', '\0'])
}

#[derive(Deserialize)]
struct RawIndex<'a> {
    #[serde(rename = "metadata")]
    _metadata: Option<IgnoredAny>,
    #[serde(borrow)]
    weight_map: WeightMap<'a>,
}

/// In the file's order, and with its duplicates: a map type would hide those.
struct WeightMap<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for WeightMap<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = WeightMap<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object from tensor names to file names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<WeightMap<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Borrowed(name), Borrowed(shard))) = map.next_entry()? {
                    pairs.push((name, shard));
                }
                Ok(WeightMap(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A string that stays in the text it was read from unless it holds escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
