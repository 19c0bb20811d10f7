"""Studies at the edges: every claim of the words is made again from the figures and the table of p-values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from make_study import EVENTS, list_anew, make_study, measures

from negsample.analysis.offers import offers
from negsample.analysis.reading import Study, read_study
from negsample.analysis.significance import Comparisons, Difference, differences
from negsample.analysis.tables import dialled_rows, study_table
from negsample.paper.findings import findings
from negsample.report.cells import COLUMNS, lines
from negsample.report.palette import looks
from negsample.report.words import dataset_words

SIX = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed", "PopRec")
RATES = {"random": (0.30, 0.15, 0.02), "popularity": (0.10, 0.13, 0.12), "in-batch": (0.28, 0.21, 0.05)}
RATES |= {"mixed": (0.30, 0.24, 0.05), "adaptive": (0.20, 0.26, 0.12), "adaptive-mixed": (0.45, 0.22, 0.03)}
RATES |= {"PopRec": (0.19, 0.0, 0.0)}


class Edge(NamedTuple):
    """``rates``: HR@10 on head, mid and tail, None: as they are; ``events``: by cohort, of about a third as many
    users; ``datasets``: that the study has."""

    methods: tuple[str, ...] = SIX
    repeats: int = 3
    rates: dict[str, tuple[float, float, float]] = RATES
    events: tuple[int, int, int] = (300, 250, 250)
    datasets: tuple[str, ...] = ("beauty",)


ZERO, EQUAL = dict.fromkeys(SIX, (0.0, 0.0, 0.0)), dict.fromkeys(SIX, (0.3, 0.2, 0.1))
EDGES = {
    "as usual": Edge(),
    "one method": Edge(("mixed", "PopRec")),
    "one method alone": Edge(("mixed",)),
    "two methods": Edge(("random", "mixed", "PopRec")),
    "two methods without the baseline": Edge(("random", "adaptive-mixed")),
    "one run": Edge(repeats=1),
    "one run of two methods": Edge(("random", "popularity", "PopRec"), repeats=1),
    "two runs": Edge(("random", "popularity", "adaptive-mixed", "PopRec"), repeats=2),
    "83 users": Edge(events=(100, 80, 90)),
    "hardly a user": Edge(("random", "in-batch", "PopRec"), events=(30, 25, 20)),
    "all equal": Edge(("random", "in-batch", "PopRec"), rates=EQUAL),
    "all zero": Edge(("random", "in-batch", "PopRec"), rates=ZERO),
    "one at zero": Edge(("random", "in-batch", "PopRec"), rates=RATES | {"in-batch": (0.0, 0.0, 0.0)}),
    "head alone": Edge(("random", "in-batch", "PopRec"), rates=dict.fromkeys(SIX, (0.3, 0.0, 0.0))),
    "PopRec best": Edge(("random", "in-batch", "PopRec"), rates=RATES | {"PopRec": (0.9, 0.1, 0.0)}),
    "PopRec alone": Edge(("PopRec",)),
    "no tail event": Edge(("random", "adaptive-mixed", "PopRec"), events=(300, 250, 0)),
    "two datasets": Edge(("random", "popularity", "PopRec"), datasets=("beauty", "other")),
}
FORBIDDEN = (
    "None",
    "nan",
    "may be chance",
    "told apart",
    "really",
    "any of 1",
    "all 1 ",
    "1 others",
    "1 methods",
    " lose",
)
_METHOD = r"`(?P<who>[\w-]+)`(?: at dial (?P<dial>[+-][\d.]+))?"
_KINDS = {"NDCG@10": "ndcg@10", "tail HR@10": "tail_hr@10", "Balance of these": "balance@10"}


class Told(NamedTuple):
    """A study with what is said of one of its datasets."""

    study: Study
    dataset: str
    headline: str
    grounds: dict[str, str]
    findings: list[Any]
    tests: Comparisons

    @property
    def text(self) -> str:
        said = [self.headline, *self.grounds.values(), *(f"{each.claim} {each.told}" for each in self.findings)]
        return " ".join(said)


@pytest.fixture(params=EDGES, scope="module")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    edge: Edge = EDGES[request.param]
    with pytest.MonkeyPatch.context() as patched:
        for cohort, count in zip(("head", "mid", "tail"), edge.events, strict=True):
            patched.setitem(EVENTS, cohort, count)

        def change(config: dict[str, Any], metrics: dict[str, Any]) -> None:
            wobble = 1 + 0.02 * config["seed"] * (config["method"] != "PopRec")
            rates = [min(wobble * rate, 1.0) for rate in edge.rates[config["method"]]]
            for part in ("valid", "test"):
                metrics[part] |= measures(*rates)
                for cohort, count in zip(("head", "mid", "tail"), edge.events, strict=True):
                    if not count:
                        metrics[part] |= {key: None for key in metrics[part] if key.startswith(f"{cohort}_")}
                        metrics[part] |= {f"{cohort}_events": 0, "balance@10": None}

        folder = make_study(
            tmp_path_factory.mktemp("edge") / "study",
            datasets=edge.datasets,
            methods=edge.methods,
            repeats=edge.repeats,
            change=change,
        )
    if len(edge.datasets) > 1:  # of one of them there are no ranks by event
        (folder / "datasets" / "1.npz").unlink()
        list_anew(folder)
    study = read_study(folder)
    return [of(study, dataset) for dataset in study.datasets()]


def of(study: Study, dataset: str) -> Told:
    offered = offers(study, dataset, ())
    tests = differences(study, dataset, offered)
    rows = [row for row in study_table(study).to_dicts() if row["dataset"] == dataset]
    words = dataset_words(rows, study.runs_of(dataset)[0].metrics["test"], offered, tests)
    grounds = {subject: text.replace("\xa0", " ") for subject, text in words.grounds}
    return Told(study, dataset, words.headline.replace("\xa0", " "), grounds, findings(rows, tests), tests)


def test_no_sentence_says_what_is_not_known(told: list[Told]) -> None:
    for each in told:
        for words in FORBIDDEN:
            assert words not in each.text, words
        tested = [one for one in each.tests.found if one.p is not None]
        if not tested:
            for words in ("significantly", "no significant difference", "Significant means"):
                assert words not in each.text, words
            assert not any(one.verdict != "cannot be told here" for one in each.findings)


def test_the_highest_is_the_highest(told: list[Told]) -> None:
    for each in told:
        rows = [row for row in dialled_rows(each.study, each.dataset) if row["method"] != "PopRec"]
        for subject, measure in (("Accuracy", "ndcg@10"), ("Tail", "tail_hr@10")):
            found = re.search(rf"{_METHOD} has the highest \S+ on test", each.grounds.get(subject, ""))
            if found:
                own = figure(rows, found["who"], found["dial"], measure)
                others = offered_rows(each, subject)
                assert own == max(row[measure] for row in others if row[measure] is not None)
                assert sum(row[measure] == own for row in others) == 1


def offered_rows(each: Told, subject: str) -> list[Any]:
    found = offers(each.study, each.dataset, ())
    return list((found.accuracy if subject == "Accuracy" else found.tail).rows)


def figure(rows: list[dict[str, Any]], method: str, dial: str | None, measure: str) -> float:
    (row,) = [row for row in rows if (row["method"], row["dial"]) == (method, float(dial or 0))]
    return float(row[measure])


def test_verdicts_are_those_of_the_p_values(told: list[Told]) -> None:
    """What the words claim of the advised, and of the paper's findings."""
    claim = re.compile(rf"hat {_METHOD} has the highest (?P<what>[\w@ ]+?) (?P<verdict>holds|does not hold|cannot be)")
    for each in told:
        found = offers(each.study, each.dataset, ())
        purposes = {"ndcg@10": found.accuracy, "tail_hr@10": found.tail, "balance@10": found.balance}
        for said in claim.finditer(" ".join([each.headline, *each.grounds.values()])):
            purpose = purposes[_KINDS[said["what"]]]
            assert purpose.advised == said["who"]
            tests = [
                each.tests.between(_KINDS[said["what"]], purpose.chosen or {}, row) for row in found.rivals(purpose)
            ]
            assert said["verdict"] == verdict_of(tests)
        rows = {row["method"]: row for row in study_table(each.study).to_dicts() if row["dataset"] == each.dataset}
        others = [method for method in rows if method not in ("adaptive-mixed", "PopRec")]
        for one in (one for one in each.findings if one.claim.startswith("Adaptive with mixed")):
            tests = [each.tests.of_table("ndcg@10", "all", "adaptive-mixed", other) for other in others]
            assert one.verdict.startswith(verdict_of(tests))


