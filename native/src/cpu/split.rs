//! ADMM's iterations on the CPU (method.md, section 11), `LANES` rows at a time: a layer's weights, and the iterate C = B + V / ρ, of
//! which what is kept is D and what is not is V / ρ.

use faer::prelude::ReborrowMut;
use rayon::prelude::*;

use super::lanes::{Keep, count_before};
use super::operand::{Operand, Scratch};
use crate::backend::split::{Iteration, Step};
use crate::backend::sweep::Pruned;
use crate::control::Control;
use crate::error::Result;
use crate::machine::simd::vectorized;
use crate::weights::columns::{Columns, column_mut, lanes_of};
use crate::weights::lanes::{LANES, Lanes};
use crate::weights::selection::nth_smallest;

/// A bit for each row of a group: whether its weight is kept.
type Bits = u64;

/// A layer's weights [rows, cols], and what becomes of them.
pub struct Split {
    rows: usize,
    cols: usize,
    groups: Vec<Group>,
    /// The magnitude up to which the last iteration pruned; 0 before the first, and where it went by a pattern.
    limit: f32,
}

/// `LANES` rows, a slot for each column.
struct Group {
    /// Rows that are not padding.
    height: usize,
    w: Vec<Lanes>,
    c: Vec<Lanes>,
    keep: Vec<Bits>,
}

/// What a thread computes one group after the other in.
struct Room {
    x: Vec<Lanes>,
    product: Vec<Lanes>,
    scratch: Scratch,
}

impl Room {
    fn new(cols: usize) -> Self {
        let lanes = || vec![Lanes::ZERO; cols];
        Self {
            x: lanes(),
            product: lanes(),
            scratch: Scratch::default(),
        }
    }

    /// Multiplies what `x` holds.
    fn multiply(&mut self, by: &Operand) {
        by.multiply(&self.x, &mut self.product, &mut self.scratch);
    }
}

impl Split {
    /// D = W, everything kept, V = 0. Error: `Cancelled`.
    pub fn new(w: Columns, control: &Control) -> Result<Self> {
        let (rows, cols) = (w.rows, w.cols);
        let take = |i: usize| {
            control.check()?;
            let height = LANES.min(rows - i * LANES);
            let w: Vec<Lanes> = (0..cols).map(|j| lanes_of(w.view(), j, i * LANES)).collect();
            let c = w.clone();
            let keep = vec![Bits::MAX >> (LANES - height); cols];
            Ok(Group { height, w, c, keep })
        };
        let groups = (0..rows.div_ceil(LANES)).into_par_iter().map(take);
        let groups = groups.collect::<Result<_>>()?;
        Ok(Self {
            rows,
            cols,
            groups,
            limit: 0.0,
        })
    }

    /// One iteration with `ridge` = ρ (A + ρ)⁻¹: B = W + (D - V / ρ - W) ρ (A + ρ)⁻¹, C = B + V / ρ, D = what is kept of C. Error:
    /// `Cancelled`.
    pub fn iterate(&mut self, ridge: &Operand, step: &Step, pruned: Pruned, control: &Control) -> Result<Iteration> {
        let regress = |room: &mut Room, group: &mut Group| {
            let lost = group.regress(ridge, step, room);
            control.advance(1)?;
            Ok(lost)
        };
        let cols = self.cols;
        let groups = self.groups.par_iter_mut();
        let lost = groups.map_init(|| Room::new(cols), regress);
        let lost: Vec<f64> = lost.collect::<Result<_>>()?;
        if let Pruned::UpToRank(rank) = pruned {
            self.limit = self.threshold(rank, control)?;
        }
        let limit = self.limit;
        let project = |group: &mut Group| {
            control.check()?;
            Ok(match pruned {
                Pruned::NofM { n, m } => group.keep_largest(n, m),
                _ => group.keep_above(limit),
            })
        };
        let counts: Vec<Counts> = self.groups.par_iter_mut().map(project).collect::<Result<_>>()?;
        Ok(Iteration {
            changed: counts.iter().map(|counts| counts.changed).sum(),
            kept: counts.iter().map(|counts| counts.kept).sum(),
            lost: step.penalty as f64 * lost.iter().sum::<f64>(),
        })
    }

    /// The magnitude of 0-based `rank`, ascending, over the whole layer: looked for near that of the last iteration first.
    fn threshold(&self, rank: usize, control: &Control) -> Result<f32> {
        let (low, high) = (self.limit * (1.0 - NEAR), self.limit * (1.0 + NEAR));
        let look = |group: &Group| {
            control.check()?;
            Ok(group.between(low, high))
        };
        let found: Vec<Near> = self.groups.par_iter().map(look).collect::<Result<_>>()?;
        // So many are not smaller than the one of this rank.
        let from_top = self.rows * self.cols - rank;
        let larger: usize = found.iter().map(|near| near.larger).sum();
        let mut near: Vec<f32> = found.into_iter().flat_map(|near| near.magnitudes).collect();
        if larger < from_top && from_top <= larger + near.len() {
            let place = larger + near.len() - from_top;
            return Ok(*near.select_nth_unstable_by(place, f32::total_cmp).1);
        }
        nth_smallest(rank, self.groups.len(), |i, sink| {
            let group = &self.groups[i];
            group.c.iter().for_each(|c| sink(&c.0[..group.height]));
            control.check()
        })
    }

