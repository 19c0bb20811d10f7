"""Rows and tests made by hand: what words and marks are made from, without a study on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from negsample.analysis.measures import FAMILIES
from negsample.analysis.significance import Comparisons, Difference

SIGNIFICANT, LEVEL = 0.001, 0.5


def row(method: str, ndcg: float, tail: float = 0.002, balance: float | None = 0.6, **more: Any) -> dict[str, Any]:
    """A row of the table: hits in total twice the NDCG, on the head three times, on mid items as much."""
    found = {"method": method, "runs": 3, "train_seconds": 100.0, "steps_per_second": 5.0, "coverage@10": 0.1}
    for scope, hits in (("", 2 * ndcg), ("head_", 3 * ndcg), ("mid_", ndcg), ("tail_", tail)):
        found |= {f"{scope}hr@10": hits, f"{scope}ndcg@10": hits / 2}
    found |= {"balance@10": balance, "dial": None if method == "PopRec" else 0.0}
    return found | {f"{name}_sd": 0.0005 for name in ("ndcg@10", "hr@10", "tail_hr@10", "balance@10")} | more


def popular(ndcg: float = 0.003, tail: float = 0.0) -> dict[str, Any]:
    return row("PopRec", ndcg, tail, 1 / 3, train_seconds=0.0)


def once(each: dict[str, Any]) -> dict[str, Any]:
    return {key: None if key.endswith("_sd") else value for key, value in each.items()} | {"runs": 1}


def comparisons(
    rows: Sequence[dict[str, Any]],
    p: Callable[[str, str, str, str], float | None] = lambda measure, scope, a, b: SIGNIFICANT,
    why: str = "one run of a method",
) -> Comparisons:
    """All pairs of ``rows`` in all families; ``p``: the adjusted p by measure, scope, a and b, None: not tested."""
    found = []
    for family, keys in FAMILIES.items():
        for measure, scope in keys:
            for a, b in combinations(rows, 2):
                name = measure if scope == "all" else f"{scope}_{measure}"
                own = p(measure, scope, a["method"], b["method"])
                apart = None if None in (a[name], b[name]) else a[name] - b[name]
                known = None if apart is None or own is None else own
                ends = (None,) * 4 if known is None else (0.001, 10.0, (apart or 0.0) - 0.002, (apart or 0.0) + 0.002)
                key = (a["method"], _dial(a), b["method"], _dial(b))
                tested = (*ends, known, known, None if known is None else 0.004)
                found.append(
                    Difference(
                        "beauty", family, measure, scope, *key, apart, *tested, 1234, 3, why if known is None else ""
                    )
                )
    return Comparisons(found, {each["method"]: (each["dial"],) for each in rows})


def _dial(each: dict[str, Any]) -> str:
    return "" if each["dial"] is None else f"{each['dial']:g}"
