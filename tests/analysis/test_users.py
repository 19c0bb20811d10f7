"""For whom two methods differ most: what is shown is what the study measured."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from negsample import InputError, PrepareSettings, compare, open_dataset, read_study
from negsample.analysis import users
from negsample.analysis.measures import K
from negsample.analysis.study import Study
from negsample.evaluation.metrics import ndcg
from negsample.evaluation.queries import queries
from negsample.runs.folder import read_ranks

pytestmark = pytest.mark.usefixtures("no_drawing")

SMALL = {"epochs": 1, "dim": 8, "blocks": 1, "max_length": 6, "batch_size": 16, "eval_every": 1}
KINDS: dict[str, dict[str, Any]] = {
    "refitted, with terms": {},
    "as trained": {"settings": {"refit": False, "fit_terms": False}},
    "rolling": {"settings": {"history": "rolling", "terms": "popularity,repeats"}},
    "without seen items": {"settings": {"filter_seen": True}},
    "folds": {"folds": 2},
    "not in time": {"prepare": PrepareSettings(split="leave-one-out")},
}


def log(users: int = 60, items: int = 40, events: int = 14) -> pl.DataFrame:
    draws = np.random.default_rng(3)
    item_N = np.minimum(draws.zipf(1.3, users * events), items)
    times = 1_600_000_000 + draws.integers(0, 100 * 86400, users * events)
    return pl.DataFrame({"user": np.repeat(np.arange(users), events), "item": item_N, "time": times})


def made(folder: Path, **more: Any) -> Study:
    settings = SMALL | more.pop("settings", {})
    return compare(log(), folder, "random,mixed-log-q", repeats=1, settings=settings, progress=False, **more)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made(tmp_path_factory.mktemp("users") / "study")


@pytest.mark.parametrize("kind", KINDS)
def test_lists_are_those_that_were_measured(tmp_path: Path, kind: str):
    """Of every pair of methods, at several dials: the place of an item in a list is its rank in the saved run."""
    study = made(tmp_path / "study", **KINDS[kind])
    (dataset,) = study.datasets()
    sides = [(name, dial) for name in ("random", "mixed-log-q") for dial in (0.0, -0.5)]
    sides += [(name, 0.0) for name in study.methods_of(dataset) if name not in ("random", "mixed-log-q")]
    found = 0
    for (one, dial), (other, other_dial) in combinations(sides, 2):
        pair = users.side_of(study, dataset, one, dial), users.side_of(study, dataset, other, other_dial)
        (shown,) = users.users_of(study, dataset, [pair])
        assert shown.differing == 0
        frame = study.users(one, other, dials=[dial, other_dial])
        assert frame["user"].to_list() == [case.user for some in shown.cases for case in some]
        for case in (case for some in shown.cases for case in some):
            for at, top in enumerate(case.tops):
                places = {each.item: place for place, each in enumerate(top, 1)}
                ranks = {each.item: each.ranks[at] for each in case.targets}
                listed = sorted((places[item], rank) for item, rank in ranks.items() if item in places)
                assert [rank for _, rank in listed] == sorted(rank for _, rank in listed)
                if (one, other)[at] in ("random", "mixed-log-q"):  # rules have ties, whose rank is their mean
                    assert all(place == rank for place, rank in listed)
                    assert all(rank is None or rank > K for item, rank in ranks.items() if item not in places)
                found += len(listed)
    assert found > 20


def test_it_is_the_users_who_differ_most(study: Study):
    """By the saved ranks and the prepared log alone."""
    data = open_dataset(next((study.folder / "data").iterdir()))
    asked = queries(data, "test", history="frozen", max_length=1)
    sums = {}
    for name in ("random", "PopRec"):
        (run,) = study.runs_of(study.datasets()[0], name)
        at = study.grids[run.folder].betas.index(run.metrics["dial"])
        ranks = read_ranks(run.folder, len(study.grids[run.folder].betas))["test_GE"][at]
        sums[name] = np.bincount(asked.query_E, ndcg(ranks, K))
    apart = sums["random"] - sums["PopRec"]
    ids = data.user_ids().cast(pl.String).to_numpy()[asked.windows.users]
    frame = study.users("random", "PopRec", most=3)
    shown = (frame["ndcg"] - frame["other_ndcg"]).to_numpy()
    np.testing.assert_allclose(shown[:3], np.sort(apart)[::-1][:3])
    np.testing.assert_allclose(shown[3:], np.sort(apart)[:3])
    np.testing.assert_allclose(shown, [apart[ids == user][0] for user in frame["user"]])


def test_history_and_test_items_are_those_of_the_log(study: Study):
    rows, cut = log(), study.manifests[study.datasets()[0]]["test_start"]
    start = pl.Series([cut]).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f")[0]
    rows = rows.with_columns(
        pl.from_epoch("time", time_unit="s").cast(pl.Datetime("us")), pl.col("item").cast(pl.String)
    )
    for case in study.users("random", "PopRec").rows(named=True):
        mine = rows.filter(pl.col("user") == int(case["user"])).sort("time", maintain_order=True)
        before, after = mine.filter(pl.col("time") < start), mine.filter(pl.col("time") >= start)
        assert case["known"] == len(before)
        assert [each["time"] for each in case["history"]] == before["time"][::-1][:10].to_list()
        assert sorted(each["item"] for each in case["history"]) == sorted(before["item"][-10:])
        assert sorted(each["item"] for each in case["targets"]) == sorted(after["item"])
        assert case["events"] == len(after)


def test_what_a_model_answers_otherwise_is_left_out(study: Study, monkeypatch: pytest.MonkeyPatch):
    """Ranks that are not those of the saved model, as of another machine."""
    (dataset,), true = study.datasets(), users.ranks_of
    monkeypatch.setattr(users, "ranks_of", lambda *given: true(*given)[:, ::-1])
    (found,) = users.users_of(
        study, dataset, [tuple(users.side_of(study, dataset, name) for name in ("random", "PopRec"))]
    )
    assert found.differing > 0
    assert found.differing + sum(map(len, found.cases)) == sum(min(each, users.MOST) for each in found.more)


def test_what_cannot_be_shown_is_said(study: Study, tmp_path: Path):
    for given, words in [
        (("random", "random"), "differs from itself"),
        (("random", "nobody"), "nobody"),
        (("random", "PopRec", "elsewhere"), "elsewhere"),
    ]:
        with pytest.raises(InputError, match=words):
            study.users(*given)
    with pytest.raises(InputError, match=r"-0\.3"):
        study.users("random", "mixed-log-q", dials=[-0.3, 0])
    with pytest.raises(InputError, match="two numbers"):
        study.users("random", "mixed-log-q", dials=[0])
    with pytest.raises(InputError, match="most"):
        study.users("random", "mixed-log-q", most=0)
    assert len(study.users("random", "random", dials=[-1, 1])) > 0


def test_pairs_are_those_of_the_verdict(study: Study):
    (dataset,) = study.datasets()
    advice = study.verdict().advice
    pairs = users.pairs_of(study, dataset, advice)
    for one, other in pairs:
        assert (one.run.config["method"], one.dial) == (advice.accuracy.advised, advice.accuracy.chosen["dial"] or 0.0)
        assert other.run.config["method"] in ("random", advice.baseline["method"])
        assert one.key != other.key
    assert users.pairs_of(study, dataset, advice._replace(accuracy=advice.accuracy._replace(chosen=None))) == []
    assert read_study(study.folder).users("random", "PopRec").equals(study.users("random", "PopRec"))
