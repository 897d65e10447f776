"""Makes test/fixtures/tokenizers/*: small tokenizers of exactly the families' kinds, and the ids that the `tokenizers` package gives.

    python scripts/make-tokenizer-fixtures.py     (needs tokenizers; run by hand, its output is committed)

`strings.json` holds 1,000 nasty strings. Each folder holds a tokenizer.json with the normalizer, pre-tokenizer, options, decoder and
post-processor of the family's own and a vocabulary trained on the text below, and ids.bin: of every string the number of its ids and
the ids, uint16 little-endian, deflated.
"""
import json
import random
import shutil
import unicodedata
import zlib
from array import array
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

FIXTURES = Path(__file__).parent.parent / "test" / "fixtures" / "tokenizers"

TEXT = """
The quick brown fox jumps over the lazy dog; it doesn't care, and they'll say we've seen that before. I'm sure you're right: the
whale's tail, the captain's log, 1,234.56 dollars in 1790 and 2024. There is nothing like the sea, and there never was anything
like it; those who have been there know this, and those who have not will hear it from them. WE'LL SEE. DON'T. Hello, World!
Überraschung: die Größe der Straße ist für alle gleich. L'été dernier, c'était déjà l'automne où naïveté et cœur se côtoient.
El niño soñó con la montaña; ¿quién lo sabía? Привет, мир! Это было давно и неправда. Καλημέρα κόσμε, τι κάνεις; مرحبا بالعالم كيف
حالك، شكرا۔ שלום עולם. नमस्ते दुनिया। 你好，世界。我们在北京学习中文。今日は世界、東京の天気はどうですか。안녕하세요 세계.
for (let i = 0; i < n; i++) {\n    if (x[i] !== y) {\n        return f(x, y);\n    }\n}\n\ndef f(a, b=None):\n\treturn a + b\n\n\n
    four spaces,        eight,                sixteen and\t\ttabs; 3.14159, 100000, 7777777. (a) [b] {c} <d> "e" 'f' ... --- === ???
""" * 3 + "ſaw\n" * 20

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
AFTER_DIGITS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA_3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + AFTER_DIGITS
QWEN = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + AFTER_DIGITS
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def byte_level(**changes):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **changes}


def split(regex):
    cut = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, byte_level(trim_offsets=False, use_regex=False)]}


def template(token, id):
    single = [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = single + [{"SpecialToken": {"id": token, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}}}


def added(id, content, special=True, normalized=False):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized,
            "special": special}


def learn(pre_tokenizer, size, alphabet):
    """The merges of a byte-pair encoding of the text, the most frequent first."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizer
    text = TEXT if alphabet else TEXT.replace(" ", "▁")
    learner.train_from_iterator([text], trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    return json.loads(learner.to_str())["model"]


def bpe(pre_tokenizer, *, first=(), last=(), more=(), post=None, normalizer=None, **options):
    """Byte-level BPE. `first`: special tokens in front of the vocabulary, `last`: behind it, `more`: added tokens that are not special."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA_3), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    model = learn(learner, 520, alphabet)
    vocab = {token: id for id, token in enumerate([*first, *sorted(model["vocab"], key=model["vocab"].get)])}
    start = len(vocab)
    tokens = [added(id, token) for id, token in enumerate(first)]
    tokens += [added(start + i, token) for i, token in enumerate(last)]
    tokens += [added(start + len(last) + i, token, special=False, normalized=normalized) for i, (token, normalized) in enumerate(more)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": template(*post) if post else byte_level(add_prefix_space=True, trim_offsets=False),
        "decoder": byte_level(add_prefix_space=True),
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, **options, "vocab": vocab, "merges": model["merges"]},
    }


def sentence_piece(*, first, more=(), bos, normalizer, pre_tokenizer, strip):
    """BPE as SentencePiece has it: the rank of a merge is that of the token it makes, and every way to make a token is a merge."""
    words = pre_tokenizers.Split(Regex(r"▁+(?=▁)|▁?[^▁\n]+|▁|\n"), "isolated")
    model = learn(words, 640, [])
    by_id = sorted(model["vocab"], key=model["vocab"].get)
    made = ["".join(merge) for merge in model["merges"]]
    characters = [token for token in by_id if len(token) == 1]
    spaces = ["▁" * n for n in (2, 4, 8, 16, 3, 5)]
    pieces = list(dict.fromkeys([*spaces[:4], *made, *spaces[4:], *characters]))
    vocab = {token: id for id, token in enumerate([*first, *[f"<0x{byte:02X}>" for byte in range(256)]])}
    for token in [*[token for token, _ in more], *pieces]:
        vocab.setdefault(token, len(vocab))
    merges = []
    for token in pieces:
        ways = [(token[:i], token[i:]) for i in range(1, len(token))]
        known = [way for way in ways if all(part in vocab and part not in first for part in way)]
        merges += sorted(known, key=lambda way: (vocab[way[0]], vocab[way[1]]))
    tokens = [added(id, token) for id, token in enumerate(first)]
    tokens += [added(vocab[token], token, special=special) for token, special in more]
    decoder = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": template(bos, vocab[bos]),
        "decoder": {"type": "Sequence",
                    "decoders": decoder + ([{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if strip else [])},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": vocab, "merges": merges},
    }


SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
PREPENDED = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, SPACES]}
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
BEFORE_SPACES = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
NFC = {"type": "NFC"}
LLAMA_SPECIAL = ["<unk>", "<s>", "</s>"]
GEMMA_SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]


