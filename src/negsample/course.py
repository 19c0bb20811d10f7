"""One training and what has come of it so far: its chance, its epochs, the weights of the best of them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from negsample.config import TrainSettings
from negsample.data.batches import Batch
from negsample.data.sequences import Dataset
from negsample.evaluation import evaluate
from negsample.forward import Proposed
from negsample.methods import Method
from negsample.models import Backbone
from negsample.seeds import generator

SELECTED_BY = "hr@10"


class Epoch(NamedTuple):
    """What an epoch gave; ``valid`` where it was looked at, ``seconds`` and ``steps`` of training so far."""

    epoch: int
    loss: float
    seconds: float
    steps: int
    valid: dict[str, float | int] | None

    def entry(self) -> dict[str, Any]:
        """As a line of ``log.jsonl``."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Fitted(NamedTuple):
    """A finished training: its epochs, and the one whose weights the model now has."""

    log: list[Epoch]
    best_epoch: int


class Course:
    """One training: a model, its method, and its chance by purpose, with what has come of it so far.

    Args:
        model: with its table; trained in place.
        method: the three seats, its own where it has a memory.
        seed: where chance comes from.
        watch: called after each epoch.
        scratch: the folder of the nameless file in which the weights of the best epoch lie, so that they take no
            memory; None: the system's for temporary files.
    """

    def __init__(
        self,
        model: Backbone,
        method: Method,
        *,
        seed: int,
        watch: Callable[[Epoch], None] = lambda epoch: None,
        scratch: Path | None = None,
    ) -> None:
        self.model, self.method, self.seed, self.watch = model, method, seed, watch
        device = model.table.weight.device
        self.order_rng = generator(seed, "order")
        self.negatives_rng = generator(seed, "negatives", device)
        self.dropout_rng = generator(seed, "dropout", device)
        self.rounding_rng = generator(seed, "rounding", device)
        self.kept: list[tuple[Batch, Proposed]] = []
        self.log: list[Epoch] = []
        self.best_epoch, self._best_value = 0, -math.inf
        self._scratch = scratch

    @contextmanager
    def keeping_best(self) -> Iterator[None]:
        """For as long as its training takes: there is a place for the best weights."""
        with tempfile.TemporaryFile(dir=self._scratch) as self._best:
            yield

    def look(self, epoch: int, data: Dataset, settings: TrainSettings) -> dict[str, float | int]:
        """Validation figures after ``epoch``; its weights are set aside if it is the best so far."""
        device = self.model.table.weight.device
        valid = evaluate(self.model, data, "valid", settings, device=device, with_top=False).figures
        if valid[SELECTED_BY] > self._best_value:
            self.best_epoch, self._best_value = epoch, valid[SELECTED_BY]
            self._best.seek(0)
            torch.save(self.model.state_dict(), self._best)
        return valid

    def load_best(self) -> None:
        """Give the model the weights of its best epoch."""
        self._best.seek(0)
        device = self.model.table.weight.device
        self.model.load_state_dict(torch.load(self._best, map_location=device, weights_only=True))
