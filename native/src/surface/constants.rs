//! Numbers of the core that plans and estimates are made with. What they bound is computed where they stand.

use napi_derive::napi;

use crate::backend::histogram::{BIN_VALUES, BINS};
use crate::backend::sweep::SPAN;
use crate::cpu::{self, saliency};
use crate::divergence::{LOGIT_BYTES, TOKEN_BYTES};
use crate::gpu::device::{PIECE, PIECES};
use crate::gpu::gram::CHUNK;
use crate::gpu::sweep::{SUMMED, WIDTH};
use crate::machine::simd;
use crate::method::admm;
use crate::method::statistics::CURVE_POINTS;
use crate::method::sweep::BLOCK;
use crate::pack::archive::FILE_HEADER;
use crate::pack::archive::band::BAND_WEIGHTS;
use crate::pack::archive::frame::FRAME_HEADER;
use crate::pack::archive::section::{MAX_COLS, OVERHEAD};
use crate::pack::archive::write::{INDEX_ENTRY, INDEX_OVERHEAD};

/// The method's, on the CPU and on a GPU.
#[napi(object, object_from_js = false)]
pub struct MethodConstants {
    /// Columns that are pruned by one threshold.
    pub block: u32,
    /// Columns whose errors a sweep holds.
    pub span: u32,
    /// Tokens of a layer's input whose products the CPU sums at once.
    pub gram_tokens: u32,
    /// Points of the saliency curve, 0 and 1 among them.
    pub curve_points: u32,
    /// Bins that saliencies are counted in, and different values in a bin.
    pub bins: u32,
    pub bin_values: u32,
    /// Rows that the CPU makes a histogram of, and bytes that it takes.
    pub histogram_rows: u32,
    pub histogram_bytes: u32,
    /// Bytes in which a reference's logit is kept until those of the models come, and bytes of a token's sums for each model.
    pub logit_bytes: u32,
    pub divergence_bytes: u32,
    pub admm: AdmmConstants,
}

/// ADMM's, of every layer.
#[napi(object, object_from_js = false)]
pub struct AdmmConstants {
    pub iterations: u32,
    /// Penalties, for each of which the Hessian is factored anew.
    pub penalties: u32,
    /// Steps of conjugate gradients after the iterations.
    pub polish: u32,
    /// Passes of coordinate descent over what is quantized.
    pub refinements: u32,
    /// Bytes of an entry of the matrices that are multiplied with.
    pub operand_bytes: u32,
}

#[napi(object, object_from_js = false)]
pub struct GpuConstants {
    /// Bytes that are sent or fetched at once, and how many such pieces are in memory together.
    pub piece_bytes: u32,
    pub pieces: u32,
    /// Tokens of a layer's input that are sent at once.
    pub sent_tokens: u32,
    /// Columns to each of which a row has a sum of squares.
    pub summed_columns: u32,
    /// The widest group of neighbours whose pattern is pruned in.
    pub widest_pattern: u32,
}

/// The packed archive's, in bytes but for the band and the columns (docs/formats.md).
#[napi(object, object_from_js = false)]
pub struct ArchiveConstants {
    pub file_header: u32,
    /// A section beside its dimensions, its texts and its payload.
    pub section: u32,
    pub frame_header: u32,
    /// An entry of the index beside its name, and the index beside its entries.
    pub index_entry: u32,
    pub index: u32,
    /// Weights that a band has at most, where that is a row or more.
    pub band_weights: u32,
    /// Columns of the widest matrix that is coded.
    pub widest_matrix: u32,
}

#[napi(object, object_from_js = false)]
pub struct Constants {
    pub method: MethodConstants,
    pub gpu: GpuConstants,
    pub archive: ArchiveConstants,
}

/// The numbers of the core that plans and estimates are made with.
#[napi]
pub fn constants() -> Constants {
    Constants {
        method: MethodConstants {
            block: BLOCK as u32,
            span: SPAN as u32,
            gram_tokens: cpu::gram::CHUNK as u32,
            curve_points: CURVE_POINTS as u32,
            bins: BINS as u32,
            bin_values: BIN_VALUES as u32,
            histogram_rows: saliency::PANEL as u32,
            histogram_bytes: (BINS * (size_of::<u64>() + size_of::<f64>())) as u32,
            logit_bytes: LOGIT_BYTES as u32,
            divergence_bytes: TOKEN_BYTES as u32,
            admm: AdmmConstants {
                iterations: (admm::PENALTIES * admm::EACH) as u32,
                penalties: admm::PENALTIES as u32,
                polish: admm::POLISH as u32,
                refinements: admm::REFINEMENTS as u32,
                operand_bytes: if simd::has_bf16() { 2 } else { 4 },
            },
        },
        gpu: GpuConstants {
            piece_bytes: PIECE as u32,
            pieces: PIECES as u32,
            sent_tokens: CHUNK as u32,
            summed_columns: SUMMED as u32,
            widest_pattern: WIDTH as u32,
        },
        archive: ArchiveConstants {
            file_header: FILE_HEADER as u32,
            section: OVERHEAD as u32,
            frame_header: FRAME_HEADER as u32,
            index_entry: INDEX_ENTRY as u32,
            index: INDEX_OVERHEAD as u32,
            band_weights: BAND_WEIGHTS as u32,
            widest_matrix: MAX_COLS as u32,
        },
    }
}
