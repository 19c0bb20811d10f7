"""Ids as logs have them: numbers and text of many styles, and words that say that there is none."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

from benchmarks.reliability.made_logs import MISSING

Style = Callable[[int], str]
NUMBERS: list[Style] = [
    lambda n: str(n + 1),
    lambda n: str(n + 1),
    lambda n: str(n),
    lambda n: str(1000 + 37 * n),
    lambda n: str(10**12 + 7919 * n),
    lambda n: str(2**53 + n),
    lambda n: str(9 * 10**18 + n),
    lambda n: str(-n - 1),
]
"""Of which a typed column may be one of integers."""
CODES: list[Style] = [
    "{:06}".format,
    "u{}".format,
    "B00{:07X}".format,
    "A3{:010X}".format,
    lambda n: str(2**64 + n),
    lambda n: str(uuid.UUID(int=n * 2**70 + n)),
    lambda n: f"{(n + 1) * 2654435761 % 2**32:08x}",
    "{}.0".format,
    "{}.5".format,
    "é{}商".format,
    "😀{}".format,
    "1e{}".format,
    lambda n: "Ann" * (n % 2) + "ann" * (n % 3) + f"x{n}",
    lambda n: "x" * 300 + str(n),
    lambda n: (
        ["true", "false", "inf", "0", "00", "-1", "+1", "1_0", "TRUE", "e", "None.", "na1"][n % 12] + "~" * (n // 12)
    ),
]
"""Without white space, quotes and delimiters."""
WORDS: list[Style] = [
    "ann lee {}".format,
    "a, b {}".format,
    'the "{}"'.format,
    '"{}"'.format,
    "x;y{}".format,
    "p|q{}".format,
    "k::l{}".format,
    "o'c{}".format,
    "#{}".format,
    "[{}]".format,
    '{{"a": {}}}'.format,
    "a\\b{}".format,
    "http://x.org/y?a={}&b=2".format,
    "ann{}@x.org".format,
    "2014-05-{:02}".format,
    "c:{}".format,
    "a=b{}".format,
    "a+b{}".format,
    "100%{}".format,
    "$'{}".format,
]
_ABSENT = {form for word in MISSING for form in (word, word.lower(), word.upper(), word.title())}
TITLES = [
    "plain",
    "a, b",
    'the "x"',
    '"whole"',
    "two\nlines",
    "",
    "5; 6",
    "tab\there",
    "Zoë 商品",
    "a|b|c",
    "7",
    "o'c",
    "\\",
]


def style(chance: random.Random, plain: bool) -> tuple[Style, bool]:
    """A style, and whether its ids are whole numbers; ``plain``: without white space, quotes and delimiters."""
    family = chance.choices([NUMBERS, CODES, WORDS], [5, 3, 0 if plain else 2])[0]
    return chance.choice(family), family is NUMBERS


def missing(chance: random.Random) -> str:
    """A word where there is no id."""
    return chance.choice([*MISSING, "", ""])


def is_missing(text: str, keep: bool = False) -> bool:
    """Whether it is no id; ``keep``: the words are."""
    return text.strip() == "" or (not keep and text.strip() in _ABSENT)
