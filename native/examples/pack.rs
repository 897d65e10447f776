//! Packs and unpacks layers in every layout on one thread, and prints JSON: GB/s of dense weights both ways, and what the archive
//! makes of a weight, in bits. The layers are rounded to the nearest code, symmetric, in groups of 128, most of them pruned by
//! magnitude first. Usage: pack [checkpoint]; beside the weights of a Gaussian, those of the checkpoint's blocks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use half::f16;
use serde_json::json;
use tamis_native::checkpoint::{Checkpoint, Dtype, Orientation, ShardWriter, TensorSpec};
use tamis_native::control::Control;
use tamis_native::machine::pool;
use tamis_native::pack::archive::{Archive, ArchiveWriter};
use tamis_native::pack::layer::QuantizedLayer;
use tamis_native::pack::part::{GgmlType, Part};
use tamis_native::pack::read::{DataFile, NbitsPlaces, PackedLayer};
use tamis_native::pack::write::write_part;
use tamis_native::weights::storage::Storage;

const GROUP: usize = 128;
const SIDE: usize = 2048;

/// Values of a normal distribution.
fn gaussian(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        ((state >> 40) as f32 + 0.5) / (1 << 24) as f32
    };
    let mut next = || (-2.0 * uniform().ln()).sqrt() * (std::f32::consts::TAU * uniform()).cos();
    (0..count).map(|_| next()).collect()
}

fn prune(weights: &mut [f32], sparsity: f64) {
    let mut sizes: Vec<f32> = weights.iter().map(|weight| weight.abs()).collect();
    let rank = (sparsity * weights.len() as f64) as usize;
    let (_, &mut limit, _) = sizes.select_nth_unstable_by(rank, f32::total_cmp);
    weights
        .iter_mut()
        .filter(|weight| weight.abs() < limit)
        .for_each(|weight| *weight = 0.0);
}

/// The two files of a quantized run: layer `a` and its scales.
struct Run {
    folder: PathBuf,
    rows: usize,
    cols: usize,
    bits: u32,
}

impl Run {
    fn new(folder: &Path, weights: &[f32], cols: usize, bits: u32) -> Self {
        let rows = weights.len() / cols;
        let (mut dense, mut scales) = (Vec::new(), Vec::new());
        let top = ((1 << bits) - 1) as f32;
        let middle = (1 << (bits - 1)) as f32;
        for group in weights.chunks_exact(cols).flat_map(|row| row.chunks(GROUP)) {
            let largest = group.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
            let scale = f16::from_f32(if largest > 0.0 { 2.0 * largest / top } else { 1.0 });
            scales.extend(scale.to_le_bytes());
            for weight in group {
                let level = (weight / scale.to_f32()).round().clamp(-middle, top - middle);
                dense.extend(f16::from_f32(level * scale.to_f32()).to_le_bytes());
            }
        }
        let groups = cols.div_ceil(GROUP);
        write(
            &folder.join("model.safetensors"),
            &[("a.weight", "F16", vec![rows, cols], dense)],
        );
        write(
            &folder.join("block.safetensors"),
            &[("a.scales", "F16", vec![rows, groups], scales)],
        );
        Self {
            folder: folder.to_owned(),
            rows,
            cols,
            bits,
        }
    }

    fn layer(&self) -> QuantizedLayer {
        let open = |name: &str| Checkpoint::open_file(&self.folder.join(name)).unwrap();
        let parameters = open("block.safetensors");
        QuantizedLayer::open(
            Arc::new(open("model.safetensors")),
            &parameters,
            "a",
            Orientation::Upright,
            self.bits,
            GROUP,
        )
        .unwrap()
    }

    fn dense_bytes(&self) -> f64 {
        (2 * self.rows * self.cols) as f64
    }
}

fn write(path: &Path, tensors: &[(&str, &str, Vec<usize>, Vec<u8>)]) {
    let spec = |(name, dtype, shape, _): &(&str, &str, Vec<usize>, Vec<u8>)| TensorSpec {
        name: (*name).to_owned(),
        dtype: Dtype::of(dtype).unwrap(),
        shape: shape.iter().map(|&dimension| dimension as u64).collect(),
    };
    let mut writer = ShardWriter::new(path, &tensors.iter().map(spec).collect::<Vec<_>>()).unwrap();
    for (name, _, _, bytes) in tensors {
        writer.write_bytes(name, bytes).unwrap();
    }
    writer.finish().unwrap();
}

