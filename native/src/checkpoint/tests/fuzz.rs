//! 10,000 mutated headers: no crash, no hang, no large allocation, and never a different answer than the reference
//! implementation's without a reason.

use std::collections::BTreeMap;

use safetensors::SafeTensors;

use super::heap::{FIXED, peak_heap};
use super::{Random, file_of};
use crate::checkpoint::header::{self, Entry};
use crate::error::Error;

const MUTANTS: u64 = 10_000;

fn seeds() -> [Vec<u8>; 3] {
    let one = r#"{"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    let several = r#"{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F16","shape":[4,4],"data_offsets":[0,32]},"a.bias":{"dtype":"BF16","shape":[4],"data_offsets":[32,40]},"empty":{"dtype":"I64","shape":[0],"data_offsets":[40,40]},"scalar":{"dtype":"F8_E4M3","shape":[],"data_offsets":[40,41]}}"#;
    let escaped =
        "{ \"caf\\u00e9\" : { \"shape\" : [ 1 , 1 ] , \"data_offsets\" : [ 0 , 8 ] ,\n \"dtype\" : \"F64\" } }   ";
    [
        file_of(one, &[1; 24]),
        file_of(several, &[2; 41]),
        file_of(escaped, &[3; 8]),
    ]
}

/// Written in place of a token, or beside one.
const TOKENS: [&str; 26] = [
    "-1",
    "0",
    "1",
    "3",
    "1.5",
    "1e999",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "null",
    "true",
    "\"F16\"",
    "\"F31\"",
    "\"I64\"",
    "\"\\ud800\"",
    "\"weight\"",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    ",",
    ":",
    "\"a.bias\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[32,40]},",
    "\"more\":[[[[[[[[]]]]]]]],",
];

fn mutate(random: &mut Random, file: &mut Vec<u8>) {
    let header_end = 8 + usize::from(file[0]) + 256 * usize::from(file[1]);
    let at = 8 + random.below(header_end.clamp(9, file.len().max(9)) - 8);
    match random.below(9) {
        0 if at < file.len() => file[at] ^= 1 << random.below(8),
        1 if at < file.len() => file[at] = random.next() as u8,
        2 => file.truncate(random.below(file.len() + 1).max(2)),
        3 => file[random.below(8)] = random.pick(&[0, 1, 0x7f, 0xff, random.0 as u8]),
        4 => file.extend(std::iter::repeat_n(b' ', random.below(4))),
        5 | 6 => change_a_digit(random, file),
        _ => replace_a_token(random, file, header_end.min(file.len())),
    }
}

fn change_a_digit(random: &mut Random, file: &mut [u8]) {
    let digits: Vec<usize> = (8..file.len()).filter(|&i| file[i].is_ascii_digit()).collect();
    if !digits.is_empty() {
        file[random.pick(&digits)] = b'0' + random.below(10) as u8;
    }
}

/// A token is replaced or added and the header's length set right, so that the lie is in the JSON alone.
fn replace_a_token(random: &mut Random, file: &mut Vec<u8>, header_end: usize) {
    let is_border = |byte: u8| b"{}[],: ".contains(&byte);
    let borders: Vec<usize> = (8..header_end).filter(|&i| is_border(file[i])).map(|i| i + 1).collect();
    if borders.is_empty() {
        return;
    }
    let begin = random.pick(&borders);
    let token_end = (begin..header_end).find(|&i| is_border(file[i])).unwrap_or(header_end);
    let end = random.pick(&[begin, token_end]);
    let token = random.pick(&TOKENS);
    file.splice(begin..end, token.bytes());
    let length = header_end - 8 + token.len() - (end - begin);
    file[..8].copy_from_slice(&(length as u64).to_le_bytes());
}

