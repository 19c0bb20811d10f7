"""Which optimizer a model learns by, and what training asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from negsample.batches.streams import Chance
from negsample.models import Backbone
from negsample.models.build import check_table, terms_of
from negsample.models.item_table import ItemTable
from negsample.models.terms import TermWeights
from negsample.optim.dense import DenseAdam
from negsample.optim.row_adagrad import RowAdagrad
from negsample.optim.row_adam import RowAdam
from negsample.settings import RunSettings

TERMS_LR = 50
"""Times the learning rate."""


class Optimizer(Protocol):
    """What a step needs: any of PyTorch's will do for a model whose every parameter is dense."""

    def zero_grad(self) -> None:
        """Forget the gradients."""

    def step(self) -> object:
        """Learn from them."""


class ModelOptimizer:
    """One optimizer of several: those of tables of rows, one of ``terms``, and Adam for everything else."""

    def __init__(
        self,
        tables: Sequence[RowAdam | RowAdagrad],
        rest: Iterable[nn.Parameter],
        *,
        lr: float,
        terms: Sequence[nn.Parameter] = (),
    ) -> None:
        apart = {id(each) for each in terms}
        self.tables, self.rest = tables, DenseAdam((each for each in rest if id(each) not in apart), lr=lr)
        self.terms = DenseAdam(terms, lr=TERMS_LR * lr)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for each in (self.rest, self.terms, *self.tables):
            each.zero_grad()

    def step(self) -> None:
        """Learn from them."""
        for each in (self.rest, self.terms, *self.tables):
            each.step()

    def state_dict(self) -> dict[str, Any]:
        """What has been gathered so far, between two steps; the values themselves are the model's."""
        dense = {"rest": self.rest.state_dict(), "terms": self.terms.state_dict()}
        return {"tables": [table.state_dict() for table in self.tables]} | dense

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``, of an optimizer of the same models by the same settings."""
        for table, saved in zip(self.tables, state["tables"], strict=True):
            table.load_state_dict(saved)
        self.rest.load_state_dict(state["rest"])
        self.terms.load_state_dict(state["terms"])

    def apply_deferred(self) -> None:
        """Bring every row up to date, so that the tables can be read as a whole."""
        for table in self.tables:
            table.apply_deferred()


def optimizer_for(
    model: Backbone, settings: RunSettings, *, rounding_rng: torch.Generator | None = None
) -> ModelOptimizer:
    """What ``settings`` say: Adam for all of a model, or a row-wise optimizer for its table and Adam for the rest.

    Raises:
        ValueError: ``settings`` are of another table.
    """
    return optimizer_of([model.table], model.parameters(), settings, [rounding_rng], [terms_of(model)])


def optimizer_of(
    tables: Sequence[ItemTable],
    parameters: Iterable[nn.Parameter],
    settings: RunSettings,
    rounding_rngs: Sequence[Chance | None],
    terms: Iterable[TermWeights | None] = (),
) -> ModelOptimizer:
    """The same for the ``tables`` of several models, with a generator each, and all that is a parameter of them.

    Weights of ``terms`` learn ``TERMS_LR`` times as fast: they are few, and what they weigh is of the order of 1.

    Raises:
        ValueError: ``settings`` are of another table.
    """
    for table in tables:
        check_table(table, settings)
    lr = settings.training.table_learning_rate or settings.training.learning_rate
    row_wise = RowAdagrad if settings.training.table_optimizer == "adagrad" else RowAdam
    of_tables = [
        row_wise(table, lr=lr, rng=rng) for table, rng in zip(tables, rounding_rngs, strict=True) if table.by_rows
    ]
    weights = [each for of_model in terms if of_model is not None for each in of_model.parameters()]
    return ModelOptimizer(of_tables, parameters, lr=settings.training.learning_rate, terms=weights)


def release(model: Backbone) -> None:
    """Let go of the state that the rows of a model's table learned by; the table is only read from then on."""
    model.table.optimizer = None
