//! A quantized layer of random shape, as a run leaves it: the numbers, and the two files that hold them.

use std::sync::Arc;

use half::{bf16, f16};

use crate::checkpoint::tests::matrix::naive;
use crate::checkpoint::tests::{Folder, Random};
use crate::checkpoint::{Checkpoint, Dtype, Orientation, ShardWriter, TensorSpec};
use crate::pack::dense::dtype_name;
use crate::pack::layer::QuantizedLayer;
use crate::weights::storage::Storage;

pub struct Example {
    pub rows: usize,
    pub cols: usize,
    pub bits: u32,
    /// 0: per channel
    pub group_size: usize,
    pub groups: usize,
    pub storage: Storage,
    /// The group of every column.
    pub members: Vec<usize>,
    pub has_group_order: bool,
    /// [rows, cols]
    pub codes: Vec<u8>,
    /// [rows, groups], each exact in float16 and bfloat16
    pub scales: Vec<f32>,
    /// [rows, groups]
    pub zeros: Vec<u8>,
    pub is_symmetric: bool,
    /// How the file holds the weight.
    pub orientation: Orientation,
}

/// What is fixed of an example; the rest is random.
#[derive(Default, Clone, Copy)]
pub struct Wish {
    pub bits: Option<u32>,
    pub symmetric: Option<bool>,
    pub group_order: bool,
    pub rows: Option<usize>,
    pub cols: Option<usize>,
    /// The least multiple of the group size, where there are groups.
    pub blocks: Option<usize>,
    /// Also those that bfloat16 stores as the value of another.
    pub all_levels: bool,
    /// No zero point is 0.
    pub no_zero_point_zero: bool,
}

impl Example {
    pub fn random(random: &mut Random, wish: Wish) -> Self {
        let cols = wish
            .cols
            .unwrap_or_else(|| random.pick(&[1, 2, 7, 31, 32, 33, 64, 100, 129, 256, 300]));
        let rows = wish.rows.unwrap_or_else(|| 1 + random.below(70));
        let bits = wish.bits.unwrap_or_else(|| random.pick(&[2, 3, 4, 8]));
        let group_size = match wish.blocks {
            Some(block) => random.pick(&[0, block, 2 * block, 4 * block]),
            None => random.pick(&[0, 1, 5, 32, 64, 128]),
        };
        let groups = if group_size == 0 { 1 } else { cols.div_ceil(group_size) };
        let mut members: Vec<usize> = (0..cols)
            .map(|col: usize| col.checked_div(group_size).unwrap_or(0))
            .collect();
        if wish.group_order {
            members.iter_mut().for_each(|group| *group = random.below(groups));
        }
        let is_symmetric = wish.symmetric.unwrap_or_else(|| random.below(2) == 0);
        let scale = |random: &mut Random| match random.below(8) {
            0 => 2f32.powi(-24),
            1 => 2f32.powi(-24) * (1 + random.below(255)) as f32,
            _ => (128 + random.below(128)) as f32 * 2f32.powi(-10 - random.below(12) as i32),
        };
        let least = usize::from(wish.no_zero_point_zero);
        let zero = |random: &mut Random| match is_symmetric {
            true => 1 << (bits - 1),
            false => (least + random.below((1 << bits) - least)) as u8,
        };
        let scales = (0..rows * groups).map(|_| scale(random)).collect();
        let zeros: Vec<u8> = (0..rows * groups).map(|_| zero(random)).collect();
        let storage = random.pick(&[Storage::F32, Storage::F16, Storage::BF16]);
        // Beyond it bfloat16 stores two codes as one value.
        let reach = if storage == Storage::BF16 && !wish.all_levels {
            120
        } else {
            255
        };
        let sparsity = random.pick(&[0, 50, 70, 100]);
        let mut codes = Vec::new();
        for row in 0..rows {
            let constant = (random.below(10) == 0).then(|| random.below(1 << bits) as u8);
            for &group in &members {
                let zero = zeros[row * groups + group];
                let code = constant.unwrap_or_else(|| random.below(1 << bits) as u8);
                let is_pruned = random.below(100) < sparsity || code.abs_diff(zero) > reach;
                codes.push(if is_pruned { zero } else { code });
            }
        }
        Self {
            rows,
            cols,
            bits,
            group_size,
            groups,
            storage,
            members,
            has_group_order: wish.group_order,
            codes,
            scales,
            zeros,
            is_symmetric,
            orientation: random.pick(&[Orientation::Upright, Orientation::Transposed]),
        }
    }

