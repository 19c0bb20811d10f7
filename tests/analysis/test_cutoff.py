"""Whether training was cut off, from the best epochs of a study's runs."""

from __future__ import annotations

import pytest
from make_study import make_study

from negsample.analysis.reading import read_study
from negsample.analysis.trainings import CutOff, cut_off


@pytest.mark.parametrize(
    ("best", "epochs", "expected"),
    [
        ([13, 14, 15], 15, CutOff(3, 3, 3, 15, tuned=False)),  # the last fifth: 13, 14 and 15
        ([12, 14, 15], 15, CutOff(2, 3, 3, 15, tuned=False)),
        ([12, 12, 15], 15, None),
        ([1, 1, 1], 1, CutOff(3, 3, 1, 1, tuned=False)),
        ([160, 160, 160], 200, None),
        ([175, 200, 25], 200, CutOff(2, 3, 40, 200, tuned=False)),
    ],
)
def test_most_best_epochs_in_the_last_fifth(best, epochs, expected, tmp_path):
    def change(config, metrics):
        config["settings"] = config["settings"] | {"epochs": epochs}
        metrics["best_epoch"] = 0 if config["method"] == "PopRec" else best[config["seed"]]

    make_study(tmp_path / "study", ["beauty"], ["random", "PopRec"], change=change, dialled=False)
    assert cut_off(read_study(tmp_path / "study"), "beauty") == expected


@pytest.mark.parametrize(
    ("best", "every", "late"),
    [
        ([100, 100, 99], 1, 3),
        ([96, 96, 90], 1, 2),  # with 96 only four validations follow, and a fifth would stop it
        ([95, 95, 95], 1, None),  # stopped at the limit, as it would have without one
        ([80, 80, 80], 5, 3),
        ([75, 75, 75], 5, None),
    ],
)
def test_runs_that_stop_early_are_cut_off_where_they_reached_the_limit(best, every, late, tmp_path):
    def change(config, metrics):
        config["settings"] = config["settings"] | {"epochs": 100, "early_stop": 5, "eval_every": every}
        metrics["best_epoch"] = best[config["seed"]]

    make_study(tmp_path / "study", ["beauty"], ["random"], change=change, dialled=False)
    study = read_study(tmp_path / "study")
    found = cut_off(study, "beauty")
    assert (found and (found.late, found.epochs, found.stops)) == (late and (late, 100, True))


def test_a_tuned_study_is_not_told_to_tune(tmp_path):
    def change(config, metrics):
        metrics["best_epoch"] = config["settings"]["epochs"]

    folder = make_study(tmp_path / "study", ["beauty"], ["random", "mixed"], change=change, dialled=False, tuned=True)
    found = cut_off(read_study(folder), "beauty")
    assert found is not None
    assert found.tuned
