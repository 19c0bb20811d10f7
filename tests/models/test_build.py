"""From the settings of a model to the model; a backbone of one's own, and what is refused as one."""

from __future__ import annotations

import pytest
import torch
from pydantic import Field, create_model
from torch import nn

from negsample import GRU4Rec, InputError, ModelSettings, SASRec, Settings, register_backbone, run_settings
from negsample.models.build import build_backbone
from negsample.settings import BACKBONES

CPU = torch.device("cpu")


class Mean(nn.Module):
    """The mean of the batch at every position."""

    def __init__(self, table, max_length):
        super().__init__()
        self.table, self.max_length = table, max_length

    def forward(self, vectors_TD, packed, rng=None):
        return vectors_TD.mean(0).expand_as(vectors_TD)


class MeanSettings(ModelSettings):
    backbone: str = "mean"
    max_length: int = 9
    kept: bool = Field(True, description="whether it keeps its table")

    def build(self, table, *, rng):
        if self.dim == 13:
            raise ValueError("dim must not be 13")
        return Mean(table if self.kept else None, self.max_length)


@pytest.fixture(autouse=True)
def no_backbone_stays(monkeypatch):
    for name in ("_parts", "_from"):
        monkeypatch.setattr(BACKBONES, name, dict(getattr(BACKBONES, name)))


def test_the_projects_own_are_built_by_name(rng):
    for name, kind in (("sasrec", SASRec), ("gru4rec", GRU4Rec)):
        model = build_backbone(run_settings(backbone=name, dim=6, blocks=3).model, 20, rng=rng(0), device=CPU)
        assert type(model) is kind
        assert (len(model.blocks), model.table.weight.shape) == (3, (21, 6))
    rows = run_settings(table="rows", table_dtype="bfloat16", dim=6).model
    table = build_backbone(rows, 20, rng=rng(0), device=CPU).table
    assert (table.by_rows, table.weight.dtype) == (True, torch.bfloat16)


def test_one_of_your_own_is_built_by_its_name(rng):
    register_backbone("mean", MeanSettings)
    settings = run_settings(backbone="mean", epochs=3, dim=4)
    assert (settings.model.backbone, settings.model.dim, settings.changed(20)) == (
        "mean",
        4,
        {"backbone": "mean", "dim": 4, "epochs": 3},
    )
    model = build_backbone(settings.model, 20, rng=rng(0), device=CPU)
    assert (type(model), model.table.weight.shape, model.max_length) == (Mean, (21, 4), 9)
    for changes, message in (
        ({"dim": 13}, "backbone mean: dim must not be 13"),
        ({"kept": False}, "must keep the table"),
    ):
        with pytest.raises(InputError, match=message):
            build_backbone(run_settings(backbone="mean", **changes).model, 20, rng=rng(0), device=CPU)
    with pytest.raises(InputError, match="setting heads is for backbone sasrec, and mean has none"):
        run_settings(backbone="mean", heads=2)
    with pytest.raises(InputError, match="padding=count is for backbone sasrec"):
        run_settings(backbone="mean", padding="count")


@pytest.mark.parametrize(
    ("name", "own", "message"),
    [
        ("sasrec", MeanSettings, "the name 'sasrec' is negsample's own"),
        ("means", MeanSettings, "backbone 'means': its settings have backbone='mean' by default; it must be its name"),
        (
            "mean",
            create_model("Taken", __base__=MeanSettings, epochs=(int, 3)),
            "its setting epochs is one of training",
        ),
        ("mean", create_model("NoBuild", __base__=ModelSettings), r"with a method build\(self, table"),
        ("mean", create_model("NoModel", __base__=Settings, build=(int, 3)), "a class of negsample.ModelSettings with"),
    ],
)
def test_what_is_no_backbone_is_refused(name, own, message):
    with pytest.raises(InputError, match=message):
        register_backbone(name, own)


def test_a_name_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="unknown backbone 'sasreck'; did you mean 'sasrec'"):
        run_settings(backbone="sasreck")
    with pytest.raises(InputError, match="unknown backbone 7; the backbones are: sasrec, gru4rec, terms;"):
        run_settings(backbone=7)
