"""Weights of terms that are fitted to validation after training, against dense scores one by one."""

from __future__ import annotations

import copy
import json

import numpy as np
import polars as pl
import pytest
import torch

import negsample.evaluation.cells as cells_room
import negsample.evaluation.fit_terms as fits
import negsample.evaluation.with_terms as with_terms
from negsample import PrepareSettings, compare, evaluate, generator, load_run, prepare, run_settings
from negsample.evaluation.encode import encode
from negsample.evaluation.queries import queries
from negsample.evaluation.with_terms import TermsOf
from negsample.models.baselines import BASELINES
from negsample.models.build import build_backbone, set_terms
from negsample.models.terms import AFTER, TermWeights
from negsample.rules import ItemKNN, item_knn
from negsample.rules import nearest as near_by
from negsample.rules.rule import cut_time
from negsample.runs.fitted import Fit
from negsample.runs.remeasure import remeasure
from negsample.scoring.lately import bytes_of_a_cut
from tests.training.test_terms import slow_terms

V, USERS, HOUR = 30, 40, 3600
CPU = torch.device("cpu")
SMALL = {"dim": 8, "max_length": 6, "blocks": 1, "dropout": 0.0, "batch_size": 7}


def log_of(draw, folder, users=USERS):
    draws = np.random.default_rng(3)
    rows = [(user, item, 1_500_000_000 + HOUR * hour) for user in range(users) for item, hour in draw(draws, user)]
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")
    return prepare(frame, PrepareSettings(valid_fraction=0.15, test_fraction=0.15), folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    def draw(draws, user):
        hours = np.sort(draws.integers(0, 400, draws.integers(6, 30)))
        return [(int(item), int(hour)) for hour in hours for item in draws.integers(1, V + 1, 2)]

    return log_of(draw, tmp_path_factory.mktemp("fit") / "data")


def made(data, **flat):
    settings = run_settings(**SMALL, **flat)
    model = build_backbone(settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
    with torch.no_grad():
        model.table.weight.mul_(20)
    return settings, model


def random_weights(names=AFTER, share=0.6):
    weights, draws = TermWeights(names), torch.Generator().manual_seed(5)
    with torch.no_grad():
        for each in weights.parameters():
            each.copy_(torch.randn(each.shape, generator=draws) / 2)
        weights.share.fill_(share)
    return weights


def slow_scores(data, model, weights, part, settings):
    """(Q, V + 1) dense scores of all queries, by the words."""
    history = settings.evaluation.history
    asked = queries(data, part, history=history, max_length=model.max_length)
    of = TermsOf(weights, data, part, asked, history == "frozen")
    states = encode(model, data.items, asked.windows, device=CPU).detach()
    near = ItemKNN(data).scorer(part, 0.0)(of.asked)
    judged = copy.copy(model)
    judged.terms = weights
    found = []
    for query, state in enumerate(states):
        user, until = asked.windows.users[query], asked.known_until[query]
        time = cut_time(data, part) if history == "frozen" else int(data.times[until])
        cut = int(of.lately.times_C[of.cut_Q[query]])
        scores = weights.share.item() * (model.table.weight.detach() @ state).numpy().astype(float)
        scores += slow_terms(judged, data, user, time, cut, until)
        at = near[query] > 0
        one, log = weights.near_N.tolist()
        scores[1:][at] += one + log * np.log(1 + 100 * near[query][at])
        found.append(scores)
    return asked, np.array(found)


def loss_by_cells(data, model, weights, settings):
    how = settings.evaluation
    asked = queries(data, "valid", history=how.history, max_length=model.max_length)
    states = encode(model, data.items, asked.windows, device=CPU).detach()
    terms = TermsOf(weights, data, "valid", asked, how.history == "frozen")
    own_too = not how.filter_seen
    some, rest = cells_room.cells_of(terms, states, model.table, asked.query_E, asked.targets_E, own_too=own_too)
    of_some = some.scores(weights, weights.share)
    log_z = cells_room.logsumexp_by_group(of_some, some.row_E, len(states))
    log_z = torch.logaddexp(log_z, rest.logsumexp(weights, weights.share))
    targets = some.target_N
    return (log_z[some.row_E[targets]] - of_some[targets]).detach().numpy(), (some, rest)


@pytest.mark.parametrize("history", ["frozen", "rolling"])
def test_the_loss_is_cross_entropy_over_the_catalogue(data, history):
    settings, model = made(data, history=history)
    weights = random_weights()
    found, _ = loss_by_cells(data, model, weights, settings)
    asked, scores = slow_scores(data, model, weights, "valid", settings)
    log_z = np.log(np.exp(scores[:, 1:]).sum(1))
    wanted = log_z[asked.query_E] - scores[asked.query_E, asked.targets_E]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_with_filter_seen_own_items_are_left_out(data):
    settings, model = made(data, filter_seen=True)
    weights = random_weights()
    found, _ = loss_by_cells(data, model, weights, settings)
    asked, scores = slow_scores(data, model, weights, "valid", settings)
    had = np.zeros(scores.shape, bool)
    for query, (user, until) in enumerate(zip(asked.windows.users, asked.known_until, strict=True)):
        had[query, data.items[data.offsets[user] : until]] = True
    log_z = np.log(np.where(had, 0, np.exp(scores))[:, 1:].sum(1))
    new = ~had[asked.query_E, asked.targets_E]
    assert 0 < new.sum() < len(new)
    wanted = log_z[asked.query_E] - scores[asked.query_E, asked.targets_E]
    np.testing.assert_allclose(found, wanted[new], rtol=1e-4, atol=1e-4)


def test_a_sample_of_the_items_stands_for_all(data, monkeypatch):
    settings, model = made(data)
    weights = random_weights()
    whole, _ = loss_by_cells(data, model, weights, settings)
    monkeypatch.setattr(cells_room, "ITEMS", 12)
    estimates = []
    for seed in range(200):
        monkeypatch.setattr(cells_room, "resampling", lambda of, seed=seed: np.random.default_rng(seed))
        found, (_, rest) = loss_by_cells(data, model, weights, settings)
        assert rest.products_QM.shape[1] <= 12
        estimates.append(np.exp(found))
    spread = np.std(estimates, axis=0) / np.sqrt(len(estimates))
    assert (abs(np.mean(estimates, axis=0) - np.exp(whole)) < 4.5 * spread + 1e-4 * np.exp(whole)).all()


@pytest.mark.parametrize("share", [None, 0.0, 0.3])
def test_no_other_weights_have_less_loss(data, share):
    settings, model = made(data)
    start = TermWeights(AFTER)
    _, cells = loss_by_cells(data, model, random_weights(), settings)
    best = fits.fitted(start, random_weights(), cells, share=share)
    assert best.share >= 0
    assert share is None or best.share.item() == pytest.approx(share)

    def loss(weights):
        found, _ = loss_by_cells(data, model, weights, settings)
        moved = [
            (one - other).square().sum().item()
            for one, other in zip(weights.parameters(), start.parameters(), strict=True)
        ]
        return found.astype(float).sum() + fits.RIDGE / 2 * (sum(moved) + (weights.share.item() - 1) ** 2)

    least, draws = loss(best), torch.Generator().manual_seed(1)
    for _ in range(20):
        other = copy.deepcopy(best)
        with torch.no_grad():
            for each in other.parameters():
                each.add_(torch.randn(each.shape, generator=draws) * 0.02)
            if share is None:
                other.share.add_(0.02 * torch.randn((), generator=draws)).clamp_(min=0)
        assert loss(other) > least - 1e-3


@pytest.mark.parametrize("history", ["frozen", "rolling"])
@pytest.mark.parametrize("nearest", [500, 3])
def test_ranks_with_neighbours_and_a_share(data, history, nearest, monkeypatch):
    monkeypatch.setattr(near_by, "NEAREST", nearest)
    monkeypatch.setattr(near_by, "_kept", lambda data, part, kept={}: kept)
    monkeypatch.setattr(item_knn, "AT_ONCE", 150)
    settings, model = made(data, history=history)
    weights = random_weights()
    asked, scores = slow_scores(data, model, weights, "test", settings)
    if nearest == 3:  # all but the three nearest are no neighbours
        of = TermsOf(weights, data, "test", asked, history == "frozen")
        near = ItemKNN(data).scorer("test", 0.0)(of.asked)
        one, log = weights.near_N.tolist()
        for query, values in enumerate(near):
            for item in np.lexsort((np.arange(V), -values))[3:]:
                if values[item] > 0:
                    scores[query, item + 1] -= one + log * np.log(1 + 100 * values[item])
    set_terms(model, weights)
    found = evaluate(model, data, "test", settings).ranks_E
    own = scores[asked.query_E, asked.targets_E][:, None]
    others = scores[asked.query_E][:, 1:]
    ranks = (others > own + 1e-5).sum(1) + ((abs(others - own) < 1e-5).sum(1) - 1) / 2
    np.testing.assert_array_equal(found, ranks)


@pytest.mark.parametrize(("kept", "found"), [(1 << 20, 3), (0, 5)])
def test_neighbours_are_found_once_for_all_evaluations(data, kept, found, monkeypatch):
    monkeypatch.setattr(near_by, "KEPT", kept)
    near_by._kept.cache_clear()
    looked, grouped = [], item_knn.Similarities.grouped
    monkeypatch.setattr(item_knn.Similarities, "grouped", lambda *given: looked.append(given) or grouped(*given))
    settings, model = made(data)
    figures = []
    for part in ("valid", "test", "test"):
        for weights in (random_weights(), random_weights(["popularity"])):
            set_terms(model, weights)
            figures.append(evaluate(model, data, part, settings).figures)
    some = queries(data, "test", history="frozen", max_length=6).take(np.arange(0, 20, 2))
    terms = TermsOf(random_weights(), data, "test", some, True)
    of_some, again = terms.nearest(np.arange(10)), terms.nearest(np.arange(10))
    assert len(looked) == found
    assert figures[2:4] == figures[4:]
    for one, other in zip(of_some, again, strict=True):
        np.testing.assert_array_equal(one, other)
    asked = queries(data, "test", history="frozen", max_length=6)
    whole = TermsOf(random_weights(), data, "test", asked, True).nearest(np.arange(len(asked.windows)))
    of_query = whole.rows() == 4
    np.testing.assert_array_equal(of_some.ids_N[of_some.rows() == 2], whole.ids_N[of_query])
    near_by._kept.cache_clear()


def test_a_model_without_a_share_has_one_answer(data, monkeypatch):
    settings, model = made(data)
    nothing, shares = random_weights(share=0.0), []
    monkeypatch.setattr(fits, "fitted", lambda *_, share=None: shares.append(share) or nothing)
    assert fits.fit_terms(model, data, settings, device=CPU) == [nothing]
    assert shares == [None, 0.0]


def test_without_a_share_weights_are_those_of_the_baseline_whatever_the_model(data):
    settings, model = made(data)
    (alone,) = fits.fit_terms(BASELINES["Terms"](data), data, settings, device=CPU, shares=[0])
    assert fits.fit_terms(model, data, settings, device=CPU)[-1].entry() == alone.entry()


def test_times_are_as_many_as_fit_in_memory(data, monkeypatch):
    asked, weights = queries(data, "test", history="rolling", max_length=6), random_weights()

    def cuts(memory):
        monkeypatch.setattr(with_terms, "MEMORY", memory)
        return len(TermsOf(weights, data, "test", asked, False).lately.times_C)

    assert cuts(3 * bytes_of_a_cut(data, weights.laid)) == 3
    assert cuts(1) == 1
    assert cuts(1 << 30) > 40


def world(kind, folder):
    """Events that only ``kind`` says something about; ``nothing``: the same events, items shuffled."""

    def draw(draws, user):
        favourites = 1 + draws.integers(0, 200, 3)
        group = int(draws.integers(0, 20))
        hours = np.sort(draws.choice(200, 12, replace=False)) * 24
        for hour in hours:
            item = {
                "recency": 1 + int(hour) // 24 + int(draws.integers(0, 3)),
                "repeats": int(draws.choice(favourites)),
                "neighbours": 1 + 10 * group + int(draws.integers(0, 10)),
                "nothing": int(draws.integers(1, 201)),
            }[kind]
            yield item, int(hour) + int(draws.integers(0, 23))

    return log_of(draw, folder / kind, users=250)


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("recency", 0.25, 1.0),
        ("repeats", 0.4, 1.0),
        ("neighbours", 0.25, 1.0),
        ("nothing", 0.0, 0.05),
    ],
)
def test_a_world_in_which_one_thing_matters_is_learned_without_a_model(kind, least, most, tmp_path):
    data = world(kind, tmp_path)
    history = "rolling" if kind == "recency" else "frozen"
    found = evaluate(BASELINES["Terms"](data), data, "test", run_settings(history=history)).figures["ndcg@10"]
    assert least < found < most