/// Seconds that this thread has been on a processor: other processes don't count. The clock where Linux's record is missing.
fn processor_seconds(since: Instant) -> f64 {
    let record = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = record.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.map_or_else(|| since.elapsed().as_secs_f64(), |count| count / 1e9)
}

/// Seconds of one of many runs: the record is a few milliseconds coarse.
fn average(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let begin = processor_seconds(start);
    let mut runs = 0;
    loop {
        run();
        runs += 1;
        let seconds = processor_seconds(start) - begin;
        if seconds > 0.4 {
            return seconds / f64::from(runs);
        }
    }
}

fn packed(layer: &QuantizedLayer, part: Part) -> Vec<u8> {
    let mut out = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        Ok(())
    };
    write_part(layer, part, None, sink, &Control::default()).unwrap();
    out
}

fn report(layout: &str, run: &Run, pack_seconds: f64, unpack_seconds: f64) {
    let rate = |seconds: f64| run.dense_bytes() / seconds / 1e9;
    let (pack, unpack) = (rate(pack_seconds), rate(unpack_seconds));
    println!(
        "{}",
        json!({ "layout": layout, "bits": run.bits, "packGBs": pack, "unpackGBs": unpack })
    );
}

fn measure_layout(run: &Run, layout: &str, parts: &[Part], open: impl Fn(&[Vec<u8>]) -> PackedLayer) {
    let layer = run.layer();
    let control = Control::default();
    let pack_seconds = average(|| {
        for &part in parts {
            write_part(&layer, part, None, &mut |_| Ok(()), &control).unwrap();
        }
    });
    let bytes: Vec<Vec<u8>> = parts.iter().map(|&part| packed(&layer, part)).collect();
    let unpack_seconds = average(|| {
        open(&bytes)
            .write(Storage::F16, None, &mut |_| Ok(()), &control)
            .unwrap()
    });
    report(layout, run, pack_seconds, unpack_seconds);
}

fn measure_layouts(run: &Run) {
    let (rows, cols, bits) = (run.rows, run.cols, run.bits);
    let (groups, block) = (cols.div_ceil(GROUP), 32);
    let words = |codes: usize| codes * bits as usize / 32;
    let path = run.folder.join("packed");
    let gptq = [Part::GptqQweight, Part::GptqQzeros, Part::GptqScales];
    measure_layout(run, "gptq", &gptq, |bytes| {
        let shapes = [vec![words(cols), rows], vec![groups, words(rows)], vec![groups, rows]];
        let names = [("a.qweight", "I32"), ("a.qzeros", "I32"), ("a.scales", "F16")];
        let tensors = names
            .iter()
            .zip(shapes)
            .zip(bytes)
            .map(|((&(name, dtype), shape), bytes)| (name, dtype, shape, bytes.clone()));
        if !path.exists() {
            write(&path, &tensors.collect::<Vec<_>>());
        }
        PackedLayer::gptq(Arc::new(Checkpoint::open_file(&path).unwrap()), "a", bits, GROUP, 1).unwrap()
    });
    fs::remove_file(&path).unwrap();
    if bits != 3 {
        measure_layout(
            run,
            "pack-quantized",
            &[Part::CtWeightPacked, Part::CtWeightScale { bytes: 2 }],
            |bytes| {
                let shape = [rows as u64, cols as u64]
                    .iter()
                    .flat_map(|dimension| dimension.to_le_bytes())
                    .collect();
                let tensors = [
                    ("a.weight_packed", "I32", vec![rows, words(cols)], bytes[0].clone()),
                    ("a.weight_scale", "F16", vec![rows, groups], bytes[1].clone()),
                    ("a.weight_shape", "I64", vec![2], shape),
                ];
                if !path.exists() {
                    write(&path, &tensors);
                }
                PackedLayer::pack_quantized(Arc::new(Checkpoint::open_file(&path).unwrap()), "a", bits, GROUP).unwrap()
            },
        );
        fs::remove_file(&path).unwrap();
    }
    measure_layout(
        run,
        "nbits",
        &[Part::NbitsB { block }, Part::NbitsScales { block }],
        |bytes| {
            if !path.exists() {
                fs::write(&path, bytes.concat()).unwrap();
            }
            let at = NbitsPlaces {
                b: 0,
                scales: bytes[0].len() as u64,
                zero_points: None,
                bits: if bits == 3 { 4 } else { bits },
                block,
            };
            PackedLayer::nbits(Arc::new(DataFile::open(&path).unwrap()), &at, rows, cols).unwrap()
        },
    );
    fs::remove_file(&path).unwrap();
    let kind = if bits == 8 { GgmlType::Q8_0 } else { GgmlType::Q4_0 };
    measure_layout(run, &format!("{kind:?}"), &[Part::Ggml(kind)], |bytes| {
        if !path.exists() {
            fs::write(&path, &bytes[0]).unwrap();
        }
        PackedLayer::ggml(Arc::new(DataFile::open(&path).unwrap()), kind, 0, rows, cols).unwrap()
    });
    fs::remove_file(&path).unwrap();
}

