"""The pictures of the concepts show what the code computes."""

from __future__ import annotations

import pytest

from negsample import balance
from scripts import concept_pictures
from scripts.figures_in_docs import pick


@pytest.mark.parametrize("name", concept_pictures.PICTURES)
def test_a_picture_is_up_to_date(name):
    kept = (concept_pictures.FOLDER / f"concept-{name}.svg").read_text("utf-8")
    assert kept == concept_pictures.svg(name), "run python -m scripts.concept_pictures"


def rows_of(chart):
    (rows,) = chart.to_dict()["datasets"].values()
    return rows


def test_each_cohort_has_a_third_of_the_train_events():
    shares = {
        row["cohort"]: row["share"] for row in rows_of(concept_pictures.of_cohorts()) if row["of"] == "train events"
    }
    assert shares == pytest.approx(dict.fromkeys(("head", "mid", "tail"), 1 / 3), abs=0.005)


def test_balance_is_that_of_the_bars():
    rows = rows_of(concept_pictures.of_balance())
    study = concept_pictures.result(concept_pictures.STUDY)["table"]
    for method in {row["method"] for row in rows}:
        rates = [row["HR@10"] for row in rows if row["method"] == method]
        name, said = method.split(": Balance ")
        assert said == f"{100 * balance(*rates):.0f} %"
        assert balance(*rates) == pytest.approx(pick(study, method=name)["balance@10"], abs=0.02)  # a mean of the runs'
