"""Which optimiser a model learns by, and what training asks of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import nn

from negsample.config import TrainSettings
from negsample.models import Backbone
from negsample.optimizers.dense import DenseAdam
from negsample.optimizers.rows import RowAdagrad, RowAdam
from negsample.table import RowsTable


class Optimizer(Protocol):
    """What a step needs: any of PyTorch's will do for a model whose every parameter is dense."""

    def zero_grad(self) -> None:
        """Forget the gradients."""
        ...

    def step(self) -> object:
        """Learn from them."""
        ...


class TableAndRest:
    """One optimiser of two: a table's rows by their rule, everything else by Adam."""

    def __init__(self, rule: RowAdam | RowAdagrad, rest: Iterable[nn.Parameter], *, lr: float) -> None:
        self.rule, self.rest = rule, DenseAdam(rest, lr=lr)

    def zero_grad(self) -> None:
        """Forget the gradients; those of rows are new with each lookup."""
        self.rest.zero_grad()

    def step(self) -> None:
        """Learn from them."""
        self.rest.step()
        self.rule.step()


def optimizer_for(
    model: Backbone, settings: TrainSettings, *, rounding_rng: torch.Generator | None = None
) -> TableAndRest | DenseAdam:
    """What ``settings`` say: Adam for all of a model, or a rule for the rows of its table and Adam for the rest."""
    table = model.table
    if not isinstance(table, RowsTable):
        return DenseAdam(model.parameters(), lr=settings.learning_rate)
    lr = settings.table_learning_rate or settings.learning_rate
    rule = (RowAdagrad if settings.table_optimizer == "adagrad" else RowAdam)(table, lr=lr, rng=rounding_rng)
    return TableAndRest(rule, model.parameters(), lr=settings.learning_rate)


def settle(optimizer: Optimizer) -> None:
    """Bring every row up to date, so that the table can be read as a whole."""
    if isinstance(optimizer, TableAndRest):
        optimizer.rule.settle()


def release(model: Backbone) -> None:
    """Let go of the state that the rows of a model's table learned by; the table is only read from then on."""
    if isinstance(model.table, RowsTable):
        model.table.rule = None
