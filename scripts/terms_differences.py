"""Differences between `mixed-log-q` with terms and each rival, tested over users and seeds by the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from scripts.study_runs import Line, runs_in
from scripts.terms_folds import is_of_a_window
from scripts.terms_lines import CONTENDER, SHOWN, WORDS

KEY = ("log", "rival", "measure")
_FAMILIES = ("NDCG@10 in total", "Balance")


def differences_of(study: Path) -> Iterator[Line]:
    """A line a rival and measure, from the `significance.csv` of a study without folds and with terms after training;
    at dial 0."""
    path, configs = study / "significance.csv", [run.config for run in runs_in(study) if run.metrics["without_terms"]]
    folds = any(is_of_a_window(config["dataset"]) for config in configs)
    if not path.exists() or folds or all(config["settings"]["terms"] for config in configs):
        return
    rows = pl.read_csv(path, schema_overrides={"dial_a": pl.String, "dial_b": pl.String}).filter(
        pl.col("family").is_in(_FAMILIES),
        (pl.col("a") == CONTENDER) != (pl.col("b") == CONTENDER),
        *(pl.col(dial).fill_null("").is_in(["", "0"]) for dial in ("dial_a", "dial_b")),
    )
    for row in rows.iter_rows(named=True):
        first = row["a"] == CONTENDER
        ends = {"low": "low", "high": "high"} if first else {"low": "high", "high": "low"}
        values = {"difference": row["difference"]} | {name: row[end] for name, end in ends.items()}
        yield {
            "log": row["dataset"],
            "rival": row["b" if first else "a"],
            "measure": row["measure"],
            **{name: value if value is None or first else -value for name, value in values.items()},
            "p_holm": row["p_holm"],
            "runs": row["runs"],
            "users": row["users"],
        }


def differences_table(lines: Iterable[Line]) -> list[str]:
    """Of one log: a line a rival."""
    by_rival: dict[str, dict[str, Line]] = {}
    for line in lines:
        by_rival.setdefault(line["rival"], {})[line["measure"]] = line
    return [
        " | ".join(["| rival", *(f"{WORDS[name]} ahead by, % | 95 % interval | p (Holm)" for name in SHOWN)]) + " |",
        "|" + "---|" * 7,
        *(
            " | ".join([f"| `{rival}`", *(_cells(of[name], name) for name in SHOWN)]) + " |"
            for rival, of in by_rival.items()
        ),
    ]


def _cells(line: Line, measure: str) -> str:
    digits = 1 if "balance" in measure else 2
    difference, low, high = (
        "n/a" if line[name] is None else f"{100 * line[name]:+.{digits}f}" for name in ("difference", "low", "high")
    )
    p = line["p_holm"]
    return f"{difference} | " + ("| not tested" if p is None else f"{low} to {high} | {_p(p)}")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
