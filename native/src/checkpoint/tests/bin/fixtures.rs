//! What PyTorch wrote (scripts/make-bin-fixtures.py), against the safetensors twin.

use std::fs;
use std::path::{Path, PathBuf};

use super::make::{code, parse};
use crate::checkpoint::Checkpoint;
use crate::error::Error;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/fixtures/bin")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap()
}

#[test]
fn every_tensor_equals_its_safetensors_twin() {
    for (name, tensors) in [
        ("dtypes", 16),
        ("views", 8),
        ("state-dict", 4),
        ("parameters", 4),
        ("beside", 4),
        ("protocol-4", 4),
        ("protocol-5", 4),
        ("no-checksums", 4),
    ] {
        let file = read(&format!("{name}.bin"));
        let entries = parse(&file).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let twin = Checkpoint::open_file(&fixtures().join(format!("{name}.safetensors"))).unwrap();
        assert_eq!((entries.len(), twin.tensors().len()), (tensors, tensors), "{name}");
        for entry in entries {
            let expected = twin.tensor(&entry.name).unwrap();
            assert_eq!(
                (entry.dtype, &entry.shape),
                (expected.dtype, &expected.shape),
                "{}",
                entry.name
            );
            let bytes = &file[entry.begin as usize..entry.end as usize];
            assert_eq!(bytes, twin.bytes(&entry.name).unwrap(), "{name}: {}", entry.name);
        }
    }
}

#[test]
fn folders_of_one_file_and_of_shards() {
    let twin = Checkpoint::open(&fixtures().join("../models/opt-pre-norm")).unwrap();
    for folder in ["opt", "opt-sharded"] {
        let opened = Checkpoint::open(&fixtures().join(folder)).unwrap();
        assert_eq!(opened.tensors().len(), twin.tensors().len() + 1);
        for tensor in twin.tensors() {
            let found = opened.tensor(&tensor.name).unwrap();
            assert_eq!((found.dtype, &found.shape), (tensor.dtype, &tensor.shape));
            assert_eq!(opened.bytes(&tensor.name).unwrap(), twin.bytes(&tensor.name).unwrap());
        }
        let [head, embedding] =
            ["lm_head.weight", "model.decoder.embed_tokens.weight"].map(|name| opened.tensor(name).unwrap());
        assert_eq!((head.offset, head.bytes), (embedding.offset, embedding.bytes));
    }
}

#[test]
fn what_pytorch_reads_and_tamis_does_not() {
    let refused = |name: &str| parse(&read(&format!("refused/{name}.bin"))).expect_err(name);
    for (name, expected) in [
        ("legacy", "checkpoint.bin-legacy"),
        ("script", "checkpoint.bin-script"),
        ("tensor", "checkpoint.bin-not-a-dict"),
        // Metadata turn the signs around.
        ("negated", "checkpoint.pickle-malformed"),
    ] {
        assert_eq!(code(&refused(name)), expected, "{name}");
    }
    assert!(matches!(refused("transposed"), Error::BinNotContiguous { tensor, .. } if tensor == "weight"));
    for (name, expected) in [("nested", ("model", "dict")), ("list", ("weights", "list"))] {
        let found = refused(name);
        assert!(
            matches!(&found, Error::BinNotATensor { entry, kind, .. } if (entry.as_str(), kind.as_str()) == expected),
            "{found}"
        );
    }
    for (name, expected) in [
        ("module", "torch.nn.modules.linear.Linear"),
        ("sparse", "torch._utils._rebuild_sparse_tensor"),
    ] {
        let found = refused(name);
        assert!(
            matches!(&found, Error::PickleGlobal { global, .. } if global == expected),
            "{found}"
        );
    }
}
