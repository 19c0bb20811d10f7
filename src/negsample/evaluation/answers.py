"""What some users were answered with: their top lists, by the steps that measured the ranks of all."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.evaluation.by_rule import rank_of_rule
from negsample.evaluation.encode import Model
from negsample.evaluation.evaluate import rank_some, terms_as_of
from negsample.evaluation.queries import Part, Queries, queries
from negsample.rules import Rule, is_rule
from negsample.scoring.dial import Dials
from negsample.settings import RunSettings


class Answers(NamedTuple):
    """Of Q queries with E events: ``asked``; ``events_E``: which of all measured events theirs are; ``ranks_E``, from
    0; ``top_QK``: item numbers, best first, 0 where fewer are left."""

    asked: Queries
    events_E: Ints
    ranks_E: NDArray[np.float64]
    top_QK: NDArray[np.int64]


def answers(
    model: Model | Rule,
    data: Dataset,
    part: Part,
    settings: RunSettings,
    dial: Dials,
    users: Ints,
    *,
    k: int,
    device: torch.device | None = None,
) -> Answers:
    """What ``model`` answers to the queries of ``users`` on ``part``, ``k`` items each, at the one setting of ``dial``.

    What terms and rules know is as of the queries of all users, as when they were measured.
    """
    history, length = settings.evaluation.history, 1 if is_rule(model) else cast("Model", model).max_length
    asked = queries(data, part, history=history, max_length=length)
    chosen = np.flatnonzero(np.isin(asked.windows.users, users))
    events_E, some = np.flatnonzero(np.isin(asked.query_E, chosen)), asked.take(chosen)
    if is_rule(model):
        scorer = model.scorer(part, model.choice.item())
        rankings = [rank_of_rule(scorer, data, some, settings, top_k=k)]
    else:
        model = cast("Model", model)
        terms = terms_as_of(model, data, part, asked, settings)
        stretches = [each for each in np.split(chosen, np.flatnonzero(np.diff(chosen) > 1) + 1) if len(each)]
        spans = [(int(each[0]), int(each[-1]) + 1) for each in stretches]
        rankings = [
            rank_some(model, data, asked, each, terms, dial, settings, top_k=k, device=device)[0] for each in spans
        ]
    tops = [each.top_QK for each in rankings if each.top_QK is not None]
    ranks_E = np.concatenate([each.ranks_E for each in rankings])
    return Answers(some, events_E, ranks_E, np.concatenate(tops))
