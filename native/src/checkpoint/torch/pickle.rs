//! A pickle machine that can do one thing: rebuild a dict of tensors as descriptions of where they lie. It has the opcodes that
//! Python's pickler writes for that in its protocols 2 to 5 and the calls of `globals.rs`; all others are refused.
//!
//! Values are small and copied: texts are ranges of the pickle, tuples and dicts lie in pools. So a value that is taken twice, or
//! a million times, costs no more than its place on the stack, nothing is ever walked or freed in depth, and every opcode takes
//! constant time but for the values that it takes off the stack and the text that it reads.

use std::collections::HashMap;

use super::globals::{Global, Rebuild};
use super::opcode;
use crate::checkpoint::Dtype;
use crate::checkpoint::header::shown;
use crate::error::{Error, Result};

/// Python's pickler writes the items of a dict a thousand at a time.
const MAX_STACK: usize = 1 << 16;
/// The most tensors, and the most storages: more than the largest models have in all their files.
const MAX_TENSORS: usize = 1 << 17;
/// The most places of the memo, items of all dicts, and values of all tuples. A tensor takes eight places in the memo.
const MAX_VALUES: usize = 8 * MAX_TENSORS;
const MAX_DIMENSIONS: usize = 8;
/// Keys of storages are small numbers.
const MAX_KEY: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    None,
    Bool,
    Int(i64),
    /// An integer of more than 64 bits or a float: never looked at.
    Number,
    Text(Span),
    /// `bytes`, never looked at.
    Bytes,
    Tuple(Span),
    /// A list; what was put into it is not kept.
    List,
    /// A number that `Item::dict` has.
    Dict(u32),
    Global(Global),
    /// The place in `Read::storages`.
    Storage(u32),
    /// The place in `Read::tensors`.
    Tensor(u32),
}

impl Value {
    /// The name of its type in Python.
    pub fn kind(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool => "bool",
            Self::Int(_) | Self::Number => "number",
            Self::Text(_) => "str",
            Self::Bytes => "bytes",
            Self::Tuple(_) => "tuple",
            Self::List => "list",
            Self::Dict(_) => "dict",
            Self::Global(_) => "type",
            Self::Storage(_) => "storage",
            Self::Tensor(_) => "tensor",
        }
    }
}

/// A range of the pickle (a text) or of the pool of tuples' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    begin: u32,
    length: u32,
}

impl Span {
    fn of<T>(self, all: &[T]) -> &[T] {
        &all[self.begin as usize..][..self.length as usize]
    }
}

#[derive(Clone, Copy)]
pub struct Item {
    dict: u32,
    pub key: Value,
    pub value: Value,
}

/// A storage as a persistent id describes it, not yet held against the archive.
#[derive(Clone, Copy)]
pub struct Storage {
    pub key: Span,
    /// None: bytes.
    pub dtype: Option<Dtype>,
    /// Elements of the dtype, or bytes.
    pub elements: u64,
}

/// A tensor as it was rebuilt, not yet held against its storage.
#[derive(Clone, Copy)]
pub struct Rebuilt {
    pub storage: Storage,
    pub dtype: Dtype,
    /// In elements.
    pub offset: u64,
    shape: Span,
    stride: Span,
}

/// What a pickle left.
pub struct Read<'a> {
    pickle: &'a [u8],
    root: Value,
    items: Vec<Item>,
    tuples: Vec<Value>,
    tensors: Vec<Rebuilt>,
}

impl<'a> Read<'a> {
    /// The items of the dict that the pickle is, in their order.
    ///
    /// Errors: `checkpoint.bin-not-a-dict`.
    pub fn items(&self, path: &str) -> Result<impl Iterator<Item = Item>> {
        let Value::Dict(root) = self.root else {
            return Err(Error::BinNotADict {
                path: path.to_owned(),
                kind: self.root.kind().to_owned(),
            });
        };
        Ok(self.items.iter().copied().filter(move |item| item.dict == root))
    }

    pub fn text(&self, span: Span) -> &'a str {
        std::str::from_utf8(span.of(self.pickle)).expect("a text was checked when it was read")
    }

    pub fn tensor(&self, number: u32) -> Rebuilt {
        self.tensors[number as usize]
    }

    /// One number for each dimension.
    pub fn shape(&self, tensor: &Rebuilt) -> impl DoubleEndedIterator<Item = i64> {
        self.numbers(tensor.shape)
    }

    pub fn stride(&self, tensor: &Rebuilt) -> impl DoubleEndedIterator<Item = i64> {
        self.numbers(tensor.stride)
    }

    fn numbers(&self, span: Span) -> impl DoubleEndedIterator<Item = i64> {
        span.of(&self.tuples).iter().map(|value| match value {
            Value::Int(number) => *number,
            other => unreachable!("a {} in a shape", other.kind()),
        })
    }
}

