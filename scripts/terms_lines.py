"""What the page of terms has of each run, and its means by log, targets, way and method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from negsample.errors import InputError
from negsample.runs.folder import Run, read_grid
from scripts.study_runs import BASELINE, Figures, Line, as_trained, at_dial_zero, of_parts, runs_in, summary

SHOWN = ("ndcg@10", "balance@10")
WORDS = {"ndcg@10": "NDCG@10", "balance@10": "Balance@10"}
CONTENDER = "mixed-log-q"
"""The method that is set against each rival, at settings of the dial."""
TRAINED, REFIT, AFTER = "as trained", "refit", "refit, terms after training"
ALONG, BOTH = "terms trained along, refit", "terms trained along, refit, and after training"
WAYS = (TRAINED, REFIT, AFTER, ALONG, BOTH)
TARGETS = ("rows", "moments", "horizon")
NO_TARGETS = ""
"""Those of a baseline."""
KEY = ("log", "targets", "way", "method", "seed")
Found = dict[tuple[str, str], dict[str, Figures]]
"""Of a log: by targets and way, then by method. Beside means the figures have `settings`, those that are not defaults,
and for the contender with terms fitted after training `dial`: means at each setting, with its `beta`."""


def lines_of(study: Path) -> Iterator[Line]:
    """The lines of each run; all figures at dial 0, whatever the dial of the run.

    Raises:
        InputError: a trained run has no refit.
    """
    for run in runs_in(study):
        config, metrics = run.config, run.metrics
        if not metrics["refit"] and metrics["age_days"] is not None:
            raise InputError(
                f"{run.folder} has no refit, and this page is of runs with one; make the study with --refit"
            )
        plain = as_trained(run)
        if not metrics["refit"]:
            yield _line(run, NO_TARGETS, BASELINE, plain, "test")
            continue
        targets, along = config["settings"]["targets"], bool(config["settings"].get("terms"))
        if not along:
            yield _line(run, targets, TRAINED, plain, "test_before_refit")
        yield _line(run, targets, ALONG if along else REFIT, plain, "test")
        if metrics["without_terms"]:
            fitted = _line(run, targets, BOTH if along else AFTER, at_dial_zero(run), "test")
            yield fitted | ({"dial": _settings_of_dial(run)} if config["method"] == CONTENDER else {})


def _line(run: Run, targets: str, way: str, parts: Mapping[str, Mapping[str, Any]], test: str) -> Line:
    config, identity = run.config, run.config["identity"]
    of = {"log": config["dataset"], "targets": targets, "way": way, "method": config["method"], "seed": config["seed"]}
    told = {"dataset_fingerprint": config["dataset_fingerprint"]}
    told |= {name: identity[name] for name in ("settings", "negatives")}
    return of | told | of_parts(parts["valid"], parts[test], SHOWN)


def _settings_of_dial(run: Run) -> list[Line]:
    grid = read_grid(run.folder)
    figures = zip(grid.betas, grid.valid, grid.test, strict=True)
    return [{"beta": beta} | of_parts(valid, test, SHOWN) for beta, valid, test in figures]


def by_log(lines: Iterable[Line]) -> dict[str, Found]:
    """The means of `lines`.

    Raises:
        InputError: those of one log are of several datasets, or those of one mean of several settings.
    """
    grouped: dict[str, dict[tuple[str, str], dict[str, list[Line]]]] = {}
    first_of: dict[str, Line] = {}
    for line in lines:
        _check_same(first_of.setdefault(line["log"], line), line, ("dataset_fingerprint",))
        of = grouped.setdefault(line["log"], {}).setdefault((line["targets"], line["way"]), {})
        of.setdefault(line["method"], []).append(line)
    return {
        log: {of: {method: _means(each) for method, each in methods.items()} for of, methods in ways.items()}
        for log, ways in grouped.items()
    }


def _check_same(line: Line, other: Line, names: Sequence[str]) -> None:
    for name in names:
        if line[name] != other[name]:
            one, two = ("; ".join(str(each[key]) for key in KEY if each[key] != "") for each in (line, other))
            raise InputError(
                f"{name} must be the same for one mean, got {line[name]} ({one}) and {other[name]} ({two}); "
                "keep the lines of one of them in runs.jsonl"
            )


def _means(lines: Sequence[Line]) -> Figures:
    for line in lines:
        _check_same(lines[0], line, ("settings", "negatives"))
    found = summary(lines, SHOWN) | {"settings": lines[0]["settings"]}
    if "dial" in lines[0]:
        found["dial"] = list(_means_by_dial([line["dial"] for line in lines]))
    return found


def _means_by_dial(dials: Sequence[Sequence[Line]]) -> Iterator[Figures]:
    """At each setting that all runs have, with no figure undefined."""
    by_beta = [{each["beta"]: each for each in dial} for dial in dials]
    for beta in by_beta[0]:
        runs = [each[beta] for each in by_beta if beta in each]
        if len(runs) == len(dials) and all(len(run) == 1 + 2 * len(SHOWN) for run in runs):
            yield summary(runs, SHOWN) | {"beta": beta}