def gemma(more):
    newlines = [("\n" * n, False) for n in range(1, 5)]
    return sentence_piece(first=GEMMA_SPECIAL, more=[*more, *newlines, ("▁▁", False), ("▁▁▁", False), ("<table>", False), ("</h1>", False)],
                          bos="<bos>", normalizer=SPACES, pre_tokenizer=BEFORE_SPACES, strip=False)


def neox():
    """Runs of spaces are added tokens there, the longest first."""
    spaces = [(" " * n, True) for n in range(24, 1, -1)]
    return bpe(byte_level(), first=["<|endoftext|>", "<|padding|>"], more=spaces, normalizer=NFC)


FAMILIES = {
    "opt": lambda: bpe(byte_level(), first=["<s>", "<pad>", "</s>", "<unk>"], post=("</s>", 2)),
    "gpt2": lambda: bpe(byte_level(), last=["<|endoftext|>"]),
    "gpt_neox": neox,
    "bloom": lambda: bpe(split(BLOOM), first=["<unk>", "<s>", "</s>", "<pad>"]),
    "llama2": lambda: sentence_piece(first=LLAMA_SPECIAL, bos="<s>", normalizer=PREPENDED, pre_tokenizer=None, strip=True),
    "llama3": lambda: llama3(),
    "mistral": lambda: sentence_piece(first=[*LLAMA_SPECIAL, "[INST]", "[/INST]"], bos="<s>", normalizer=None, pre_tokenizer=METASPACE,
                                      strip=True),
    "tekken": lambda: bpe(split(TEKKEN), first=[*LLAMA_SPECIAL, "[INST]", "[/INST]"], post=("<s>", 1), ignore_merges=True),
    "qwen2": lambda: bpe(split(QWEN), last=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizer=NFC),
    "qwen3": lambda: bpe(split(QWEN), last=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
                         more=[("<tool_call>", False), ("<think>", False), ("</think>", False)], normalizer=NFC),
    "gemma2": lambda: gemma([("<start_of_turn>", True), ("<end_of_turn>", True)]),
    "gemma3": lambda: gemma([("[multimodal]", False), ("<start_of_turn>", True), ("<end_of_turn>", True), ("<image_soft_token>", True)]),
    "smollm2": lambda: smollm2(),
}


def llama3():
    made = bpe(split(LLAMA_3), last=["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], ignore_merges=True)
    begin = made["added_tokens"][0]["id"]
    made["post_processor"] = {"type": "Sequence", "processors": [made["post_processor"], template("<|begin_of_text|>", begin)]}
    # A word that no merge makes: only a tokenizer that ignores merges finds it.
    model = made["model"]
    made_of = model["merges"].pop()
    model["vocab"]["Ġnothing"] = model["vocab"].pop("".join(made_of))
    return made


def smollm2():
    first = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]
    made = bpe({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level()]}, first=first)
    return {**made, "post_processor": None}


# What the strings are put together from.
SPACE = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\r", "\t", "\t\t", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f",
         "\u3000", "\ufeff", "\u200b", "\u180e", "\x0b", "\x0c", "\x1c", "\x1f"]
CONTRACTED = ["'s", "'S", "'t", "'T", "'re", "'RE", "'Re", "'rE", "'ve", "'VE", "'m", "'M", "'ll", "'LL", "'Ll", "'d", "'D", "’s", "'\u017f",
              "'\u017faw", "'l\u212a", "don't", "DON'T", "we'll", "WE'LL", "o'clock", "''s", "'' ", "y'all'd've", "'lll", "'sd"]
MARKS = ["e\u0301", "a\u0308\u0323", "\u0301", "\u0301\u0301\u0301", "o\u0302\u0301", "क्षि", "ที่", "한", "\u1112\u1161\u11ab", "\u1100\u1161",
         "\u212b", "\u2126", "\u0344", "\u0958", "\ufb1d", "i\u0307", "\u0130", "ß", "ẞ", "ﬁ", "ﬃ", "ŉ", "ǆ", "ΐ", "\u1fd3", "\u0f73",
         "\U0001d15e", "\u3099", "か\u3099", "\u034f", "\u20dd"]