/// An archive of one layer; `is_quantized`: as codes, otherwise as float16 values.
fn measure_archive(run: &Run, what: &str, is_quantized: bool) {
    let layer = run.layer();
    let control = Control::default();
    let path = run.folder.join("a.tamis");
    let model = Arc::new(Checkpoint::open_file(&run.folder.join("model.safetensors")).unwrap());
    let pack_seconds = average(|| {
        let mut writer = ArchiveWriter::new(&path).unwrap();
        match is_quantized {
            true => writer.add_layer(&layer, &control).unwrap(),
            false => writer.add_sparse(&model, "a.weight", &control).unwrap(),
        }
        writer.finish().unwrap();
    });
    let archive = Archive::open(&path).unwrap();
    let unpack_seconds = average(|| {
        archive
            .write("a.weight", Orientation::Upright, &mut |_| Ok(()), &control)
            .unwrap()
    });
    let weights = (run.rows * run.cols) as f64;
    let zeros = layer.zeros(&control).unwrap() as f64;
    let value_bits = if is_quantized { f64::from(run.bits) } else { 16.0 };
    let scale_bits = if is_quantized {
        (16 * run.cols.div_ceil(GROUP) * run.rows) as f64
    } else {
        0.0
    };
    println!(
        "{}",
        json!({
            "archive": what, "bits": value_bits, "rows": run.rows, "cols": run.cols, "zeros": zeros / weights,
            "bitsAWeight": fs::metadata(&path).unwrap().len() as f64 * 8.0 / weights,
            "bitsAWeightUncoded": (weights + (weights - zeros) * value_bits + scale_bits) / weights,
            "packGBs": run.dense_bytes() / pack_seconds / 1e9, "unpackGBs": run.dense_bytes() / unpack_seconds / 1e9,
        })
    );
    fs::remove_file(&path).unwrap();
}

fn measure_archives(folder: &Path, what: &str, weights: &[f32], cols: usize, kinds: &[(f64, u32)]) {
    for (sparsity, bits) in kinds.iter().copied() {
        let mut pruned = weights.to_vec();
        prune(&mut pruned, sparsity);
        measure_archive(&Run::new(folder, &pruned, cols, bits), what, true);
    }
    let mut pruned = weights.to_vec();
    prune(&mut pruned, 0.7);
    measure_archive(&Run::new(folder, &pruned, cols, 8), what, false);
}

fn measure(checkpoint: Option<&str>) {
    let folder = std::env::temp_dir().join(format!("tamis-pack-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let weights = gaussian(SIDE * SIDE);
    for bits in [4, 3, 8] {
        measure_layouts(&Run::new(&folder, &weights, SIDE, bits));
    }
    let kinds = [(0.7, 4), (0.7, 3), (0.7, 2), (0.7, 8), (0.5, 4), (0.0, 4)];
    measure_archives(&folder, "gaussian", &weights, SIDE, &kinds);
    if let Some(path) = checkpoint {
        let model = Checkpoint::open(Path::new(path)).unwrap();
        let layers = model
            .tensors()
            .iter()
            .filter(|tensor| tensor.name.contains("layers.0.") && tensor.shape.len() == 2);
        for tensor in layers {
            let mut weights = vec![0.0; tensor.elements()];
            model.load_f32(&tensor.name, &mut weights).unwrap();
            measure_archives(&folder, &tensor.name, &weights, tensor.shape[1] as usize, &kinds[..1]);
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn main() {
    pool::set_threads(1);
    let checkpoint = std::env::args().nth(1);
    pool::install(|| measure(checkpoint.as_deref()));
}
