"""Studies at the edges: every claim of the words is made again from the figures and the table of p-values."""

from __future__ import annotations

import json
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
from negsample.report.cards import TITLES
from negsample.report.claims import claims_table
from negsample.report.table import figures_table, main_columns
from negsample.report.tables import families_table
from negsample.report.verdict import LIGHTS, verdict_lines
from negsample.report.words import limits

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


class Told(NamedTuple):
    """A study with what is said of one of its datasets. ``claims``: lines of the findings'."""

    study: Study
    found: DatasetAnalysis
    verdict: list[str]
    limits: list[str]
    claims: list[tuple[str, ...]]
    findings: list[Finding]

    @property
    def tests(self) -> Comparisons:
        return self.found.tests

    @property
    def text(self) -> str:
        cells = [cell for line in families_table(self.tests).lines for cell in line]
        cells += [cell for line in self.claims for cell in line]
        said = [*self.verdict, *self.limits, *cells, *(each.claim for each in self.findings)]
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
    lines = [tuple(line) for line in claims_table("", [each for one in tested for each in one.evidence]).lines]
    return Told(study, found, verdict_lines(study, found.verdict), limits(found, events), lines, tested)


def test_no_sentence_says_what_is_not_known(told: list[Told]) -> None:
    for each in told:
        for words in FORBIDDEN:
            assert words not in each.text, words
        if not any(one.p is not None for one in each.tests.found):
            for _, verdict, agree, contrary, undecided, _ in each.claims:
                assert (verdict, agree, contrary, undecided) == ("undecided", "", "", "")
            assert not any(one.verdict != "undecided" for one in each.findings)


def test_findings_are_those_of_the_p_values(told: list[Told]) -> None:
    for each in told:
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


def test_a_red_light_says_what_is_wrong_and_gives_no_advice(told: list[Told]) -> None:
    for each in told:
        red = [line for line in each.verdict if line.startswith("  red: ")]
        assert bool(red) == (not each.found.verdict.is_advice)
        assert bool(red) == (LIGHTS["red"] in each.verdict)
        assert not red or not any(title in line for title in TITLES.values() for line in each.verdict)


def test_marks_stand_where_a_test_found_a_difference(told: list[Told]) -> None:
    for each in told:
        rows, columns = each.found.rows, main_columns(measures_of(each.study.runs))
        for line in figures_table(rows, columns, each.tests).lines:
            for column, cell in zip(columns, line.cells, strict=True):
                if not cell.differs:
                    continue
                best = max(rows, key=lambda row, name=column.name: -1.0 if row[name] is None else row[name])
                scope, _, measure = column.name.rpartition("_")
                one = each.tests.of_table(measure, scope or "all", best["method"], line.method)
                assert one is not None
                assert one.p_holm is not None
                assert one.p_holm < 0.05


def test_the_edges_are_what_they_are_called(tmp_path: Path) -> None:
    """Or the tests above could not fail."""
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["random", "PopRec"], repeats=2)
    grid = json.loads((folder / "runs" / "0-random-0" / "dial.json").read_text())
    assert len(grid["betas"]) == 9
    study = read_study(folder)
    told = of(study, analyse(study).datasets["beauty"])
    assert [each.p is not None for each in told.tests.found].count(True) > 0
    assert told.verdict[-2].startswith("  amber: ")