def test_what_was_fitted_is_added_to_what_a_refit_learned():
    before, now, fit = random_weights(["repeats"]), random_weights(["repeats"], 1.0), random_weights(share=0.5)
    with torch.no_grad():
        now.own_W.add_(1)
    carried = Fit("share 0.5", {}, fit, 0.0).carried(before, now).weights
    torch.testing.assert_close(carried.own_W, fit.own_W + 1)
    torch.testing.assert_close(carried.items_F, fit.items_F)
    assert carried.share == 0.5
    fit.share.zero_()
    assert Fit("share 0", {}, fit, 0.0).carried(before, now).weights is fit


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(
    "flat", [{"refit": False}, {"refit": True}, {"refit": True, "terms": "recency,repeats", "targets": "moments"}]
)
def test_a_run_with_fitted_terms(data, tmp_path, flat):
    settings = SMALL | {"epochs": 2, "fit_terms": True} | flat
    study = compare(data, tmp_path / "study", ["mixed-log-q"], repeats=1, settings=settings, dial="auto")
    run = next(run for run in study.runs if run.config["method"] == "mixed-log-q")
    terms, without = run.metrics["terms"], run.metrics["without_terms"]
    assert set(without) == {"valid", "test", *(["test_before_refit"] if flat.get("refit") else [])}
    assert len(terms["tried"]) >= 4
    assert max(terms["tried"], key=terms["tried"].get) == terms["chosen"]
    assert terms["tried"]["as trained"] == without["valid"]["ndcg@10"]
    loaded = load_run(run.folder)
    again = evaluate(loaded.model, data, "test", loaded.job.settings).figures
    grid = json.loads((run.folder / "dial.json").read_text())
    assert again == grid["test"][grid["betas"].index(0.0)]
    if not flat.get("refit"):
        valid = evaluate(loaded.model, data, "valid", loaded.job.settings).figures["ndcg@10"]
        assert valid == terms["tried"][terms["chosen"]]
    plain = load_run(run.folder, fitted=False)
    assert evaluate(plain.model, data, "test", plain.job.settings).figures == without["test"]
    kept = {key: value for key, value in run.metrics.items() if key != "terms"} | {"terms": terms | {"seconds": 0}}
    remeasure(run.folder)
    again = json.loads((run.folder / "metrics.json").read_text())
    assert again | {"terms": again["terms"] | {"seconds": 0}} == kept
    without_fit = compare(
        data, tmp_path / "study", ["mixed-log-q"], repeats=1, settings=settings | {"fit_terms": False}, dial="none"
    )
    again = next(each for each in without_fit.runs if each.folder == run.folder).metrics
    assert again["terms"] == {}
    assert again["without_terms"] == {}
    assert again["test"]["ndcg@10"] == without["test"]["ndcg@10"]
    assert again["train_seconds"] == run.metrics["train_seconds"]
