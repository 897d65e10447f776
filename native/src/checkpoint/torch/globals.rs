//! The globals a pickle may name. Each is a word of ours for what PyTorch would import: nothing is imported here.

use crate::checkpoint::Dtype;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Global {
    OrderedDict,
    Rebuild(Rebuild),
    /// The class of a storage; None where the storage is bytes and the tensor says of what dtype.
    Storage(Option<Dtype>),
    /// A dtype as an argument.
    Dtype(Dtype),
}

/// The functions of `torch._utils`; what they take is in `pickle.rs`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rebuild {
    Tensor,
    TensorV2,
    TensorV3,
    Parameter,
}

/// The classes of typed storages, whose elements are of these dtypes.
const STORAGES: [(&str, &str); 11] = [
    ("FloatStorage", "F32"),
    ("HalfStorage", "F16"),
    ("BFloat16Storage", "BF16"),
    ("DoubleStorage", "F64"),
    ("LongStorage", "I64"),
    ("IntStorage", "I32"),
    ("ShortStorage", "I16"),
    ("CharStorage", "I8"),
    ("ByteStorage", "U8"),
    ("BoolStorage", "BOOL"),
    ("ComplexFloatStorage", "C64"),
];

const DTYPES: [(&str, &str); 19] = [
    ("float32", "F32"),
    ("float16", "F16"),
    ("bfloat16", "BF16"),
    ("float64", "F64"),
    ("int64", "I64"),
    ("int32", "I32"),
    ("int16", "I16"),
    ("int8", "I8"),
    ("uint64", "U64"),
    ("uint32", "U32"),
    ("uint16", "U16"),
    ("uint8", "U8"),
    ("bool", "BOOL"),
    ("complex64", "C64"),
    ("float8_e4m3fn", "F8_E4M3"),
    ("float8_e5m2", "F8_E5M2"),
    ("float8_e4m3fnuz", "F8_E4M3FNUZ"),
    ("float8_e5m2fnuz", "F8_E5M2FNUZ"),
    ("float8_e8m0fnu", "F8_E8M0"),
];

impl Global {
    /// None for all that is not on the list.
    pub fn of(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor") => Some(Self::Rebuild(Rebuild::Tensor)),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::Rebuild(Rebuild::TensorV2)),
            ("torch._utils", "_rebuild_tensor_v3") => Some(Self::Rebuild(Rebuild::TensorV3)),
            ("torch._utils", "_rebuild_parameter") => Some(Self::Rebuild(Rebuild::Parameter)),
            ("torch.storage", "UntypedStorage") => Some(Self::Storage(None)),
            ("torch", _) => {
                let storage = dtype_in(&STORAGES, name).map(|dtype| Self::Storage(Some(dtype)));
                storage.or_else(|| dtype_in(&DTYPES, name).map(Self::Dtype))
            }
            _ => None,
        }
    }
}

fn dtype_in(names: &[(&str, &str)], name: &str) -> Option<Dtype> {
    let (_, dtype) = names.iter().find(|(known, _)| *known == name)?;
    Dtype::of(dtype)
}
