"""What is known at a time in the scores of a step and of an evaluation, against dense scores one by one."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import torch

from negsample import (
    InputError,
    PrepareSettings,
    build_method,
    evaluate,
    generator,
    negative_settings,
    prepare,
    register_term,
    run_settings,
)
from negsample.batches.epochs import batches_of
from negsample.evaluation.encode import encode
from negsample.evaluation.queries import queries
from negsample.evaluation.with_terms import TermsOf
from negsample.methods import catalogue_of
from negsample.models.build import build_backbone
from negsample.models.terms import COUNTS, LENGTHS, OWN_KINDS, SINCE
from negsample.optim import optimizer_for
from negsample.rules.rule import cut_time
from negsample.samplers import Negatives
from negsample.scoring.lately import HALF_LIVES
from negsample.settings import TERMS
from negsample.training import own
from negsample.training.inputs import StepInputs, StepOptions, propose
from negsample.training.knowledge import knowledge_for
from negsample.training.loop import fit
from negsample.training.own_scores import logsumexp_of_own, logsumexp_without_own
from negsample.training.products import LOWEST
from negsample.training.score import score
from negsample.training.step import loss_of, step_of
from negsample.training.vectors import look_up

V, USERS = 30, 25
HOUR = 3600
ALL = "popularity,recency,repeats"
OWN = "days-known"
"""A term that is registered here: two columns, how many days ago an item was first and last had."""
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def own_term():
    def days_known(data, times):
        known, v = data.known, data.catalogue_size
        for time in times:
            before = known.by_time_times < time
            items, ages = known.by_time_items[before], (time - known.by_time_times[before]) / (24 * HOUR * 1e6)
            found = np.zeros((v + 1, 2))
            found[items, 1] = ages  # the last of an item's stays
            np.maximum.at(found[:, 0], items, ages)
            yield found

    register_term(OWN, days_known, columns=2)
    yield
    del TERMS._parts[OWN], TERMS._from[OWN]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    draws = np.random.default_rng(3)
    rows = []
    for user in range(USERS):
        for moment in np.sort(draws.integers(0, 400, draws.integers(3, 25))):  # hours, with ties
            rows += [(user, int(item), 1_500_000_000 + HOUR * int(moment)) for item in draws.integers(1, V + 1, 2)]
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    settings = PrepareSettings(valid_fraction=0.1, test_fraction=0.15)
    return prepare(frame, settings, tmp_path_factory.mktemp("terms") / "data")


def made(data, **flat):
    """Settings and a model whose weights of terms are no zeros."""
    settings = run_settings(dim=8, max_length=6, blocks=1, dropout=0.0, batch_size=7, **flat)
    model = build_backbone(settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
    draws = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for each in model.terms.parameters() if settings.model.terms else ():
            each.copy_(torch.randn(each.shape, generator=draws))
        model.table.weight.mul_(20)
    return settings, model


def bin_of(edges, value):
    return sum(edge <= value for edge in edges)


def slow_terms(model, data, user, time, cut, until=None):
    """(V + 1,) what is added for each item, popularity as of ``cut`` and own items as of ``time``, by the words;
    ``until``: own events before this one are known, None: those before ``time``."""
    weights, v = model.terms, data.catalogue_size
    added = np.zeros(v + 1)
    who = np.repeat(np.arange(data.users), np.diff(data.offsets))
    items, times = np.asarray(data.items), np.asarray(data.times)
    if weights.items_F is not None:
        chosen = (weights.items_F * weights.chosen_F).detach().numpy()
        before = times < cut
        seen = np.bincount(items[before], minlength=v + 1)
        p = np.maximum(seen, 1)[1:] / np.maximum(seen, 1)[1:].sum()
        features = {"popularity": [np.log(v * p)], "recency": [], OWN: np.zeros((2, v))}
        for half_life in HALF_LIVES:
            ages = (cut - times[before]) / half_life
            counts = np.bincount(items[before], 2.0**-ages, minlength=v + 1)[1:]
            features["recency"].append(np.log(v * (counts + 10 * p) / (counts.sum() + 10)))
        features["recency"].append((seen[1:] == 0).astype(float))
        for item in set(items[before].tolist()):
            ages = (cut - times[before & (items == item)]) / (24 * HOUR * 1e6)
            features[OWN][:, item - 1] = ages.max(), ages.min()
        for each in weights.laid:
            added[1:] += chosen[each.start : each.stop] @ np.array(features[each.name])
    if weights.own_W is not None:
        learned = weights.own_W.detach().numpy()
        past = (who == user) & ((times < time) if until is None else (np.arange(len(items)) < until))
        for item in set(items[past].tolist()):
            of = past & (items == item)
            places = [0, 1 + bin_of(COUNTS, of.sum())]
            places += [2 + len(COUNTS) + bin_of(SINCE, time - times[of].max())]
            places += [3 + len(COUNTS) + len(SINCE) + bin_of(LENGTHS, past.sum())]
            added[item] += learned[places].sum()
    return added


def a_step(data, settings, model, method, number=2, options=None, negatives=None):
    built = build_method(method, catalogue(data, settings), negative_settings(method, {}))
    rng = generator(0, "order")
    batch = [each for each, _ in zip(batches_of(data, settings, built.exclude, rng=rng), range(number), strict=False)][
        -1
    ]
    given = negatives or propose(built, batch, rng=generator(0, "negatives"))
    known = knowledge_for(model, built, data, settings, CPU)
    rngs = generator(1, "negatives"), generator(0, "dropout")
    return known, StepInputs(model, built, batch, given, *rngs, options or StepOptions(), known and known.of(batch))


def catalogue(data, settings):
    training = settings.training
    return catalogue_of(data, settings.model.max_length, windows=training.windows, targets=training.targets)


def loss(given):
    vectors = look_up(given)
    states = given.model(vectors.inputs_TD, given.batch.inputs, given.dropout_rng)
    return loss_of(given, vectors, given.batch.of_targets(states))


def slow_ce(data, known, given):
    """Cross-entropy over the whole catalogue, one target at a time."""
    batch, model = given.batch, given.model
    states = batch.of_targets(model(model.table.lookup(batch.inputs.items_T)[0], batch.inputs, generator(0, "dropout")))
    lately = known._lately
    losses = []
    for state, target, user, as_of in zip(
        states, batch.targets_T.tolist(), batch.position_users.tolist(), batch.as_of_T.tolist(), strict=True
    ):
        cut = int(lately.times_C[lately.cuts_of(torch.tensor([as_of]))]) if lately else 0
        scores = model.table.weight @ state + torch.from_numpy(slow_terms(model, data, user, as_of, cut)).float()
        losses.append(torch.logsumexp(scores[1:], 0) - scores[target])
    return torch.stack(losses).mean()


@pytest.mark.parametrize("terms", ["popularity", "recency", "repeats", ALL, OWN, f"{ALL},{OWN}"])
@pytest.mark.parametrize("targets", ["rows", "moments", "horizon"])
def test_full_cross_entropy_with_terms(data, terms, targets):
    settings, model = made(data, terms=terms, targets=targets)
    known, given = a_step(data, settings, model, "full-ce")
    assert loss(given).item() == pytest.approx(slow_ce(data, known, given).item(), rel=2e-6)


@pytest.mark.parametrize("method", ["sampled-softmax-log-q", "corrected-log-q"])
@pytest.mark.parametrize("windows", ["last", "all"])
def test_every_item_drawn_once_with_own_ones_exact_is_full_cross_entropy(data, method, windows):
    settings, model = made(data, terms=ALL, targets="moments", windows=windows)
    ids = torch.arange(1, data.catalogue_size + 1)
    drawn = Negatives(ids, torch.full((len(ids),), -math.log(len(ids))))
    known, given = a_step(data, settings, model, "sampled-softmax-log-q", negatives=drawn)
    given = given._replace(batch=given.batch.__class__(**{**vars(given.batch), "exclude": "target"}))
    assert given.terms.exact
    assert given.terms.are_own(ids, given.batch.sequences)[0].any()
    assert loss(given).item() == pytest.approx(slow_ce(data, known, given).item(), rel=2e-6)


@pytest.mark.parametrize("asking", [True, False], ids=["", "as on a GPU"])
@pytest.mark.parametrize(
    "method", ["random", "in-batch", "adaptive-mixed", "mixed-log-q", "popularity", "bpr", "gsasrec", "cross-batch"]
)
def test_scores_of_sampled_negatives(data, method, asking, monkeypatch):
    """Each score that a method sees is the state's product and what is known at the target's time."""
    monkeypatch.setattr("negsample.training.terms.may_ask", lambda device: asking)
    settings, model = made(data, terms=f"{ALL},{OWN}", targets="moments", own_items="sampled")
    known, given = a_step(data, settings, model, method)
    ids = given.negatives.ids
    vectors = look_up(given)
    states = given.batch.of_targets(model(vectors.inputs_TD, given.batch.inputs, given.dropout_rng))
    plain, with_terms = (
        score(states, vectors.targets, vectors.negatives, given.negatives, given.batch, terms=terms)
        for terms in (None, given.terms)
    )
    lately, rows = known._lately, given.batch.target_rows.tolist()
    for t, (target, user, as_of) in enumerate(
        zip(
            given.batch.targets_T.tolist(),
            given.batch.position_users.tolist(),
            given.batch.as_of_T.tolist(),
            strict=True,
        )
    ):
        cut = int(lately.times_C[lately.cuts_of(torch.tensor([as_of]))])
        added = slow_terms(model, data, user, as_of, cut)
        assert (with_terms.pos_T[t] - plain.pos_T[t]).item() == pytest.approx(added[target], abs=1e-4)
        mine = ids if ids.dim() == 1 else ids[rows[t]] if len(ids) == given.batch.sequences else ids[t]
        there = (plain.neg_TK[t] > -math.inf).numpy()
        found = (with_terms.neg_TK[t] - plain.neg_TK[t]).detach().numpy()[there]
        np.testing.assert_allclose(found, added[mine.numpy()][there], atol=1e-4)


def test_in_parts_as_at_once(data):
    settings, model = made(data, terms=ALL, targets="moments", windows="all")
    gradients = []
    for options in (StepOptions(), StepOptions(score_memory=20_000)):
        _, given = a_step(data, settings, model, "sampled-softmax-log-q", options=options)
        assert (look_up(given).parts is None) == (options.score_memory is None)
        model.zero_grad()
        loss(given).backward()
        gradients.append([each.grad.clone() for each in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cells", [1, 200, 1 << 14])
@pytest.mark.parametrize("targets", ["rows", "moments"])
def test_gradients_of_own_items(data, monkeypatch, targets, cells):
    """By differences, however many sequences are taken together."""
    monkeypatch.setattr(own, "CELLS", cells)
    settings, model = made(data, terms=ALL, targets=targets, windows="all")
    _, given = a_step(data, settings, model, "mixed-log-q")
    terms, draws = given.terms, torch.Generator().manual_seed(3)

    def drawn(*shape):
        return torch.randn(*shape, generator=draws, dtype=torch.float64)

    table = torch.cat([torch.tensor([LOWEST]), drawn(OWN_KINDS)]).requires_grad_()
    leaves = drawn(len(terms.targets_T), 3), drawn(len(terms.own.item_M), 3), drawn(terms.own.pair_cells)
    states, vectors, added = (each.requires_grad_() for each in leaves)
    places = terms.own, terms.group_T, terms.pair_G, 3.0

    def sums(*asked):
        return logsumexp_of_own(*asked, *places).exp()  # 0 where nobody has anything

    found = sums(states, vectors, table, added)
    assert (found > 0).any()
    assert (found == 0).any() == (targets == "rows")
    assert torch.autograd.gradcheck(sums, (states, vectors, table, added), fast_mode=True)
    scores = drawn(len(terms.targets_T), 5).index_fill(1, torch.tensor([2]), -math.inf).requires_grad_()
    mine = torch.rand(len(terms.pair_G), 5, generator=draws) < 0.3
    without = logsumexp_without_own(scores, mine, terms.group_T)
    expected = scores.masked_fill(mine[terms.group_T], -math.inf).logsumexp(1)
    torch.testing.assert_close(without, expected)
    ours, theirs = (torch.autograd.grad(each.exp().sum(), scores)[0] for each in (without, expected))
    torch.testing.assert_close(ours, theirs.nan_to_num())


def test_no_terms_and_sampled_own_items_change_nothing(data):
    settings, model = made(data)
    known, given = a_step(data, settings, model, "mixed-log-q")
    assert known is None
    assert given.terms is None


@pytest.mark.parametrize("history", ["frozen", "rolling", "rolling-basket"])
@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("terms", [ALL, f"repeats,{OWN}"])
def test_ranks_with_terms(data, history, part, terms):
    settings, model = made(data, terms=terms, history=history)
    with torch.no_grad():
        model.terms.own_W.mul_(2)
    found = evaluate(model, data, part, settings)
    asked = queries(data, part, history=history, max_length=6)
    ranks = []
    states = encode(model, data.items, asked.windows, device=CPU).detach().numpy()
    of = TermsOf(model.terms, data, part, asked, history == "frozen")
    for query, target in zip(asked.query_E, asked.targets_E, strict=True):
        user, until = asked.windows.users[query], asked.known_until[query]
        time = cut_time(data, part) if history == "frozen" else int(data.times[until])
        cut = int(of.lately.times_C[of.cut_Q[query]])
        assert cut <= time
        scores = model.table.weight.detach().numpy() @ states[query] + slow_terms(model, data, user, time, cut, until)
        ranks.append(
            (scores[1:] > scores[target] + 1e-5).sum() + ((abs(scores[1:] - scores[target]) < 1e-5).sum() - 1) / 2
        )
    np.testing.assert_array_equal(found.ranks_E, ranks)


def test_dial_seen_and_tops_go_with_terms(data):
    settings, model = made(data, terms=ALL, filter_seen=True)
    found = evaluate(model, data, "test", settings)
    assert 0 < found.figures["coverage@10"] <= 1
    assert math.isinf(found.ranks_E.max())


def test_together_and_padding_are_refused(data):
    with pytest.raises(InputError, match="padding=count"):
        run_settings(terms=ALL, padding="count")
    settings, model = made(data, own_items="exact")
    built = build_method("random", catalogue(data, settings), negative_settings("random", {}))
    with pytest.raises(InputError, match="own_items=exact"):
        knowledge_for(model, built, data, settings, CPU)
    with pytest.raises(InputError, match=f"setting terms=.*unknown term 'weather'; the terms are: .*repeats, {OWN};"):
        run_settings(terms="popularity,weather")


def world(tmp_path, kind):
    """Events that only ``kind`` says something about."""
    draws = np.random.default_rng(1)
    rows = []
    for user in range(250):
        favourites = draws.integers(1, 201, 3)
        for day in np.sort(draws.choice(200, 12, replace=False)):
            item = {
                "recency": 1 + int(day) + int(draws.integers(0, 3)),  # what is new on the day
                "repeats": int(draws.choice(favourites)),
                "nothing": int(draws.integers(1, 201)),
            }[kind]
            rows.append((user, item, 1_500_000_000 + 86_400 * int(day) + int(draws.integers(0, 80_000))))
    return prepare(
        pl.DataFrame(rows, schema=["user", "item", "time"], orient="row"), PrepareSettings(), tmp_path / kind
    )


@pytest.mark.parametrize("kind", ["recency", "repeats", "nothing"])
def test_a_world_in_which_one_thing_matters(tmp_path, kind):
    data = world(tmp_path, kind)
    reached = {}
    for terms in ("", "recency", "repeats"):
        settings = run_settings(
            dim=8, max_length=12, blocks=1, epochs=6, targets="moments", history="rolling", terms=terms, eval_every=6
        )
        built = build_method(
            "sampled-softmax-log-q", catalogue(data, settings), negative_settings("sampled-softmax-log-q", {})
        )
        model = build_backbone(settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
        fit(model, data, built, settings, seed=0)
        reached[terms] = evaluate(model, data, "test", settings).figures["ndcg@10"]
    if kind == "nothing":
        assert max(reached.values()) < 0.06
    else:
        assert reached[kind] > 0.3
        assert reached[kind] > 2 * max(reached[""], 0.05)


def test_terms_alone(data):
    settings = run_settings(backbone="terms", epochs=3, targets="moments")
    model = build_backbone(settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
    before = model.table.weight.detach().clone()
    built = build_method("mixed-log-q", catalogue(data, settings), negative_settings("mixed-log-q", {}))
    fit(model, data, built, settings, seed=0)
    assert torch.equal(model.table.weight, before)
    assert model.terms.own_W.abs().max() > 0.01
    assert model.terms.names == ("popularity", "recency", "repeats")
    for changes, message in (({"terms": ""}, "terms"), ({"dim": 20}, "no states"), ({"dropout": 0.1}, "no states")):
        with pytest.raises(InputError, match=message):
            run_settings(backbone="terms", **changes)


def test_a_training_step_learns_the_weights(data):
    settings, model = made(data, terms=ALL, targets="moments")
    before = [each.detach().clone() for each in model.terms.parameters()]
    _, given = a_step(data, settings, model, "mixed-log-q")
    step_of([given], optimizer_for(model, settings))
    moved = [(each - then).abs().max().item() for each, then in zip(model.terms.parameters(), before, strict=True)]
    assert min(moved) == pytest.approx(0.05, rel=0.05)  # of Adam's first step, 50 times the learning rate
