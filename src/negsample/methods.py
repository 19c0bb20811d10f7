"""The table of methods: a published name, and what sits in the three seats."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from negsample.config import InputError, NegativeSettings, checked
from negsample.losses import bce
from negsample.negatives import Hardest, InBatch, Mixture, Popularity, Sampler, Select, Uniform, keep_all

POPREC = "PopRec"


class Catalogue(NamedTuple):
    """What proposals may know of the data: V items, and the (V + 1,) train count of each id."""

    items: int
    counts: Tensor


class Method(NamedTuple):
    """The three seats, taken."""

    sampler: Sampler
    select: Select
    loss: Callable[[Tensor, Tensor], Tensor]


class Row(NamedTuple):
    """A method as published: what it proposes and keeps in words, its source, and how it is built.

    ``defaults`` are the settings it has (see :class:`~negsample.config.NegativeSettings`) and their values.
    """

    proposes: str
    keeps: str
    paper: str
    year: int
    defaults: Mapping[str, Any]
    build: Callable[[Catalogue, Mapping[str, Any]], Method]


METHODS: dict[str, Row] = {
    "random": Row(
        proposes="uniform over the catalogue",
        keeps="all",
        paper="SASRec, Kang & McAuley (ICDM); RNS",
        year=2018,
        defaults={"random_negatives": 100},
        build=lambda c, n: Method(Uniform(c.items, n["random_negatives"]), keep_all, bce),
    ),
    "popularity": Row(
        proposes="by train count ** exponent",
        keeps="all",
        paper="word2vec, Mikolov et al. (NeurIPS); PNS",
        year=2013,
        defaults={"popularity_negatives": 100, "popularity_exponent": 1.0},
        build=lambda c, n: Method(
            Popularity(c.counts, n["popularity_negatives"], exponent=n["popularity_exponent"]), keep_all, bce
        ),
    ),
    "in-batch": Row(
        proposes="targets of the batch, without replacement",
        keeps="all",
        paper="GRU4Rec, Hidasi et al. (ICLR); BNS",
        year=2016,
        defaults={"in_batch_negatives": 100},
        build=lambda c, n: Method(InBatch(n["in_batch_negatives"]), keep_all, bce),
    ),
    "mixed": Row(
        proposes="in-batch and random together",
        keeps="all",
        paper="MNS, Yang et al. (WWW)",
        year=2020,
        defaults={"in_batch_negatives": 10, "random_negatives": 100},
        build=lambda c, n: Method(
            Mixture(InBatch(n["in_batch_negatives"]), Uniform(c.items, n["random_negatives"])), keep_all, bce
        ),
    ),
    "adaptive": Row(
        proposes="uniform over the catalogue",
        keeps="the highest scores",
        paper="ANS, after Rendle & Freudenthaler (WSDM)",
        year=2014,
        defaults={"random_negatives": 100, "kept_hardest": 5, "not_kept": "omit"},
        build=lambda c, n: Method(Uniform(c.items, n["random_negatives"]), _hardest(n), bce),
    ),
    "adaptive-mixed": Row(
        proposes="in-batch and random together",
        keeps="the highest scores",
        paper="AMNS, Evaluating Performance and Bias of Negative Sampling in Large-Scale Sequential "
        "Recommendation Models",
        year=2024,
        defaults={
            "in_batch_negatives": 10,
            "random_negatives": 100,
            "kept_hardest": 5,
            "not_kept": "omit",
        },
        build=lambda c, n: Method(
            Mixture(InBatch(n["in_batch_negatives"]), Uniform(c.items, n["random_negatives"])),
            _hardest(n),
            bce,
        ),
    ),
}


def _hardest(negatives: Mapping[str, Any]) -> Hardest:
    return Hardest(negatives["kept_hardest"], not_kept=negatives["not_kept"])


def method_names(given: str) -> list[str]:
    """The methods in a list with commas, each once, in order; PopRec is known in any spelling.

    Raises:
        InputError: a name is unknown, or there is none.
    """
    names = []
    for name in (part.strip() for part in given.split(",")):
        if not name:
            continue
        if name.lower() == POPREC.lower():
            name = POPREC
        elif name not in METHODS:
            close = difflib.get_close_matches(name.lower(), METHODS, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise InputError(f"unknown method '{name}'; {hint}the methods are: {', '.join(METHODS)}, {POPREC}")
        if name not in names:
            names.append(name)
    if not names:
        raise InputError(f"no method given; the methods are: {', '.join(METHODS)}, {POPREC}")
    return names


def negative_settings(method: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of ``method``: its row's defaults with those of ``changes`` that it has.

    Raises:
        InputError: a change is unknown to every method or breaks its rule.
    """
    changed = checked(NegativeSettings, changes).model_dump(exclude_none=True)
    if method == POPREC:
        return {}
    defaults = METHODS[method].defaults
    return dict(defaults) | {key: value for key, value in changed.items() if key in defaults}


def build_method(method: str, catalogue: Catalogue, negatives: Mapping[str, Any]) -> Method:
    """``method`` of the table with the settings ``negatives`` (all that its row names)."""
    return METHODS[method].build(catalogue, negatives)
