//! Weights that are held transposed are read and written as those that are not.

use crate::checkpoint::tests::Folder;
use crate::checkpoint::tests::matrix::naive;
use crate::checkpoint::{Checkpoint, Dtype, Orientation, ShardWriter, TensorSpec};
use crate::control::Control;
use crate::pack::dense::write_dense;
use crate::weights::storage::Storage;

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
