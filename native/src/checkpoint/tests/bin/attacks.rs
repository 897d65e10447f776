//! Pickles that want something run, or memory, or time. None is followed further than to the opcode that is refused.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::make::{
    PATH, archive, call, code, dict, file, file_of, global, int, join, numbers, parse, pickle, refusal, storage, text,
    tuple, weight,
};
use crate::checkpoint::tests::heap::{FIXED, peak_heap};
use crate::error::Error;

fn refused(body: &[u8]) -> Error {
    refusal(&file(&pickle(body)))
}

fn assert_global(body: &[u8], expected: &str, offset: usize) {
    let path = PATH.to_owned();
    let global = expected.to_owned();
    assert_eq!(refused(body), Error::PickleGlobal { path, offset, global });
}

fn assert_opcode(body: &[u8], expected: &str) {
    let found = refused(body);
    assert!(
        matches!(&found, Error::PickleOpcode { opcode, .. } if opcode == expected),
        "{found}"
    );
}

fn assert_malformed(body: &[u8], expected: &str) {
    let found = refused(body);
    assert!(
        matches!(&found, Error::PickleMalformed { opcode, .. } if opcode == expected),
        "{found}"
    );
}

fn ordered_dict() -> Vec<u8> {
    global("collections", "OrderedDict")
}

