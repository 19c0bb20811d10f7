"""One training and what has come of it so far: its chance, its epochs, the weights of the best of them."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from negsample.data.dataset import Dataset
from negsample.evaluation.evaluate import evaluate
from negsample.files.checksums import sum_of
from negsample.files.folders import finite
from negsample.methods import Method
from negsample.models import Backbone
from negsample.random import generator
from negsample.settings import TrainSettings
from negsample.training.checkpoint import State, damaged, save, write_whole
from negsample.training.proposals import Replay

SELECTED_BY = "hr@10"
"""The validation figure by which an epoch, and a tuning's trial, is chosen."""

_OF_EQUALS = "ndcg@10"


def standing(valid: Mapping[str, float]) -> tuple[float, float]:
    """What is compared to choose by validation: HR@10 first, and of equal ones NDCG@10; the first of equals is taken.

    HR@10 alone tells little where the catalogue is small: where V is near 10, every epoch hits nearly everything.
    """
    return valid[SELECTED_BY], valid[_OF_EQUALS]


class Epoch(NamedTuple):
    """What an epoch gave; ``valid`` where it was looked at, NaN where a figure is undefined; ``seconds`` and ``steps``
    of training so far."""

    epoch: int
    loss: float
    seconds: float
    steps: int
    valid: dict[str, float | int] | None

    def entry(self) -> dict[str, Any]:
        """As a line of ``log.jsonl``; a figure that is undefined is null."""
        entry: dict[str, Any] = finite({name: value for name, value in self._asdict().items() if value is not None})
        return entry

    @classmethod
    def of_entry(cls, entry: dict[str, Any]) -> Epoch:
        """The epoch that gave this line."""
        valid = entry.get("valid")
        undefined = {name: math.nan for name, value in (valid or {}).items() if value is None}
        return cls(**(entry | {"valid": None if valid is None else valid | undefined}))


class Fitted(NamedTuple):
    """A finished training: its epochs, and the one whose weights the model now has."""

    log: list[Epoch]
    best_epoch: int


class TrainingState:
    """One training: a model, its method, and its chance by purpose, with what has come of it so far.

    Args:
        model: with its table; trained in place.
        method: the three seats, its own where it has a memory.
        seed: where chance comes from.
        watch: called after each epoch.
        scratch: the folder of the nameless file in which the weights of the best epoch lie, so that they take no
            memory; None: the system's for temporary files.
        keep: the folder where these weights lie under a name instead, for a training that may be carried on.
    """

    def __init__(
        self,
        model: Backbone,
        method: Method,
        *,
        seed: int,
        watch: Callable[[Epoch], None] = lambda epoch: None,
        scratch: Path | None = None,
        keep: Path | None = None,
    ) -> None:
        self.model, self.method, self.seed, self.watch = model, method, seed, watch
        device = model.table.weight.device
        self.order_rng = generator(seed, "order")
        self.negatives_rng = generator(seed, "negatives", device)
        self.dropout_rng = generator(seed, "dropout", device)
        self.rounding_rng = generator(seed, "rounding", device)
        self.kept: list[Replay] = []
        self.log: list[Epoch] = []
        self.best_epoch, self._best_standing = 0, (-math.inf, -math.inf)
        self._scratch, self._keep = scratch, keep
        self._best_sum = ""

    @contextmanager
    def keeping_best(self) -> Iterator[None]:
        """For as long as its training takes: there is a place for the best weights."""
        if self._keep is not None:
            yield
            return
        with tempfile.TemporaryFile(dir=self._scratch) as self._best:
            yield

    def look(self, epoch: int, data: Dataset, settings: TrainSettings) -> dict[str, float | int]:
        """Validation figures after ``epoch``; its weights are set aside if it is the best so far."""
        device = self.model.table.weight.device
        valid = evaluate(self.model, data, "valid", settings, device=device, with_top=False).figures
        if standing(valid) > self._best_standing:
            self.best_epoch, self._best_standing = epoch, standing(valid)
            if self._keep is not None:
                write_whole(self.model.state_dict(), self._best_path(self._keep))
                self._best_sum = sum_of(self._best_path(self._keep)).sha256
            else:
                self._best.seek(0)
                save(self.model.state_dict(), self._best)
        return valid

    def load_best(self) -> None:
        """Give the model the weights of its best epoch."""
        device = self.model.table.weight.device
        if self._keep is None:
            self._best.seek(0)
            weights = torch.load(self._best, map_location=device, weights_only=True)
        else:
            path = self._check_best(self._keep)
            try:
                weights = torch.load(path, map_location=device, weights_only=True)
            except Exception as error:  # torch and its unpickler each have errors of their own
                raise damaged(path, error) from None
        self.model.load_state_dict(weights)

    def state(self) -> State:
        """All that the epochs to come depend on, but for the optimiser, between two of them."""
        return {
            "model": self.model.state_dict(),
            "chance": [each.get_state() for each in self._chance()],
            "memory": None if self.method.memory is None else self.method.memory.state_dict(),
            "kept": [tuple(each) for each in self.kept],
            "log": json.dumps([each.entry() for each in self.log], allow_nan=False),
            "best": [self.best_epoch, *self._best_standing],
            "best_sum": self._best_sum,
        }

    def restore(self, state: State) -> None:
        """Go on from ``state``, of a course of the same model, method and seed; what it told is told again."""
        self.model.load_state_dict(state["model"])
        for each, kept in zip(self._chance(), state["chance"], strict=True):
            each.set_state(kept)
        if self.method.memory is not None:
            self.method.memory.load_state_dict(state["memory"])
        device = self.model.table.weight.device
        self.kept[:] = [Replay(*each).to(device) for each in state["kept"]]
        self.best_epoch, *standing_then = state["best"]
        self._best_standing = standing_then[0], standing_then[1]
        self._best_sum = state["best_sum"]
        if self._keep is not None and self.best_epoch:
            self._check_best(self._keep)
        self.log[:] = [Epoch.of_entry(each) for each in json.loads(state["log"])]
        for epoch in self.log:
            self.watch(epoch)

    def forget_earlier_bests(self) -> None:
        """Delete the weights of epochs that were the best for a while: no state needs them any more."""
        if self._keep is not None:
            for path in self._keep.glob("best-*"):
                if path != self._best_path(self._keep):
                    path.unlink()

    def _check_best(self, folder: Path) -> Path:
        """The path of the best weights, which are those that were written."""
        path = self._best_path(folder)
        try:
            found = sum_of(path).sha256
        except OSError as error:
            raise damaged(path, error.strerror) from None
        if found != self._best_sum:
            raise damaged(path, "its checksum is another than when it was written")
        return path

    def _best_path(self, folder: Path) -> Path:
        return folder / f"best-{self.best_epoch}.pt"

    def _chance(self) -> list[torch.Generator]:
        return [self.order_rng, self.negatives_rng, self.dropout_rng, self.rounding_rng]
