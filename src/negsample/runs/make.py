"""From jobs to the folders of their runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from negsample.evaluation.by_rule import Chosen, choose
from negsample.files.checksums import LIST, write_list
from negsample.files.claims import scratch_in
from negsample.files.folders import write_json
from negsample.models import Backbone
from negsample.models.baselines import is_baseline
from negsample.parallel.processes import current, each_by_first
from negsample.rules import Rule, is_rule
from negsample.runs.age import age_in_days
from negsample.runs.folder import LOG, REFIT_LOG, ChosenByRule, Refit, is_run, read_run, run_fingerprint
from negsample.runs.items import write_items
from negsample.runs.job import Job, build_model, default_device
from negsample.runs.machine import forget_peak, machine, peak_memory
from negsample.runs.measure import measure, write_measured
from negsample.runs.train import train_models
from negsample.runs.weights import BEFORE_REFIT, MODEL, save_weights
from negsample.scoring.dial import Choice
from negsample.training.state import Epoch, Fitted


def make_runs(
    jobs: Sequence[Job],
    folders: Sequence[Path],
    places: Sequence[Path],
    dial: Choice,
    watch: Callable[[Job, Epoch], None],
) -> None:
    """Train and measure ``jobs``, which differ in their seeds alone, and write their ``folders``.

    ``places``: where what lies of each until then; what is there of the same training is carried on. See
    :func:`negsample.execution.attempts.run_jobs`.
    """
    device = default_device()
    forget_peak(device)
    models = [build_model(job, device) for job in jobs]
    untrained = is_baseline(jobs[0].method)
    fitted = [Fitted([], 0)] * len(jobs) if untrained else train_models(jobs, models, places, watch)
    processes = current()  # of which the first writes
    scratches = [each_by_first(processes, partial(scratch_in, place)) for place in places]
    refits: list[Fitted] | list[None] = [None] * len(jobs)
    if jobs[0].refits:
        for number, scratch in enumerate(scratches):
            save_weights(models[number], scratch / BEFORE_REFIT)
        del models  # their memory is for those that come
        models = [build_model(job, device) for job in jobs]
        refits = _refit(jobs, models, places, watch, [each.best_epoch for each in fitted])
    for job, model, result, refit, scratch in zip(jobs, models, fitted, refits, scratches, strict=True):
        _write(job, model, result, refit, scratch, dial, device)
    for job, folder, scratch in zip(jobs, folders, scratches, strict=True):  # at once: they are carried on together
        each_by_first(processes, partial(_publish, job, folder, scratch))


def _publish(job: Job, folder: Path, scratch: Path) -> None:
    try:
        scratch.rename(folder)
    except OSError:
        if not is_run(folder) or not job.made(read_run(folder).config):
            raise


def _refit(
    jobs: Sequence[Job],
    models: Sequence[Backbone],
    places: Sequence[Path],
    watch: Callable[[Job, Epoch], None],
    epochs: Sequence[int],
) -> list[Fitted]:
    """Train the new ``models`` of ``jobs`` on train and validation, for so many epochs each."""
    inner = [place / "refit" for place in places]
    for place in inner:
        place.mkdir(exist_ok=True)
    return train_models([job.refitted() for job in jobs], models, inner, watch, refit=epochs)


def _write(
    job: Job,
    model: Backbone,
    fitted: Fitted,
    refit: Fitted | None,
    scratch: Path,
    dial: Choice,
    device: torch.device,
) -> None:
    processes = current()
    versions = {name: version(name) for name in ("negsample", "torch", "numpy")}
    config = (
        job.config()
        | {
            "dataset_folder": str(job.data.folder.resolve()),
            "prepare": job.data.manifest.settings.model_dump(mode="json", exclude_defaults=True),
            "versions": versions | {"python": platform.python_version()},
            "device": str(device),
            "machine": machine(),
        }
        | ({} if processes is None else {"processes": processes.size})
    )
    logs = {LOG: fitted.log} | ({REFIT_LOG: refit.log} if refit else {})
    chosen = choose(model, job.data, job.settings) if is_rule(model) else None
    save_weights(model, scratch / MODEL)

    def write() -> None:
        write_json(scratch / "config.json", config)
        for name, log in logs.items():
            lines = [json.dumps(epoch.entry(), allow_nan=False) for epoch in log]
            (scratch / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        if not is_baseline(job.method):
            _write_items(job.refitted() if refit else job, scratch, device)
        write_list(scratch / LIST, "run", run_fingerprint(config), [path.name for path in scratch.iterdir()])

    each_by_first(processes, write)
    measured = measure(job, model, dial, device, scratch)
    last = [log[-1] for log in logs.values() if log]
    steps, seconds = sum(each.steps for each in last), sum((each.seconds for each in last), 0.0)
    training = {
        "best_epoch": fitted.best_epoch,
        "train_seconds": seconds + measured.fit_seconds + (chosen.seconds if chosen else 0.0),
        "steps_per_second": steps / seconds if last else None,
        "peak_memory_bytes": peak_memory(device),
        "age_days": age_in_days((job.refitted() if refit else job).data) if last else None,
        "refit": Refit(epochs=refit.best_epoch, seconds=refit.log[-1].seconds).model_dump() if refit else {},
        "chosen": _chosen_by(model, chosen) if is_rule(model) and chosen and chosen.tried else {},
    }
    each_by_first(processes, lambda: write_measured(scratch, measured, dial, training))


def _write_items(trained: Job, scratch: Path, device: torch.device) -> None:
    targets = trained.catalogue(device).target_weights.cpu().numpy()
    write_items(scratch, trained.data.item_ids(), trained.data.train_counts, targets)


def _chosen_by(rule: Rule, chosen: Chosen) -> dict[str, Any]:
    return ChosenByRule(
        setting=rule.setting,
        choice=chosen.choice,
        tried=[{"choice": choice, "ndcg@10": reached} for choice, reached in chosen.tried.items()],
        at_end=chosen.at_end,
        seconds=chosen.seconds,
    ).model_dump()
