"""A model with terms served from an index by inner product: as it was measured, and fresh by one column."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from by_hand import known_of

import negsample
from negsample import (
    InputError,
    encode_histories,
    generator,
    item_vectors,
    neighbour_terms,
    own_terms,
    query_vectors,
    register_term,
    run_settings,
    term_column,
)
from negsample.data.known import Known
from negsample.evaluation.evaluate import encode
from negsample.evaluation.queries import queries
from negsample.evaluation.with_terms import TermsOf, rank_with_terms
from negsample.models.build import build_backbone, set_terms
from negsample.models.terms import AFTER, TermWeights
from negsample.rules.rule import cut_time
from negsample.scoring.dial import Dials, log_shares
from negsample.settings import TERMS

PAGE = Path(__file__).parents[2] / "docs" / "terms.md"
CPU = torch.device("cpu")
V, DAY = 40, 86_400 * 10**6
SIZES = {"dim": 8, "blocks": 1, "max_length": 6, "dropout": 0.0}


@pytest.fixture(scope="module")
def data(dataset_of):
    """50 users, of whom each has events in train, validation and test, as 0 to 10, 10 to 12 and 12 to 15 days."""
    draws = np.random.default_rng(4)
    users, times = [], []
    for _ in range(50):
        parts = [draws.integers(1, V - 1, size) for size in (draws.integers(2, 14), 2, 3)]
        users.append([each.tolist() for each in parts])
        for part, (low, high) in zip(parts, ((0, 10), (10, 12), (12, 15)), strict=True):
            times += np.sort(draws.integers(low * DAY, high * DAY, len(part))).tolist()
    return dataset_of(users, V, times)


@pytest.fixture(scope="module", autouse=True)
def evening():
    """A term that is registered here: how often each item was had in the last 6 hours."""
    register_term(
        "evening", lambda data, times: (had(data, time) - had(data, time - DAY // 4) for time in times.tolist())
    )
    yield
    del TERMS._parts["evening"], TERMS._from["evening"]


def had(data, time):
    return data.known.counts(np.arange(V + 1), time)[:, None]


def model_with(terms):
    model = build_backbone(run_settings(terms=terms, **SIZES).model, V, rng=generator(0, "init"), device=CPU)
    draws = torch.Generator().manual_seed(5)
    with torch.no_grad():
        model.table.weight.mul_(20)
        for each in model.terms.parameters() if terms else ():
            each.copy_(torch.randn(each.shape, generator=draws))
    return model


@pytest.mark.parametrize("terms", ["popularity,recency,repeats", "recency", "repeats", "repeats,evening"])
@pytest.mark.parametrize("beta", [None, -0.5])
def test_an_exact_search_gives_what_is_measured(data, terms, beta):
    model, settings = model_with(terms), run_settings(terms=terms, **SIZES)
    asked = queries(data, "test", history="frozen", max_length=6)
    states = encode(model, data.items, asked.windows, device=CPU)
    log_p, cut = log_shares(data.train_counts), cut_time(data, "test")
    of = TermsOf(model.terms, data, "test", asked, frozen=True)
    dials = Dials(log_p, (beta or 0.0,))
    (measured,) = rank_with_terms(of, (0, len(states)), states, model.table, asked, dials, top_k=10, seen=None)
    if beta is None:
        ranks_E = negsample.evaluate(model, data, "test", settings).ranks_E
        np.testing.assert_array_equal(ranks_E, measured.ranks_E)

    column = term_column(model, data, cut)
    assert bool(column.any()) == (terms != "repeats")
    index = item_vectors(model.table.weight[1:], None if beta is None else log_p[1:], column[1:]).detach()
    pasts = [slice(data.offsets[user], data.valid_ends[user]) for user in asked.windows.users]
    query = query_vectors(encode_histories(model, [data.items[past] for past in pasts]), beta, terms=True)
    scores = (query.detach() @ index.T).double()
    found = [own_terms(model, data.items[past], data.times[past], cut) for past in pasts]
    for of_query, own in zip(scores, found, strict=True):
        of_query[torch.from_numpy(own.ids_N - 1)] += torch.from_numpy(own.values_N)
    assert any(own.values_N.any() for own in found) == ("repeats" in terms)
    np.testing.assert_array_equal(scores.topk(10).indices + 1, measured.top_QK)
    of_event = scores[asked.query_E]
    higher = (of_event > of_event.gather(1, torch.from_numpy(asked.targets_E - 1)[:, None])).sum(1)
    np.testing.assert_array_equal(higher, measured.ranks_E)


def fitted(names=AFTER):
    """A model with weights as they are fitted after training, and half of its own score."""
    model, weights, draws = model_with(""), TermWeights(names), torch.Generator().manual_seed(6)
    with torch.no_grad():
        for each in weights.parameters():
            each.copy_(torch.randn(each.shape, generator=draws))
        weights.share.fill_(0.5)
    set_terms(model, weights)
    return model


def test_an_exact_search_with_fitted_terms_gives_what_is_measured(data, dataset_of):
    model, settings = fitted(), run_settings(**SIZES)
    asked = queries(data, "test", history="frozen", max_length=6)
    measured = negsample.evaluate(model, data, "test", settings)
    pasts = [slice(start, stop) for start, stop in zip(data.offsets, data.valid_ends, strict=False)]
    known = np.concatenate([np.arange(past.start, past.stop) for past in pasts])
    until_now = dataset_of([(data.items[past], [], []) for past in pasts], V, data.times[known])
    cut = cut_time(data, "test")
    index = item_vectors(model.table.weight[1:], term_N=term_column(model, until_now, cut)[1:])
    ranks, added = [], 0
    for query, user in enumerate(asked.windows.users):
        items, times = data.items[pasts[user]], data.times[pasts[user]]
        scores = (query_vectors(encode_histories(model, [items]), terms=True) @ index.T)[0].detach().double()
        near = neighbour_terms(model, until_now, items)
        assert (np.diff(near.ids_N) > 0).all()
        assert 0 < len(near.ids_N) < V
        for each in (own_terms(model, items, times, cut), near):
            scores[torch.from_numpy(each.ids_N - 1)] += torch.from_numpy(each.values_N)
            added += np.abs(each.values_N).sum()
        for target in asked.targets_E[asked.query_E == query]:
            ranks.append(int((scores > scores[target - 1]).sum()))
    assert added > 0
    np.testing.assert_array_equal(ranks, measured.ranks_E)


def test_neighbours_of_all_events_and_of_the_latest_items(data):
    model, items = fitted(["neighbours"]), data.items[: data.offsets[1]]
    assert len(items) > 10
    found = neighbour_terms(model, data, items)
    for same in (items[-10:], items.tolist()):
        for one, other in zip(found, neighbour_terms(model, data, same), strict=True):
            np.testing.assert_array_equal(one, other)
    users = [set(data.items[slice(*ends)].tolist()) for ends in pairwise(data.offsets)]
    count = {item: sum(item in user for user in users) for item in range(1, V + 1)}
    one, log = model.terms.near_N.tolist()
    wanted = {}
    for item in range(1, V + 1):
        of_pairs = (
            0.8**age * sum({item, had} <= user for user in users) / math.sqrt((count[item] + 1) * (count[had] + 1))
            for age, had in enumerate(items[-10:].tolist()[::-1])
            if had != item
        )
        if (score := sum(of_pairs)) > 0:
            wanted[item] = one + log * math.log1p(100 * score)
    assert found.ids_N.tolist() == list(wanted)
    np.testing.assert_allclose(found.values_N, list(wanted.values()), rtol=1e-5)
    assert len(neighbour_terms(model, data, []).ids_N) == 0
    assert len(neighbour_terms(model_with("repeats"), data, items).ids_N) == 0
    with pytest.raises(InputError, match=r"items must be ids in 1\.\.40, got 41"):
        neighbour_terms(model, data, [41])
    with pytest.raises(ValueError, match="the model's table has 40 items and by hand has 3"):
        neighbour_terms(model, smaller(data), [1])
    with pytest.raises(InputError, match="the model has no terms"):
        neighbour_terms(model_with(""), data, [1])


def smaller(data):
    return replace(data, train_counts=data.train_counts[:4])


def test_a_column_with_later_events_is_that_of_the_longer_log(data):
    model, draws = model_with("popularity,recency"), np.random.default_rng(7)
    items, times = draws.integers(1, V + 1, 300), draws.integers(14 * DAY, 20 * DAY, 300)
    longer = data.with_events(items[:100], times[:100]).with_events(items[100:].tolist(), times[100:].tolist())
    known = known_of(np.append(data.items, items), np.append(data.times, times), V)
    for name in ("item_offsets", "by_item_times", "by_time_times"):
        np.testing.assert_array_equal(getattr(longer.known, name), getattr(known, name))
    fresh = Known(np.zeros(V + 2, np.int64), *np.zeros((3, 0), np.int64)).with_events(
        np.append(data.items, items), np.append(data.times, times)
    )
    columns = [term_column(model, data, 19 * DAY)]
    for each in (longer.known, known, fresh):
        columns.append(term_column(model, replace(data, known=each), 19 * DAY))
    assert torch.equal(columns[1], columns[2])
    assert torch.equal(columns[1], columns[3])
    assert not torch.equal(columns[0], columns[1])
    assert (longer.items is data.items, longer.times is data.times) == (True, True)


def test_nothing_at_or_after_the_time_counts(data):
    model, time = model_with("popularity,recency,repeats"), 13 * DAY
    later = data.with_events([1, 2, V], [time, time + 1, time + 9 * DAY])
    assert torch.equal(term_column(model, later, time), term_column(model, data, time))
    before = data.with_events([1], [time - 1])
    assert not torch.equal(term_column(model, before, time), term_column(model, data, time))
    own = own_terms(model, [3, 5, 3, 9, 7], [time - 5, time - 9, time, time + 1, time - 1], time)
    again = own_terms(model, [7, 3, 5], [time - 1, time - 5, time - 9], time)
    assert own.ids_N.tolist() == again.ids_N.tolist() == [3, 5, 7]
    assert own.values_N.tolist() == again.values_N.tolist()
    assert len(own_terms(model, [3], [time], time).ids_N) == 0
    assert len(own_terms(model, [], [], time).ids_N) == 0


@pytest.mark.parametrize(
    ("items", "times", "message"),
    [
        ([0], [5], r"items must be ids in 1\.\.40, got 0\.\.0; leave out"),
        ([41], [5], r"items must be ids in 1\.\.40, got 41"),
        ([1, 2], [5], "times must be one for each of the items, got 1 for 2"),
        (np.array([1.5]), [5], "items must be a row of whole numbers, got float64"),
        (np.array([[1]]), [5], "items must be a row of whole numbers"),
    ],
)
def test_what_are_no_events_is_refused(data, items, times, message):
    for given in (data.with_events, lambda *events: own_terms(model_with("repeats"), *events, 9)):
        with pytest.raises(InputError, match=message):
            given(items, times)


def test_a_model_without_terms_and_histories_of_nothing_are_refused(data):
    model = model_with("")
    with pytest.raises(InputError, match="the model has no terms; train one with terms"):
        term_column(model, data, 5)
    with pytest.raises(InputError, match="the model has no terms"):
        own_terms(model, [1], [1], 5)
    with pytest.raises(InputError, match="histories must each have an item"):
        encode_histories(model, [[1], []])


@pytest.mark.parametrize("fit_terms", [False, True])
def test_the_page_serves_a_run(data, world, tmp_path, no_report, fit_terms):
    """The code of the page, with what an exhaustive search gives."""
    log = world(users=60, items=V, name="served")
    settings = {"terms": "popularity,recency,repeats", "epochs": 1, "fit_terms": fit_terms} | SIZES
    study = negsample.compare(log, tmp_path, ["mixed-log-q"], repeats=1, settings=settings)
    (folder,) = (each for each in (study.folder / "runs").iterdir() if "mixed-log-q" in each.name)
    until = slice(log.offsets[3], log.offsets[4])
    now = int(log.times.max()) + DAY
    given = {"folder": folder, "items": [5, 5, 7], "times": [now - 9, now - 7, now + 1], "now": now}
    given |= {"user_items": log.items[until], "user_times": log.times[until]}
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(code, given)
    model = given["model"]
    assert (model.terms.near_N is None) == (not fit_terms)
    scores = (encode_histories(model, [log.items[until]]) @ model.table.weight[1:].T)[0].double().detach()
    scores += term_column(model, log.with_events([5, 5], [now - 9, now - 7]), now)[1:]
    for each in (
        own_terms(model, log.items[until], log.times[until], now),
        neighbour_terms(model, log, log.items[until]),
    ):
        scores[torch.from_numpy(each.ids_N - 1)] += torch.from_numpy(each.values_N)
    assert given["top"].tolist() == (scores.topk(10).indices + 1).tolist()
