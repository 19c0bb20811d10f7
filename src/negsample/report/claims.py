"""Claims as lines of a table: what is claimed, whether it holds, and against which methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from negsample.analysis.claims import Judged
from negsample.analysis.significance import Difference
from negsample.analysis.tables import TableRow
from negsample.report.formats import SPACE, listed
from negsample.report.table import ShownTable

_NAMED = 6  # methods; more are counted
_TINY = 0.001  # a p below it is shown as "below"


def claims_table(label: str, claims: Sequence[tuple[str, Judged]]) -> ShownTable:
    """A line a claim: its verdict, and who differs how."""
    lines = []
    for text, found in (each for each in claims if each[1].others):
        undecided = _tested(found.undecided, above=True)
        if found.undecided and found.detectable is not None:
            undecided += f"; smallest detectable difference {100 * found.detectable:.2g}{SPACE}percentage points"
        untested = "; ".join(f"{_counted(names)}: {why}" for why, names in found.untested.items())
        lines.append((text, found.verdict, _tested(found.agree), _tested(found.contrary), undecided, untested))
    headings = ("Claim", "On test", "Significant as claimed", "Significant the other way")
    return ShownTable(label, (*headings, "No significant difference", "Not tested"), lines, kind="text claims")


def called(row: TableRow) -> str:
    """A method as it stands in a sentence, with its dial where that is turned."""
    return f"`{row['method']}`" + (f" at dial {row['dial']:+g}" if row.get("dial") else "")


def p_text(p: float) -> str:
    """``p 0.012``, or ``p below 0.001``."""
    return f"p below{SPACE}{_TINY}" if p < _TINY else f"p{SPACE}{p:.2g}"


def _tested(tests: Mapping[str, Difference], above: bool = False) -> str:
    """The methods, the p that is nearest to the 5 % line, which the others are below or ``above``, and who is
    borderline."""
    if not tests:
        return ""
    known = [each.p_holm for each in tests.values() if each.p_holm is not None]
    nearest = min(known) if above else max(known)
    text = p_text(nearest)
    if len(known) > 1 and _TINY <= nearest < 0.995:
        text += " or more" if above else " or less"
    near = [f"`{name}`" for name, each in tests.items() if each.borderline]
    if near:
        text += ", borderline" if len(known) == 1 else f", borderline: {listed(near)}"
    return f"{_counted(list(tests))} ({text})"


def _counted(names: Sequence[str]) -> str:
    return listed([f"`{name}`" for name in names]) if len(names) <= _NAMED else f"{len(names)} methods"
