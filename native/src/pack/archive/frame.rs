//! A piece of a section: how it is coded (one byte), its stored length (u32), and that many bytes. What does not become
//! smaller is stored as it is.

use std::io::Read;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, ParamSwitch};

use crate::pack::bits::{pack, stream_bytes, unpack};

const RAW: u8 = 0;
const ZSTD: u8 = 1;
/// Two codes a byte, the first in its low bits, under zstd.
const ZSTD_PAIRS: u8 = 2;
/// Bytes of a frame before what is stored: coding and length.
pub const FRAME_HEADER: usize = 5;
/// Next to no search for what has been there before, of which masks and numbers have nothing.
const NO_SEARCH: i32 = -131072;

/// Writes frames.
pub struct Coder {
    compressor: Compressor<'static>,
    coded: Vec<u8>,
}

impl Coder {
    pub fn new(level: i32) -> Self {
        Self {
            compressor: Compressor::new(level).expect("the level exists"),
            coded: Vec::new(),
        }
    }

    /// For masks and numbers.
    pub fn fast() -> Self {
        let mut coder = Self::new(NO_SEARCH);
        // What is left is Huffman coding, which levels below 1 leave out unless they are told.
        let on = CParameter::LiteralCompressionMode(ParamSwitch::Enable);
        coder.compressor.set_parameter(on).expect("the parameter exists");
        coder
    }

    /// Puts a frame of `raw` behind `out`.
    pub fn put(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        match self.is_smaller(raw, raw.len()) {
            true => put_frame(ZSTD, &self.coded, out),
            false => put_frame(RAW, raw, out),
        }
    }

    /// Puts codes of `bits` bits behind `out`.
    pub fn put_codes(&mut self, codes: &[u8], bits: u32, out: &mut Vec<u8>) {
        let mut stream = vec![0; stream_bytes(codes.len(), bits)];
        pack(codes, bits, &mut stream);
        if bits != 3 {
            return self.put(&stream, out);
        }
        // As a stream, three bits fill bytes in eight different ways, of which none is more frequent than another.
        let pairs: Vec<u8> = codes
            .chunks(2)
            .map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 3)
            .collect();
        match self.is_smaller(&pairs, stream.len()) {
            true => put_frame(ZSTD_PAIRS, &self.coded, out),
            false => put_frame(RAW, &stream, out),
        }
    }

    /// Numbers of `size` bytes, 2 or 4: a frame for all their first bytes, one for all their second ones and so on. The last bytes of
    /// floats, sign and exponent, repeat themselves; the others hardly do.
    pub fn put_planes(&mut self, numbers: &[u8], size: usize, out: &mut Vec<u8>) {
        for plane in 0..size {
            let plane = match size {
                2 => take_plane::<2>(numbers, plane),
                _ => take_plane::<4>(numbers, plane),
            };
            self.put(&plane, out);
        }
    }

    /// Codes `raw` into `self.coded`; whether that is smaller than `size` by more than a thirty-second.
    fn is_smaller(&mut self, raw: &[u8], size: usize) -> bool {
        self.coded.clear();
        self.coded.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        let coded = self.compressor.compress_to_buffer(raw, &mut self.coded);
        coded.is_ok_and(|bytes| bytes < size - size / 32)
    }
}

fn take_plane<const SIZE: usize>(numbers: &[u8], plane: usize) -> Vec<u8> {
    numbers
        .as_chunks::<SIZE>()
        .0
        .iter()
        .map(|number| number[plane])
        .collect()
}

fn put_plane<const SIZE: usize>(bytes: &[u8], plane: usize, numbers: &mut [u8]) {
    for (number, &byte) in numbers.as_chunks_mut::<SIZE>().0.iter_mut().zip(bytes) {
        number[plane] = byte;
    }
}

fn put_frame(coding: u8, stored: &[u8], out: &mut Vec<u8>) {
    out.push(coding);
    out.extend((stored.len() as u32).to_le_bytes());
    out.extend(stored);
}

/// A frame where it lies.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    coding: u8,
    stored: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes a frame from the start of `bytes`; None where it is not all there.
    pub fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(FRAME_HEADER)?;
        let length = u32::from_le_bytes(head[1..].try_into().ok()?);
        let (stored, rest) = rest.split_at_checked(length as usize)?;
        *bytes = rest;
        Some(Self {
            coding: head[0],
            stored,
        })
    }

    /// The frame's `size` bytes, a number that is not to be trusted: memory grows with what is there. None if it does not hold
    /// them.
    pub fn read(self, size: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.coding {
            RAW => bytes.extend(self.stored),
            ZSTD => {
                let decoder = zstd::stream::read::Decoder::with_buffer(self.stored).ok()?;
                decoder.take(size.saturating_add(1)).read_to_end(&mut bytes).ok()?;
            }
            _ => return None,
        }
        (bytes.len() as u64 == size).then_some(bytes)
    }
}

/// Reads frames.
pub struct Decoder {
    decompressor: Decompressor<'static>,
    raw: Vec<u8>,
}

impl Decoder {
    pub fn new() -> Self {
        Self {
            decompressor: Decompressor::new().expect("memory for it"),
            raw: Vec::new(),
        }
    }

    /// The frame's `size` bytes; None if it does not hold them. `size` is one that the caller can afford.
    pub fn raw<'a>(&'a mut self, frame: Frame<'a>, size: usize) -> Option<&'a [u8]> {
        match frame.coding {
            RAW => (frame.stored.len() == size).then_some(frame.stored),
            ZSTD => self.decompressed(frame.stored, size),
            _ => None,
        }
    }

    /// Fills `codes`.
    pub fn codes(&mut self, frame: Frame, bits: u32, codes: &mut [u8]) -> Option<()> {
        if frame.coding == ZSTD_PAIRS && bits == 3 {
            let pairs = self.decompressed(frame.stored, codes.len().div_ceil(2))?;
            for (pair, codes) in pairs.iter().zip(codes.chunks_mut(2)) {
                codes[0] = pair & 7;
                if let Some(second) = codes.get_mut(1) {
                    *second = pair >> 3 & 7;
                }
            }
            return Some(());
        }
        let stream = self.raw(frame, stream_bytes(codes.len(), bits))?;
        unpack(stream, bits, codes);
        Some(())
    }

    /// Fills `numbers` from a frame for each of their 2 or 4 bytes.
    pub fn planes(&mut self, frames: &[Frame], numbers: &mut [u8]) -> Option<()> {
        let size = frames.len();
        for (plane, &frame) in frames.iter().enumerate() {
            let bytes = self.raw(frame, numbers.len() / size)?;
            match size {
                2 => put_plane::<2>(bytes, plane, numbers),
                _ => put_plane::<4>(bytes, plane, numbers),
            }
        }
        Some(())
    }

    fn decompressed(&mut self, stored: &[u8], size: usize) -> Option<&[u8]> {
        self.raw.clear();
        self.raw.reserve(size);
        let read = self.decompressor.decompress_to_buffer(stored, &mut self.raw).ok()?;
        if read == size { Some(&self.raw) } else { None }
    }
}
