"""A study and its finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from numpy.typing import NDArray

from negsample.errors import InputError, check_word, guarded
from negsample.models.baselines import is_baseline
from negsample.runs.failed import Failed
from negsample.runs.folder import Grid, Run
from negsample.runs.tunings import TuningSummary

if TYPE_CHECKING:
    from negsample.analysis.analyse import Analysis
    from negsample.analysis.verdict import Verdict
    from negsample.report.plots import Plots

POPULAR = "PopRec"
"""The baseline that is measured and never trained; the last method of every study."""


@dataclass(frozen=True, repr=False, eq=False)
class Study:
    """A study and its finished runs.

    A log that was tested on several windows (folds) is one dataset here: what is asked of it is over all its folds.

    ``about``: study.json. ``manifests``: the datasets' manifests by name, in the study's order; of folds, that of the
    last one, by the name of the log. ``runs``: the finished ones, in the study's order. ``listed``: how many runs the
    study has, finished or not. ``grids``: what each run, by its folder, gave at each setting of the dial
    (:func:`negsample.runs.folder.read_grid`). ``events``: by dataset, of each of its folds the E measured test events,
    in the order of the runs' ranks: ``user_E``, ``cohort_E`` and ``percentile_E``, the share of the train events that
    are of less popular items; see :func:`negsample.studies.files.test_events`.
    ``tunings``: how methods were tuned, by dataset and method; empty where none was. ``oversampling``: finished runs
    beside the study's, which differ from them in ``oversampling_factor`` and stand in no table. ``failures``: runs of
    both kinds that failed when they were last tried. ``folds``: by dataset, the manifests of its folds in the order of
    time; its own alone where it has none.
    """

    folder: Path
    about: dict[str, Any]
    manifests: dict[str, dict[str, Any]]
    runs: list[Run]
    listed: int
    grids: dict[Path, Grid]
    events: dict[str, list[dict[str, NDArray[Any]]]]
    tunings: dict[tuple[str, str], TuningSummary]
    oversampling: list[Run]
    failures: list[Failed]
    folds: dict[str, list[dict[str, Any]]]

    def figures(self, run: Run, part: str) -> dict[float, dict[str, Any]]:
        """What ``run`` gave on ``valid`` or ``test``, by setting of the dial."""
        grid = self.grids[run.folder]
        return dict(zip(grid.betas, grid.valid if part == "valid" else grid.test, strict=True))

    def unreached(self) -> list[Run]:
        """The runs that no setting of the dial brings to the Balance that was asked for."""
        return [run for run in self.runs if not run.metrics["dial_reached"]]

    def trained(self) -> list[Run]:
        """The finished runs but those of PopRec."""
        return [run for run in self.runs if not is_baseline(run.config["method"])]

    @property
    def missing(self) -> int:
        """How many of the runs that it lists are neither finished nor failed."""
        listed = set(self.about["runs"])
        return self.listed - len(self.runs) - sum(each.run in listed for each in self.failures)

    def failures_of(self, dataset: str) -> list[Failed]:
        """The runs on ``dataset`` that failed when they were last tried, in the study's order."""
        return [each for each in self.failures if each.dataset in self.fold_names(dataset)]

    def fold_names(self, dataset: str) -> list[str]:
        """What the folds of ``dataset`` are called in the runs, in the order of time; its own name without any."""
        return [each["name"] for each in self.folds.get(dataset, [])]

    def runs_of(self, dataset: str, method: str | None = None) -> list[Run]:
        """The finished runs on ``dataset``, of one method or of all; fold by fold."""
        runs = [run for run in self.runs if method in (None, run.config["method"])]
        return [run for name in self.fold_names(dataset) for run in runs if run.config["dataset"] == name]

    def repeats_of(self, dataset: str, method: str) -> list[list[Run]]:
        """Of each seed that has finished every fold of ``dataset``, its runs in the order of the folds."""
        folds: dict[int, list[Run]] = {}
        for run in self.runs_of(dataset, method):
            folds.setdefault(run.config["seed"], []).append(run)
        return [runs for runs in folds.values() if len(runs) == len(self.folds[dataset])]

    def methods_of(self, dataset: str) -> list[str]:
        """The methods with a finished run on ``dataset``, in the study's order."""
        finished = {run.config["method"] for run in self.runs_of(dataset)}
        return [method for method in self.about["methods"] if method in finished]

    def tunings_of(self, dataset: str) -> list[TuningSummary]:
        """How the methods of ``dataset`` were tuned, in the study's order."""
        return [tuning for (name, _), tuning in self.tunings.items() if name == dataset]

    @property
    def published_settings(self) -> bool:
        """Whether its runs have the settings that the paper published."""
        return str(self.about.get("preset", "default")) != "default"

    def table(self) -> pl.DataFrame:
        """One row a (dataset, method): means over its runs, and how many failed; as ``table.csv``."""
        from negsample.analysis.tables import table_with_failures  # they are made of studies

        return table_with_failures(self)

    def frontier(self) -> pl.DataFrame:
        """One row a run at every setting of the dial; as ``frontier.csv``."""
        from negsample.analysis.tables import frontier_table

        return frontier_table(self)

    def significance(self) -> pl.DataFrame:
        """One row a comparison of two methods, with its p; as ``significance.csv``."""
        return self.analysis.significance()

    def over_logs(self) -> pl.DataFrame:
        """One row a (measure, log, method) with its rank and its share of the log's highest figure, and one a method
        with the means over the logs (``all logs``); as ``over_logs.csv``. No means where there is one log."""
        from negsample.analysis.over_logs import over_logs, over_logs_table

        return over_logs_table(over_logs(self.analysis.datasets))

    def changes(self, before: Study) -> pl.DataFrame:
        """What changed since another study of the same log: one row a (dataset, measure, method), with the difference,
        this one less ``before``; as ``changes.csv``. Nothing is tested where their test events are not the same.

        Raises:
            InputError: the two have no log in common, or are the same study.
        """
        from negsample.analysis.several import changes_between
        from negsample.analysis.two_studies import changes_table

        return changes_table(changes_between(before, self))

    @cached_property
    def analysis(self) -> Analysis:
        """All that is computed of it, once: what the report, the terminal and the charts show."""
        from negsample.analysis.analyse import analyse  # it is made of studies

        return analyse(self)

    def verdict(self, dataset: str | None = None) -> Verdict:
        """What to take for accuracy, tail items and evenness on ``dataset``, and how far to trust it.

        A study of one dataset needs no name.

        Raises:
            InputError: no dataset with a finished run is called so, or there are several and none is named.
        """
        return self.analysis.datasets[self._named(dataset)].verdict

    def _named(self, dataset: str | None) -> str:
        names = self.datasets()
        if dataset is None and len(names) != 1:
            raise InputError(f"the study has {len(names)} datasets with a finished run; name one: {', '.join(names)}")
        return check_word("dataset", names[0] if dataset is None else dataset, names)

    @guarded
    def users(
        self,
        method: str,
        other: str,
        dataset: str | None = None,
        *,
        dials: Sequence[float] | None = None,
        most: int = 4,
    ) -> pl.DataFrame:
        """The users whom two methods serve most differently: the ``most`` with the most more NDCG@10 each way.

        Of each method the first finished run answers, on the last test window, by its saved model. The ids are those of
        the log.

        Args:
            method: with a finished run, as ``other``.
            other: the method beside it.
            dataset: one of the study's. (default: its only one)
            dials: the settings of the dial of both. (default: those of the runs, as in the table)
            most: users each way.

        Returns:
            A row a user, first those with more by ``method``: ``user``; ``events``, measured on test; ``ndcg`` and
            ``other_ndcg``, summed up over them. And of the moment at which the two differ most: ``known``, how many
            events of the user are; ``history``, the last 10 of them, the latest first; ``targets``, the test events,
            with ``rank`` and ``other_rank`` in the study, from 1, ties in the middle; ``top`` and ``other_top``, the
            first 10 items. Of an item its cohort in train stands beside.

        Example:
            >>> study.users("mixed-log-q", "random")  # doctest: +SKIP

        Raises:
            InputError: a name is unknown, or the dataset or a model is not at hand.
        """
        from negsample.analysis.users import users_frame  # which takes a study

        return users_frame(self, self._named(dataset), (method, other), dials, most)

    @property
    def plot(self) -> Plots:
        """Its charts, one by one: ``study.plot.frontier()``; see :class:`negsample.report.plots.Plots`."""
        from negsample.report.plots import Plots  # a study draws itself: the one import up

        return Plots(self)

    @property
    def report_path(self) -> Path:
        """The page, where a report was written."""
        return self.folder / "report.html"

    def __repr__(self) -> str:
        methods, datasets = len(self.about["methods"]), ", ".join(self.manifests)
        return f"<Study {str(self.folder)!r}: {datasets}; {methods} methods, {len(self.runs)} of {self.listed} runs>"

    def _repr_html_(self) -> str:
        columns = ["dataset", "method", "runs", "failed", "ndcg@10", "hr@10", "balance@10", "coverage@10"]
        shown: str = self.table().select(columns).with_columns(pl.col(pl.Float64).round(4))._repr_html_()
        return f"<p>{escape(repr(self))}</p>{shown}"

    def datasets(self) -> list[str]:
        """The datasets with a finished run, in the study's order."""
        return [name for name in self.manifests if self.runs_of(name)]
