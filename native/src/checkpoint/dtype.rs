//! The dtypes a safetensors header may name, as the reference implementation knows them.

/// Safetensors' own name and the bits of one element.
const DTYPES: [(&str, u64); 22] = [
    ("BOOL", 8),
    ("F4", 4),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
    ("U8", 8),
    ("I8", 8),
    ("F8_E5M2", 8),
    ("F8_E4M3", 8),
    ("F8_E8M0", 8),
    ("F8_E4M3FNUZ", 8),
    ("F8_E5M2FNUZ", 8),
    ("I16", 16),
    ("U16", 16),
    ("F16", 16),
    ("BF16", 16),
    ("I32", 32),
    ("U32", 32),
    ("F32", 32),
    ("C64", 64),
    ("F64", 64),
    ("I64", 64),
    ("U64", 64),
];

/// A dtype of the safetensors format. Made only by `Dtype::of`, so the name is always a known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dtype(u8);

impl Dtype {
    pub fn of(name: &str) -> Option<Self> {
        DTYPES
            .iter()
            .position(|(known, _)| *known == name)
            .map(|i| Self(i as u8))
    }

    pub fn name(self) -> &'static str {
        DTYPES[self.0 as usize].0
    }

    pub fn bits(self) -> u64 {
        DTYPES[self.0 as usize].1
    }
}
