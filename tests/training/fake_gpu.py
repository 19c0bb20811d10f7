"""Steps, an evaluation and top lists on a GPU that is not there, in a process of its own: where each waits for it.

Tensors have shapes and a device, and no values (`FakeTensorMode`), so what would read one is an error, and so is what
mixes devices. PyTorch for CPUs has no part of CUDA, so the device is one that Python registers.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from negsample import run_settings
from negsample.batches.epochs import batches_of
from negsample.batches.on_device import EventsOnDevice
from negsample.batches.streams import Streams
from negsample.batches.windows import Windows, longest_first, training_windows
from negsample.data.dataset import Dataset
from negsample.data.load import load_dataset
from negsample.evaluation.encode import encode
from negsample.evaluation.evaluate import evaluate_by_dial
from negsample.evaluation.seen import Seen
from negsample.methods import build_method, catalogue_of, negative_settings
from negsample.models import Together
from negsample.models.build import terms_of
from negsample.optim import optimizer_for, optimizer_of
from negsample.random import generator
from negsample.runs.job import Job, build_model
from negsample.scoring.dial import Dials, log_shares
from negsample.serving.top_k import Shifts, top_k
from negsample.training.inputs import propose, step_options
from negsample.training.joint import joint_batches, joint_steps, may_join
from negsample.training.knowledge import knowledge_for
from negsample.training.state import TrainingState
from negsample.training.step import step, step_of

_setup_privateuseone_for_python_backend("gpu")
torch.gpu.get_amp_supported_dtype = lambda: [torch.bfloat16]
CPU, GPU = torch.device("cpu"), torch.device("gpu", 0)
SETTINGS = run_settings(epochs=2, batch_size=16, dim=8, max_length=12)
CHANGES = {"random_negatives": 12, "in_batch_negatives": 6, "bank_size": 20, "warm_up": 0, "cache_size": 30}
CHANGES |= {"kept_hardest": 5}


class WaitingError(Exception):
    """A copy between devices, for which the CPU waits."""


class NoCopies(TorchDispatchMode):
    """Refuses copies between devices, but for those to the GPU that the CPU does not wait for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        given = next((each.device for each in args if isinstance(each, Tensor)), None)
        sent = given == CPU and (kwargs or {}).get("non_blocking", False)
        if isinstance(found, Tensor) and given is not None and found.device.type != given.type and not sent:
            raise WaitingError(f"{func}: from {given} to {found.device}")
        return found


@contextmanager
def fake_gpu() -> Iterator[None]:
    """Tensors are fake, and what is real may be moved to the fake device."""
    without_device = patch.object(FakeTensorMode, "avoid_device_init", property(lambda mode: True))
    pinned = patch.object(Tensor, "pin_memory", lambda values: values)
    with without_device, pinned, FakeTensorMode(allow_non_fake_inputs=True):
        yield


def moved(model: nn.Module) -> None:
    """The parameters and buffers of ``model`` on the fake device."""
    for module in model.modules():
        for name, each in module._parameters.items():
            module._parameters[name] = None if each is None else nn.Parameter(each.detach().to(GPU))
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.to(GPU)


def waits(function: Callable[[], object]) -> dict[str, str] | None:
    """Where it waits for the GPU or mixes devices: the last line of negsample, and why; None where it does not."""
    try:
        with NoCopies():
            function()
    except Exception as error:
        return told(error)
    return None


def told(error: Exception) -> dict[str, str]:
    """The last line of negsample that ``error`` came through, and what it says."""
    lines = [each for each in traceback.extract_tb(error.__traceback__) if "/negsample/" in each.filename]
    return {
        "line": (lines[-1].line or "") if lines else "",
        "file": Path(lines[-1].filename).name if lines else "",
        "why": f"{type(error).__name__}: {error}".splitlines()[0],
    }


def of_step(data: Dataset, method: str, changes: Mapping[str, Any]) -> dict[str, str] | None:
    """Of a second step of ``method``: what lasts from the first one on is there."""
    settings = SETTINGS.replaced(**changes)
    job = Job(data, method, 0, settings, negative_settings(method, CHANGES))
    model = build_model(job, CPU)
    built = build_method(method, catalogue_of(data, settings.model.max_length, CPU), job.negatives)
    batch = next(batches_of(data, settings, built.exclude, rng=generator(0, "order")))
    knowledge = knowledge_for(model, built, data, settings, CPU)
    terms = None if knowledge is None else knowledge.of(batch)
    rngs = {f"{name}_rng": generator(0, name) for name in ("negatives", "dropout")}
    options = step_options(settings)
    step(
        model,
        built,
        batch,
        optimizer_for(model, settings, rounding_rng=generator(0, "rounding")),
        terms=terms,
        options=options,
        **rngs,
    )
    with fake_gpu():
        moved(model)
        optimizer, there = optimizer_for(model, settings, rounding_rng=generator(0, "rounding")), batch.to(GPU)
        if terms is not None:
            terms = tree_map_only(Tensor, lambda each: each.detach().to(GPU), terms)._replace(weights=terms_of(model))

        def again() -> None:
            step(model, built, there, optimizer, terms=terms, options=options, **rngs)

        try:  # copies of what lasts are allowed in it
            again()
        except Exception as error:
            return told(error)
        return waits(again)


