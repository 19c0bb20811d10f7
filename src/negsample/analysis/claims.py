"""Whether "this method is above the others" holds: three verdicts, and the words for what they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from negsample.analysis.formats import SPACE, listed
from negsample.analysis.significance import Difference

Verdict = Literal["holds", "does not hold", "cannot be told here"]
Way = Literal["higher", "lower"]
_NAMED = 4  # methods; more are counted
_TINY = 0.001  # a p below it is not told


class Judged(NamedTuple):
    """A claim that a method is above (or below) each of some others, by their tests.

    ``agrees``, ``contrary``: the methods from which it differs significantly, as claimed or the other way. ``level``:
    no significant difference. ``untested``: by the reason.
    """

    verdict: Verdict
    agrees: dict[str, Difference]
    contrary: dict[str, Difference]
    level: dict[str, Difference]
    untested: dict[str, list[str]]

    @property
    def asked(self) -> int:
        """How many others there are."""
        return len(self.agrees) + len(self.contrary) + len(self.level) + sum(map(len, self.untested.values()))

    @property
    def detectable(self) -> float | None:
        """The smallest difference that would have been found against every method at a level with it."""
        return max((each.detectable for each in self.level.values() if each.detectable), default=None)


def judged(tests: Mapping[str, Difference | None], way: Way = "higher") -> Judged:
    """``holds`` where every other method is tested and significantly on the claimed side, ``does not hold`` where one
    is significantly on the other side, else it cannot be told.

    Args:
        tests: by the name of the other method, what the claim is about less that method; None: never compared.
        way: whether the claim is that it is higher, or lower.
    """
    agrees: dict[str, Difference] = {}
    contrary: dict[str, Difference] = {}
    level: dict[str, Difference] = {}
    untested: dict[str, list[str]] = {}
    for other, each in tests.items():
        if each is None or each.p_holm is None or each.difference is None:
            untested.setdefault("no ranks by event" if each is None else each.untested, []).append(other)
        elif not each.significant:
            level[other] = each
        elif (each.difference > 0) == (way == "higher"):
            agrees[other] = each
        else:
            contrary[other] = each
    verdict: Verdict = "cannot be told here"
    if contrary:
        verdict = "does not hold"
    elif tests and len(agrees) == len(tests):
        verdict = "holds"
    return Judged(verdict, agrees, contrary, level, untested)


def told(found: Judged, way: Way = "higher") -> str:
    """On what the verdict stands: ``significantly higher than `a`; no significant difference from `b` (...)``."""
    opposite: Way = "lower" if way == "higher" else "higher"
    all_others = not (found.contrary or found.level or found.untested) and len(found.agrees) > _NAMED
    parts = []
    if found.agrees:
        who = f"all {len(found.agrees)} others" if all_others else _counted(list(found.agrees))
        parts.append(f"significantly {way} than {who} ({_p(found.agrees)})")
    if found.contrary:
        parts.append(f"significantly {opposite} than {_counted(list(found.contrary))} ({_p(found.contrary)})")
    if found.level:
        reach = "" if found.detectable is None else f", smallest detectable difference {points(found.detectable)}"
        parts.append(
            f"no significant difference from {_counted(list(found.level))} ({_p(found.level, above=True)}{reach})"
        )
    parts += [f"not tested against {_counted(names)} ({why})" for why, names in found.untested.items()]
    return "; ".join(parts)


def points(fraction: float) -> str:
    """A difference in percentage points, with three digits that mean something."""
    return f"{100 * fraction:.2g}{SPACE}percentage points"


def p_text(p: float) -> str:
    """``p 0.012``, or ``p below 0.001``."""
    return f"p below{SPACE}{_TINY}" if p < _TINY else f"p{SPACE}{p:.2g}"


def _p(tests: Mapping[str, Difference], above: bool = False) -> str:
    """The p that is nearest to the 5 % line, which the others are below or ``above``, and who is borderline."""
    known = {name: each.p_holm for name, each in tests.items() if each.p_holm is not None}
    nearest = min(known.values()) if above else max(known.values())
    text = p_text(nearest)
    if len(known) > 1 and nearest >= _TINY:
        text += " or more" if above else " or less"
    near = [f"`{name}`" for name, each in tests.items() if each.borderline]
    if not near:
        return text
    return f"{text}, borderline" if len(known) == 1 else f"{text}, borderline: {listed(near)}"


def _counted(names: Sequence[str]) -> str:
    return listed([f"`{name}`" for name in names]) if len(names) <= _NAMED else f"{len(names)} methods"
