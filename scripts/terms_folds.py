"""Studies with `--folds` and `--terms auto` as tables of the page of terms: test windows that follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean

from scripts.study_runs import BASELINE, Line
from scripts.terms_lines import AFTER, REFIT, lines_of

KEY = ("log", "window", "way", "method", "seed")
_OF_FOLD = ".fold-"


def is_of_a_window(log: str) -> bool:
    """Whether a dataset of this name is a fold."""
    return _OF_FOLD in log


def windows_of(study: Path) -> Iterator[Line]:
    """A line a run and way, as tested; none of a study without folds."""
    for line in lines_of(study):
        log, fold, number = line["log"].rpartition(_OF_FOLD)
        if fold and line["way"] in (REFIT, AFTER, BASELINE):
            figures = {name: line[name] for name in ("test_ndcg@10", "test_balance@10") if name in line}
            of = {"log": log, "window": int(number.partition("-")[0])}
            yield of | {name: line[name] for name in ("way", "method", "seed")} | figures


def windows_table(lines: Iterable[Line]) -> list[str]:
    """Of one log: a line a method and way, a column a window, and the mean over windows of the mean over seeds."""
    found: dict[tuple[str, str], dict[int, list[Line]]] = {}
    for line in lines:
        found.setdefault((line["method"], line["way"]), {}).setdefault(line["window"], []).append(line)
    windows = sorted({window for of in found.values() for window in of})
    rows = []
    for (method, way), of in found.items():
        if of.keys() == set(windows):
            means = [_means(of[window]) for window in windows]
            mean = tuple(fmean(each) for each in zip(*means, strict=True))
            rows.append((mean[0], [f"`{method}`", "no model" if way == BASELINE else way, *map(_text, (*means, mean))]))
    head = ["method", "way", *(f"window {window}" for window in windows), "mean"]
    table = [head, ["---"] * len(head), *(cells for _, cells in sorted(rows, reverse=True))]
    return ["| " + " | ".join(cells) + " |" for cells in table]


def _means(lines: Sequence[Line]) -> tuple[float, float]:
    """Without a hit there is no Balance@10; it counts 0."""
    return fmean(each["test_ndcg@10"] for each in lines), fmean(each.get("test_balance@10", 0.0) for each in lines)


def _text(figures: Sequence[float]) -> str:
    ndcg, balance = (100 * each for each in figures)
    return f"{ndcg:.2f}; {balance:.1f}"
