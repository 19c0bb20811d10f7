"""Studies at the edges: every claim of the words is made again from the figures and the table of p-values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from make_study import EVENTS, make_study, measures

from negsample.analysis.analyse import DatasetAnalysis, analyse
from negsample.analysis.measures import measures_of
from negsample.analysis.reading import read_study
from negsample.analysis.significance import Comparisons, Difference
from negsample.analysis.study import Study
from negsample.paper.findings import Finding, findings
from negsample.report.claims import advice_claims, claims_table
from negsample.report.table import figures_table, main_columns
from negsample.report.tables import advice_table, families_table
from negsample.report.words import headline, limits

pytestmark = pytest.mark.usefixtures("no_drawing")

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


_TOLD = {
    "holds": "The test confirms",
    "does not hold": "The test contradicts",
    "undecided": "The test cannot",
}


class Told(NamedTuple):
    """A study with what is said of one of its datasets. ``claims``: lines of the advice's and of the findings'."""

    study: Study
    found: DatasetAnalysis
    headline: str
    limits: list[str]
    claims: list[tuple[str, ...]]
    findings: list[Finding]

    @property
    def tests(self) -> Comparisons:
        return self.found.tests

    @property
    def text(self) -> str:
        tables = [advice_table(self.found.advice), families_table(self.tests)]
        cells = [cell for table in tables for line in table.lines for cell in line]
        cells += [cell for line in self.claims for cell in line]
        said = [self.headline, *self.limits, *cells, *(each.claim for each in self.findings)]
        return " ".join(said).replace("\xa0", " ")


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
    study = read_study(folder)
    found = analyse(study)
    return [of(study, each) for each in found.datasets.values()]


def of(study: Study, found: DatasetAnalysis) -> Told:
    events = study.runs_of(found.dataset)[0].metrics["test"]
    tested = findings(found.rows, found.tests)
    claims = [*advice_claims(found.advice, found.tests), *(each for one in tested for each in one.evidence)]
    lines = [tuple(line) for line in claims_table("", claims).lines]
    return Told(study, found, headline(found, events), limits(found, events), lines, tested)


def test_no_sentence_says_what_is_not_known(told: list[Told]) -> None:
    for each in told:
        for words in FORBIDDEN:
            assert words not in each.text, words
        if not any(one.p is not None for one in each.tests.found):
            for _, verdict, agree, contrary, undecided, _ in each.claims:
                assert (verdict, agree, contrary, undecided) == ("undecided", "", "", "")
            assert not any(one.verdict != "undecided" for one in each.findings)


def test_the_highest_is_the_highest(told: list[Told]) -> None:
    for each in told:
        for purpose, line in zip(each.found.advice.purposes, advice_table(each.found.advice).lines, strict=False):
            shown = re.match(_METHOD, line[-1])
            if shown:
                able = [row for row in purpose.rows if row["method"] in purpose.able]
                own = figure(able, shown["who"], shown["dial"], purpose.measure)
                assert own == max(row[purpose.measure] for row in able if row[purpose.measure] is not None)


def figure(rows: list[Any], method: str, dial: str | None, measure: str) -> float:
    (row,) = [row for row in rows if (row["method"], row["dial"]) == (method, float(dial or 0))]
    return float(row[measure])


def test_verdicts_are_those_of_the_p_values(told: list[Told]) -> None:
    """What is claimed of the advised, and of the paper's findings."""
    claim = re.compile(rf"{_METHOD} has the highest (?P<what>NDCG@10|tail HR@10|Balance)")
    for each in told:
        advice = each.found.advice
        purposes = dict(zip(("NDCG@10", "tail HR@10", "Balance"), advice.purposes, strict=True))
        for text, verdict, *_ in each.claims:
            said = claim.match(text)
            if said is None:
                continue
            purpose = purposes[said["what"]]
            assert purpose.advised == said["who"]
            rivals = advice.rivals(purpose)
            assert verdict.startswith(
                verdict_of([each.tests.between(purpose.measure, purpose.chosen or {}, row) for row in rivals])
            )
            if said["what"] == "NDCG@10" and not advice.baseline_leads:
                assert _TOLD[verdict] in each.headline
        others = [row["method"] for row in each.found.rows if row["method"] not in ("adaptive-mixed", "PopRec")]
        for one in (one for one in each.findings if one.claim.startswith("Adaptive with mixed")):
            tests = [each.tests.of_table("ndcg@10", "all", "adaptive-mixed", other) for other in others]
            assert one.verdict.startswith(verdict_of(tests))


def verdict_of(tests: list[Difference | None]) -> str:
    signs = [
        0 if each is None or each.p_holm is None or each.p_holm >= 0.05 else 1 if (each.difference or 0) > 0 else -1
        for each in tests
    ]
    return "does not hold" if -1 in signs else "holds" if signs and all(signs) else "undecided"


def test_who_is_named_as_different_is(told: list[Told]) -> None:
    """Of the most accurate by validation: every other method stands, or is counted, where its test puts it."""
    for each in told:
        advice = each.found.advice
        lines = [line for line in each.claims if line[0].endswith("has the highest NDCG@10")]
        if not lines:
            continue
        chosen = advice.accuracy.chosen or {}
        tests = {row["method"]: each.tests.between("ndcg@10", chosen, row) for row in advice.rivals(advice.accuracy)}
        known = {other: one for other, one in tests.items() if one is not None and one.p_holm is not None}
        signs = {other: {"holds": 1, "does not hold": -1}.get(verdict_of([one]), 0) for other, one in known.items()}
        for cell, want in zip(lines[0][2:5], (1, -1, 0), strict=True):
            expected = {other for other, sign in signs.items() if sign == want}
            named = set(re.findall(r"`([\w-]+)`", cell.partition(" (p")[0]))
            if cell and not named:  # many are counted
                assert str(len(expected)) in cell
            else:
                assert named == expected, cell


def test_marks_stand_where_a_test_found_nothing(told: list[Told]) -> None:
    for each in told:
        rows, columns = each.found.rows, main_columns(measures_of(each.study.runs))
        for line in figures_table(rows, columns, each.tests).lines:
            for column, cell in zip(columns, line.cells, strict=True):
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
    study = read_study(folder)
    told = of(study, analyse(study).datasets["beauty"])
    assert [each.p is not None for each in told.tests.found].count(True) > 0
    assert "`PopRec`" in " ".join(told.claims[0])
