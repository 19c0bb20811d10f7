"""`python -m scripts.figures_in_docs`: every figure in README.md and in some pages of docs, against committed results.

A page's figures are its numbers with a unit (%, ms, s, min, MB, GB, times, points ...). Each must stand in a sentence
of `scripts/claims.py`: a template whose numbers are filled from a file of `benchmarks/results` or of `docs/studies`, or
a phrase that states a rule or an example and no measurement. Prints what disagrees, and what must be there instead.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
_NUMBER = r"[-+±]?\d[\d,]*(?:\.\d+)?"
_UNIT = r"(?:%|ms\b|s\b|seconds\b|min\b|minutes\b|hours\b|[KMG]i?B\b|times\b|points\b)"
FIGURE = re.compile(rf"(?<![\w.@-]){_NUMBER}(?:(?:, | and | to | or | against | / | ±){_NUMBER})* ?{_UNIT}")


class Measured(NamedTuple):
    """A sentence with `{}` for each figure, and where these come from."""

    says: str
    values: Callable[[], Sequence[Any]]

    def text(self) -> str:
        """The sentence as it must stand."""
        return self.says.format(*self.values())


class Stated(NamedTuple):
    """A phrase whose figures are no measurement of ours: a rule, a setting, a formula, an example with its date."""

    says: str

    def text(self) -> str:
        """The phrase."""
        return self.says


Claim = Measured | Stated


@cache
def result(name: str) -> Any:
    """A file of `benchmarks/results`, or `docs/studies/NAME/figures.json` as `study:NAME`."""
    kind, _, rest = name.rpartition(":")
    path = ROOT / "docs/studies" / rest / "figures.json" if kind == "study" else ROOT / "benchmarks/results" / name
    return json.loads(path.read_text(encoding="utf-8"))


def pick(rows: Sequence[Mapping[str, Any]], **where: Any) -> Mapping[str, Any]:
    """The one row with these values."""
    found = [row for row in rows if all(row.get(key) == value for key, value in where.items())]
    assert len(found) == 1, f"{len(found)} rows have {where}"
    return found[0]


def problems(text: str, claims: Sequence[Claim]) -> list[str]:
    """What is wrong with a page: sentences that are not there as they must be, and figures that stand in none."""
    plain, covered, found = _plain(text), [], []
    for claim in claims:
        wanted = _plain(claim.text())
        places = [match.span() for match in re.finditer(re.escape(wanted), plain)]
        if not places:
            found.append(f"not on the page: {wanted!r}")
        covered += places
    for match in _figures(plain):
        if not any(start <= match.start() and match.end() <= end for start, end in covered):
            found.append(
                f"no source: {match.group()!r} in ...{plain[max(match.start() - 60, 0) : match.end() + 30]}..."
            )
    return found


def _figures(plain: str) -> Iterator[re.Match[str]]:
    return FIGURE.finditer(plain)


def _plain(text: str) -> str:
    """One line, without the addresses of links (in whose names digits are no figures)."""
    return re.sub(r"\s+", " ", re.sub(r"\]\([^)]*\)", "]", text))


def main() -> None:
    """Print the problems of all pages; exit code 1 where there are any."""
    from scripts.claims import PAGES

    found = [f"{page}: {each}" for page, claims in PAGES.items() for each in problems(_read(page), claims)]
    print("\n".join(found) or "every figure has its source")
    sys.exit(bool(found))


def _read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
