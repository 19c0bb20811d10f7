"""A study's charts one by one, for a notebook: those of the report, from the same specifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from negsample.analysis.several import changes_between
from negsample.analysis.study import Study
from negsample.errors import InputError, guarded
from negsample.report.figures import Figure, age_name, dataset_figures
from negsample.report.joint import joint_of_changes, joint_of_logs
from negsample.report.palette import DARK, GROUNDS, LIGHT, looks


class Plots:
    """The charts of a study: ``study.plot.frontier()``; ``dir(study.plot)`` lists them.

    Each method takes the name of a dataset (default: the study's only one) and ``dark=True`` for a dark ground, and
    returns an :class:`altair.LayerChart`, with what it says in its ``description``. A chart that follows the dial has a
    control for it. ``chart.save("frontier.svg")`` writes SVG, PNG, PDF or HTML.

    Example:
        >>> negsample.read_study("study").plot.frontier().save("frontier.svg")  # doctest: +SKIP

    Raises:
        InputError: the dataset is unknown, or left out of a study of several; or the study has nothing to draw.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    @guarded
    def frontier(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """NDCG@10 against Balance@10 over all settings of the dial; strong where no method has more."""
        return self._chart("frontier", dataset, dark)

    @guarded
    def significance(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """The difference of every pair of methods, shaded by its verdict; a control chooses the figure."""
        return self._chart("significance", dataset, dark)

    @guarded
    def critical_difference(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """The methods on the line of their NDCG@10; bars join those without a significant difference."""
        return self._chart("critical-difference", dataset, dark)

    @guarded
    def cohorts(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """HR@10 on popular (head), mid and rare (tail) items."""
        return self._chart("cohort-bars", dataset, dark)

    @guarded
    def dial(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """NDCG@10 at each setting of the dial."""
        return self._chart("by-dial", dataset, dark)

    @guarded
    def popularity(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """HR@10 by how popular the item is."""
        return self._chart("popularity-hits", dataset, dark)

    @guarded
    def validation(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """HR@10 on validation by epoch."""
        return self._chart("training-curves", dataset, dark)

    @guarded
    def windows(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """NDCG@10 by test window, of a study with ``folds``."""
        return self._chart("by-window", dataset, dark)

    @guarded
    def age(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """NDCG@10 by the time since the test part began; over all windows of a study with ``folds``."""
        return self._chart(age_name(self._study, self._dataset(dataset)), dataset, dark)

    @guarded
    def search(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """Validation NDCG@10 of what would be taken after so many trials, of a study that was tuned."""
        return self._chart("search", dataset, dark)

    @guarded
    def items(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """How popular the items of the dataset are, by cohort."""
        return self._chart("popularity-curve", dataset, dark)

    @guarded
    def time(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """Seconds of training, to the chosen epoch and in all."""
        return self._chart("training-time", dataset, dark)

    @guarded
    def memory(self, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """The largest memory of a run of each method."""
        return self._chart("peak-memory", dataset, dark)

    @guarded
    def over_logs(self, *, dark: bool = False) -> alt.LayerChart:
        """The methods on the line of their mean share of each log's highest NDCG@10, of a study of several datasets;
        bars join those without a significant difference."""
        return self._joint("over-logs", dark)

    @guarded
    def effects_by_log(self, *, dark: bool = False) -> alt.LayerChart:
        """NDCG@10 of each method against `random` or the best rule, log by log, of a study of several datasets."""
        return self._joint("effects-by-log", dark)

    @guarded
    def changes(self, before: Study, dataset: str | None = None, *, dark: bool = False) -> alt.LayerChart:
        """The difference of each method from the study ``before`` of the same log to this one."""
        of = self._dataset(dataset)
        found = next((one for one in changes_between(before, self._study) if one.after.found.dataset == of), None)
        parts = [] if found is None else joint_of_changes([found], looks(list(found.after.study.about["methods"])))
        figure = next((figure for part in parts for figure in part.figures), None)
        if figure is None:
            raise InputError(f"nothing of {of} was tested between the two studies; study.changes(before) says why")
        return _drawn(figure, dark)

    def __dir__(self) -> list[str]:
        return [name for name in vars(type(self)) if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<charts of {self._study!r}: {', '.join(f'{name}()' for name in dir(self))}>"

    def _chart(self, name: str, dataset: str | None, dark: bool) -> alt.LayerChart:
        of = self._dataset(dataset)
        figure = next(iter(dataset_figures(self._study.analysis, of, only=name)), None)
        if figure is None:
            raise InputError(f"the study has nothing of {of} for the chart {name}; study.plot lists the others")
        return _drawn(figure, dark, self._dials(of))

    def _joint(self, name: str, dark: bool) -> alt.LayerChart:
        found = self._study.analysis.datasets
        parts = joint_of_logs(found, looks(self._study.about["methods"]))
        figure = next((figure for part in parts for figure in part.figures if figure.name == name), None)
        if figure is None:
            raise InputError(f"the study has nothing for the chart {name}: it compares methods over two logs or more")
        return _drawn(figure, dark)

    def _dataset(self, given: str | None) -> str:
        names = self._study.datasets()
        if given is None and len(names) == 1:
            return names[0]
        if given not in names:
            raise InputError(f"dataset must be one of those of the study: {', '.join(names) or 'none'}; got {given!r}")
        return given

    def _dials(self, dataset: str) -> list[Any]:
        dials = {row["dial"] for row in self._study.analysis.datasets[dataset].dialled if row["dial"] is not None}
        return sorted(dials, key=lambda beta: (beta != 0, beta))


def _drawn(figure: Figure, dark: bool, dials: Sequence[Any] = ()) -> alt.LayerChart:
    """The chart of a figure; one that follows the dial gets a control with ``dials``."""
    spec = figure.spec | {"width": 640, "config": (DARK if dark else LIGHT) | {"background": GROUNDS[dark]}}
    for param in spec["params"]:
        if param["name"] == "dial":
            param["bind"] = {"input": "select", "options": dials, "name": "Dial "}
    return alt.LayerChart.from_dict(spec)