    /// `steps` steps of conjugate gradients from D on, within its mask, towards the least tr((W - Z) A (W - Z)ᵀ). Returns Z. Error:
    /// `Cancelled`.
    pub fn polish(self, a: &Operand, steps: usize, control: &Control) -> Result<Columns> {
        let mut z = Columns::zeros(self.rows, self.cols, control)?;
        let cols = self.cols;
        let groups = self.groups.into_par_iter().zip(z.view_mut().par_row_chunks_mut(LANES));
        groups.try_for_each_init(
            || Room::new(cols),
            |room, (group, mut to)| {
                for (j, z) in group.polish(a, steps, room, control)?.iter().enumerate() {
                    column_mut(to.rb_mut(), j).copy_from_slice(&z.0);
                }
                Ok(())
            },
        )?;
        Ok(z)
    }
}

/// How far from the last iteration's limit the next is looked for, as a share of it.
const NEAR: f32 = 0.03;

/// What of a group lies near a limit.
struct Near {
    larger: usize,
    magnitudes: Vec<f32>,
}

/// Weights that are kept, and those of them that were not before.
struct Counts {
    changed: usize,
    kept: usize,
}

impl Group {
    /// Replaces C by that of the next iteration, its mask being that of the last. Returns tr((W - B) A (W - B)ᵀ) / ρ.
    fn regress(&mut self, ridge: &Operand, step: &Step, room: &mut Room) -> f64 {
        let columns = self.c.iter().zip(&self.w).zip(&self.keep);
        for (x, ((c, w), &keep)) in room.x.iter_mut().zip(columns) {
            deviation(c, w, keep, step.rescaling, x);
        }
        room.multiply(ridge);
        let columns = self.c.iter_mut().zip(&self.w).zip(&self.keep);
        for (product, ((c, w), &keep)) in room.product.iter().zip(columns) {
            relax(c, w, product, keep, step);
        }
        // With B - W = X ρ (A + ρ)⁻¹ it is (B - W) A = ρ (X - (B - W)).
        let parts = room.x.chunks(SUMMED).zip(room.product.chunks(SUMMED));
        parts.map(|(x, product)| energy(x, product)).sum()
    }

    /// Keeps what is larger than `limit`.
    fn keep_above(&mut self, limit: f32) -> Counts {
        self.keep_where(|c, j| above(&c[j], limit))
    }

    /// The magnitudes above `low` and up to `high`, and how many are larger.
    fn between(&self, low: f32, high: f32) -> Near {
        let mut near = Near {
            larger: 0,
            magnitudes: Vec::new(),
        };
        for c in &self.c {
            let larger = above(c, high) & self.real();
            near.larger += larger.count_ones() as usize;
            let mut inside = above(c, low) & self.real() & !larger;
            while inside != 0 {
                near.magnitudes.push(c.0[inside.trailing_zeros() as usize].abs());
                inside &= inside - 1;
            }
        }
        near
    }

    /// The bits of rows that are not padding.
    fn real(&self) -> Bits {
        Bits::MAX >> (LANES - self.height)
    }

    /// Keeps all but the `n` smallest of every `m` neighbours, the leftmost of equals going first.
    fn keep_largest(&mut self, n: usize, m: usize) -> Counts {
        let mut magnitudes = Vec::with_capacity(m);
        self.keep_where(|c, j| {
            let first = j / m * m;
            if j == first {
                magnitudes.clear();
                let of = |c: &Lanes| Lanes(c.0.map(f32::abs));
                magnitudes.extend(c[first..c.len().min(first + m)].iter().map(of));
            }
            let mut before: Keep = [0; LANES];
            for (other, magnitude) in magnitudes.iter().enumerate() {
                count_before(magnitude, &magnitudes[j - first], first + other < j, &mut before);
            }
            let is_kept = |lane: usize| Bits::from(before[lane] >= n as u32) << lane;
            (0..LANES).map(is_kept).fold(0, |bits, bit| bits | bit)
        })
    }

    /// Sets the bits of each column by what `choose` says, those of padding never.
    fn keep_where(&mut self, mut choose: impl FnMut(&[Lanes], usize) -> Bits) -> Counts {
        let real = self.real();
        let mut counts = Counts { changed: 0, kept: 0 };
        for (j, keep) in self.keep.iter_mut().enumerate() {
            let chosen = choose(&self.c, j) & real;
            counts.changed += (chosen & !*keep).count_ones() as usize;
            counts.kept += chosen.count_ones() as usize;
            *keep = chosen;
        }
        counts
    }

