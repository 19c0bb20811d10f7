"""A reproduction's figures beside the published ones."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest
from make_study import list_anew, make_study

from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table
from negsample.errors import InputError
from negsample.paper.beside import beside_table2, beside_table3, frame_of
from negsample.paper.published import table2, table3
from negsample.paper.supplement import beside_words, paper_supplement
from negsample.report.page import write_report

pytestmark = pytest.mark.usefixtures("no_drawing")

METHODS = ("random", "adaptive-in-batch", "mixed-log-q", "PopRec")


def reproduction(folder, datasets, change=None, methods=METHODS):
    make_study(folder, datasets=list(datasets), methods=methods, change=change)
    path = folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reproduces": datasets}))
    list_anew(folder)
    return folder


def as_published(factor):
    """Every figure of random and adaptive at the published mean plus ``factor`` of its sd."""

    def change(config, metrics):
        method = {"adaptive-in-batch": "adaptive"}.get(config["method"], config["method"])
        if method in ("random", "adaptive", "PopRec"):
            for name, figure in table3("amazon-beauty", method).items():
                metrics["test"][name] = (figure.mean + factor * (figure.sd or 0)) / 100

    return change


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0, "within"), (1.99, "within"), (-1.99, "within"), (2.1, "above"), (-2.1, "below")]
)
def test_two_published_deviations_are_the_spread(factor, verdict, tmp_path):
    study = read_study(reproduction(tmp_path, {"amazon-beauty": "amazon-beauty"}, as_published(factor)))
    found = beside_table3(study, study_table(study))
    assert {each.method for each in found} == {"random", "adaptive-in-batch", "PopRec"}
    assert {each.verdict for each in found if each.method != "PopRec"} == {verdict}
    assert {each.verdict for each in found if each.method == "PopRec"} == {"equal"}
    assert len(found) == 27
    assert not any(each.stand_in for each in found)


def test_what_is_not_random_is_compared_to_its_digits(tmp_path):
    def change(config, metrics):
        if config["method"] == "PopRec":
            metrics["test"] |= {"hr@10": 0.00914, "ndcg@10": 0.00446, "head_hr@10": 0.0399, "balance@10": None}

    study = read_study(reproduction(tmp_path, {"amazon-beauty": "amazon-beauty"}, change))
    of_popular = {
        each.measure: each.verdict for each in beside_table3(study, study_table(study)) if each.method == "PopRec"
    }
    expected = {"hr@10": "equal", "ndcg@10": "above", "head_hr@10": "below", "balance@10": "none"}
    assert {key: of_popular[key] for key in expected} == expected


def test_cohorts_are_compared_to_their_digits(tmp_path):
    folder = reproduction(tmp_path, {"retailrocket": "retailrocket"})
    path = folder / "datasets" / "0.json"
    manifest = json.loads(path.read_text())
    for cohort, theirs in table2("retailrocket").items():
        manifest["cohorts"][cohort] |= {"item_share": theirs.items / 100, "mpu": theirs.users}
    manifest["cohorts"]["tail"] |= {"item_share": 0.7296, "mpu": None}
    path.write_text(json.dumps(manifest))
    list_anew(folder)
    found = {(each.method, each.measure): each.verdict for each in beside_table2(read_study(folder))}
    assert found.pop(("tail", "items")) == "above"
    assert found.pop(("tail", "mpu")) == "none"
    assert set(found.values()) == {"equal"}
    assert len(found) == 4


def test_the_page_and_the_file_have_every_cell(tmp_path):
    folder = reproduction(tmp_path, {"amazon-beauty": "amazon-beauty", "tiny": "movielens-10m"}, as_published(3))
    page = write_report(folder, supplement=paper_supplement).read_text("utf-8")
    table = pl.read_csv(folder / "reproduction.csv")
    assert table.height == 54
    assert table.filter(pl.col("dataset") == "tiny")["stand_in"].all()
    assert not table.filter(pl.col("dataset") == "amazon-beauty")["stand_in"].any()
    assert len(re.findall(r'<td class="(?:above|below|within|equal|none)" title', page)) == 54 + 12
    assert "tiny stands in for movielens-10m" in page
    assert "Of 18 figures of trained methods: 18 above what was published." in page


def test_a_study_that_is_no_reproduction_has_neither(tmp_path):
    make_study(tmp_path, datasets=["amazon-beauty"], methods=METHODS)
    assert "Beside the paper" not in write_report(tmp_path, supplement=paper_supplement).read_text("utf-8")
    assert not (tmp_path / "reproduction.csv").exists()


@pytest.mark.parametrize("damaged", [["amazon-beauty"], {"amazon-beauty": "beauty"}, {"other": "retailrocket"}])
def test_a_damaged_note_is_told(damaged, tmp_path):
    folder = reproduction(tmp_path, {"amazon-beauty": "amazon-beauty"})
    path = folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reproduces": damaged}))
    list_anew(folder)
    with pytest.raises(InputError, match="'reproduces' is"):
        write_report(folder, supplement=paper_supplement)


def test_words_of_no_trained_method_count_nothing(tmp_path):
    study = read_study(reproduction(tmp_path, {"amazon-beauty": "amazon-beauty"}))
    popular = [each for each in beside_table3(study, study_table(study)) if each.method == "PopRec"]
    assert beside_words(popular, []) == ""
    assert frame_of([]).height == 0


def test_a_random_pool_is_shown_beside_a_pool_of_the_batch_and_not_judged(tmp_path):
    """`adaptive` of the paper's text is another method than that of its table."""
    methods = ("random", "adaptive", "PopRec")
    study = read_study(reproduction(tmp_path, {"amazon-beauty": "amazon-beauty"}, as_published(3), methods))
    found = beside_table3(study, study_table(study))
    assert {each.verdict for each in found if each.method == "adaptive"} == {"other"}
    assert {each.verdict for each in found if each.method == "random"} == {"above"}
    words = beside_words(found, [])
    assert words.startswith("Of 9 figures of trained methods: 9 above what was published.")
    assert "adaptive here has a random pool" in words
    page = write_report(study, supplement=paper_supplement).read_text("utf-8")
    line = page.split('id="published-1"')[1].split('<tr data-method="adaptive">')[1].split("</tr>")[0]
    assert line.count("<td") == 9
    assert "▲" not in line
