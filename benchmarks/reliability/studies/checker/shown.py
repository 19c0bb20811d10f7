"""Numbers as a page shows them, against what they should be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def shows(text: str, value: float | None, factor: float = 1.0) -> bool:
    """Whether the number in ``text`` is ``factor * value``, rounded to the digits that are shown."""
    found = _NUMBER.search(text)
    if value is None or found is None:
        return value is None and text in ("n/a", "undefined", "")
    shown = found[0].replace(",", "")
    if "e" in shown:
        return abs(float(shown) - factor * value) <= 0.05 * abs(factor * value)
    digits = len(shown.partition(".")[2])
    return abs(float(shown) - factor * value) <= 0.5 * 0.1**digits * (1 + 1e-6) + 1e-12


def shows_digits(text: str, value: float, digits: int = 2) -> bool:
    """Whether ``text`` is ``value`` with so many significant digits."""
    either = {float(f"{each:.{digits}g}") for each in (value * (1 - 1e-9), value * (1 + 1e-9))}
    found = _NUMBER.fullmatch(text)
    return found is not None and float(text.replace(",", "")) in either


def shows_seconds(text: str, value: float) -> bool:
    """A duration: ``8.4 s``, ``25 min``, ``1 h 04 min``."""
    units = {"s": 1.0, "min": 60.0, "h": 3600.0}
    parts = re.findall(r"([\d.]+) (s|min|h)\b", text)
    if not parts:
        return False
    total = sum(float(number) * units[unit] for number, unit in parts)
    last, unit = parts[-1]
    digits = len(last.partition(".")[2])
    return abs(total - value) <= 0.5 * 0.1**digits * units[unit] * (1 + 1e-6)


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def expect(what: str, shown: object, true: object) -> Iterator[str]:
    """A fault where the two are not the same."""
    if shown != true:
        yield f"{what}: shown {shown!r}, by the runs {true!r}"