def verdict_of(tests: list[Difference | None]) -> str:
    signs = [
        0 if each is None or each.p_holm is None or each.p_holm >= 0.05 else 1 if (each.difference or 0) > 0 else -1
        for each in tests
    ]
    return "does not hold" if -1 in signs else "holds" if signs and all(signs) else "cannot be"


def test_who_is_named_as_different_is(told: list[Told]) -> None:
    """In the sentence on PopRec, where all names stand or are counted."""
    for each in told:
        text = each.grounds.get("Baseline", "")
        others = [method for method in each.study.methods_of(each.dataset) if method != "PopRec"]
        tests = {other: each.tests.of_table("ndcg@10", "all", "PopRec", other) for other in others}
        for words, want in (
            ("significantly higher than ", 1),
            ("significantly lower than ", -1),
            ("difference from ", 0),
        ):
            said = re.search(words + r"([^;(.]*)", text)
            named = set(re.findall(r"`([\w-]+)`", said[1])) if said else set()
            known = {other for other, one in tests.items() if one is not None and one.p_holm is not None}
            signs = {other: {"holds": 1, "does not hold": -1}.get(verdict_of([tests[other]]), 0) for other in known}
            expected = {other for other in known if signs[other] == want}
            if said and not named:  # many are counted
                assert str(len(expected)) in said[1]
            else:
                assert named == expected, (words, text)


def test_marks_stand_where_a_test_found_nothing(told: list[Told]) -> None:
    for each in told:
        rows = [row for row in study_table(each.study).to_dicts() if row["dataset"] == each.dataset]
        names = [row["method"] for row in rows]
        for line in lines(rows, looks(names), each.tests):
            for column, cell in zip(COLUMNS, line.cells, strict=True):
                if not cell.close:
                    continue
                best = max(rows, key=lambda row, name=column.name: -1.0 if row[name] is None else row[name])
                scope, _, measure = column.name.rpartition("_")
                one = each.tests.of_table(measure, scope or "all", best["method"], line.method)
                assert one is not None
                assert one.p_holm is not None
                assert one.p_holm >= 0.05


def test_the_edges_are_what_they_are_called(tmp_path: Path) -> None:
    """Or the tests above could not fail."""
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["random", "PopRec"], repeats=2)
    grid = json.loads((folder / "runs" / "0-random-0" / "dial.json").read_text())
    assert len(grid["betas"]) == 9
    told = of(read_study(folder), "beauty")
    assert [each.p is not None for each in told.tests.found].count(True) > 0
    assert "PopRec" in told.grounds["Baseline"]
