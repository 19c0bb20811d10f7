"""One run of a study: from settings to a folder."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from negsample.config import InputError, TrainSettings, checked, fingerprint
from negsample.course import Course, Epoch, Fitted
from negsample.data.popularity import popularity_order
from negsample.data.sequences import Dataset, open_dataset
from negsample.dial import NONE, Choice, parse_choice
from negsample.measure import Chosen, choose_again, measure, write_measured
from negsample.methods import POPREC, build_method, catalogue_of
from negsample.models import GRU4Rec, PopRec, SASRec
from negsample.runs import Run, check_new_folder, is_run, read_run, whole_folder, write_json
from negsample.seeds import generator
from negsample.table import DenseTable, RowsTable
from negsample.train import fit_together

_MAX_NAME = 100  # bytes; file systems allow 255 for the whole


class Job(NamedTuple):
    """What determines a run. ``negatives``: all the settings that the method's row names, by name."""

    data: Dataset
    method: str
    seed: int
    settings: TrainSettings
    negatives: dict[str, Any]

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run, whatever machine and folder."""
        return {
            "dataset": self.data.name,
            "dataset_fingerprint": self.data.fingerprint,
            "method": self.method,
            "seed": self.seed,
            "settings": self.settings.model_dump(mode="json"),
            "negatives": self.negatives,
        }

    def made(self, config: Mapping[str, Any]) -> bool:
        """Whether ``config`` is that of a run of this job."""
        return all(config.get(key) == value for key, value in self.identity().items())

    @property
    def name(self) -> str:
        """The folder's name in a study; a long dataset name is cut, the fingerprint keeps it apart."""
        name = self.data.name.encode()[:_MAX_NAME].decode(errors="ignore")
        return f"{name}--{self.method}--seed-{self.seed}--{fingerprint(self.identity())}"


def default_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def do(job: Job, folder: Path, *, dial: Choice = NONE, watch: Callable[[Epoch], None] = lambda epoch: None) -> None:
    """Train and measure ``job``, and choose its dial; ``folder`` appears whole when it is done, or not at all.

    When another process has finished the same job there meanwhile, its run stays.

    Raises:
        InputError: the folder cannot be written (told before any work), or the training diverged.
    """
    do_together([job], [folder], dial=dial, watch=lambda _, epoch: watch(epoch))