/// Reads a whole pickle. Errors: `checkpoint.pickle-*`, with the offset in the pickle of the opcode that is refused.
pub fn read<'a>(path: &str, pickle: &'a [u8]) -> Result<Read<'a>> {
    let mut machine = Machine {
        path,
        at: 0,
        next: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        dicts: 0,
        storages: Vec::new(),
        read: Read {
            pickle,
            root: Value::None,
            items: Vec::new(),
            tuples: Vec::new(),
            tensors: Vec::new(),
        },
    };
    while machine.step()? {}
    Ok(machine.read)
}

struct Machine<'p, 'a> {
    path: &'p str,
    /// Where the opcode lies that is being followed, and where the next byte to be read.
    at: usize,
    next: usize,
    stack: Vec<Value>,
    /// The stack's heights at the marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    dicts: u32,
    storages: Vec<Storage>,
    read: Read<'a>,
}

impl<'a> Machine<'_, 'a> {
    /// Follows one opcode; false: it was the last.
    fn step(&mut self) -> Result<bool> {
        self.at = self.next;
        let opcode = self.byte()?;
        match opcode {
            opcode::PROTO => {
                let version = self.byte()?;
                self.require((2..=5).contains(&version))?;
            }
            // FRAME
            0x95 => {
                let length = self.number::<8>()?;
                self.require_bytes(length)?;
            }
            b'.' => return self.stop().map(|()| false),
            b'(' => self.mark()?,
            b'N' => self.push(Value::None)?,
            0x88 | 0x89 => self.push(Value::Bool)?,
            // BININT, BININT1, BININT2, LONG1, BINFLOAT
            b'J' => {
                let number = self.number::<4>()? as u32 as i32;
                self.push(Value::Int(number.into()))?;
            }
            b'K' => self.push_number::<1>()?,
            b'M' => self.push_number::<2>()?,
            0x8a => self.long()?,
            b'G' => {
                self.bytes(8)?;
                self.push(Value::Number)?;
            }
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            0x8c => self.text::<1>()?,
            b'X' => self.text::<4>()?,
            0x8d => self.text::<8>()?,
            // SHORT_BINBYTES, BINBYTES, BINBYTES8
            b'C' => self.binary::<1>()?,
            b'B' => self.binary::<4>()?,
            0x8e => self.binary::<8>()?,
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
            b')' => self.tuple(0)?,
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84))?,
            b't' => {
                let count = self.count_to_mark()?;
                self.tuple(count)?;
            }
            // EMPTY_LIST, APPEND, APPENDS
            b']' => self.push(Value::List)?,
            b'a' => self.append(1)?,
            b'e' => {
                let count = self.count_to_mark()?;
                self.append(count)?;
            }
            // EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.push_dict()?,
            b's' => self.set_items(2)?,
            b'u' => {
                let count = self.count_to_mark()?;
                self.set_items(count)?;
            }
            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => self.put_at::<1>()?,
            b'r' => self.put_at::<4>()?,
            0x94 => self.put(self.memo.len() as u32)?,
            b'h' => self.get::<1>()?,
            b'j' => self.get::<4>()?,
            // GLOBAL, STACK_GLOBAL
            b'c' => self.global()?,
            0x93 => self.stack_global()?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'Q' => self.persistent_id()?,
            _ => {
                return Err(Error::PickleOpcode {
                    path: self.path.to_owned(),
                    offset: self.at,
                    opcode: opcode::name(opcode),
                });
            }
        }
        Ok(true)
    }

    fn stop(&mut self) -> Result<()> {
        self.read.root = self.pop()?;
        self.require(self.stack.is_empty() && self.marks.is_empty() && self.next == self.read.pickle.len())
    }

    // What lies in the pickle.

    fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        self.require_bytes(length as u64)?;
        self.next += length;
        Ok(&self.read.pickle[self.next - length..self.next])
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    fn require_bytes(&self, length: u64) -> Result<()> {
        match length <= (self.read.pickle.len() - self.next) as u64 {
            true => Ok(()),
            false => Err(Error::PickleTruncated {
                path: self.path.to_owned(),
                offset: self.at,
            }),
        }
    }

    /// An unsigned number of N bytes.
    fn number<const N: usize>(&mut self) -> Result<u64> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(self.bytes(N)?);
        Ok(u64::from_le_bytes(wide))
    }

    /// The bytes whose length N bytes say.
    fn span<const N: usize>(&mut self) -> Result<Span> {
        let length = self.number::<N>()?;
        self.require_bytes(length)?;
        let begin = self.next as u32;
        self.next += length as usize;
        Ok(Span {
            begin,
            length: length as u32,
        })
    }

    fn push_number<const N: usize>(&mut self) -> Result<()> {
        let number = self.number::<N>()?;
        self.push(Value::Int(number as i64))
    }

    /// A length of one byte and a signed number of so many bytes.
    fn long(&mut self) -> Result<()> {
        let span = self.span::<1>()?;
        let bytes = span.of(self.read.pickle);
        let mut wide = match bytes.last() {
            Some(last) if last & 0x80 != 0 => [0xff; 8],
            _ => [0; 8],
        };
        let value = match wide.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(wide))
            }
            None => Value::Number,
        };
        self.push(value)
    }

    fn text<const N: usize>(&mut self) -> Result<()> {
        let span = self.span::<N>()?;
        self.require(std::str::from_utf8(span.of(self.read.pickle)).is_ok())?;
        self.push(Value::Text(span))
    }

    fn binary<const N: usize>(&mut self) -> Result<()> {
        self.span::<N>()?;
        self.push(Value::Bytes)
    }

    // The stack and the memo.

    fn push(&mut self, value: Value) -> Result<()> {
        self.require_at_most(self.stack.len() + 1, MAX_STACK)?;
        self.stack.push(value);
        Ok(())
    }

    /// Where the last `count` values begin, which all lie above the newest mark.
    fn last(&self, count: usize) -> Result<usize> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let begin = self.stack.len().checked_sub(count);
        begin.filter(|begin| *begin >= floor).ok_or_else(|| self.malformed())
    }

    fn pop(&mut self) -> Result<Value> {
        self.last(1)?;
        self.stack.pop().ok_or_else(|| self.malformed())
    }

    fn top(&self) -> Result<Value> {
        Ok(self.stack[self.last(1)?])
    }

    fn mark(&mut self) -> Result<()> {
        self.require_at_most(self.marks.len() + 1, MAX_STACK)?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Removes the newest mark.
    fn count_to_mark(&mut self) -> Result<usize> {
        let mark = self.marks.pop().ok_or_else(|| self.malformed())?;
        Ok(self.stack.len() - mark)
    }

    fn put_at<const N: usize>(&mut self) -> Result<()> {
        let place = self.number::<N>()?;
        self.put(place as u32)
    }

    fn put(&mut self, place: u32) -> Result<()> {
        self.require_room(self.memo.len() + 1)?;
        let value = self.top()?;
        self.memo.insert(place, value);
        Ok(())
    }

    fn get<const N: usize>(&mut self) -> Result<()> {
        let place = self.number::<N>()? as u32;
        let value = self.memo.get(&place).copied().ok_or_else(|| self.malformed())?;
        self.push(value)
    }

    // Tuples, lists and dicts.

    fn tuple(&mut self, length: usize) -> Result<()> {
        let begin = self.read.tuples.len();
        self.require_room(begin + length)?;
        let from = self.last(length)?;
        self.read.tuples.extend(self.stack.drain(from..));
        self.push(Value::Tuple(Span {
            begin: begin as u32,
            length: length as u32,
        }))
    }

    fn append(&mut self, count: usize) -> Result<()> {
        let from = self.last(count)?;
        self.stack.truncate(from);
        let list = self.top()?;
        self.require(list == Value::List)
    }

    fn push_dict(&mut self) -> Result<()> {
        self.dicts += 1;
        self.push(Value::Dict(self.dicts))
    }

    fn set_items(&mut self, count: usize) -> Result<()> {
        let from = self.last(count + 1)? + 1;
        let Value::Dict(dict) = self.stack[from - 1] else {
            return Err(self.malformed());
        };
        let (pairs, []) = self.stack[from..].as_chunks() else {
            return Err(self.malformed());
        };
        self.require_room(self.read.items.len() + pairs.len())?;
        let items = pairs.iter().map(|&[key, value]| Item { dict, key, value });
        self.read.items.extend(items);
        self.stack.truncate(from);
        Ok(())
    }

    // Globals and what they may be used for.

    /// Module and name, a line each.
    fn global(&mut self) -> Result<()> {
        let [module, name] = [self.line()?, self.line()?];
        self.push_global(module, name)
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.read.pickle[self.next..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = self.bytes(end.map_or(usize::MAX, |end| end + 1))?;
        std::str::from_utf8(&line[..line.len() - 1]).map_err(|_| self.malformed())
    }

    fn stack_global(&mut self) -> Result<()> {
        let name = self.pop()?;
        let module = self.pop()?;
        match (module, name) {
            (Value::Text(module), Value::Text(name)) => self.push_global(self.read.text(module), self.read.text(name)),
            _ => Err(self.malformed()),
        }
    }

    fn push_global(&mut self, module: &str, name: &str) -> Result<()> {
        match Global::of(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(Error::PickleGlobal {
                path: self.path.to_owned(),
                offset: self.at,
                global: format!("{}.{}", shown(module), shown(name)),
            }),
        }
    }

    /// A call, of which there are five.
    fn reduce(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        let callable = self.pop()?;
        let (Value::Tuple(arguments), Value::Global(callable)) = (arguments, callable) else {
            return Err(self.malformed());
        };
        let arguments = arguments.of(&self.read.tuples);
        match (callable, arguments) {
            (Global::OrderedDict, []) => self.push_dict(),
            (Global::Rebuild(Rebuild::Parameter), &[tensor @ Value::Tensor(_), Value::Bool, Value::Dict(_)]) => {
                self.push(tensor)
            }
            (Global::Rebuild(kind), arguments) => match rebuilt(kind, arguments, &self.storages) {
                Some(tensor) => self.push_tensor(tensor),
                None => Err(self.malformed()),
            },
            _ => Err(self.malformed()),
        }
    }

    fn push_tensor(&mut self, tensor: Rebuilt) -> Result<()> {
        let numbers = [tensor.shape, tensor.stride].map(|span| span.of(&self.read.tuples));
        let is_numbers = |values: &[Value]| values.iter().all(|value| matches!(value, Value::Int(_)));
        let dimensions = numbers[0].len();
        self.require(numbers.into_iter().all(is_numbers))?;
        self.require(dimensions == numbers[1].len() && dimensions <= MAX_DIMENSIONS)?;
        self.require_at_most(self.read.tensors.len() + 1, MAX_TENSORS)?;
        self.read.tensors.push(tensor);
        self.push(Value::Tensor(self.read.tensors.len() as u32 - 1))
    }

    /// Attributes of an OrderedDict: a module's `state_dict()` has its versions there. They are dropped.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let built = self.top()?;
        self.require(matches!((built, state), (Value::Dict(_), Value::Dict(_))))
    }

    /// `('storage', class, key, location, elements)`.
    fn persistent_id(&mut self) -> Result<()> {
        let Value::Tuple(id) = self.pop()? else {
            return Err(self.malformed());
        };
        let &[
            Value::Text(kind),
            Value::Global(Global::Storage(dtype)),
            Value::Text(key),
            Value::Text(_),
            Value::Int(elements),
        ] = id.of(&self.read.tuples)
        else {
            return Err(self.malformed());
        };
        self.require(self.read.text(kind) == "storage" && key.length as usize <= MAX_KEY && elements >= 0)?;
        self.require_at_most(self.storages.len() + 1, MAX_TENSORS)?;
        self.storages.push(Storage {
            key,
            dtype,
            elements: elements as u64,
        });
        self.push(Value::Storage(self.storages.len() as u32 - 1))
    }

    // Refusals.

    fn malformed(&self) -> Error {
        Error::PickleMalformed {
            path: self.path.to_owned(),
            offset: self.at,
            opcode: opcode::name(self.read.pickle[self.at]),
        }
    }

    fn require(&self, holds: bool) -> Result<()> {
        if holds { Ok(()) } else { Err(self.malformed()) }
    }

    fn require_room(&self, values: usize) -> Result<()> {
        self.require_at_most(values, MAX_VALUES)
    }

    fn require_at_most(&self, values: usize, limit: usize) -> Result<()> {
        match values <= limit {
            true => Ok(()),
            false => Err(Error::PickleTooMany {
                path: self.path.to_owned(),
                offset: self.at,
                limit,
            }),
        }
    }
}

