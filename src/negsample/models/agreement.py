"""Whether settings say what a model is: no training and no measuring under settings of another model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch

from negsample.models.backbone import Backbone
from negsample.models.gru4rec import GRU4Rec
from negsample.models.item_table import DenseTable, ItemTable, RowsTable
from negsample.models.sasrec import SASRec
from negsample.settings import RunSettings

_NAMES = {SASRec: "sasrec", GRU4Rec: "gru4rec"}


class _HasItems(Protocol):
    @property
    def items(self) -> int: ...


def check_items(table: _HasItems, catalogue_size: int, what: str) -> None:
    """Refuses a table of other items than those of ``what``.

    Raises:
        ValueError: as it says.
    """
    if table.items != catalogue_size:
        raise ValueError(
            f"the model's table has {table.items} items and {what} has {catalogue_size}; make the model with "
            f"items={catalogue_size}"
        )


def check_table(table: ItemTable, settings: RunSettings) -> None:
    """Refuses settings of another table than ``table``; ``settings.model.table`` None leaves open which it is.

    Raises:
        ValueError: as it says.
    """
    kind = {DenseTable: "dense", RowsTable: "rows"}.get(type(table))
    if kind is not None and settings.model.table is not None:
        _agree("table", kind, settings.model.table)
    if isinstance(table, RowsTable) and settings.model.table == "rows":
        _agree(
            "table_dtype", "bfloat16" if table.weight.dtype == torch.bfloat16 else "float32", settings.model.table_dtype
        )


def check_model(model: Backbone, settings: RunSettings) -> None:
    """Refuses settings of another model than ``model``: its table, lengths and, of the project's own, all they are of.

    Raises:
        ValueError: as it says.
    """
    said = settings.flat()
    for name, found in _facts(model):
        _agree(name, found, said[name])
    check_table(model.table, settings)


def _facts(model: Backbone) -> Iterator[tuple[str, Any]]:
    """The settings that can be read off a model."""
    if isinstance(model, SASRec | GRU4Rec):
        yield "backbone", _NAMES[type(model)]
        yield "blocks", len(model.blocks)
        yield "dropout", model.dropout
    if isinstance(model, SASRec):
        yield "heads", model.heads
    yield "max_length", model.max_length
    yield "dim", model.table.weight.shape[1]


def _agree(name: str, found: object, said: object) -> None:
    if found != said:
        raise ValueError(
            f"the model has {name}={found} and the settings say {name}={said}; make the model from the settings, or "
            f"give the settings {name}={found}"
        )
