//! Xᵀ X of a layer's input, the raw material of its Hessian (method.md, section 1).

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::gemm::product;
use crate::control::Control;
use crate::error::{Error, Result};

/// Tokens whose products are summed in float32 before they go into the float64 sums.
const CHUNK: usize = 1024;

/// Rows and columns of a tile, for matrices of `cols` columns: small enough to occupy some threads and to waste little on the diagonal.
fn tile_size(cols: usize) -> usize {
    if cols <= 512 { 64 } else { 128 }
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

    pub fn cols(&self) -> usize {
        self.cols
    }

    pub fn bytes(&self) -> usize {
        self.tiles.iter().map(|tile| tile.sums.len() * size_of::<f64>()).sum()
    }

    /// Entry (row, col), col <= row.
    pub fn get(&self, row: usize, col: usize) -> f64 {
        let (i, j) = (row / self.tile, col / self.tile);
        let tile = &self.tiles[i * (i + 1) / 2 + j];
        tile.sums[(col - tile.col) * tile.height + row - tile.row]
    }

    /// Adds xᵀ x; x [tokens, cols] row-major. Error: `NotFinite` with the first row of x that is not; the sums are then spoiled.
    pub fn add(&mut self, x: &[f32], control: &Control) -> Result<()> {
        assert!(x.len().is_multiple_of(self.cols), "x holds whole rows");
        let x = MatRef::from_row_major_slice(x, x.len() / self.cols, self.cols);
        control.begin((self.tiles.len() * x.nrows()) as u64)?;
        let finite = self
            .tiles
            .par_iter_mut()
            .map(|tile| tile.add(x, control))
            .try_reduce(|| true, |a, b| Ok(a && b))?;
        if finite {
            Ok(())
        } else {
            Err(Error::NotFinite { row: first_bad_row(x) })
        }
    }
}

impl Tile {
    /// Returns whether the diagonal's sums (if the tile is on the diagonal) are finite.
    fn add(&mut self, x: MatRef<f32>, control: &Control) -> Result<bool> {
        let mut products = vec![0f32; self.sums.len()];
        let mut finite = true;
        for start in (0..x.nrows()).step_by(CHUNK) {
            let tokens = CHUNK.min(x.nrows() - start);
            let rows = x.submatrix(start, self.row, tokens, self.height);
            let cols = x.submatrix(start, self.col, tokens, self.width);
            product(
                MatMut::from_row_major_slice_mut(&mut products, self.width, self.height),
                cols.transpose(),
                rows,
            );
            for (sum, &product) in self.sums.iter_mut().zip(&products) {
                *sum += product as f64;
            }
            finite &= self.row != self.col || (0..self.width).all(|i| products[i * self.height + i].is_finite());
            control.advance(tokens as u64)?;
        }
        Ok(finite)
    }
}

/// The first row with a value that is not finite, or else with values too large for their squares to be summed in float32.
fn first_bad_row(x: MatRef<f32>) -> usize {
    let row_is = |bad: fn(f32) -> bool| (0..x.nrows()).find(|&i| x.row(i).iter().any(|&v| bad(v)));
    row_is(|v| !v.is_finite())
        .or_else(|| row_is(|v| v.abs() > 1e15))
        .unwrap_or(0)
}
