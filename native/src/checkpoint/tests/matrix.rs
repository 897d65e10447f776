//! Weights that are held transposed, against the definition.

use super::{Folder, Random};
use crate::checkpoint::{Checkpoint, Dtype, Orientation, ShardWriter, TensorSpec, transposed};
use crate::control::Control;
use crate::pack::dense::write_dense;
use crate::weights::storage::Storage;

/// Entry (col, row) of the result is entry (row, col), one after the other.
pub fn naive(bytes: &[u8], rows: usize, cols: usize, size: usize) -> Vec<u8> {
    let order = (0..cols).flat_map(|col| (0..rows).map(move |row| row * cols + col));
    order
        .flat_map(|at| bytes[at * size..(at + 1) * size].to_vec())
        .collect()
}

#[test]
fn every_shape_is_turned() {
    let mut random = Random(1);
    for rows in [0, 1, 2, 63, 64, 65, 130] {
        for cols in [0, 1, 3, 63, 64, 65, 200] {
            for storage in [Storage::F32, Storage::F16] {
                let bytes: Vec<u8> = (0..rows * cols * storage.size()).map(|_| random.next() as u8).collect();
                let turned = transposed(&bytes, rows, cols, storage);
                assert!(
                    turned == naive(&bytes, rows, cols, storage.size()),
                    "{rows} x {cols}, {storage:?}"
                );
            }
        }
    }
}

#[test]
fn a_weight_is_the_same_whichever_way_it_is_held() {
    let (rows, cols) = (70, 33);
    let values: Vec<u8> = (0..rows * cols).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let folder = Folder::new();
    let path = folder.path().join("model.safetensors");
    let spec = |name: &str, shape: [usize; 2]| TensorSpec {
        name: name.to_owned(),
        dtype: Dtype::of("F32").unwrap(),
        shape: shape.map(|size| size as u64).to_vec(),
    };
    let mut writer = ShardWriter::new(&path, &[spec("a", [rows, cols]), spec("b", [cols, rows])]).unwrap();
    writer.write_bytes("a", &values).unwrap();
    writer.write_bytes("b", &naive(&values, rows, cols, 4)).unwrap();
    writer.finish().unwrap();
    let checkpoint = Checkpoint::open_file(&path).unwrap();

    for (name, orientation) in [("a", Orientation::Upright), ("b", Orientation::Transposed)] {
        let matrix = checkpoint.matrix(name, orientation).unwrap();
        assert_eq!((matrix.rows, matrix.cols, matrix.storage), (rows, cols, Storage::F32));
        assert!(*matrix.bytes == *values);
        let mut row = vec![0.0; cols];
        matrix.as_weight().read_row(2, &mut row);
        assert_eq!(row[0], 66.0);

        let mut written = Vec::new();
        let sink = &mut |bytes: &[u8]| {
            written.extend_from_slice(bytes);
            Ok(())
        };
        let picked = [2, 0];
        write_dense(
            &checkpoint,
            name,
            orientation,
            "F32",
            Some(&picked),
            sink,
            &Control::default(),
        )
        .unwrap();
        assert!(written == [&values[2 * cols * 4..3 * cols * 4], &values[..cols * 4]].concat());
    }
}
