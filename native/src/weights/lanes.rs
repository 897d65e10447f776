//! The unit in which columns are computed with: the values of one column in 64 rows, long enough for the compiler to turn loops over
//! the rows into vector instructions, where it would unroll shorter ones.

use bytemuck::{Pod, Zeroable};

/// Rows that are computed with together.
pub const LANES: usize = 64;

/// The values of one column in `LANES` rows.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Lanes(pub [f32; LANES]);

impl Lanes {
    pub const ZERO: Self = Self([0.0; LANES]);
}
