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


def test_a_tuned_study_is_not_told_to_tune(tmp_path):
    def change(config, metrics):
        metrics["best_epoch"] = config["settings"]["epochs"]

    folder = make_study(tmp_path / "study", ["beauty"], ["random", "mixed"], change=change, dialled=False, tuned=True)
    found = cut_off(read_study(folder), "beauty")
    assert found is not None
    assert found.tuned
