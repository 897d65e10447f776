//! What a quantized layer can be written as, and how large it comes out.

use super::bits::check_width;
use super::grid::group_count;
use crate::error::{Result, internal};

/// One tensor of a layer in one of the layouts (docs/formats.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// i32 [ceil(cols * bits / 32), rows]
    GptqQweight,
    /// i32 [groups, ceil(rows * bits / 32)] of zero - 1
    GptqQzeros,
    /// i32 [groups, ceil(rows * bits / 32)]
    GptqV2Qzeros,
    /// f16 [groups, rows]
    GptqScales,
    /// i32 [cols]
    GptqGidx,
    /// i32 [rows, ceil(cols * bits / 32)]
    CtWeightPacked,
    /// [rows, groups], in the dtype of the weight: programs multiply in that of the scales. `bytes` of one: 4, or 2.
    CtWeightScale { bytes: usize },
    /// i32 [ceil(rows * bits / 32), groups]
    CtWeightZeroPoint,
    /// u8 [rows, blocks, block * bits / 8], three bits in four
    NbitsB { block: usize },
    /// f32 [rows, blocks]
    NbitsScales { block: usize },
    /// u8 [rows, ceil(blocks * bits / 8)]
    NbitsZeroPoints { block: usize },
    /// [rows, ceil(cols / 32)] blocks of f16 and 32 codes
    Ggml(GgmlType),
}

/// ggml's blocks of 32 weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GgmlType {
    /// f16 d, 16 bytes: (code - 8) * d
    Q4_0,
    /// f16 d, f16 m, 16 bytes: code * d + m
    Q4_1,
    /// f16 d, 32 bytes: code * d, signed
    Q8_0,
}

/// Weights of a ggml block.
pub const GGML_BLOCK: usize = 32;

impl GgmlType {
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "q4_0" => Some(Self::Q4_0),
            "q4_1" => Some(Self::Q4_1),
            "q8_0" => Some(Self::Q8_0),
            _ => None,
        }
    }

    pub fn bits(self) -> u32 {
        if self == Self::Q8_0 { 8 } else { 4 }
    }

    /// Bytes of d, and of m where there is one.
    pub fn head(self) -> usize {
        if self == Self::Q4_1 { 4 } else { 2 }
    }

    pub fn block_bytes(self) -> usize {
        self.head() + GGML_BLOCK * self.bits() as usize / 8
    }
}

/// What the sizes of a layer's parts depend on. `group_size`: 0 or more than the columns = the whole row.
#[derive(Debug, Clone, Copy)]
pub struct Measures {
    pub rows: usize,
    pub cols: usize,
    pub bits: u32,
    pub group_size: usize,
}

/// The bits that MatMulNBits stores such codes in.
pub fn nbits_width(bits: u32) -> u32 {
    if bits == 3 { 4 } else { bits }
}

pub fn words(codes: usize, bits: u32) -> usize {
    (codes * bits as usize).div_ceil(32)
}

impl Part {
    /// `block` is that of MatMulNBits. Errors: `internal`.
    pub fn of(name: &str, block: Option<usize>) -> Result<Self> {
        let block = || match block {
            Some(block) if block >= 16 && block.is_power_of_two() => Ok(block),
            _ => Err(internal("MatMulNBits takes blocks of 16 or a higher power of two")),
        };
        Ok(match name {
            "gptq.qweight" => Self::GptqQweight,
            "gptq.qzeros" => Self::GptqQzeros,
            "gptq_v2.qzeros" => Self::GptqV2Qzeros,
            "gptq.scales" => Self::GptqScales,
            "gptq.g_idx" => Self::GptqGidx,
            "ct.weight_packed" => Self::CtWeightPacked,
            "ct.weight_scale" => Self::CtWeightScale { bytes: 2 },
            "ct.weight_scale_f32" => Self::CtWeightScale { bytes: 4 },
            "ct.weight_zero_point" => Self::CtWeightZeroPoint,
            "nbits.b" => Self::NbitsB { block: block()? },
            "nbits.scales" => Self::NbitsScales { block: block()? },
            "nbits.zero_points" => Self::NbitsZeroPoints { block: block()? },
            _ => Self::Ggml(GgmlType::of(name).ok_or_else(|| internal("there is no such part"))?),
        })
    }

    /// Bytes of one row, of a part that is made row by row.
    pub fn row_bytes(self, of: &Measures) -> Option<usize> {
        let groups = group_count(of.cols, of.group_size);
        let width = nbits_width(of.bits);
        match self {
            Self::GptqQweight
            | Self::GptqQzeros
            | Self::GptqV2Qzeros
            | Self::GptqScales
            | Self::GptqGidx
            | Self::CtWeightZeroPoint => None,
            Self::CtWeightPacked => Some(4 * words(of.cols, of.bits)),
            Self::CtWeightScale { bytes } => Some(bytes * groups),
            Self::NbitsB { block } => Some(of.cols.div_ceil(block) * (block * width as usize / 8)),
            Self::NbitsScales { block } => Some(4 * of.cols.div_ceil(block)),
            Self::NbitsZeroPoints { block } => Some((of.cols.div_ceil(block) * width as usize).div_ceil(8)),
            Self::Ggml(kind) => Some(of.cols.div_ceil(GGML_BLOCK) * kind.block_bytes()),
        }
    }

    /// Its size in bytes.
    pub fn bytes(self, of: &Measures) -> Result<u64> {
        check_width(of.bits)?;
        let groups = group_count(of.cols, of.group_size);
        let bytes = match self {
            Self::GptqQweight => 4 * words(of.cols, of.bits) * of.rows,
            Self::GptqQzeros | Self::GptqV2Qzeros | Self::CtWeightZeroPoint => 4 * groups * words(of.rows, of.bits),
            Self::GptqScales => 2 * groups * of.rows,
            Self::GptqGidx => 4 * of.cols,
            _ => of.rows * self.row_bytes(of).expect("made row by row"),
        };
        Ok(bytes as u64)
    }
}
