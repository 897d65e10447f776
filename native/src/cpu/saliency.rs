//! A layer's saliencies on the CPU.

use rayon::prelude::*;

use crate::backend::histogram::{BINS, Histogram, bin_of};
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;

/// Rows read by one task. It decides the order of summation, so it does not depend on the threads.
pub const PANEL: usize = 256;

/// Calls `visit(row's saliencies)` for every row of a panel of `w`.
fn for_saliencies(w: &Columns, u_diagonal: &[f32], panel: usize, mut visit: impl FnMut(&[f32])) {
    let squares: Vec<f32> = u_diagonal.iter().map(|u| u * u).collect();
    let mut saliencies = vec![0f32; w.cols];
    w.for_rows(panel * PANEL..((panel + 1) * PANEL).min(w.rows), |row| {
        for ((saliency, w), square) in saliencies.iter_mut().zip(row).zip(&squares) {
            *saliency = w * w / square;
        }
        visit(&saliencies);
    });
}

/// Counts and sums: those of each panel, added in their order. Error: `Cancelled`.
pub fn histogram(w: &Columns, u_diagonal: &[f32], control: &Control) -> Result<Histogram> {
    let empty = || Histogram {
        counts: vec![0; BINS],
        sums: vec![0.0; BINS],
    };
    let of_panel = |panel: usize| {
        let mut histogram = empty();
        for_saliencies(w, u_diagonal, panel, |row| {
            for &saliency in row {
                let bin = bin_of(saliency);
                histogram.counts[bin] += 1;
                histogram.sums[bin] += saliency as f64;
            }
        });
        control.check()?;
        Ok(histogram)
    };
    let panels = (0..w.rows.div_ceil(PANEL)).into_par_iter();
    let parts: Vec<Histogram> = panels.map(of_panel).collect::<Result<_>>()?;
    let mut merged = empty();
    for part in &parts {
        merged.counts.iter_mut().zip(&part.counts).for_each(|(a, b)| *a += b);
        merged.sums.iter_mut().zip(&part.sums).for_each(|(a, b)| *a += b);
    }
    Ok(merged)
}

/// The bits of all saliencies in the bins that are `wanted`, ascending. Error: `Cancelled`.
pub fn members(w: &Columns, u_diagonal: &[f32], wanted: &[bool], control: &Control) -> Result<Vec<u32>> {
    let members = |panel: usize| {
        let mut members = Vec::new();
        for_saliencies(w, u_diagonal, panel, |row| {
            members.extend(row.iter().filter(|&&s| wanted[bin_of(s)]).map(|s| s.to_bits()))
        });
        control.check()?;
        Ok(members)
    };
    let panels = (0..w.rows.div_ceil(PANEL)).into_par_iter();
    let mut found = panels.map(members).collect::<Result<Vec<Vec<u32>>>>()?.concat();
    found.par_sort_unstable();
    Ok(found)
}
