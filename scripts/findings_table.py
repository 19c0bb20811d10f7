"""The paper's three findings beside the figures of the studies in `docs/studies`, as a table of `docs/paper.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.figures_in_docs import pick, result

STUDIES = {
    "beauty-published": "Beauty 5-core, published settings",
    "beauty-5core": "Beauty 5-core, tuned",
    "online-retail": "Online Retail, tuned",
    "movielens-100k": "MovieLens 100K, tuned",
    "globo-clicks": "Globo news, defaults",
}
LEVEL = 0.05
Row = Mapping[str, Any]


def lines() -> list[str]:
    """Two lines of head and one a study; `*` after a comparison whose p after Holm's correction is below 5 %."""
    return [
        "| study | NDCG@10 on the head over that on the tail; Balance | popularity-based against `random`: Balance; "
        "NDCG@10 | `adaptive-mixed` against the best of the others: NDCG@10 |",
        "|---|---|---|---|",
        *(f"| [{name}](studies/{study}/README.md) | {' | '.join(_cells(study))} |" for study, name in STUDIES.items()),
    ]


def _cells(study: str) -> list[str]:
    found = result(f"study:{study}")
    rows = [row for row in found["table"] if row["method"] != "PopRec"]
    random, mixed = (pick(rows, method=name) for name in ("random", "adaptive-mixed"))
    others = [row for row in rows if row is not random]
    by_popularity = [pick(rows, method=name) for name in ("popularity", "in-batch")]
    best = max((row for row in rows if row is not mixed), key=lambda row: float(row["ndcg@10"]))
    ratios = [_ratio(row) for row in others]
    return [
        f"`random` {_times(_ratio(random))}, the others {_times(min(ratios))} to {_times(max(ratios))}; Balance "
        f"{_percent(random, 'balance@10', 0)} and {_range(others)} %",
        "; ".join(
            f"`{row['method']}` {_against(found['significance'], row, random, 'balance@10', 0)}, "
            f"{_against(found['significance'], row, random, 'ndcg@10', 2)}"
            for row in by_popularity
        ),
        f"{_against(found['significance'], mixed, best, 'ndcg@10', 2)} (`{best['method']}`)",
    ]


def _ratio(row: Row) -> float:
    return row["head_ndcg@10"] / row["tail_ndcg@10"] if row["tail_ndcg@10"] else float("inf")


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.1f}"


def _range(rows: Sequence[Row]) -> str:
    values = [100 * row["balance@10"] for row in rows]
    return f"{min(values):.0f} to {max(values):.0f}"


def _percent(row: Row, measure: str, digits: int) -> str:
    return f"{100 * row[measure]:.{digits}f}"


def _of_table(test: Row) -> bool:
    """At dial 0, as these studies' tables are; studies tested before December 2026 name the family instead."""
    return test["at"] == "table" if "at" in test else {test["dial_a"], test["dial_b"]} <= {"0", "", None}


def _against(tests: Sequence[Row], row: Row, other: Row, measure: str, digits: int) -> str:
    pair = {row["method"], other["method"]}
    (test,) = (
        each
        for each in tests
        if each["measure"] == measure and each["scope"] == "all" and _of_table(each) and {each["a"], each["b"]} == pair
    )
    mark = "*" if test["p_holm"] < LEVEL else ""
    return f"{_percent(row, measure, digits)} against {_percent(other, measure, digits)} %{mark}"


if __name__ == "__main__":
    print("\n".join(lines()))