/// What a pickle that runs a command looks like, by each way there is.
#[test]
fn calls() {
    let command = [text("touch /tmp/owned")];
    assert_global(&call(&global("os", "system"), &command), "os.system", 2);
    assert_global(&call(&global("posix", "system"), &command), "posix.system", 2);
    assert_global(&call(&global("builtins", "eval"), &command), "builtins.eval", 2);
    let stacked = |module: &str, name: &str| join(&[&text(module), &text(name), b"\x93"]);
    assert_global(&stacked("os", "system"), "os.system", 2 + 7 + 11);
    // A name with dots goes on from attribute to attribute.
    assert_global(&stacked("torch", "os.system"), "torch.os.system", 2 + 10 + 14);
    assert_global(
        &stacked("collections", "OrderedDict.fromkeys"),
        "collections.OrderedDict.fromkeys",
        2 + 16 + 25,
    );
    for (module, name) in [
        ("torch.storage", "_load_from_bytes"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("torch._utils", "_rebuild_qtensor"),
        ("torch._tensor", "_rebuild_from_type_v2"),
        ("torch", "QInt8Storage"),
        ("torch", "float32 "),
        ("Torch", "FloatStorage"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("", ""),
    ] {
        assert_global(&global(module, name), &format!("{module}.{name}"), 2);
    }
    // Behind a tensor that is rebuilt, and in the arguments of a call that is allowed.
    let after = join(&[&dict(&[("w", weight())]), &text("x"), &global("os", "system")]);
    assert!(matches!(refused(&after), Error::PickleGlobal { global, .. } if global == "os.system"));
    let inside = call(&ordered_dict(), &[call(&global("os", "system"), &command)]);
    assert!(matches!(refused(&inside), Error::PickleGlobal { global, .. } if global == "os.system"));
    assert_opcode(&join(&[b"(", &command[0], b"ios\nsystem\n"]), "INST");
    assert_opcode(&join(&[b"(", &ordered_dict(), b"o"]), "OBJ");
    assert_opcode(&join(&[&ordered_dict(), b")\x81"]), "NEWOBJ");
    assert_opcode(&join(&[&ordered_dict(), b")}\x92"]), "NEWOBJ_EX");
    for (opcode, name) in [
        (b"\x82\x01".as_slice(), "EXT1"),
        (b"\x83\x01\0", "EXT2"),
        (b"\x84\x01\0\0\0", "EXT4"),
    ] {
        assert_opcode(opcode, name);
    }
}

#[test]
fn calls_of_what_is_allowed_with_other_arguments() {
    for body in [
        call(&ordered_dict(), &[b"]".to_vec()]),
        call(&ordered_dict(), &[dict(&[])]),
        call(&global("torch", "FloatStorage"), &[int(6)]),
        call(&global("torch", "float32"), &[]),
        call(&global("torch._utils", "_rebuild_tensor_v2"), &[]),
        call(
            &global("torch._utils", "_rebuild_parameter"),
            &[int(1), b"\x88".to_vec(), dict(&[])],
        ),
        call(
            &global("torch._utils", "_rebuild_parameter"),
            &[weight(), b"\x88".to_vec()],
        ),
        call(&text("os.system"), &[text("x")]),
        join(&[&ordered_dict(), b"NR"]),
        join(&[&call(&ordered_dict(), &[]), b")R"]),
    ] {
        assert_malformed(&body, "REDUCE");
    }
    let rebuild = |arguments: &[Vec<u8>]| call(&global("torch._utils", "_rebuild_tensor"), arguments);
    let of = || storage("FloatStorage", "0", 6);
    for arguments in [
        [of(), int(-1), numbers(&[6]), numbers(&[1])],
        [of(), b"N".to_vec(), numbers(&[6]), numbers(&[1])],
        [of(), int(0), numbers(&[6]), numbers(&[1, 1])],
        [of(), int(0), tuple(&[text("6")]), numbers(&[1])],
        [of(), int(0), b"]".to_vec(), numbers(&[1])],
        [of(), int(0), numbers(&[1; 9]), numbers(&[1; 9])],
        [global("torch", "FloatStorage"), int(0), numbers(&[6]), numbers(&[1])],
    ] {
        assert_malformed(&rebuild(&arguments), "REDUCE");
    }
    assert!(
        parse(&file_of(&[(
            "w",
            rebuild(&[of(), int(0), numbers(&[6]), numbers(&[1])])
        )]))
        .is_ok()
    );
}

#[test]
fn attributes() {
    assert_malformed(&join(&[&weight(), &dict(&[]), b"b"]), "BUILD");
    assert_malformed(&join(&[&dict(&[]), &text("x"), b"b"]), "BUILD");
    assert_malformed(&join(&[&dict(&[]), &tuple(&[b"N".to_vec(), dict(&[])]), b"b"]), "BUILD");
    let versions = dict(&[("_metadata", dict(&[("", dict(&[("version", int(1))]))]))]);
    let state = join(&[&dict(&[("w", weight())]), &versions, b"b"]);
    assert_eq!(parse(&file(&pickle(&state))).unwrap().len(), 1);
}

#[test]
fn persistent_ids() {
    let float = || global("torch", "FloatStorage");
    let id = |items: &[Vec<u8>]| join(&[&tuple(items), b"Q"]);
    for body in [
        join(&[&text("0"), b"Q"]),
        join(&[b"NQ"]),
        id(&[]),
        id(&[text("storage"), float(), text("0"), text("cpu")]),
        id(&[text("storage"), float(), text("0"), text("cpu"), int(6), b"N".to_vec()]),
        id(&[text("module"), float(), text("0"), text("cpu"), int(6)]),
        id(&[text("storage"), ordered_dict(), text("0"), text("cpu"), int(6)]),
        id(&[
            text("storage"),
            global("torch", "float32"),
            text("0"),
            text("cpu"),
            int(6),
        ]),
        id(&[text("storage"), text("FloatStorage"), text("0"), text("cpu"), int(6)]),
        id(&[text("storage"), float(), int(0), text("cpu"), int(6)]),
        id(&[text("storage"), float(), text("0"), b"N".to_vec(), int(6)]),
        id(&[text("storage"), float(), text("0"), text("cpu"), int(-6)]),
        id(&[
            text("storage"),
            float(),
            text("0"),
            text("cpu"),
            b"\x8a\x09\x01\0\0\0\0\0\0\0\x01".to_vec(),
        ]),
        id(&[text("storage"), float(), text(&"0".repeat(21)), text("cpu"), int(6)]),
    ] {
        assert_malformed(&body, "BINPERSID");
    }
    assert_opcode(b"Pstorage\n", "PERSID");
    for key in ["../data/0", "/etc/passwd", "", "0/", "0\0", "é"] {
        let weight = super::make::tensor(storage("FloatStorage", key, 6), 0, &[6], &[1]);
        let found = refusal(&file_of(&[("w", weight)]));
        assert!(
            matches!(&found, Error::BinNoStorage { entry, .. } if *entry == format!("data/{key}")),
            "{found}"
        );
    }
}

#[test]
fn every_byte_that_is_no_opcode_of_a_state_dict_is_refused_as_one() {
    let known = b"()}]NJKMGXBCtaesuhjqrcRbQ.\x80\x85\x86\x87\x88\x89\x8a\x8c\x8d\x8e\x93\x94\x95";
    for byte in 0..=255 {
        let found = refused(&[b'N', byte]);
        let is_opcode = !matches!(found, Error::PickleOpcode { .. });
        assert_eq!(is_opcode, known.contains(&byte), "{byte:#x}: {found}");
    }
    for (byte, name) in [
        (b'I', "INT"),
        (b'V', "UNICODE"),
        (b'2', "DUP"),
        (b'0', "POP"),
        (b'd', "DICT"),
        (0x96, "BYTEARRAY8"),
    ] {
        assert_opcode(&[byte], name);
    }
    assert_opcode(&[0x8b], "LONG4");
    assert_opcode(&[0xff], "0xff");
}

#[test]
fn broken_pickles() {
    let whole = pickle(&dict(&[("w", weight())]));
    for length in 0..whole.len() {
        let found = refusal(&file(&whole[..length]));
        assert!(
            matches!(found, Error::PickleTruncated { offset, .. } if offset <= length),
            "{length}: {found}"
        );
    }
    for (body, opcode) in [
        (b"".as_slice(), "STOP"),
        (b"NN", "STOP"),
        (b"(N", "STOP"),
        (b"N.", "STOP"),
        (b"t", "TUPLE"),
        (b"(\x85", "TUPLE1"),
        (b"N(\x86", "TUPLE2"),
        (b"s", "SETITEM"),
        (b"}Ns", "SETITEM"),
        (b"}(Nu", "SETITEMS"),
        (b"(NNu", "SETITEMS"),
        (b"](NNu", "SETITEMS"),
        (b"Na", "APPEND"),
        (b"}(Ne", "APPENDS"),
        (b"h\0", "BINGET"),
        (b"Nq\0j\x01\0\0\0", "LONG_BINGET"),
        (b"q\0", "BINPUT"),
        (b"N(q\0", "BINPUT"),
        (b"\x94", "MEMOIZE"),
        (b"NN\x93", "STACK_GLOBAL"),
        (b"X\x02\0\0\0\xff\xff", "BINUNICODE"),
        (b"c\xff\nx\n", "GLOBAL"),
        (b"\x80\x06", "PROTO"),
        (b"\x80\x01", "PROTO"),
    ] {
        assert_malformed(body, opcode);
    }
}

#[test]
fn lengths_beyond_the_pickle() {
    let long = u64::MAX.to_le_bytes();
    for body in [
        join(&[b"\x8d", &long]),
        join(&[b"\x8e", &long]),
        join(&[b"\x95", &long]),
        join(&[b"\x8d", &(1u64 << 40).to_le_bytes()]),
        b"X\xff\xff\xff\xff".to_vec(),
        b"B\xff\xff\xff\x7f".to_vec(),
        b"\x8a\xff\0".to_vec(),
        b"\x8c\xff".to_vec(),
        b"C\xff".to_vec(),
        b"cos\nsystem".to_vec(),
    ] {
        let file = file(&pickle(&body));
        let (found, peak) = peak_heap(|| refusal(&file));
        assert!(matches!(found, Error::PickleTruncated { .. }), "{found}");
        assert!(peak < FIXED, "{peak}");
    }
}

/// A pickle larger than is read, which PyTorch's own checksum need not be computed of.
#[test]
fn a_pickle_of_more_than_100_megabytes() {
    let file = archive(&[("m/data.pkl", &vec![b'N'; 100_000_001])]);
    let (found, peak) = peak_heap(|| refusal(&file));
    let path = PATH.to_owned();
    let (size, limit) = (100_000_001, 100_000_000);
    assert_eq!(found, Error::PickleTooLarge { path, size, limit });
    assert!(peak < FIXED, "{peak}");
}

/// Each would take gigabytes, or years, if it were followed as Python follows it.
#[test]
fn bombs() {
    let doubled = |begin: &[u8], end: &[u8]| {
        let levels = (0..200u8).map(|level| join(&[begin, b"(", &[b'h', level].repeat(100), end, b"q", &[level + 1]]));
        join(&[&text("laugh"), b"q\0", &levels.collect::<Vec<_>>().concat()])
    };
    let many = |part: &[u8], times: usize| part.repeat(times);
    let numbered = |part: &dyn Fn(u32) -> Vec<u8>| (0..2_000_000).map(part).collect::<Vec<_>>().concat();
    let long = "n".repeat(5_000_000);
    let prefixed = |number: u32| join(&[&text(&format!("{}{number}", "n".repeat(10_000))), b"h\0"]);
    let function = join(&[&global("torch._utils", "_rebuild_tensor"), b"q\0"]);
    let arguments = [
        storage("FloatStorage", "0", 6),
        int(0),
        numbers(&[6, 1, 1, 1, 1, 1, 1, 1]),
        numbers(&[1; 8]),
    ];
    let rebuilding = join(&[&function, &tuple(&arguments), b"q\x01R"]);
    let mut identity = storage("FloatStorage", "0", 6);
    identity.pop();
    let named: Vec<u8> = (1..1 << 17)
        .flat_map(|i| join(&[&text(&i.to_string()), b"h\0h\x01Rs"]))
        .collect();
    let one_tensor = join(&[&weight(), b"q\0"]);
    let bombs: [(&str, Vec<u8>, &str); 21] = [
        (
            "tuples of tuples",
            doubled(b"", b"t"),
            "bin-not-a-dict|pickle-malformed",
        ),
        ("lists of lists", doubled(b"]", b"e"), "pickle-malformed"),
        (
            "a tuple around it all",
            join(&[b"(", &doubled(b"", b"t"), b"t"]),
            "bin-not-a-dict",
        ),
        (
            "a list in itself",
            join(&[b"]q\0", &many(b"h\0a", 500_000)]),
            "bin-not-a-dict",
        ),
        (
            "a dict in itself",
            join(&[b"}q\0", &text("x"), b"h\0s"]),
            "bin-not-a-tensor",
        ),
        ("marks", many(b"(", 5_000_000), "pickle-too-many"),
        ("values", many(b"N", 5_000_000), "pickle-too-many"),
        ("empty lists", many(b"]", 5_000_000), "pickle-too-many"),
        ("empty dicts", many(b"}", 5_000_000), "pickle-too-many"),
        ("nested lists", many(b"](", 5_000_000), "pickle-too-many"),
        (
            "nested tuples",
            join(&[b"N", &many(b"\x85", 5_000_000)]),
            "pickle-too-many",
        ),
        (
            "values taken from the memo",
            join(&[b"Nq\0", &many(b"h\0", 5_000_000)]),
            "pickle-too-many",
        ),
        ("the memo", join(&[b"N", &many(b"\x94", 5_000_000)]), "pickle-too-many"),
        (
            "the memo by number",
            join(&[
                b"N",
                &numbered(&|i| join(&[b"r", &i.wrapping_mul(0x9e37_79b9).to_le_bytes()])),
            ]),
            "pickle-too-many",
        ),
        ("items", join(&[b"}", &many(b"NNs", 5_000_000)]), "pickle-too-many"),
        (
            "tensors",
            join(&[b"}N", &rebuilding, b"s", &many(b"Nh\0h\x01Rs", 2_000_000)]),
            "pickle-too-many",
        ),
        (
            "storages",
            join(&[b"}N", &identity, b"q\0Qs", &many(b"Nh\0Qs", 2_000_000)]),
            "pickle-too-many",
        ),
        (
            "one name for all",
            join(&[
                b"}",
                &text(&long),
                b"q\x01",
                &one_tensor,
                b"s",
                &many(b"h\x01h\0s", 500_000),
            ]),
            "duplicate-tensor",
        ),
        (
            "as many tensors as are read",
            join(&[b"}", &text("w"), &rebuilding, b"s", &named]),
            "",
        ),
        (
            "names that hardly differ",
            join(&[
                b"}",
                &text("w"),
                &one_tensor,
                b"s",
                &(0..2_000)
                    .map(|i| join(&[&prefixed(i), b"s"]))
                    .collect::<Vec<_>>()
                    .concat(),
            ]),
            "",
        ),
        (
            "frames",
            join(&[&many(b"\x95\0\0\0\0\0\0\0\0", 2_000_000), b"N"]),
            "bin-not-a-dict",
        ),
    ];
    for (what, body, expected) in bombs {
        let file = file(&pickle(&body));
        let started = thread_time();
        let (outcome, peak) = peak_heap(|| parse(&file));
        let took = thread_time().saturating_sub(started);
        let found = outcome.map_or_else(|refused| code(&refused), |_| "checkpoint.".to_owned());
        println!("{what}: {found}, {peak} bytes for {}, {took:?}", file.len());
        let allowed: Vec<_> = expected.split('|').map(|code| format!("checkpoint.{code}")).collect();
        assert!(allowed.contains(&found), "{what}: {found}");
        assert!(peak <= (64 * file.len()).min(MOST) + FIXED, "{what}: {peak} bytes");
        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
    }
}

/// What this thread has had of the processors, which other programs do not lengthen; where only Linux tells, elsewhere the clock.
fn thread_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    told.and_then(|text| text.split(' ').next()?.parse().ok())
        .map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// What the pools of a pickle of any size may take together, growing.
const MOST: usize = 200_000_000;
