"""From the settings of a model to the model, and the door for a backbone of one's own."""

from __future__ import annotations

from typing import Any

import torch

from negsample.errors import InputError, guarded
from negsample.models.backbone import Backbone
from negsample.models.gru4rec import GRU4Rec
from negsample.models.item_table import DenseTable, RowsTable
from negsample.models.sasrec import SASRec
from negsample.settings import BACKBONES, GRU4RecSettings, ModelSettings, SASRecSettings, table_for


def build_backbone(settings: ModelSettings, items: int, *, rng: torch.Generator, device: torch.device) -> Backbone:
    """The untrained model of these settings for so many items, on ``device``.

    Raises:
        InputError: a backbone of a plugin cannot be built.
    """
    table: DenseTable | RowsTable
    init = settings.init if isinstance(settings, SASRecSettings) else "normal"
    if (settings.table or table_for(items)) == "rows":
        dtype = torch.bfloat16 if settings.table_dtype == "bfloat16" else torch.float32
        table = RowsTable(items, settings.dim, rng=rng, dtype=dtype, init=init)
    else:
        table = DenseTable(items, settings.dim, rng=rng, init=init)
    model: Any = _around(table, settings, items, rng).to(device)
    return model  # type: ignore[no-any-return]


def _around(table: DenseTable | RowsTable, settings: ModelSettings, items: int, rng: torch.Generator) -> Any:
    own = settings.model_dump(exclude={"backbone", "table", "table_dtype"}) | {"rng": rng, "table": table}
    if isinstance(settings, GRU4RecSettings):
        return GRU4Rec(items, **own)
    if isinstance(settings, SASRecSettings):
        return SASRec(items, **own)
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
