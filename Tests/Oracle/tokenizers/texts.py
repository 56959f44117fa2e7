"""Texts for the tokenizers' golden files: hand-picked ones, then random mixtures, the same for a
seed.

A golden file has one line a text: the text's bytes in hexadecimal, a tab, the ids with spaces
between.
"""

import argparse
import random
import unicodedata

PICKED = [
    "",
    " ",
    "  ",
    " " * 14,
    " " * 16,
    " " * 33,
    "a" + " " * 16 + "b",
    "Hello world",
    " Hello",
    "  two  spaces ",
    "def f(x):\n    return x",
    "\r\n",
    "a\0b",
    "日本",
    "😀",
    "🦙",
    "\u0301x",
    "ﬁ Å",
    "<s>[INST]",
    "[INST] Hi [/INST]",
    "<0x0A>",
    "1234",
    "xxxxxxx",
    "▁",
    "naïve café\t!",
    "a\n\nb",
    "year 2024!",
    "a  2",
    "don't",
    "DON'T",
    "it's 5's",
    "²½Ⅷ٣",
    "e\u0301x",
    "x  y\t\tz",
    "<|im_end|>",
    "HelloWORLDfoo",
    "http://a/b//\n\nc",
    "日A",
    "WORLDfoo",
    "\t\n \n  x",
    "we'll've'd",
    "👩‍👩‍👧‍👦",
    "\uffff\ufffe\U0010ffff\ue000",
    "\u3000\u2028\u00a0x",
    "ǅ ǆ Ǆ",
    "a/b/\r\n\r\n  c",
]
WORDS = (
    "the of and to in is you that it he was for on are as with his they I at be this have "
    "from or one had "
    "by word but not what all were we when your can said there use an each which she do how "
    "their if will "
    "Haus über größer straße où été garçon niño señor перевод слово Ελλάδα λόγος 日本語 中文 한국어 नमस्ते "
    "العربية עברית ไทย return import self.x == != -> {} [] () ; : // # \" ' ` ~ @ $ % ^ & * 0"
    " 1 42 3.14 "
    "2024 HTTPServer camelCase snake_case don't it's we'll I'd you're xxxxxx ......"
).split()
SPACES = [" "] * 12 + [
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    " \n",
    "\u00a0",
    "\u3000",
    "\u2003",
    "        ",
]
RANGES = [
    (0x20, 0x7E),
    (0x00, 0x1F),
    (0xA0, 0x24F),
    (0x300, 0x36F),
    (0x370, 0x52F),
    (0x590, 0x6FF),
    (0x900, 0xD7F),
    (0x1E00, 0x206F),
    (0x2070, 0x2BFF),
    (0x3000, 0x30FF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0xE000, 0xE010),
    (0xFB00, 0xFFFD),
    (0x10000, 0x10FFF),
    (0x1D400, 0x1D7FF),
    (0x1F300, 0x1FAFF),
]


def command_line(description):
    """The parser of a script that writes a golden file."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("model"), parser.add_argument("out")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    return parser


def any_scalar(rng):
    low, high = rng.choice(RANGES)
    return chr(rng.randint(low, high))


def some_text(rng, longest):
    parts = []
    for _ in range(rng.randint(1, longest)):
        kind = rng.random()
        if kind < 0.45:
            parts.append(rng.choice(WORDS) + rng.choice(SPACES))
        elif kind < 0.6:
            parts.append(rng.choice(SPACES) * rng.randint(1, 3))
        elif kind < 0.7:
            parts.append(str(rng.randint(0, 10 ** rng.randint(1, 9))))
        elif kind < 0.8:
            parts.append(
                "".join(
                    rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGH")
                    for _ in range(rng.randint(1, 12))
                )
            )
        elif kind < 0.9:
            parts.append("".join(any_scalar(rng) for _ in range(rng.randint(1, 4))))
        else:
            parts.append(rng.choice(PICKED))
    return "".join(parts)


def texts(seed, count, longest=12, keep=lambda text: True):
    """Hand-picked texts, then `count` random ones; only those that `keep` accepts."""
    rng = random.Random(seed)
    yield from filter(keep, PICKED)
    found = 0
    while found < count:
        text = some_text(rng, longest)
        if keep(text):
            found += 1
            yield text


def has_mark(text):
    return any(unicodedata.category(c).startswith("M") for c in text)


def write(path, pairs):
    with open(path, "w") as file:
        for data, ids in pairs:
            file.write(data.hex() + "\t" + " ".join(map(str, ids)) + "\n")
