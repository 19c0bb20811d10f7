"""The state of one training: its model, its random numbers, its epochs, the weights of the best of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from negsample.data.dataset import Dataset
from negsample.evaluation.evaluate import evaluate
from negsample.evaluation.finite import NotFiniteError, all_finite
from negsample.files.folders import finite
from negsample.methods import Method
from negsample.models import Backbone
from negsample.random import Purpose, generator
from negsample.settings import RunSettings
from negsample.training.best import BestWeights
from negsample.training.checkpoint import State
from negsample.training.processes import check_same, processes_of
from negsample.training.replay import Replay


class Epoch(NamedTuple):
    """What an epoch gave; ``valid`` where it was validated, NaN where a figure is undefined; ``seconds`` and ``steps``
    of training so far; ``refit`` in a refit: how many epochs it has."""

    epoch: int
    loss: float
    seconds: float
    steps: int
    valid: dict[str, float | int] | None
    refit: int | None = None

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
    """One training: a model, its method, and its generators by purpose, with what has come of it so far.

    Args:
        model: with its table; trained in place.
        method: sampler, miner and loss, its own where it has a memory.
        seed: where random numbers come from.
        watch: called after each epoch.
        scratch, keep: where the weights of the best epoch lie, see :class:`~negsample.training.best.BestWeights`.
        refit: train for so many epochs without validation; the weights after the last are taken. (default: as many as
            the settings say, of which the best on validation is taken)
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
        refit: int | None = None,
    ) -> None:
        self.model, self.method, self.seed, self.watch, self.refit = model, method, seed, watch, refit
        self.order_rng = generator(seed, "order")
        self.negatives_rng = generator(seed, "negatives", self.device)
        self.dropout_rng = generator(seed, "dropout", self.device)
        self.rounding_rng = generator(seed, "rounding", self.device)
        self._generators = (self.order_rng, self.negatives_rng, self.dropout_rng, self.rounding_rng)
        self.processes = processes_of(model)
        # Of what one process alone draws. Negatives that the whole batch shares are drawn alike in all of them.
        self.miner_rng = self.negatives_rng if self.processes is None else torch.Generator(self.device)
        shared = self.processes is None or method.sampler.per == "batch"
        self.draws_rng = self.negatives_rng if shared else self.miner_rng
        self.replay: list[Replay] = []
        self.log: list[Epoch] = []
        self.best = BestWeights(scratch, keep, model.table.shards)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.table.weight.device

    def begin(self, epoch: int) -> None:
        """Of several processes each begins an epoch with random numbers of its own, whatever it did before: a training
        can be resumed by another number of them."""
        if self.processes is not None:
            check_same(self.model, [self.order_rng, self.negatives_rng], self.processes)
            own: dict[Purpose, torch.Generator] = {
                "negatives": self.miner_rng,
                "dropout": self.dropout_rng,
                "rounding": self.rounding_rng,
            }
            for purpose, rng in own.items():
                new = generator(self.seed, purpose, self.device, stream=(epoch, *self.processes))
                rng.set_state(new.get_state())

    def epochs(self, settings: RunSettings) -> int:
        """How many it has at most."""
        return settings.training.epochs if self.refit is None else self.refit

    def is_over(self, settings: RunSettings) -> bool:
        """Whether no epoch comes any more: it had all, or its validation has not improved for long enough."""
        if self.log and self.log[-1].epoch >= self.epochs(settings):
            return True
        patience = 0 if self.refit is not None else settings.training.early_stop
        since = sum(each.valid is not None for each in self.log if each.epoch > self.best.epoch)
        return 0 < patience <= since

    def is_due(self, epoch: int, settings: RunSettings) -> bool:
        """Whether :meth:`validate` is to be called after ``epoch``."""
        return epoch == self.epochs(settings) or (self.refit is None and epoch % settings.training.eval_every == 0)

    def validate(self, epoch: int, data: Dataset, settings: RunSettings) -> dict[str, float | int] | None:
        """Validation figures after ``epoch``; its weights are set aside if it is the best so far.

        After the last epoch of a refit there are no figures.

        Raises:
            NotFiniteError: the weights or scores are not finite.
        """
        if self.refit is not None:
            weights = self.model.state_dict()
            finite = all_finite(weights.values())
            if not (finite if self.processes is None else self.processes.all_say(finite)):
                raise NotFiniteError("the weights are not finite")
            self.best.take(epoch, weights)
            return None
        valid = evaluate(
            self.model, data, "valid", settings, device=self.device, with_top=False, with_groups=False
        ).figures
        self.best.update(epoch, valid, self.model.state_dict())
        return valid

    def state(self) -> State:
        """All that the epochs to come depend on, but for the optimizer, between two of them."""
        memory = self.method.memory
        return {
            "model": self.model.state_dict(),
            "random": [each.get_state() for each in self._generators],
            "memory": None if memory is None else memory.state_dict(),
            "replay": [each.state() for each in self.replay],
            "log": json.dumps([each.entry() for each in self.log], allow_nan=False),
            "best": self.best.state(),
        }

    def restore(self, state: State) -> None:
        """Go on from ``state``, of a training of the same model, method and seed; ``watch`` sees its epochs again."""
        self.model.load_state_dict(state["model"])
        for each, then in zip(self._generators, state["random"], strict=True):
            each.set_state(then)
        if self.method.memory is not None:
            self.method.memory.load_state_dict(state["memory"])
        self.replay[:] = [Replay.restored(each, self.device) for each in state["replay"]]
        self.best.restore(state["best"])
        self.log[:] = [Epoch.of_entry(each) for each in json.loads(state["log"])]
        for epoch in self.log:
            self.watch(epoch)
