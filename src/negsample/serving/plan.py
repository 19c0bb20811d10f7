"""What of a study is taken home: which runs, on which events, and what that takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from negsample.analysis.measures import COHORTS
from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.analysis.verdict import advice_of
from negsample.data.dataset import Dataset
from negsample.data.load import load_as
from negsample.data.until import known_until
from negsample.errors import InputError, check_word, whole
from negsample.methods import METHODS
from negsample.models.baselines import is_baseline
from negsample.runs.folder import Run, is_run, read_run
from negsample.runs.kept import dataset_of
from negsample.serving.when import Time, microseconds

TERMS_ALONE = "Terms"
"""The baseline that can be taken home: weights without a model."""
PROMISED = ("ndcg@10", "hr@10", *(f"{cohort}_hr@10" for cohort in COHORTS), "balance@10", "coverage@10")


class Plan(NamedTuple):
    """What will be trained: a model for each of ``runs``, of one method on one dataset, on the events of ``known``, of
    the log ``data``.

    ``until``: microseconds; ``dial``: the setting it is to answer with. ``seconds``: about what it takes, by what
    training the same in the study took. ``promise``: see :class:`negsample.serving.model.About`. ``half_life``: days.
    ``ahead``: the rule that the study advises for accuracy, which cannot be taken home.
    """

    runs: Sequence[Run]
    known: Dataset
    data: Dataset
    until: int
    dial: float
    seconds: float
    promise: dict[str, float | None]
    half_life: float | None
    ahead: str | None = None

    @property
    def method(self) -> str:
        """The name of the method."""
        return str(self.runs[0].config["method"])


def plan_final(
    source: Study | Run,
    *,
    dataset: str | None = None,
    method: str | None = None,
    seeds: int = 1,
    until: Time | None = None,
    data: Dataset | None = None,
) -> Plan:
    """What to take home from a study, or a run.

    Args:
        source: a study with a finished run of the method; or one run, whose method it then is.
        dataset: which of its datasets. (default: the only one)
        method: (default: the one with the most NDCG@10 on validation; ``Terms`` where that is above all)
        seeds: so many models, whose scores are averaged: each is trained as a run of the study was, with its seed,
            epochs and terms.
        until: only events before it count; see :func:`negsample.serving.when.microseconds`. (default: all)
        data: the prepared log. (default: where it was then, or in the study)

    Raises:
        InputError: there is no such dataset or method, it has fewer runs, or is a rule that is not trained.
    """
    whole("seeds", seeds, 1, 100)
    if isinstance(source, Run):
        if (
            method not in (None, source.config["method"])
            or dataset not in (None, source.config["dataset"])
            or seeds > 1
        ):
            raise InputError(
                f"{source.folder} is one run, of {source.config['method']}; method, dataset and seeds are for a study"
            )
        _check_takeable(source.config["method"], [source.config["method"]])
        runs, ahead, every, rules = [source], None, [source], list[Run]()
    else:
        dataset = _dataset(source, dataset)
        runs, ahead = _runs(source, dataset, method, seeds)
        every, rules = source.runs_of(dataset, runs[0].config["method"]), source.runs_of(dataset, "RecentPop")
    data = data or dataset_of(runs[0])
    if not data.has_times:
        raise InputError(f"{data.name} has no times, and a MODEL answers as of a time; prepare a log with times")
    before = None if until is None else microseconds("until", until)
    known, about, dial = known_until(data, before), data.manifest, runs[0].metrics["dial"]
    tested = [run.metrics["test"] for run in every if run.metrics["dial"] == dial]
    trained_on = about.train_events + (about.valid_events if runs[0].metrics["refit"] else 0)
    return Plan(
        runs,
        known,
        data,
        int(known.times.max()) + 1 if before is None else min(before, int(data.known.by_time_times[-1]) + 1),
        dial,
        sum(map(_seconds, runs)) * len(known.items) / trained_on,
        {name: _mean([each.get(name) for each in tested]) for name in PROMISED},
        rules[-1].metrics["chosen"].get("choice") if rules else None,
        ahead,
    )


def _dataset(study: Study, asked: str | None) -> str:
    names = study.datasets()
    if asked is not None:
        return check_word("dataset", asked, names)
    if len(names) > 1:
        raise InputError(f"the study has {len(names)} datasets; say which: {', '.join(names)}")
    return names[0]


def _runs(study: Study, dataset: str, method: str | None, seeds: int) -> tuple[list[Run], str | None]:
    """The first runs of the method, on the last fold, and the rule that the study advises where none was asked for."""
    advice, ahead = advice_of(study, dataset), None
    if method is None:
        method = advice.accuracy.advised
        if method != TERMS_ALONE and method is not None and is_baseline(method):
            method, ahead = advice.trained.advised, method
    method = _check_takeable(method, study.methods_of(dataset))
    last = study.fold_names(dataset)[-1]
    runs = [run for run in study.runs_of(dataset, method) if run.config["dataset"] == last]
    if method == TERMS_ALONE:
        runs = runs[:1]  # all are alike
    if seeds > len(runs):
        raise InputError(
            f"--seeds {seeds}: the study has {len(runs)} finished run{'s' * (len(runs) != 1)} of {method}, and each "
            f"model is trained as one of them; take {len(runs)}, or compare with --repeats {seeds}"
        )
    return runs[:seeds], ahead


def _check_takeable(method: str | None, there: Sequence[str]) -> str:
    takeable = [each for each in there if each in METHODS or each == TERMS_ALONE]
    if method is None:
        if takeable:
            raise InputError(
                f"validation prefers no method, such as where none has a hit; name one: {', '.join(takeable)}"
            )
        raise InputError("no run of a trained method is finished; finish the study, or ask for one of its methods")
    if method not in takeable:
        raise InputError(f"method '{method}' cannot be taken home; of those there, {', '.join(takeable) or 'none'} can")
    return method


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return statistics.fmean(known) if known else None


def _seconds(run: Run) -> float:
    """What the training of the tested model took."""
    return float(run.metrics["refit"]["seconds"] if run.metrics["refit"] else run.metrics["train_seconds"])


def epochs_of(run: Run) -> int:
    """For how many epochs the model that ``run`` tested was trained."""
    return int(run.metrics["refit"]["epochs"] if run.metrics["refit"] else run.metrics["best_epoch"])


def opened(folder: str | Path) -> Study | Run:
    """The run or the study in ``folder``."""
    folder = Path(folder)
    return read_run(folder) if is_run(folder) and (folder / "config.json").exists() else read_study(folder)


def other_log(source: Study | Run, log: str, dataset: str | None = None) -> Dataset:
    """Another ``log``, or the same elsewhere, prepared as that of ``dataset`` was for the study, or of the run."""
    if isinstance(source, Run):
        return load_as(log, source.config["prepare"])
    return load_as(log, source.manifests[_dataset(source, dataset)]["settings"])
