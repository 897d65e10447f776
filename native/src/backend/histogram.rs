//! Saliencies, counted by their leading bits.

/// Bits of a saliency that choose its bin: the exponent and seven of the mantissa.
pub const BIN_BITS: u32 = 15;

/// Bins.
pub const BINS: usize = 1 << BIN_BITS;
/// Saliencies of different bits in a bin.
pub const BIN_VALUES: usize = 1 << (31 - BIN_BITS);

/// Counts and sums of saliencies by their leading bits.
pub struct Histogram {
    pub counts: Vec<u64>,
    pub sums: Vec<f64>,
}

/// The bin of a saliency.
#[inline]
pub fn bin_of(saliency: f32) -> usize {
    (saliency.abs().to_bits() >> (31 - BIN_BITS)) as usize
}

/// Where the least `rank` values end: all bins before `bin`, which sum to `below`, and `inside` values of `bin`.
pub struct Cut {
    pub bin: usize,
    pub below: f64,
    pub inside: usize,
}

impl Histogram {
    pub fn cut(&self, rank: usize) -> Cut {
        let (mut left, mut below) = (rank, 0.0);
        for (bin, (&count, &sum)) in self.counts.iter().zip(&self.sums).enumerate() {
            if left < count as usize || left == 0 {
                return Cut {
                    bin,
                    below,
                    inside: left,
                };
            }
            left -= count as usize;
            below += sum;
        }
        Cut {
            bin: self.counts.len(),
            below,
            inside: 0,
        }
    }
}
