"""A study's figures beside those that the paper published, each with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from negsample.analysis.measures import BALANCE
from negsample.analysis.study import Study
from negsample.errors import InputError
from negsample.methods import PAPER_SIX, POPREC
from negsample.paper.published import DATASETS, PUBLISHED_SCOPES, PublishedFigure, name_of, table2, table3

MEASURES = (*(name_of(scope, kind) for kind in ("hr", "ndcg") for scope in PUBLISHED_SCOPES), BALANCE)
"""The columns of the paper's Table 3, in its order."""
SPREADS = 2
"""Standard deviations of the published runs that count as their spread."""
_NAMED = {"adaptive-in-batch": "adaptive"}  # what the runs behind the paper's table call it
OTHER_POOL = "adaptive"
"""The method of the paper's text, with a random pool: the published figures are of a pool from the batch."""


class Beside(NamedTuple):
    """A figure of ours beside a published one, both in %.

    ``dataset``: the study's; ``published_dataset``: the paper's that it stands beside, ``stand_in``: whether it is
    other data. ``method``: the study's, or of the paper's Table 2 the cohort, whose ``measure`` is ``items`` (its share
    of the catalogue) or ``mpu``. ``verdict``: ``within`` the published spread, mean +- 2 sd; ``above`` or ``below`` it;
    ``none``: ours is not defined; ``other``: ours is another method (``OTHER_POOL``). For what was published without a
    spread (PopRec, which is not random, and cohorts) ``equal`` to the digits published, or ``above`` or ``below``.
    """

    dataset: str
    published_dataset: str
    stand_in: bool
    method: str
    measure: str
    published: float
    published_sd: float | None
    published_runs: int
    ours: float | None
    ours_sd: float | None
    runs: int
    verdict: str


def reproduced(study: Study) -> dict[str, str]:
    """The paper's dataset that each of the study's stands beside; empty where it is no reproduction.

    Raises:
        InputError: study.json says something else there.
    """
    found = study.about.get("reproduces", {})
    fits = isinstance(found, dict) and all(each in DATASETS for each in found.values())
    if not fits or not set(found) <= set(study.manifests):
        raise InputError(
            f"{study.folder / 'study.json'} is damaged ('reproduces' is {found!r}); run `negsample reproduce` again"
        )
    return dict(found)


def beside_table3(study: Study, table: pl.DataFrame) -> list[Beside]:
    """All of Table 3 that the study has, in its order."""
    found = []
    for dataset, published in reproduced(study).items():
        for row in table.filter(pl.col("dataset") == dataset).iter_rows(named=True):
            method = _NAMED.get(row["method"], row["method"])
            if method == POPREC or method in PAPER_SIX:
                theirs = table3(published, method)
                found += [_of_method(dataset, published, row, measure, theirs[measure]) for measure in MEASURES]
    return found


def _of_method(dataset: str, published: str, row: Mapping[str, Any], measure: str, theirs: PublishedFigure) -> Beside:
    ours, ours_sd = (None if each is None else 100 * each for each in (row[measure], row[f"{measure}_sd"]))
    if row["method"] == OTHER_POOL:
        verdict = "other"
    elif theirs.sd is not None:
        verdict = _verdict(ours, theirs.mean, SPREADS * theirs.sd, "within")
    else:
        verdict = _verdict(ours, theirs.mean, _half(1 if measure == BALANCE else 2), "equal")
    key = (dataset, published, dataset != published, row["method"], measure)
    return Beside(*key, theirs.mean, theirs.sd, theirs.runs, ours, ours_sd, row["runs"], verdict)


def beside_table2(study: Study) -> list[Beside]:
    """Table 2: the cohorts of the datasets."""
    found = []
    for dataset, published in reproduced(study).items():
        for cohort, theirs in table2(published).items():
            facts = study.manifests[dataset]["cohorts"][cohort]
            pairs = {"items": (100 * facts["item_share"], theirs.items), "mpu": (facts["mpu"], theirs.users)}
            for measure, (ours, value) in pairs.items():
                verdict = _verdict(ours, value, _half(len(f"{value:g}".partition(".")[2])), "equal")
                key = (dataset, published, dataset != published, cohort, measure)
                found.append(Beside(*key, value, None, 1, ours, None, 1, verdict))
    return found


def _verdict(ours: float | None, published: float, margin: float, alike: str) -> str:
    if ours is None:
        return "none"
    return alike if abs(ours - published) <= margin else "above" if ours > published else "below"


def _half(digits: int) -> float:
    """How far apart numbers are at most that are the same when rounded to so many ``digits`` after the point."""
    return 0.5 * 10.0**-digits * (1 + 1e-9)


def frame_of(found: Sequence[Beside]) -> pl.DataFrame:
    """One row a figure, in %."""
    kinds: dict[str, type[pl.DataType]] = dict.fromkeys(Beside._fields, pl.Float64)
    kinds |= dict.fromkeys(("dataset", "published_dataset", "method", "measure", "verdict"), pl.String)
    kinds |= {"stand_in": pl.Boolean, "published_runs": pl.Int64, "runs": pl.Int64}
    return pl.DataFrame(found, schema=kinds, orient="row")
