//! Matrices in as many buffers as the adapter's largest binding asks for.

use std::ops::Range;

use super::device::{Buffer, Gpu};
use super::product::Part;
use crate::backend::sweep::SPAN;
use crate::error::Result;

/// Lines of `width` values each, rows of a square matrix or columns of weights, one after the other. A piece of them lies in one buffer,
/// and its height is a multiple of a span: so no panel, block or span lies in two.
pub struct Matrix {
    pub lines: usize,
    pub width: usize,
    /// Lines of a piece; the last one may have fewer.
    pub height: usize,
    buffers: Vec<Buffer>,
}

/// Lines of a matrix that lie in one buffer.
pub struct Piece<'a> {
    pub buffer: &'a Buffer,
    /// The first line in the buffer.
    pub top: usize,
    pub lines: Range<usize>,
}

impl Matrix {
    /// Zeros. Errors: `GpuTooLarge` where not even one span of lines fits into a buffer, `GpuOutOfMemory`, `GpuLost`.
    pub fn new(gpu: &Gpu, lines: usize, width: usize) -> Result<Self> {
        let fitting = gpu.largest_piece() as usize / size_of::<f32>() / width;
        let height = if lines <= fitting {
            lines
        } else {
            (fitting / SPAN).max(1) * SPAN
        };
        let buffer = |top: usize| gpu.buffer(height.min(lines - top) * width);
        Ok(Self {
            lines,
            width,
            height,
            buffers: (0..lines).step_by(height).map(buffer).collect::<Result<_>>()?,
        })
    }

    pub fn is_split(&self) -> bool {
        self.buffers.len() > 1
    }

    /// Bytes of all its values.
    pub fn size(&self) -> u64 {
        (self.lines * self.width * size_of::<f32>()) as u64
    }

    /// `lines`, cut where a buffer ends.
    pub fn cut(&self, lines: Range<usize>) -> impl Iterator<Item = Piece<'_>> {
        self.buffers.iter().enumerate().filter_map(move |(i, buffer)| {
            let top = i * self.height;
            let lines = lines.start.max(top)..lines.end.min(top + self.height);
            (!lines.is_empty()).then_some(Piece { buffer, top, lines })
        })
    }

    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.cut(0..self.lines)
    }

    /// The piece in which a panel, block or span lies.
    pub fn holding(&self, lines: Range<usize>) -> Piece<'_> {
        let mut pieces = self.cut(lines);
        let piece = pieces.next().expect("lines of the matrix");
        assert!(pieces.next().is_none(), "lines of one piece");
        piece
    }

    /// What begins at an entry, by lines and then along them.
    pub fn part(&self, line: usize, entry: usize) -> Part<'_> {
        let start = line % self.height * self.width + entry;
        Part::new(&self.buffers[line / self.height], start, self.width)
    }

    /// Overwrites it with values [lines, width].
    pub fn write(&self, gpu: &Gpu, values: &[f32]) -> Result<()> {
        let pieces = self.buffers.iter().zip(values.chunks(self.height * self.width));
        pieces
            .into_iter()
            .try_for_each(|(buffer, values)| gpu.write(buffer, values))
    }

    /// Fetches all values [lines, width], when all work before is done.
    pub fn read(&self, gpu: &Gpu, values: &mut [f32]) -> Result<()> {
        let pieces = self.buffers.iter().zip(values.chunks_mut(self.height * self.width));
        pieces
            .into_iter()
            .try_for_each(|(buffer, values)| gpu.read(buffer, values))
    }

    /// All values [lines, width], when all work before is done.
    pub fn download(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        let mut values = vec![0f32; self.lines * self.width];
        self.read(gpu, &mut values)?;
        Ok(values)
    }
}