def do_together(
    jobs: Sequence[Job],
    folders: Sequence[Path],
    *,
    dial: Choice = NONE,
    watch: Callable[[Job, Epoch], None] = lambda job, epoch: None,
) -> None:
    """The same for jobs that differ in their seeds alone, trained as one batched model.

    Raises:
        InputError: see :func:`do`.
        ValueError: there are several and they are no SASRec.
    """
    for folder in folders:
        check_new_folder(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
    device = default_device()
    models = [build_model(job, device) for job in jobs]
    courses = []
    trained = [model for model in models if not isinstance(model, PopRec)]
    catalogue = catalogue_of(jobs[0].data, jobs[0].settings.max_length, device) if trained else None
    for job, folder, model in zip(jobs, folders, models, strict=True):
        if not isinstance(model, PopRec) and catalogue is not None:
            method = build_method(job.method, catalogue, job.negatives)
            course = Course(model, method, seed=job.seed, watch=partial(watch, job), scratch=folder.parent)
            courses.append(course)
    fitted = fit_together(courses, jobs[0].data, jobs[0].settings) if courses else [Fitted([], 0)] * len(jobs)
    for job, folder, model, result in zip(jobs, folders, models, fitted, strict=True):
        try:
            counts = None if catalogue is None else catalogue.target_counts
            _write(job, model, result, folder, dial, counts, device)
        except OSError:
            if not is_run(folder) or not job.made(read_run(folder).config):
                raise


def _write(
    job: Job,
    model: SASRec | GRU4Rec | PopRec,
    fitted: Fitted,
    folder: Path,
    dial: Choice,
    target_counts: torch.Tensor | None,
    device: torch.device,
) -> None:
    with whole_folder(folder) as scratch:
        versions = {name: version(name) for name in ("negsample", "torch", "numpy")}
        config = job.identity() | {
            "dataset_folder": str(job.data.folder.resolve()),
            "versions": versions | {"python": platform.python_version()},
            "device": str(device),
        }
        write_json(scratch / "config.json", config)
        lines = [json.dumps(epoch.entry()) for epoch in fitted.log]
        (scratch / "log.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        save_file(model.state_dict(), scratch / "model.safetensors")
        (scratch / "model.safetensors").chmod(0o644)  # as the other files; safetensors has 0600
        measured = measure(model, job.data, job.settings, target_counts, dial, device=device)
        write_measured(scratch, measured, dial, {"best_epoch": fitted.best_epoch} | _pace(fitted.log))


def dial_again(folder: Path, dial: Choice, data: Dataset | None = None) -> Chosen:
    """Choose the dial of a finished run: from what was measured, or where that lacks it from the saved model.

    ``data``: what it was trained on; None: where it was then.

    Raises:
        InputError: see :func:`measure_again`.
    """
    return choose_again(read_run(folder), dial) or measure_again(folder, dial, data=data)


def measure_again(
    folder: Path, dial: Choice | None = None, *, data: Dataset | None = None, must_reach: bool = False
) -> Chosen:
    """Measure a finished run from its saved model, choose its dial, and write ``metrics.json`` and the like anew.

    Args:
        folder: of the run.
        dial: how to choose; None: as it was chosen.
        data: what it was trained on; None: where it was then.
        must_reach: a dial that cannot be had leaves the run as it is.

    Raises:
        InputError: there is no run, its dataset is not where it was or has changed, or as ``must_reach`` says.
    """
    run = read_run(folder)
    if dial is None:
        dial = parse_choice(str(run.metrics.get("dial_choice", NONE.text)))
    data = data or _dataset_of(run)
    settings = checked(TrainSettings, run.config["settings"])
    job = Job(data, run.config["method"], run.config["seed"], settings, run.config["negatives"])
    device = default_device()
    model = build_model(job, device)
    try:
        model.load_state_dict(load_file(folder / "model.safetensors", device=str(device)))
    except Exception as error:  # safetensors and torch each have errors of their own
        raise InputError(f"{folder / 'model.safetensors'} cannot be read ({error}); train again") from None
    counts = None if job.method == POPREC else catalogue_of(data, settings.max_length, device).target_counts
    measured = measure(model, data, settings, counts, dial, device=device)
    kept = {key: run.metrics.get(key) for key in ("best_epoch", "train_seconds", "steps_per_second")}
    return write_measured(folder, measured, dial, kept, must_reach=must_reach)


def _dataset_of(run: Run) -> Dataset:
    place = Path(run.config["dataset_folder"])
    try:
        data = open_dataset(place)
    except InputError as error:
        raise InputError(f"the dataset of {run.folder} cannot be opened: {error}") from None
    if data.fingerprint != run.config["dataset_fingerprint"]:
        raise InputError(
            f"the dataset in {place} has changed since {run.folder} was trained (fingerprint {data.fingerprint}, "
            f"was {run.config['dataset_fingerprint']}); train again"
        )
    return data


def build_model(job: Job, device: torch.device) -> SASRec | GRU4Rec | PopRec:
    """The untrained model of ``job``."""
    if job.method == POPREC:
        order = torch.from_numpy(popularity_order(np.asarray(job.data.train_counts)))
        return PopRec(order, max_length=job.settings.max_length).to(device)
    settings = job.settings
    rng = generator(job.seed, "init")
    table: DenseTable | RowsTable
    if settings.table_at(job.data.catalogue_size) == "rows":
        dtype = torch.bfloat16 if settings.table_dtype == "bfloat16" else torch.float32
        table = RowsTable(job.data.catalogue_size, settings.dim, rng=rng, dtype=dtype)
    else:
        table = DenseTable(job.data.catalogue_size, settings.dim, rng=rng)
    common: dict[str, Any] = {
        "dim": settings.dim,
        "max_length": settings.max_length,
        "blocks": settings.blocks,
        "dropout": settings.dropout,
        "rng": rng,
        "table": table,
    }
    if settings.model == "gru4rec":
        return GRU4Rec(job.data.catalogue_size, **common).to(device)
    return SASRec(job.data.catalogue_size, heads=settings.heads, **common).to(device)


def _pace(log: list[Epoch]) -> dict[str, Any]:
    if not log:
        return {"train_seconds": 0.0, "steps_per_second": None}
    return {"train_seconds": log[-1].seconds, "steps_per_second": log[-1].steps / log[-1].seconds}
