"""Why a person gets an item: what the model and each term give to its score."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch

from negsample.batches.windows import Ints
from negsample.errors import InputError
from negsample.models.build import terms_of
from negsample.scoring.lately import Lately
from negsample.serving.histories import Histories
from negsample.serving.ranker import Ask
from negsample.serving.recommender import Recommender


def explained(recommender: Recommender, person: Histories, ask: Ask) -> pl.DataFrame:
    """What one person gets: ``rank``, ``item``, ``score``, and what it is the sum of, a column each: ``model``, the
    terms by name, ``dial``. Of somebody without history there is the score alone."""
    person = person.before(ask.time)
    (found,) = recommender.answers(person, ask)
    found = found.drop("user")
    if not len(person.items) or not len(found):
        return found
    ids = recommender.numbers(found["item"].to_list())
    return found.with_columns(**_parts(recommender, person, ids, ask))


@torch.no_grad()
def _parts(recommender: Recommender, person: Histories, ids: Ints, ask: Ask) -> dict[str, Any]:
    members, parts = len(recommender.models), dict[str, Any]()
    state = recommender.ranker.states(person)[0].double().cpu()
    vectors = [model.table.lookup(torch.from_numpy(ids))[0].double().cpu() for model in recommender.models]
    parts["model"] = (torch.cat(vectors, 1) @ state).numpy()
    for weights in map(terms_of, recommender.models):
        if weights is None or weights.items_F is None:
            continue
        features = Lately(recommender.data, weights.laid, np.array([ask.time])).features_NF[ids]
        values = (features.double() * weights.of_features().double().cpu()).numpy()
        for each in weights.laid:
            if each.name in weights.names:
                given = values[:, each.start : each.stop].sum(1) / members
                parts[each.name] = parts.get(each.name, 0) + given
    ranker = recommender.ranker
    sparse = {"repeats": ranker.of_own(person, ask.time), "neighbours": ranker.of_neighbours(person)}
    parts |= {name: each.of(np.zeros_like(ids), ids) for name, each in sparse.items() if each is not None}
    if ask.dial:
        parts["dial"] = ask.dial * recommender.log_p_V[ids].numpy()
    return parts


def person_of(people: Histories, user: str, source: str) -> Histories:
    """The history of ``user`` among ``people``, who are from ``source``.

    Raises:
        InputError: there is no such person.
    """
    at = people.keys.cast(pl.String).index_of(user)
    if at is None:
        raise InputError(
            f"{source} has no user '{user}'; it has {len(people.keys):,}, the first is '{people.keys[0]}'. "
            "Others are explained with --histories FILE"
        )
    return people.take(at, at + 1)
