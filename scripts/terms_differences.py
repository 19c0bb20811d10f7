"""Differences in NDCG@10 between `mixed-log-q` with terms and each rival, tested over users and seeds by the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from scripts.study_runs import Line, runs_in
from scripts.terms_folds import is_of_a_window
from scripts.terms_lines import CONTENDER

KEY = ("log", "rival")
_FAMILY = "NDCG@10 in total"


def differences_of(study: Path) -> Iterator[Line]:
    """A line a rival, from the `significance.csv` of a study without folds and with terms after training, at dial 0."""
    path, configs = study / "significance.csv", [run.config for run in runs_in(study) if run.metrics["without_terms"]]
    folds = any(is_of_a_window(config["dataset"]) for config in configs)
    if not path.exists() or folds or all(config["settings"]["terms"] for config in configs):
        return
    rows = pl.read_csv(path, schema_overrides={"dial_a": pl.String, "dial_b": pl.String}).filter(
        pl.col("family") == _FAMILY,
        (pl.col("a") == CONTENDER) != (pl.col("b") == CONTENDER),
        *(pl.col(dial).is_null() | (pl.col(dial) == "0") for dial in ("dial_a", "dial_b")),
    )
    for row in rows.iter_rows(named=True):
        first = row["a"] == CONTENDER
        low, high = (row["low"], row["high"]) if first else (row["high"], row["low"])
        sign = 1 if first else -1
        values = {"difference": row["difference"], "low": low, "high": high}
        yield {
            "log": row["dataset"],
            "rival": row["b" if first else "a"],
            **{name: None if value is None else sign * value for name, value in values.items()},
            "p_holm": row["p_holm"],
            "runs": row["runs"],
            "users": row["users"],
        }


def differences_table(lines: Iterable[Line]) -> list[str]:
    """Of one log."""
    return [
        "| rival | runs | users | NDCG@10 ahead by, % | 95 % interval | p (Holm) |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{line['rival']}` | {line['runs']} | {line['users']:,} | {_percent(line['difference'])} | "
            + ("not tested | |" if line["p_holm"] is None else f"{_interval(line)} | {_p(line['p_holm'])} |")
            for line in lines
        ),
    ]


def _interval(line: Line) -> str:
    return f"{_percent(line['low'])} to {_percent(line['high'])}"


def _percent(value: float) -> str:
    return f"{100 * value:+.2f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
