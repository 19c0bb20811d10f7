"""Draws by how popular items are: head, mid and tail."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import AfterValidator, Field

from negsample.data.popularity import cohorts
from negsample.losses import bce
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.methods.fields import PER_SEQUENCE, settings
from negsample.methods.shared import entry
from negsample.miners import KeepAll
from negsample.samplers import Cohort, Per, own_cohort


def _are_shares(shares: tuple[float, ...]) -> tuple[float, ...]:
    if len(shares) != 3 or min(shares) < 0 or sum(shares) <= 0:
        raise ValueError("must be three numbers >= 0 (head, mid, tail) with a sum above 0")
    return shares


_Shares = Annotated[tuple[float, ...], Field(description="shares of head, mid and tail"), AfterValidator(_are_shares)]
_OwnShare = Annotated[float, Field(ge=0, le=1, description="share drawn from the target's own cohort")]


def _by_cohort(c: Catalogue, shares: Any, k: int, per: Per) -> Method:
    of_items = torch.from_numpy(cohorts(c.counts.cpu().numpy())).to(c.counts.device)
    return Method(Cohort(of_items, shares, k, per=per), KeepAll(), bce)


METHODS: dict[str, MethodDefinition[Any]] = {
    "cohort": entry(
        settings=settings(cohort_negatives=100, cohort_shares=(_Shares, (1 / 3,) * 3), **PER_SEQUENCE),
        build=lambda c, n: _by_cohort(c, n.cohort_shares, n.cohort_negatives, n.draws_per),
        parts=("head, mid and tail in given shares, uniform within each", "all", "BCE"),
        source=("stratified sampling over the paper's cohorts; named here", 2026),
        formula="ids: a cohort by its share, then any of its items;  loss = BCE",
        take="When head, mid and tail negatives are wanted in fixed shares, whatever the popularity curve.",
        serves=(
            "Each cohort is a negative by its share. With equal shares, a third of the negatives are of the few head "
            "items: the head falls as with popularity."
        ),
    ),
    "own-cohort": entry(
        settings=settings(cohort_negatives=20, own_cohort_share=(_OwnShare, 1.0), exclude="history"),
        build=lambda c, n: _by_cohort(c, own_cohort(n.own_cohort_share), n.cohort_negatives, "position"),
        parts=("a share from the target's own cohort, the rest from the two others", "all", "BCE"),
        source=("popularity-matched negatives over the paper's cohorts; named here", 2026),
        formula="ids: any item of the target's own cohort (by a share), else of the others;  loss = BCE",
        take="When popularity alone must not separate a target from its negatives: both are about equally popular.",
        serves=(
            "Popularity does not help to find the target, so scores depend more on the user's taste: mid gains, and "
            "the head keeps most of what it had."
        ),
    ),
}