/// A well-formed header of up to four tensors that says one thing which may not be true.
fn lie(random: &mut Random) -> Vec<u8> {
    let mut tensors: Vec<(String, &str, u64, u64, u64)> = Vec::new();
    let mut end = 0;
    for number in 0..1 + random.below(4) {
        let (dtype, size) = random.pick(&[("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("BOOL", 1)]);
        let elements = random.below(5) as u64;
        tensors.push((number.to_string(), dtype, elements, end, end + elements * size));
        end += elements * size;
    }
    let data = vec![0; (end as usize + random.pick(&[0, 0, 0, 0, 1])).saturating_sub(random.pick(&[0, 0, 0, 0, 1]))];
    let other = tensors[random.below(tensors.len())].clone();
    let chosen = random.below(tensors.len());
    let number = random.pick(&[
        0,
        1,
        2,
        3,
        4,
        8,
        1 << 31,
        1 << 32,
        1 << 53,
        1 << 62,
        u64::MAX / 8,
        u64::MAX,
    ]);
    match random.below(8) {
        0 => tensors[chosen].0 = other.0,
        1 => tensors[chosen].1 = random.pick(&["F4", "F6_E2M3", "F64", "f32", ""]),
        2 => tensors[chosen].2 = number,
        3 => tensors[chosen].3 = number,
        4 => tensors[chosen].4 = number,
        5 => (tensors[chosen].3, tensors[chosen].4) = (other.3, other.4),
        6 => tensors.swap_remove(chosen).0.clear(),
        _ => {
            let shift = random.pick(&[1, 2, 4, 8]);
            (tensors[chosen].3, tensors[chosen].4) = (other.3 + shift, other.4 + shift);
        }
    }
    let entries = tensors.iter().map(|(name, dtype, elements, begin, end)| {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":[{elements}],"data_offsets":[{begin},{end}]}}"#)
    });
    file_of(format!("{{{}}}", entries.collect::<Vec<_>>().join(",")), &data)
}

fn mutant(number: u64, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(number);
    if random.below(2) == 0 {
        return lie(&mut random);
    }
    let mut file = seeds[random.below(seeds.len())].clone();
    for _ in 0..1 + random.below(3) {
        file.resize(file.len().max(8), 0);
        mutate(&mut random, &mut file);
    }
    file
}

/// Ours reads it as the reference does, or refuses what the reference refuses; the exceptions are ours to refuse.
fn compare(file: &[u8], ours: &Result<Vec<Entry>, Error>) {
    let shown = || String::from_utf8_lossy(file).into_owned();
    match (ours, SafeTensors::read_metadata(file)) {
        (Err(Error::DuplicateTensor { .. }), _) => {}
        (Err(Error::HeaderMalformed { reason, .. }), _) if reason.contains("unknown field") => {}
        (Err(refusal), Ok(_)) => panic!("refused alone: {refusal} {}", shown()),
        (Ok(_), Err(refusal)) => panic!("accepted alone: {refusal} {}", shown()),
        (Err(_), Err(_)) => {}
        (Ok(entries), Ok((length, theirs))) => {
            assert_eq!(entries.len(), theirs.tensors().len());
            for entry in entries {
                let info = theirs.info(&entry.name).unwrap();
                let shape: Box<[u64]> = info.shape.iter().map(|&dimension| dimension as u64).collect();
                let (begin, end) = info.data_offsets;
                assert_eq!(
                    (entry.dtype.name(), &entry.shape),
                    (info.dtype.to_string().as_str(), &shape)
                );
                assert_eq!(
                    (entry.begin, entry.end),
                    ((8 + length + begin) as u64, (8 + length + end) as u64)
                );
            }
        }
    }
}

#[test]
fn mutated_headers() {
    let seeds = seeds();
    let mut outcomes = BTreeMap::<String, u32>::new();
    for number in 0..MUTANTS {
        let file = mutant(number, &seeds);
        let (outcome, peak) = peak_heap(|| header::parse("x", &file));
        assert!(peak <= 16 * file.len() + FIXED, "{peak} bytes for {}", file.len());
        compare(&file, &outcome);
        let code = outcome.map_or_else(
            |e| serde_json::to_value(e).unwrap()["code"].to_string(),
            |_| "read".to_owned(),
        );
        *outcomes.entry(code).or_default() += 1;
    }
    println!("{outcomes:#?}");
    // The mutants reach the parser's depths: most of its refusals, and files that are still true.
    assert!(outcomes.len() >= 18, "{outcomes:?}");
}