def of_joint_step(data: Dataset, method: str, changes: Mapping[str, Any]) -> dict[str, str] | None:
    """Of a second step of three seeds of ``method`` in one batch."""
    settings = SETTINGS.replaced(**changes)
    trainings = []
    for seed in range(3):
        job = Job(data, method, seed, settings, negative_settings(method, CHANGES))
        built = build_method(method, catalogue_of(data, settings.model.max_length, CPU), job.negatives)
        trainings.append(TrainingState(build_model(job, CPU), built, seed=seed))
    assert may_join(trainings[0].method, settings)
    batches = list(joint_batches(trainings, data, settings))
    streams = Streams(tuple(training.negatives_rng for training in trainings))
    propose(trainings[0].method, batches[0], rng=streams)  # what lasts of a distribution
    with fake_gpu():
        for training in trainings:
            moved(training.model)
        together = Together([training.model for training in trainings], one_table=True)
        rounding = Streams(tuple(training.rounding_rng for training in trainings))
        optimizer = optimizer_of(together.tables, together.parameters(), settings, [rounding])
        steps = joint_steps(trainings, together, iter([batches[0]] * 2), step_options(settings))
        try:
            step_of([next(steps)], optimizer, together)
        except Exception as error:
            return told(error)
        return waits(lambda: step_of([next(steps)], optimizer, together))


def of_evaluation(data: Dataset, table: str) -> dict[str, str] | None:
    """Of an evaluation with top lists, at three settings of the dial, without what users had."""
    dials = Dials(log_shares(data.train_counts), (-0.5, 0.0, 0.5))
    settings = SETTINGS.replaced(table=table, filter_seen=True)
    model = build_model(Job(data, "random", 0, settings, negative_settings("random", {})), CPU)
    with fake_gpu():
        moved(model)
        return waits(lambda: evaluate_by_dial(model, data, "test", settings, dials, device=GPU))


def of_top_lists(data: Dataset, table: str) -> dict[str, str] | None:
    """Of the top lists of twenty people, with something added for every item and items left out."""
    model = build_model(Job(data, "random", 0, SETTINGS.replaced(table=table), negative_settings("random", {})), CPU)
    people, items = 20, data.catalogue_size
    windows = Windows(np.arange(people), data.offsets[:people], data.offsets[:people] + 3)
    rows = np.arange(people)
    seen = Seen.of_pairs(rows, 1 + rows % items, queries=people, items=items)
    shifts = Shifts(torch.zeros(2, items + 1), rows % 2)

    def asked() -> None:
        states = encode(model, data.items, windows, device=GPU)
        top_k(states, model.table, 10, shifts=shifts, seen=seen)

    with fake_gpu():
        moved(model)
        return waits(asked)


def of_batches(data: Dataset, table: str) -> dict[str, str] | None:
    """Of a batch of one seed and one of two, gathered on the GPU."""
    length = SETTINGS.replaced(table=table).model.max_length
    windows = longest_first(training_windows(data, length))
    with fake_gpu():
        events = EventsOnDevice(data, GPU, max_length=length, exclude="history")

        def made() -> None:
            for split in (None, np.array([0, 10, len(windows)])):
                batch = events.batch(windows, split)
                assert batch.history_keys.device == batch.targets_T.device == GPU

        return waits(made)


OTHERS = {"evaluation": of_evaluation, "recommend": of_top_lists, "batches": of_batches}


def of(data: Dataset, what: str, changes: Mapping[str, Any]) -> dict[str, str] | None:
    """Of a step of a method, ``together METHOD`` of several seeds of it, or one of the others."""
    if what in OTHERS:
        return OTHERS[what](data, changes["table"])
    several = what.removeprefix("together ")
    return of_step(data, what, changes) if several == what else of_joint_step(data, several, changes)


def main() -> None:
    """Print, as JSON, what each asked for, as JSON ``[WHAT, SETTINGS]``, waits for."""
    log, asked = sys.argv[1], map(json.loads, sys.argv[2:])
    data = load_dataset(log)
    found = [of(data, what, changes) for what, changes in asked]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
