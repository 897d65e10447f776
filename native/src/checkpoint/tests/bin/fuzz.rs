//! 10,000 mutated files: no crash, no hang, memory bounded by the file, and what is read lies within it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::make::{archive, code, dict, file_of, global, parse, storage, tensor, text, weight};
use crate::checkpoint::tests::Random;
use crate::checkpoint::tests::heap::{FIXED, peak_heap};
use crate::checkpoint::torch::zip::Archive;

const MUTANTS: u64 = 10_000;

/// Files of PyTorch's and our own.
fn seeds() -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/fixtures/bin");
    let written = [
        "views",
        "state-dict",
        "parameters",
        "protocol-5",
        "dtypes",
        "refused/module",
    ];
    let written = written.map(|name| fs::read(fixtures.join(format!("{name}.bin"))).unwrap());
    let half = tensor(storage("HalfStorage", "0", 12), 2, &[5, 2], &[2, 1]);
    let made = file_of(&[("a", weight()), ("b", half), ("step", text("three"))]);
    [&written[..], &[made]].concat()
}

/// Opcodes and their arguments that are put in somewhere.
fn tokens() -> Vec<Vec<u8>> {
    let plain: [&[u8]; 22] = [
        b"(",
        b")",
        b"}",
        b"]",
        b"t",
        b"s",
        b"u",
        b"e",
        b"R",
        b"b",
        b"Q",
        b"N",
        b"2",
        b"0",
        b"q\0",
        b"h\0",
        b"h\x05",
        b"\x85",
        b"\x86",
        b"\x94",
        b"\x93",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    let made = [
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(),
        b"J\xff\xff\xff\xff".to_vec(),
        b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(),
        global("os", "system"),
        text("w"),
        weight(),
        dict(&[]),
    ];
    plain.iter().map(|token| token.to_vec()).chain(made).collect()
}

fn flip(random: &mut Random, bytes: &mut [u8]) {
    let at = random.below(bytes.len().max(1));
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

/// The argument of a BININT1 or BINGET becomes another, mostly a small one.
fn change_a_number(random: &mut Random, bytes: &mut [u8]) {
    let opcodes = (1..bytes.len()).filter(|&at| b"Kh".contains(&bytes[at - 1]));
    let places: Vec<usize> = opcodes.collect();
    if !places.is_empty() {
        bytes[random.pick(&places)] = random.below(12) as u8;
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, tokens: &[Vec<u8>]) {
    let at = random.below(bytes.len().max(1));
    match random.below(10) {
        0 | 1 => flip(random, bytes),
        7..=9 => change_a_number(random, bytes),
        2 if at < bytes.len() => bytes[at] = random.next() as u8,
        3 => {
            let end = (at + 1 + random.below(9)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        4 => drop(bytes.splice(at..at, random.next().to_le_bytes())),
        5 if random.below(4) == 0 => bytes.truncate(at),
        _ => drop(bytes.splice(at..at, tokens[random.below(tokens.len())].iter().copied())),
    }
}

/// The seed with its bytes changed anywhere, or with its pickle changed and all around it set right.
fn mutant(number: u64, seeds: &[Vec<u8>], tokens: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(number);
    let mut file = seeds[random.below(seeds.len())].clone();
    let times = 1 + random.below(3);
    if random.below(3) == 0 {
        for _ in 0..times {
            match random.below(4) {
                0 => mutate(&mut random, &mut file, tokens),
                _ => flip(&mut random, &mut file),
            }
        }
        return file;
    }
    let archive_of = Archive::open("seed", &file).unwrap();
    let data = |name: &str| {
        let entry = archive_of.find(name).unwrap();
        archive_of.checked_data("seed", entry).unwrap().to_vec()
    };
    let parts: Vec<(String, Vec<u8>)> = archive_of
        .names()
        .map(|name| {
            let mut bytes = data(name);
            if name == "data.pkl" {
                (0..times).for_each(|_| mutate(&mut random, &mut bytes, tokens));
            }
            (format!("m/{name}"), bytes)
        })
        .collect();
    archive(
        &parts
            .iter()
            .map(|(name, bytes)| (name.as_str(), &bytes[..]))
            .collect::<Vec<_>>(),
    )
}

#[test]
fn mutated_files() {
    let (seeds, tokens) = (seeds(), tokens());
    let mut outcomes = BTreeMap::<String, u32>::new();
    let mut highest = 0.0f64;
    for number in 0..MUTANTS {
        let file = mutant(number, &seeds, &tokens);
        let (outcome, peak) = peak_heap(|| parse(&file));
        assert!(
            peak <= 16 * file.len() + FIXED,
            "{number}: {peak} bytes for {}",
            file.len()
        );
        highest = highest.max(peak as f64 / file.len() as f64);
        let outcome = match outcome {
            Ok(entries) => {
                for entry in &entries {
                    let elements: u64 = entry.shape.iter().product();
                    assert!(entry.end <= file.len() as u64, "{number}");
                    assert_eq!(entry.end - entry.begin, elements * entry.dtype.bits() / 8, "{number}");
                }
                "read".to_owned()
            }
            Err(refused) => code(&refused),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{outcomes:#?}, at most {highest:.1} bytes a byte");
    // The mutants reach every depth, and some stay true.
    assert!(outcomes.len() >= 18, "{outcomes:?}");
    assert!(outcomes["read"] > 500, "{outcomes:?}");
}
