"""The recommender to take home: a method of a study, trained on all events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from negsample.analysis.study import Study
from negsample.data.dataset import Dataset
from negsample.errors import InputError, guarded
from negsample.files.claims import claimed, clear, scratch_in
from negsample.files.folders import check_place
from negsample.models import Backbone
from negsample.models.baselines import is_baseline
from negsample.models.build import terms_of
from negsample.models.terms import TermWeights
from negsample.parallel.processes import current, each_by_first
from negsample.runs.fitted import Fit
from negsample.runs.folder import Run
from negsample.runs.job import Job, build_model, default_device, divided
from negsample.runs.load import job_of
from negsample.runs.train import train_models
from negsample.runs.weights import MODEL, save_weights
from negsample.serving.load import load_model
from negsample.serving.model import Member, about_of, list_model, write_model
from negsample.serving.plan import Plan, epochs_of, opened, plan_final
from negsample.serving.recommender import Recommender
from negsample.serving.when import Time
from negsample.training.state import Epoch

_OF_TERMS = "terms."  # how the names of their weights begin


def make_final(plan: Plan, folder: Path, watch: Callable[[Job, Epoch], None] = lambda job, epoch: None) -> None:
    """Train what is planned, and write the MODEL ``folder``, whole or not at all; what was stopped is carried on.

    Processes that work together (:mod:`negsample.parallel`) all call this, and have a part of each item table.

    Raises:
        InputError: the folder cannot be written, or another process makes it.
    """
    processes = current()  # which train one model together, and of which the first writes
    with ExitStack() as claims:
        place = each_by_first(processes, partial(_claim, claims, folder))
        weights = [place / f"model-{number}.safetensors" for number in range(len(plan.runs))]
        members = [_train(run, plan.known, file, watch) for run, file in zip(plan.runs, weights, strict=True)]
        each_by_first(processes, partial(_write, plan, members, weights, place, folder))


def _claim(claims: ExitStack, folder: Path) -> Path:
    places = claims.enter_context(claimed([folder]))
    if places is None:
        raise InputError(f"another process is making {folder}; wait for it, or choose another --out")
    check_place(folder, new=True)
    return places[0]


def _write(plan: Plan, members: Sequence[Member], weights: Sequence[Path], place: Path, folder: Path) -> None:
    scratch = scratch_in(place)
    for file in weights:
        file.rename(scratch / file.name)
    study = {"promise": plan.promise, "not_in_time": plan.data.manifest.not_in_time}
    answers = {"dial": plan.dial, "recent_half_life": plan.half_life}
    about = about_of(plan.runs, members, plan.known, plan.until, **answers, **study)
    targets = job_of(plan.runs[0], plan.known).catalogue(default_device()).target_weights.cpu().numpy()
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
    until: Time | None = None,
    data: Dataset | None = None,
) -> Recommender:
    """Train a method of a study on all events, write the MODEL folder ``out``, and load it.

    Args:
        source: a study, a run, or the folder of one.
        out: a new folder; a training that was stopped is carried on.
        dataset: which of the study's datasets. (default: the only one)
        method: (default: the one with the most NDCG@10 on validation; ``Terms`` where that is above all)
        seeds: so many models, whose scores are averaged.
        until: only events before it count: a ``datetime``, ISO text, ``"now"`` or microseconds since 1970, UTC where
            no zone is given. (default: all)
        data: the prepared log. (default: where it was then, or in the study)

    Example:
        >>> final("out/study", "MODEL").recommend(k=5)  # doctest: +SKIP

    Raises:
        InputError: see :func:`plan_final` and :func:`make_final`.
    """
    of = opened(source) if isinstance(source, str | Path) else source
    make_final(plan_final(of, dataset=dataset, method=method, seeds=seeds, until=until, data=data), Path(out))
    return load_model(out)


def _train(run: Run, known: Dataset, file: Path, watch: Callable[[Job, Epoch], None]) -> Member:
    """Train on ``known`` as ``run`` was; the weights become ``file``."""
    job, epochs = divided(job_of(run, known)), epochs_of(run)
    model = build_model(job, default_device())
    if not is_baseline(job.method):
        place = file.with_suffix("")
        each_by_first(current(), partial(place.mkdir, exist_ok=True))
        train_models([job], [model], [place], watch, refit=[epochs])
    save_weights(model, file)
    along = () if is_baseline(job.method) else run.config["settings"]["terms"]
    terms = carried(run.metrics["terms"].get("weights", {}), along, _terms_in(run.folder / MODEL), model)
    return Member(weights=file.name, seed=job.seed, epochs=epochs, terms=terms)


def _terms_in(path: Path) -> dict[str, Tensor]:
    """The weights of terms that were trained along."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys() if name.startswith(_OF_TERMS)}  # noqa: SIM118


def carried(
    fitted: dict[str, Any], along: Sequence[str], before: Mapping[str, Tensor], model: Backbone
) -> dict[str, Any]:
    """Weights of terms that were ``fitted`` after a training, for a ``model`` that was trained anew or on.

    Where terms were trained ``along``, what the fit added to those in the weights ``before`` is added to those now.
    """
    if not fitted or not along:
        return fitted
    old = TermWeights(along)
    terms = {name.removeprefix(_OF_TERMS): each for name, each in before.items() if name.startswith(_OF_TERMS)}
    old.load_state_dict(terms)
    weights = Fit("", {}, TermWeights.of(fitted), 0.0).carried(old, terms_of(model)).weights
    assert weights is not None
    return weights.entry()
