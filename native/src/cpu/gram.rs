//! Xᵀ X of a layer's input, the raw material of its Hessian (method.md, section 1).

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::product::product;
use crate::backend::{Entries, first_bad_row};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::weights::zeros::zeros;

/// Tokens whose products are summed in float32 before they go into the float64 sums.
pub const CHUNK: usize = 1024;

/// Rows and columns of a tile, for matrices of `cols` columns: small enough to occupy some threads and to waste little on the diagonal.
fn tile_size(cols: usize) -> usize {
    if cols <= 1024 { 64 } else { 128 }
}

/// One tile of the lower triangle: the products of columns `row..` with columns `col..`, `col <= row`.
struct Tile {
    row: usize,
    col: usize,
    height: usize,
    width: usize,
    /// [width, height] row-major: for each column of the tile, its rows one after the other.
    sums: Vec<f64>,
}

/// The sum of xᵀ x over all tokens added so far; float64, lower triangle only, in tiles.
pub struct Gram {
    cols: usize,
    tile: usize,
    tiles: Vec<Tile>,
}

impl Gram {
    pub fn new(cols: usize) -> Self {
        let tile = tile_size(cols);
        let starts = || (0..cols).step_by(tile);
        let make = |(row, col): (usize, usize)| {
            let (height, width) = (tile.min(cols - row), tile.min(cols - col));
            Tile {
                row,
                col,
                height,
                width,
                sums: vec![0.0; height * width],
            }
        };
        let tiles = starts()
            .flat_map(|row| starts().take_while(move |&col| col <= row).map(move |col| (row, col)))
            .map(make)
            .collect();
        Self { cols, tile, tiles }
    }

    /// With the entries of `dense` [cols, cols] row-major.
    #[cfg(test)]
    pub fn from_dense(cols: usize, dense: &[f32]) -> Self {
        let mut gram = Self::new(cols);
        for tile in &mut gram.tiles {
            for (i, sum) in tile.sums.iter_mut().enumerate() {
                let (row, col) = (tile.row + i % tile.height, tile.col + i / tile.height);
                *sum = dense[row * cols + col] as f64;
            }
        }
        gram
    }

    /// Column `col` of the lower triangle: rows `col`, `col + 1` ..
    pub fn column(&self, col: usize) -> impl Iterator<Item = f64> + '_ {
        let j = col / self.tile;
        (j..self.cols.div_ceil(self.tile)).flat_map(move |i| {
            let tile = &self.tiles[i * (i + 1) / 2 + j];
            let sums = &tile.sums[(col - tile.col) * tile.height..][..tile.height];
            sums[col.saturating_sub(tile.row)..].iter().copied()
        })
    }

    /// Adds xᵀ x; x [tokens, cols] row-major. Error: `NotFinite` with the first row of x that is not; the sums are then spoiled.
    pub fn add(&mut self, x: &[f32], control: &Control) -> Result<()> {
        assert!(x.len().is_multiple_of(self.cols), "x holds whole rows");
        let tokens = x.len() / self.cols;
        control.begin((self.tiles.len() * tokens) as u64)?;
        let mut panels = zeros(CHUNK.min(tokens) * self.cols, control)?;
        for (i, chunk) in x.chunks(CHUNK * self.cols).enumerate() {
            let length = chunk.len() / self.cols;
            let panels = &mut panels[..chunk.len()];
            gather_panels(chunk, self.cols, self.tile, panels, control)?;
            let panel = |first: usize, width: usize| {
                MatRef::from_row_major_slice(&panels[first * length..(first + width) * length], length, width)
            };
            let add_tile = |tile: &mut Tile| {
                let finite = tile.add(panel(tile.row, tile.height), panel(tile.col, tile.width));
                control.advance(length as u64)?;
                Ok(finite)
            };
            if !self
                .tiles
                .par_iter_mut()
                .map(add_tile)
                .try_reduce(|| true, |a, b| Ok(a && b))?
            {
                return Err(Error::NotFinite {
                    row: i * CHUNK + first_bad_row(chunk, self.cols),
                });
            }
        }
        Ok(())
    }
}

impl Entries for Gram {
    fn cols(&self) -> usize {
        self.cols
    }

    fn get(&self, row: usize, col: usize) -> f64 {
        let (i, j) = (row / self.tile, col / self.tile);
        let tile = &self.tiles[i * (i + 1) / 2 + j];
        tile.sums[(col - tile.col) * tile.height + row - tile.row]
    }
}

/// Copies x [tokens, cols] into panels of `width` columns, each [tokens, width] row-major and one after the other: a product of two
/// panels then reads memory in order, where rows a power of two apart would fall on the same lines of the cache.
pub fn gather_panels(x: &[f32], cols: usize, width: usize, panels: &mut [f32], control: &Control) -> Result<()> {
    let tokens = x.len() / cols;
    panels
        .par_chunks_mut(tokens * width)
        .enumerate()
        .try_for_each(|(i, panel)| {
            let (first, width) = (i * width, panel.len() / tokens);
            for (row, out) in x.chunks(cols).zip(panel.chunks_mut(width)) {
                out.copy_from_slice(&row[first..first + width]);
            }
            control.check()
        })
}

impl Tile {
    /// Adds the products of `cols` [tokens, width] with `rows` [tokens, height]. Returns whether the diagonal's (if the tile is on the
    /// diagonal) are finite.
    fn add(&mut self, rows: MatRef<f32>, cols: MatRef<f32>) -> bool {
        let mut products = vec![0f32; self.sums.len()];
        product(
            MatMut::from_row_major_slice_mut(&mut products, self.width, self.height),
            cols.transpose(),
            rows,
        );
        for (sum, &product) in self.sums.iter_mut().zip(&products) {
            *sum += product as f64;
        }
        self.row != self.col || (0..self.width).all(|i| products[i * self.height + i].is_finite())
    }
}
