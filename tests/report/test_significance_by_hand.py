"""Differences by hand: from the ranks, where there are none, and in words and marks for tests made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_study import make_study

from negsample.metrics import balance, ndcg
from negsample.report import read_study
from negsample.report.cells import COLUMNS, lines
from negsample.report.frontier import reaches, standings
from negsample.report.offers import offers
from negsample.report.palette import looks
from negsample.report.reading import Study
from negsample.report.resamples import SCOPES
from negsample.report.significance import Difference, differences, judge_by
from negsample.report.tables import study_table
from negsample.report.words import dataset_words

METHODS = ("random", "adaptive", "PopRec")
EVENTS = {"events": 1000, "cold_events": 0, "left_out_events": 0}
FAMILIES = {  # measures and how many scopes of each
    "table": {"ndcg@10": 4, "hr@10": 4, "balance@10": 1},
    "accuracy": {"ndcg@10": 1},
    "tail": {"hr@10": 1},
    "balance": {"balance@10": 1},
}


def compared(study: Study) -> list[Difference]:
    standing = standings(reaches(study, "beauty"))
    return differences(study, "beauty", offers(study, "beauty", standing))


def small(folder: Path, methods: Sequence[str] = METHODS, **more: Any) -> Path:
    return make_study(folder / "study", datasets=["beauty"], methods=methods, **{"repeats": 2} | more)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return read_study(small(tmp_path_factory.mktemp("significance")))


@pytest.fixture(scope="module")
def found(study: Study) -> list[Difference]:
    return compared(study)


def test_every_pair_is_compared_in_every_scope(found: list[Difference]) -> None:
    for at, measures in FAMILIES.items():
        for measure, scopes in measures.items():
            for scope in SCOPES[:scopes] if scopes > 1 else ("tail",) if at == "tail" else ("all",):
                key = (at, measure, scope)
                pairs = [(each.a, each.b) for each in found if (each.at, each.measure, each.scope) == key]
                assert pairs == list(combinations(METHODS, 2)), (at, measure, scope)
    priced = {(each.a, each.b) for each in found if each.at == "price"}
    assert priced <= {(a, b) for a in METHODS[:2] for b in METHODS[:2]}
    assert ("adaptive", "random") in priced


def test_differences_are_those_of_the_ranks(study: Study, found: list[Difference]) -> None:
    events = study.events["beauty"]
    of_scope = {"all": np.ones(len(events["user_E"]), bool)}
    of_scope |= {scope: events["cohort_E"] == number for number, scope in enumerate(SCOPES[1:])}
    figures: dict[tuple[str, str, str], list[float]] = {}
    for run in study.runs:
        grid = json.loads((run.folder / "dial.json").read_text())
        with np.load(run.folder / "ranks.npz") as stored:
            ranks_E = stored["test_GE"][grid["betas"].index(0.0)]
        for scope in SCOPES:
            name, ranks = run.config["method"], ranks_E[of_scope[scope]]
            figures.setdefault((name, "hr@10", scope), []).append(float((ranks < 10).mean()))
            figures.setdefault((name, "ndcg@10", scope), []).append(float(ndcg(ranks, 10).mean()))
        rates = [figures[name, "hr@10", scope][-1] for scope in SCOPES[1:]]
        even = balance(*rates)
        assert even is not None
        figures.setdefault((name, "balance@10", "all"), []).append(even)
    of_table = [each for each in found if each.at == "table"]
    assert len(of_table) == 27
    for each in of_table:
        a, b = (np.mean(figures[name, each.measure, each.scope]) for name in (each.a, each.b))
        assert each.difference == pytest.approx(a - b, abs=1e-7), each
        assert each.low is not None
        assert each.high is not None
        assert each.low <= each.difference <= each.high
        if each.measure != "balance@10":
            assert each.users == len(np.unique(events["user_E"][of_scope[each.scope]]))
        assert each.seeds == 2


@pytest.mark.parametrize("lacking", ["dial", "events", "ranks of one run", "all events", "other events"])
def test_what_has_no_ranks_by_event_is_not_tested_and_says_so(tmp_path: Path, lacking: str) -> None:
    folder = small(tmp_path, dialled=lacking != "dial")
    if lacking == "events":
        (folder / "datasets" / "0.npz").unlink()
    if lacking == "ranks of one run":
        path = folder / "runs" / "0-random-1" / "ranks.npz"
        path.unlink()
        (path.parent / "dial.json").unlink()
    if lacking in ("all events", "other events"):
        with np.load(folder / "datasets" / "0.npz") as stored:
            events = {key: value[: 0 if lacking == "all events" else -1] for key, value in stored.items()}
        np.savez(folder / "datasets" / "0.npz", **events)
    study = read_study(folder)
    assert differences(study, "beauty", offers(study, "beauty", ())) == []
    rows = study_table(study).to_dicts()
    words = dict(dataset_words(rows, study.runs[0].metrics["test"], offers(study, "beauty", ())).grounds)
    assert words["Significance"].startswith("Not tested: these runs have no ranks by event.")


def test_one_method_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    assert compared(read_study(small(tmp_path, methods=["random"]))) == []


def row(method: str, ndcg10: float, tail: float, even: float = 0.6) -> dict[str, Any]:
    found = {"method": method, "runs": 3, "train_seconds": 100.0, "steps_per_second": 5.0, "coverage@10": 0.1}
    for scope, hits in (("", 2 * ndcg10), ("head_", 3 * ndcg10), ("mid_", ndcg10), ("tail_", tail)):
        found |= {f"{scope}hr@10": hits, f"{scope}ndcg@10": hits / 2}
    return found | {"balance@10": even} | {f"{column.name}_sd": 0.0 for column in COLUMNS[:9]}


ROWS = (row("mixed", 0.020, 0.002), row("random", 0.019, 0.001, 0.5), row("adaptive", 0.010, 0.009, 0.8))


def made(*real: str, rows: Sequence[dict[str, Any]] = ROWS) -> list[Difference]:
    """Tests of all pairs of ``rows``; those named ``at/measure/scope/a/b`` (or a beginning of it) are real."""
    found = []
    methods = [each["method"] for each in rows]
    keys = [(at, measure, scope, a, b) for at, measures in FAMILIES.items() for measure, scopes in measures.items()
            for scope in (SCOPES if scopes > 1 else ("tail",) if at == "tail" else ("all",))
            for a, b in combinations(methods, 2)]  # fmt: skip
    keys += [("price", measure, scope, a, b) for measure, scope in (("hr@10", "tail"), ("ndcg@10", "all"))
             for a in methods for b in methods if a != b]  # fmt: skip
    for at, measure, scope, a, b in keys:
        p = 0.001 if "/".join((at, measure, scope, a, b)).startswith(real) else 0.5
        found.append(Difference("beauty", measure, scope, a, b, 0.007, 0.0050, 0.0090, p, p, 1234, 3, at))
    return found


def told(found: Sequence[Difference], rows: Sequence[dict[str, Any]] = ROWS) -> tuple[str, dict[str, str]]:
    words = dataset_words(rows, EVENTS, None, found)
    return words.headline.replace("\xa0", " "), {key: text.replace("\xa0", " ") for key, text in words.grounds}


def test_words_where_all_is_real() -> None:
    headline, said = told(made("accuracy", "tail", "balance", "table", "price"))
    assert headline == (
        "Take `mixed` for total accuracy and balance at 90 % or more of the best NDCG@10;"
        " `adaptive` for tail items (costs 50 % of total NDCG@10)."
    )
    assert "In total NDCG@10 `mixed` is really ahead of all others." in said["Significance"]
    assert "In tail HR@10 `adaptive` is really ahead of all others." in said["Significance"]
    assert "these are real: 12 of 12 in NDCG@10, 12 of 12 in HR@10 and 3 of 3 in Balance." in said["Significance"]
    assert "a paired bootstrap over 1,234 users and 3 seeds." in said["Significance"]
    assert "(95 % interval of the difference 0.50 to 0.90 %)" in said["Tail"]
    assert "may be chance" not in " ".join([headline, *said.values()])
    assert "Noise" not in said


def test_words_where_nothing_is_real() -> None:
    headline, said = told(made())
    assert headline.startswith("Take `mixed`, `random` or `adaptive` for total accuracy;")
    assert "for tail items (the first costs 50 % of total NDCG@10, its gain over `mixed` may be chance)" in headline
    assert "In total NDCG@10 `mixed` is not told apart from any of the 2 others." in said["Significance"]
    assert (
        "In head HR@10, at the dial of the table, `mixed` is not told apart from any of the 2 others."
        in said["Significance"]
    )
    assert "these are real: 0 of 12 in NDCG@10, 0 of 12 in HR@10 and 0 of 3 in Balance." in said["Significance"]
    assert "The lead over `random` and `adaptive` in NDCG@10 may be chance." in said["Accuracy"]
    assert "0.50 to 0.90 %: it may be chance)" in said["Tail"]
    assert "below `mixed`; that difference may be chance." in said["Tail"]


def test_words_where_some_are_real() -> None:
    headline, said = told(made("accuracy/ndcg@10/all/mixed/adaptive", "accuracy/ndcg@10/all/random", "tail", "price"))
    assert headline.startswith("Take `mixed` or `random` for total accuracy;")
    assert "`mixed` is really ahead of `adaptive`, and not told apart from `random`." in said["Significance"]
    assert "The first beyond that, `adaptive`," in said["Accuracy"]


def test_a_lead_over_the_baseline_that_may_be_chance() -> None:
    rows = (row("mixed", 0.020, 0.002), row("PopRec", 0.019, 0.001))
    assert "The lead of `mixed` over PopRec may be chance." not in told(made("accuracy", rows=rows), rows)[0]
    rows = (*ROWS, row("PopRec", 0.019, 0.001))
    assert "The lead of `mixed` over PopRec may be chance." in told(made("price", rows=rows), rows)[0]


def test_each_purpose_goes_by_its_own_test() -> None:
    judge = judge_by(made("tail", "accuracy/ndcg@10/all/random"))
    mixed, random, adaptive = ROWS
    assert judge.close(mixed, random, "ndcg@10")
    assert judge.close(random, mixed, "ndcg@10")
    assert not judge.close(random, adaptive, "ndcg@10")
    assert not judge.close(mixed, adaptive, "tail_hr@10")
    assert judge.close(mixed, random, "balance@10")
    assert not judge.close(mixed, adaptive | {"balance@10": None}, "balance@10")
    assert judge.price("mixed", "mixed") is None


def test_cells_that_no_test_tells_from_the_best_are_marked() -> None:
    found = made("table/hr@10/all", "table/ndcg@10/all/mixed/adaptive", "table/balance@10/all/mixed", "accuracy")
    shown = lines(ROWS, looks([each["method"] for each in ROWS]), found)
    names = [column.name for column in COLUMNS]

    def marked(name: str) -> list[str]:
        return [line.method for line in shown if line.cells[names.index(name)].close]

    assert marked("hr@10") == []
    assert marked("ndcg@10") == ["random"]
    assert marked("balance@10") == ["random"]
    assert marked("tail_hr@10") == ["mixed", "random"]
    assert marked("coverage@10") == marked("train_seconds") == []
    for line in shown:
        assert not any(cell.best and cell.close for cell in line.cells)
    assert not any(
        cell.close for line in lines(ROWS, looks(METHODS) | looks(["mixed", *METHODS])) for cell in line.cells
    )