EMOJI = ["🚀", "👩‍👩‍👧", "👍🏽", "🇩🇪", "🏴\U000e0067\U000e0062\U000e0073\U000e007f", "❤️", "1️⃣", "🏳️‍🌈", "☺", "🤦🏿‍♂️"]
SCRIPTS = ["北京", "世界。", "你好，", "日本語", "カタカナ", "안녕", "Привет", "мир", "κόσμος", "مرحبا", "،", "۔", "؟", "שלום", "नमस्ते", "।", "ไทย", "ქართული",
           "ኣማርኛ", "ᏣᎳᎩ", "𠀀𠀁", "𪜀", "𝒳𝔜", "𐍈", "𓀀", "ʰ", "ª", "ǅ", "ᾈ", "Ⅷ", "\u202e", "\u200f", "\u061c", "\u2067"]
NUMBERS = ["0", "7", "12", "123", "1234", "1234567", "3.14", "1,000", "½", "²", "٣", "٣٤٥", "४२", "Ⅷ", "㊿", "①②", "𝟘𝟙𝟚", "1790", "0x1F", "१२३४", "〇", "1a2b3",
           "10" * 20, "9" * 60]
CONTROL = ["\x00", "\x01", "\x07", "\x08", "\x1b[0m", "\x7f", "\x80", "\x9f", "\u00ad", "\ufffd", "\ufffd\ufffd", "\ufffe", "\uffff", "\U0001ffff",
           "\ufff9", "\U000e0001", "\ue000", "\U000f0000", "\U0010fffd", "\U0010ffff"]
CODE = ["for (let i = 0; i < n; i++) {", "    return x;\n", "\treturn a + b\n", "!==", "=>", "&&", "||", "#!/bin/sh\n", "<div>", "</h1>", "<table>",
        "{{", "}}", "\\n", "\\", "/*", "*/", "//", "///\n\n", "$x", "@a", "a_b", "__init__", "x[0]", "...", "…", "!!!", "?!\n", "--", "—", "==", "``",
        "\"", "(", ")", "|", "[.,]", "^", "~", "%"]
SPECIAL = ["</s>", "<s>", "<pad>", "<unk>", "<mask>", "<s", "s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>",
           "<bos>", "<eos>", "<start_of_turn>", "[INST]", "[/INST]", "<think>", "<0x0A>", "<0x41>", "▁", "▁▁", "▁a", "Ġ", "Ċ", "<repo_name>",
           "<|end", "oftext|>", "<tool_call>", "[multimodal]", "<|padding|>"]
WORDS = ["the", " the", "The", " whale", " nothing", "Congress", "NOTHING", " sea", "hello", "Hello", "WORLD", " I", "a", "b", "é", "naïve", "Straße",
         "camelCase", "HTTPServer", "iPhone", "ABCdef", "aB", "Ab", "été", "ÉTÉ"]
ALL = [SPACE, SPACE, CONTRACTED, MARKS, EMOJI, SCRIPTS, NUMBERS, CONTROL, CODE, SPECIAL, WORDS, WORDS]
LONG = [" " * n for n in (5, 8, 16, 23, 24, 25, 31, 64, 100, 257)] + ["\n" * n for n in (3, 5, 17, 80)] + ["\t" * 9, " \n" * 20, "\r\n" * 9,
        "a" * 300, "ab" * 200, "the" * 100, "▁" * 33, "ي" * 100, "北" * 120, "🚀" * 30, "\u0301" * 40, "1" * 301, "antidisestablishmentarianism" * 12,
        "'" * 40, "=" * 77, "." * 50, "\x00" * 20, "e\u0301" * 50, " a" * 60, "a " * 60, "<s>" * 10, "</s> " * 5]


def anywhere(random):
    """A character of any plane that the Unicode of this Python knows or that will never be assigned; newer ones are letters to some only."""
    while True:
        top = random.choice([0x80, 0x800, 0x3000, 0x10000, 0x20000, 0x110000])
        character = chr(random.randrange(top))
        if unicodedata.category(character) not in ("Cs", "Cn"):
            return character


def strings(count):
    source = random.Random(6)
    made = dict.fromkeys(["", *LONG, *[part for kind in ALL for part in kind], *[part + " " + part for part in [*SPECIAL, *CONTRACTED]]])
    while len(made) < count:
        kind = source.random()
        length = source.randrange(1, 9)
        if kind < 0.2:
            text = "".join(anywhere(source) for _ in range(length))
        elif kind < 0.3:
            text = source.choice(WORDS).join(anywhere(source) for _ in range(length))
        else:
            text = "".join(source.choice(source.choice(ALL)) for _ in range(length))
        made.setdefault(text)
    return list(made)[:count]


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir()
    texts = strings(1000)
    dump(FIXTURES / "strings.json", texts)
    for name, make in FAMILIES.items():
        folder = FIXTURES / name
        folder.mkdir()
        definition = make()
        dump(folder / "tokenizer.json", definition)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        ids = [tokenizer.encode(text).ids for text in texts]
        numbers = array("H", [number for each in ids for number in (len(each), *each)])
        (folder / "ids.bin").write_bytes(zlib.compress(numbers.tobytes(), 9))
        print(name, len(definition["model"]["vocab"]), "tokens,", sum(map(len, ids)), "ids")


if __name__ == "__main__":
    main()