/// A call of `_rebuild_tensor` (storage, offset, shape, stride), of its second version (and whether it wants gradients, hooks) or its
/// third (and the dtype). The last argument of both, metadata, turns signs around: only none of it is taken.
fn rebuilt(kind: Rebuild, arguments: &[Value], storages: &[Storage]) -> Option<Rebuilt> {
    let (
        &[
            Value::Storage(storage),
            Value::Int(offset),
            Value::Tuple(shape),
            Value::Tuple(stride),
        ],
        more,
    ) = arguments.split_first_chunk()?
    else {
        return None;
    };
    let storage = storages[storage as usize];
    let dtype = match (kind, storage.dtype, more) {
        (Rebuild::Tensor, Some(dtype), []) => dtype,
        (
            Rebuild::TensorV2,
            Some(dtype),
            [Value::Bool, Value::Dict(_)] | [Value::Bool, Value::Dict(_), Value::None],
        ) => dtype,
        (
            Rebuild::TensorV3,
            None,
            &([Value::Bool, Value::Dict(_), Value::Global(Global::Dtype(dtype))]
            | [
                Value::Bool,
                Value::Dict(_),
                Value::Global(Global::Dtype(dtype)),
                Value::None,
            ]),
        ) => dtype,
        _ => return None,
    };
    Some(Rebuilt {
        storage,
        dtype,
        offset: u64::try_from(offset).ok()?,
        shape,
        stride,
    })
}