    pub fn code(&self, row: usize, col: usize) -> u8 {
        self.codes[row * self.cols + col]
    }

    /// The value of a row and a column.
    pub fn scale(&self, row: usize, col: usize) -> f32 {
        self.scales[row * self.groups + self.members[col]]
    }

    pub fn zero(&self, row: usize, col: usize) -> u8 {
        self.zeros[row * self.groups + self.members[col]]
    }

    /// The stored weight's bytes.
    pub fn dense(&self) -> Vec<u8> {
        let all = (0..self.rows).flat_map(|row| (0..self.cols).map(move |col| (row, col)));
        let value = |(row, col)| {
            let level = i32::from(self.code(row, col)) - i32::from(self.zero(row, col));
            let exact = f64::from(self.scale(row, col)) * f64::from(level);
            match self.storage {
                Storage::F32 => (exact as f32).to_le_bytes().to_vec(),
                Storage::F16 => f16::from_f64(exact).to_le_bytes().to_vec(),
                Storage::BF16 => bf16::from_f64(exact).to_le_bytes().to_vec(),
            }
        };
        all.flat_map(value).collect()
    }

    /// The run's two files, with `dense` as the weight, and the layer opened from them.
    pub fn open_with(&self, folder: &Folder, dense: &[u8]) -> crate::error::Result<QuantizedLayer> {
        let (rows, cols, groups) = (self.rows as u64, self.cols as u64, self.groups as u64);
        let (shape, held) = match self.orientation {
            Orientation::Upright => (vec![rows, cols], dense.to_vec()),
            Orientation::Transposed => (
                vec![cols, rows],
                naive(dense, self.rows, self.cols, self.storage.size()),
            ),
        };
        let weight = [("a.weight", dtype_name(self.storage), shape, held)];
        let model = safetensors(folder, "model.safetensors", &weight);
        let scales = self
            .scales
            .iter()
            .flat_map(|&scale| f16::from_f32(scale).to_le_bytes())
            .collect();
        let mut parameters = vec![("a.scales", "F16", vec![rows, groups], scales)];
        if !self.is_symmetric {
            parameters.push(("a.zeros", "U8", vec![rows, groups], self.zeros.clone()));
        }
        if self.has_group_order {
            let order = self
                .members
                .iter()
                .flat_map(|&group| (group as i32).to_le_bytes())
                .collect();
            parameters.push(("a.g_idx", "I32", vec![cols], order));
        }
        let parameters = safetensors(folder, "block.safetensors", &parameters);
        QuantizedLayer::open(model, &parameters, "a", self.orientation, self.bits, self.group_size)
    }

    pub fn open(&self, folder: &Folder) -> QuantizedLayer {
        self.open_with(folder, &self.dense()).unwrap()
    }
}

pub type Tensor = (&'static str, &'static str, Vec<u64>, Vec<u8>);

/// A file of these tensors, opened.
pub fn safetensors(folder: &Folder, name: &str, tensors: &[Tensor]) -> Arc<Checkpoint> {
    let path = folder.path().join(name);
    let spec = |(name, dtype, shape, _): &Tensor| TensorSpec {
        name: (*name).to_owned(),
        dtype: Dtype::of(dtype).unwrap(),
        shape: shape.clone(),
    };
    let mut writer = ShardWriter::new(&path, &tensors.iter().map(spec).collect::<Vec<_>>()).unwrap();
    for (name, _, _, bytes) in tensors {
        writer.write_bytes(name, bytes).unwrap();
    }
    writer.finish().unwrap();
    Arc::new(Checkpoint::open_file(&path).unwrap())
}