    fn polish(self, a: &Operand, steps: usize, room: &mut Room, control: &Control) -> Result<Vec<Lanes>> {
        let Self { w, c: mut z, keep, .. } = self;
        for ((z, &keep), (x, w)) in z.iter_mut().zip(&keep).zip(room.x.iter_mut().zip(&w)) {
            mask(z, keep);
            *x = difference(w, z);
        }
        room.multiply(a);
        let mut residual: Vec<Lanes> = room.product.clone();
        (residual.iter_mut().zip(&keep)).for_each(|(residual, &keep)| mask(residual, keep));
        room.x.copy_from_slice(&residual);
        let mut squares = dot(&residual, &residual);
        control.advance(1)?;
        for _ in 0..steps {
            room.multiply(a);
            (room.product.iter_mut().zip(&keep)).for_each(|(product, &keep)| mask(product, keep));
            let curvature = dot(&room.x, &room.product);
            let step = ratios(&squares, &curvature);
            add_multiple(&mut z, &room.x, &step);
            add_multiple(&mut residual, &room.product, &step.map(|step| -step));
            let next = dot(&residual, &residual);
            let share = ratios(&next, &squares);
            for (x, residual) in room.x.iter_mut().zip(&residual) {
                let columns = x.0.iter_mut().zip(&residual.0).zip(&share);
                columns.for_each(|((x, residual), share)| *x = *x * share + residual);
            }
            squares = next;
            control.advance(1)?;
        }
        Ok(z)
    }
}

/// Columns whose products are summed in float32 before they go into a float64 sum.
const SUMMED: usize = 64;

vectorized! {
    /// The sum of b (x - b) over a few columns.
    fn energy(x: &[Lanes], b: &[Lanes]) -> f64 {
        let mut sums = [0f32; LANES];
        for (x, b) in x.iter().zip(b) {
            for ((sum, &x), &b) in sums.iter_mut().zip(&x.0).zip(&b.0) {
                *sum = b.mul_add(x - b, *sum);
            }
        }
        sums.iter().map(|&sum| sum as f64).sum()
    }
}

vectorized! {
    /// A bit for each lane of a magnitude larger than `limit`.
    fn above(values: &Lanes, limit: f32) -> u64 {
        let mut bits = 0;
        for (i, values) in values.0.as_chunks::<16>().0.iter().enumerate() {
            let mut part = 0u32;
            for (lane, value) in values.iter().enumerate() {
                part |= ((value.abs() > limit) as u32) << lane;
            }
            bits |= (part as u64) << (16 * i);
        }
        bits
    }
}

vectorized! {
    /// x = D - V / ρ - W of one column.
    fn deviation(c: &Lanes, w: &Lanes, keep: u64, rescaling: f32, x: &mut Lanes) {
        for lane in 0..LANES {
            let is_kept = keep >> lane & 1 == 1;
            let factor = if is_kept { 1.0 } else { -rescaling };
            x.0[lane] = c.0[lane] * factor - w.0[lane];
        }
    }
}

vectorized! {
    /// C = B + V / ρ of one column, `product` being B - W, B taken further from D.
    fn relax(c: &mut Lanes, w: &Lanes, product: &Lanes, keep: u64, step: &Step) {
        let rest = 1.0 - step.relaxation;
        for lane in 0..LANES {
            let is_kept = keep >> lane & 1 == 1;
            let factor = if is_kept { rest } else { step.rescaling };
            c.0[lane] = step.relaxation * (w.0[lane] + product.0[lane]) + factor * c.0[lane];
        }
    }
}

vectorized! {
    fn difference(a: &Lanes, b: &Lanes) -> Lanes {
        let mut difference = Lanes::ZERO;
        for lane in 0..LANES {
            difference.0[lane] = a.0[lane] - b.0[lane];
        }
        difference
    }
}

vectorized! {
    /// Zeroes what is not kept.
    fn mask(values: &mut Lanes, keep: u64) {
        for lane in 0..LANES {
            values.0[lane] = if keep >> lane & 1 == 1 { values.0[lane] } else { 0.0 };
        }
    }
}

vectorized! {
    fn add_products(a: &Lanes, b: &Lanes, sums: &mut [f64; LANES]) {
        for ((sum, &a), &b) in sums.iter_mut().zip(&a.0).zip(&b.0) {
            *sum += a as f64 * b as f64;
        }
    }
}

vectorized! {
    fn add_multiple(to: &mut [Lanes], of: &[Lanes], factors: &[f32; LANES]) {
        for (to, of) in to.iter_mut().zip(of) {
            for ((to, &of), &factor) in to.0.iter_mut().zip(&of.0).zip(factors) {
                *to += factor * of;
            }
        }
    }
}

/// The sum of a b over the columns, of each row.
fn dot(a: &[Lanes], b: &[Lanes]) -> [f64; LANES] {
    let mut sums = [0f64; LANES];
    a.iter().zip(b).for_each(|(a, b)| add_products(a, b, &mut sums));
    sums
}

/// a / b of each row; 0 where b is.
fn ratios(a: &[f64; LANES], b: &[f64; LANES]) -> [f32; LANES] {
    std::array::from_fn(|lane| if b[lane] > 0.0 { (a[lane] / b[lane]) as f32 } else { 0.0 })
}
