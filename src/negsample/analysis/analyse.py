"""All that is computed of a study, once: what a report, a terminal or a page of our own shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from negsample.analysis.folds import folds_table, has_folds
from negsample.analysis.frontier import Reach, Standing, reaches, standings
from negsample.analysis.significance import Comparisons, significance_table
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow, dialled_rows, study_table
from negsample.analysis.verdict import Verdict, verdict_of


class DatasetAnalysis(NamedTuple):
    """What was found on one dataset. ``rows``: of the table; ``dialled``: the same at each setting of the dial;
    ``folds``: one row a (method, fold), none where there are no folds."""

    dataset: str
    rows: list[TableRow]
    dialled: list[TableRow]
    reaches: list[Reach]
    standings: list[Standing]
    verdict: Verdict
    folds: Sequence[TableRow]

    @property
    def tests(self) -> Comparisons:
        """What was tested on its test events."""
        return self.verdict.tests


class Analysis(NamedTuple):
    """What was found in a study; ``datasets``: those with a finished run, by name."""

    study: Study
    table: pl.DataFrame
    datasets: Mapping[str, DatasetAnalysis]

    def significance(self) -> pl.DataFrame:
        """One row a comparison, fractions."""
        return significance_table([each for one in self.datasets.values() for each in one.tests.found])


def analyse(study: Study) -> Analysis:
    """The analysis of ``study``; the same study gives the same figures."""
    table, windows, datasets = study_table(study), folds_table(study), {}
    for dataset in study.datasets():
        rows: list[TableRow] = [*table.filter(pl.col("dataset") == dataset).iter_rows(named=True)]
        found = reaches(study, dataset)
        dialled = dialled_rows(study, dataset)
        verdict = verdict_of(study, dataset, dialled)
        folds = windows.filter(pl.col("dataset") == dataset).rows(named=True) if has_folds(study, dataset) else []
        datasets[dataset] = DatasetAnalysis(dataset, rows, dialled, found, standings(found), verdict, folds)
    return Analysis(study, table, datasets)
