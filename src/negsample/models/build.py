"""What a model is, from its settings to the model, and whether settings say what a model is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from negsample.batches.packed import Packed
from negsample.errors import InputError, guarded
from negsample.models.gru4rec import GRU4Rec
from negsample.models.item_table import ItemTable
from negsample.models.sasrec import SASRec
from negsample.models.terms import NoStates, TermWeights
from negsample.parallel.processes import current
from negsample.parallel.shards import Shards
from negsample.settings import (
    BACKBONES,
    GRU4RecSettings,
    ModelSettings,
    RunSettings,
    SASRecSettings,
    TermsSettings,
    default_table,
)

_NAMES = {SASRec: "sasrec", GRU4Rec: "gru4rec"}


class Backbone(Protocol):
    """A module with an item table that turns a history into one state a position, to be scored against the table."""

    @property
    def table(self) -> ItemTable:
        """The item embeddings."""

    @property
    def max_length(self) -> int:
        """L."""

    def __call__(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) states; with ``rng`` as in training."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """As of any module."""

    def state_dict(self) -> dict[str, Any]:
        """As of any module."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """As of any module."""


def build_backbone(settings: ModelSettings, items: int, *, rng: torch.Generator, device: torch.device) -> Backbone:
    """The untrained model of these settings for so many items, on ``device``. A sharded table is divided over the
    processes that train together (:func:`negsample.parallel.processes.together`); where there are none it is by rows.

    Raises:
        InputError: a backbone of a plugin cannot be built.
    """
    kind = settings.table or default_table(items)
    by_rows, processes = kind != "dense", current() if kind == "sharded" else None
    table = ItemTable(
        items,
        settings.dim,
        rng=rng,
        by_rows=by_rows,
        dtype=torch.bfloat16 if by_rows and settings.table_dtype == "bfloat16" else torch.float32,
        init=settings.init if isinstance(settings, SASRecSettings) else "normal",
        shards=None if processes is None else Shards(items + 1, processes),
    )
    model: Any = _around(table, settings, items, rng)
    if settings.terms:
        model.terms = TermWeights(settings.terms)
    return model.to(device)  # type: ignore[no-any-return]


def _around(table: ItemTable, settings: ModelSettings, items: int, rng: torch.Generator) -> Any:
    own = settings.model_dump(exclude={"backbone", "table", "table_dtype", "terms"}) | {"rng": rng, "table": table}
    if isinstance(settings, GRU4RecSettings):
        return GRU4Rec(items, **own)
    if isinstance(settings, SASRecSettings):
        return SASRec(items, **own)
    if isinstance(settings, TermsSettings):
        return NoStates(table, settings.max_length)
    try:
        model = settings.build(table, rng=rng)  # type: ignore[attr-defined]
    except ValueError as error:
        raise InputError(f"backbone {settings.backbone}: {error}") from None
    if getattr(model, "table", None) is not table or not hasattr(model, "max_length"):
        raise InputError(
            f"backbone {settings.backbone}: the model must keep the table that it was given as `table`, and have a "
            "`max_length`"
        )
    return model


@guarded
def register_backbone(name: str, settings: type[ModelSettings], *, replace: bool = False) -> type[ModelSettings]:
    """Add a backbone of your own, which is then chosen by ``backbone=NAME``. Returns its settings.

    Args:
        name: see :meth:`negsample.plugins.Registry.register`.
        settings: a class of :class:`~negsample.ModelSettings` with a method ``build(self, table, *, rng)`` that makes a
            :class:`~negsample.models.Backbone` around an item table.
        replace: take the place of one that was registered before; never of negsample's own.

    Raises:
        InputError: the name is taken or is none, or the settings are none of a backbone.
    """
    return BACKBONES.register(name, settings, replace=replace)


def terms_of(model: object) -> TermWeights | None:
    """The weights of the terms that a model has, or None."""
    found = getattr(model, "terms", None)
    assert found is None or isinstance(found, TermWeights)
    return found


def set_terms(model: Any, weights: TermWeights | None) -> None:
    """Give ``model`` these weights in the place of those that it has; None: it has none."""
    model.terms = weights


def check_items(items: int, catalogue_size: int, what: str) -> None:
    """Refuses a table of so many ``items`` where ``what`` has others.

    Raises:
        ValueError: as it says.
    """
    if items != catalogue_size:
        raise ValueError(
            f"the model's table has {items} items and {what} has {catalogue_size}; make the model with "
            f"items={catalogue_size}"
        )


def check_table(table: ItemTable, settings: RunSettings) -> None:
    """Refuses settings of another table than ``table``; ``settings.model.table`` None leaves open which it is.

    Raises:
        ValueError: as it says.
    """
    if settings.model.table is not None:
        found = "dense" if not table.by_rows else "sharded" if table.shards else "rows"
        alone = found == "rows" and settings.model.table == "sharded"  # of a single process, which has all rows
        _agree("table", "sharded" if alone else found, settings.model.table)
    if table.by_rows and settings.model.table in ("rows", "sharded"):
        dtype = "bfloat16" if table.weight.dtype == torch.bfloat16 else "float32"
        _agree("table_dtype", dtype, settings.model.table_dtype)


def check_model(model: Backbone, settings: RunSettings) -> None:
    """Refuses settings of another model than ``model``: its table, lengths and, of the project's own, all they are of.

    Raises:
        ValueError: as it says.
    """
    found: dict[str, Any] = {"max_length": model.max_length, "dim": model.table.weight.shape[1]}
    if isinstance(model, SASRec | GRU4Rec):
        found = {"backbone": _NAMES[type(model)], "blocks": len(model.blocks), "dropout": model.dropout} | found
    if isinstance(model, SASRec):
        found["heads"] = model.heads
    flat = settings.flat()
    for name, value in found.items():
        _agree(name, value, flat[name])
    check_table(model.table, settings)


def _agree(name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise ValueError(
            f"the model has {name}={found} and the settings say {name}={wanted}; make the model from the settings, or "
            f"give the settings {name}={found}"
        )
