"""The recommender to take home: a method of a study, trained on all events."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file
from torch import Tensor

from negsample.analysis.advice import advice_of
from negsample.analysis.measures import COHORTS
from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.data.dataset import Dataset
from negsample.data.load import load_as
from negsample.data.until import known_until
from negsample.errors import InputError, check_word, guarded, whole
from negsample.files.claims import claimed, clear, scratch_in
from negsample.files.folders import check_place
from negsample.methods import METHODS
from negsample.models import Backbone
from negsample.models.baselines import is_baseline
from negsample.models.build import terms_of
from negsample.models.terms import TermWeights
from negsample.runs.fitted import Fit
from negsample.runs.folder import Run, is_run, read_run
from negsample.runs.job import Job, build_model, default_device
from negsample.runs.kept import dataset_of
from negsample.runs.load import job_of
from negsample.runs.train import train_models
from negsample.runs.weights import MODEL, save_weights
from negsample.serving.load import load_model
from negsample.serving.model import Member, about_of, list_model, write_model
from negsample.serving.recommender import Recommender
from negsample.training.state import Epoch

TERMS_ALONE = "Terms"
"""The baseline that can be taken home: weights without a model."""
PROMISED = ("ndcg@10", "hr@10", *(f"{cohort}_hr@10" for cohort in COHORTS), "balance@10", "coverage@10")


class Plan(NamedTuple):
    """What will be trained: a model for each of ``runs``, of one method on one dataset, on the events of ``known``, of
    the log ``data``.

    ``until``: microseconds; ``dial``: the setting it is to answer with. ``seconds``: about what it takes, by what
    training the same in the study took. ``promise``: see :class:`negsample.serving.model.About`. ``half_life``: days.
    ``ahead``: the rule that has more NDCG@10 on validation than any method.
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
    until: int | None = None,
    data: Dataset | None = None,
) -> Plan:
    """What to take home from a study, or a run.

    Args:
        source: a study with a finished run of the method; or one run, whose method it then is.
        dataset: which of its datasets. (default: the only one)
        method: (default: the one with the most NDCG@10 on validation; ``Terms`` where that is above all)
        seeds: so many models, whose scores are averaged: each is trained as a run of the study was, with its seed,
            epochs and terms.
        until: only events before it count, microseconds. (default: all)
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
    known, about, dial = known_until(data, until), data.manifest, runs[0].metrics["dial"]
    tested = [run.metrics["test"] for run in every if run.metrics["dial"] == dial]
    trained_on = about.train_events + (about.valid_events if runs[0].metrics["refit"] else 0)
    return Plan(
        runs,
        known,
        data,
        int(known.times.max()) + 1 if until is None else min(until, int(data.known.by_time_times[-1]) + 1),
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
    """The first runs of the method, on the last fold, and the rule that is ahead of it where none was asked for."""
    advice, ahead = advice_of(study, dataset), None
    if method is None:
        method = advice.accuracy.advised
        rule = advice.baseline["method"] if advice.baseline and advice.baseline_leads else None
        method, ahead = (TERMS_ALONE, None) if rule == TERMS_ALONE else (method, rule)
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


def make_final(plan: Plan, folder: Path, watch: Callable[[Job, Epoch], None] = lambda job, epoch: None) -> None:
    """Train what is planned, and write the MODEL ``folder``, whole or not at all; what was stopped is carried on.

    Raises:
        InputError: the folder cannot be written, or another process makes it.
    """
    with claimed([folder]) as places:
        if places is None:
            raise InputError(f"another process is making {folder}; wait for it, or choose another --out")
        check_place(folder, new=True)
        (place,), members = places, []
        weights = [place / f"model-{number}.safetensors" for number in range(len(plan.runs))]
        for run, file in zip(plan.runs, weights, strict=True):
            members.append(_train(run, plan.known, file, watch))
        scratch = scratch_in(place)
        for file in weights:
            file.rename(scratch / file.name)
        promise = {"dial": plan.dial, "recent_half_life": plan.half_life, "promise": plan.promise}
        about = about_of(plan.runs, members, plan.known, plan.until, **promise)
        targets = job_of(plan.runs[0], plan.known).catalogue(default_device()).target_counts.cpu().numpy()
        write_model(scratch, about, plan.known, plan.data.item_ids(), plan.data.user_ids(), targets)
        list_model(scratch, plan.known)
        scratch.rename(folder)
        clear(place)


@guarded
def final(
    source: Path | Study | Run,
    out: Path,
    *,
    dataset: str | None = None,
    method: str | None = None,
    seeds: int = 1,
    until: int | None = None,
    data: Dataset | None = None,
) -> Recommender:
    """Train a method of a study on all events, write the MODEL folder ``out``, and load it.

    Args:
        source: a study, a run, or the folder of one.
        out: a new folder; a training that was stopped is carried on.
        dataset, method, seeds, until, data: see :func:`plan_final`.

    Example:
        >>> final("out/study", "MODEL").recommend(k=5)  # doctest: +SKIP

    Raises:
        InputError: see :func:`plan_final` and :func:`make_final`.
    """
    of = opened(source) if isinstance(source, str | Path) else source
    make_final(plan_final(of, dataset=dataset, method=method, seeds=seeds, until=until, data=data), Path(out))
    return load_model(out)


def opened(folder: str | Path) -> Study | Run:
    """The run or the study in ``folder``."""
    folder = Path(folder)
    return read_run(folder) if is_run(folder) and (folder / "config.json").exists() else read_study(folder)


def other_log(source: Study | Run, log: str, dataset: str | None = None) -> Dataset:
    """Another ``log``, or the same elsewhere, prepared as that of ``dataset`` was for the study, or of the run."""
    if isinstance(source, Run):
        return load_as(log, source.config["prepare"])
    return load_as(log, source.manifests[_dataset(source, dataset)]["settings"])


def _train(run: Run, known: Dataset, file: Path, watch: Callable[[Job, Epoch], None]) -> Member:
    """Train on ``known`` as ``run`` was; the weights become ``file``."""
    job, epochs = job_of(run, known), epochs_of(run)
    model = build_model(job, default_device())
    if not is_baseline(job.method):
        place = file.with_suffix("")
        place.mkdir(exist_ok=True)
        train_models([job], [model], [place], watch, refit=[epochs])
    save_weights(model, file)
    along = run.config["settings"]["terms"]
    terms = carried(run.metrics["terms"].get("weights", {}), along, load_file(run.folder / MODEL), model)
    return Member(weights=file.name, seed=job.seed, epochs=epochs, terms=terms)


def carried(
    fitted: dict[str, Any], along: Sequence[str], before: Mapping[str, Tensor], model: Backbone
) -> dict[str, Any]:
    """Weights of terms that were ``fitted`` after a training, for a ``model`` that was trained anew or on.

    Where terms were trained ``along``, what the fit added to those in the weights ``before`` is added to those now.
    """
    if not fitted or not along:
        return fitted
    old, of = TermWeights(along), "terms."
    old.load_state_dict({name.removeprefix(of): each for name, each in before.items() if name.startswith(of)})
    weights = Fit("", {}, TermWeights.of(fitted), 0.0).carried(old, terms_of(model)).weights
    assert weights is not None
    return weights.entry()
