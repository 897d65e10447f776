//! Reading tensors out of the map: data may lie at any alignment, so bytes become numbers one by one and are never cast.

use rayon::prelude::*;

use super::header::shown;
use super::{Checkpoint, Tensor};
use crate::control::Control;
use crate::error::{Error, Result, display};
use crate::weights::storage::Storage;

/// Elements a task takes at once: fixed, so that results can't depend on the number of threads.
const CHUNK: usize = 1 << 16;
/// The largest integer a float64, JavaScript's number, holds together with all below it.
const MAX_EXACT: i64 = 1 << 53;

/// What one pass over a tensor found. -0 counts as zero.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Scan {
    pub elements: usize,
    pub zeros: usize,
    /// The row-major index of the first NaN or infinity.
    pub first_not_finite: Option<usize>,
}

impl Checkpoint {
    /// Fills `out` with the tensor's elements, row-major, in parallel on the current rayon pool.
    ///
    /// Errors: `checkpoint.no-tensor`, `checkpoint.not-a-weight-dtype`. Panics unless `out` has the tensor's length.
    pub fn load_f32(&self, name: &str, out: &mut [f32]) -> Result<()> {
        let tensor = self.tensor(name)?;
        let storage = self.storage(tensor)?;
        assert_eq!(out.len(), tensor.elements(), "length of the buffer for {name}");
        let chunks = self.data(tensor).par_chunks(CHUNK * storage.size());
        out.par_chunks_mut(CHUNK)
            .zip(chunks)
            .for_each(|(out, bytes)| storage.decode(bytes, out));
        Ok(())
    }

    /// The elements of an I64 or I32 tensor as float64, each exactly.
    ///
    /// Errors: `checkpoint.no-tensor`, `checkpoint.not-an-id-dtype`, `checkpoint.integer-too-large` (beyond ±2^53).
    pub fn read_ids(&self, name: &str) -> Result<Vec<f64>> {
        let tensor = self.tensor(name)?;
        let bytes = self.data(tensor);
        let wide: Vec<i64> = match tensor.dtype.name() {
            "I64" => bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
            "I32" => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| i32::from_le_bytes(*b).into())
                .collect(),
            dtype => {
                let (path, tensor) = self.place(tensor);
                return Err(Error::NotAnIdDtype {
                    path,
                    tensor,
                    dtype: dtype.to_owned(),
                });
            }
        };
        match wide.iter().position(|id| id.unsigned_abs() > MAX_EXACT as u64) {
            None => Ok(wide.into_iter().map(|id| id as f64).collect()),
            Some(index) => {
                let (path, tensor) = self.place(tensor);
                Err(Error::IntegerTooLarge { path, tensor, index })
            }
        }
    }

    /// Counts zeros and finds the first element that is not finite, in one parallel pass on the current rayon pool.
    ///
    /// Errors: as `load_f32`; `cancelled`.
    pub fn scan(&self, name: &str, control: &Control) -> Result<Scan> {
        let tensor = self.tensor(name)?;
        let storage = self.storage(tensor)?;
        control.begin(tensor.bytes)?;
        let chunks = self.data(tensor).par_chunks(CHUNK * storage.size()).enumerate();
        let found = chunks.map(|(i, bytes)| {
            control.advance(bytes.len() as u64)?;
            Ok(scan_chunk(storage, i * CHUNK, bytes))
        });
        found.try_reduce(Scan::default, |before, after| {
            Ok(Scan {
                elements: before.elements + after.elements,
                zeros: before.zeros + after.zeros,
                first_not_finite: before.first_not_finite.or(after.first_not_finite),
            })
        })
    }

    /// How a weight's numbers are stored. Errors: `checkpoint.not-a-weight-dtype`.
    pub fn storage(&self, tensor: &Tensor) -> Result<Storage> {
        match tensor.dtype.name() {
            "F32" => Ok(Storage::F32),
            "F16" => Ok(Storage::F16),
            "BF16" => Ok(Storage::BF16),
            dtype => {
                let (path, tensor) = self.place(tensor);
                Err(Error::NotAWeightDtype {
                    path,
                    tensor,
                    dtype: dtype.to_owned(),
                })
            }
        }
    }

    fn place(&self, tensor: &Tensor) -> (String, String) {
        (display(self.file_of(tensor)), shown(&tensor.name))
    }
}

/// `first` is the index of the chunk's first element in its tensor.
fn scan_chunk(storage: Storage, first: usize, bytes: &[u8]) -> Scan {
    match storage {
        Storage::F32 => scan_bits(first, bytes, |b: &[u8; 4]| u32::from_le_bytes(*b), 0x7f80_0000),
        Storage::F16 => scan_bits(first, bytes, |b: &[u8; 2]| u16::from_le_bytes(*b).into(), 0x7c00),
        Storage::BF16 => scan_bits(first, bytes, |b: &[u8; 2]| u16::from_le_bytes(*b).into(), 0x7f80),
    }
}

/// On the bits: zero is all bits but the sign clear, infinity and NaN are all bits of the exponent set.
fn scan_bits<const N: usize>(first: usize, bytes: &[u8], bits: impl Fn(&[u8; N]) -> u32, exponent: u32) -> Scan {
    let elements = bytes.as_chunks::<N>().0;
    let sign = 1 << (8 * N - 1);
    let is_not_finite = |b: &[u8; N]| bits(b) & exponent == exponent;
    let mut zeros = 0u32;
    let mut not_finite = false;
    for b in elements {
        zeros += u32::from(bits(b) & !sign == 0);
        not_finite |= is_not_finite(b);
    }
    let position = if not_finite {
        elements.iter().position(is_not_finite)
    } else {
        None
    };
    Scan {
        elements: elements.len(),
        zeros: zeros as usize,
        first_not_finite: position.map(|i| first + i),
    }
}
