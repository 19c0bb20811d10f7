"""What is advised: chosen on validation, whatever the test says; the simplest of what is alike; nothing dominated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made import popular, row

from negsample.analysis.advice import TRAINED, Advice, Alike, advise


def rows(*figures: tuple[str, float, float, float | None]) -> list[dict[str, Any]]:
    """Method, dial, NDCG@10, Balance@10."""
    return [row(method, ndcg, (balance or 0.0) * ndcg, balance, dial=dial) for method, dial, ndcg, balance in figures]


VALID = rows(
    ("a", -1.0, 0.092, 0.80),
    ("a", 0.0, 0.100, 0.60),
    ("b", -1.0, 0.060, 0.90),
    ("b", 0.0, 0.093, 0.40),
)


def taken(found: Advice) -> list[tuple[str, float | None] | None]:
    """Method and dial for each purpose."""
    return [each.chosen and (each.chosen["method"], each.chosen["dial"]) for each in found.purposes]


def test_validation_chooses_and_keeps_nine_tenths_of_the_accuracy():
    found = advise(VALID, VALID)
    assert taken(found) == [("a", 0.0), ("a", -1.0), ("a", -1.0)]  # b at -1 has more Balance, and too little NDCG@10
    assert found.accuracy.able == ("a", "b")
    assert found.trained == found.accuracy
    assert found.baseline is None


@pytest.mark.parametrize("seed", range(20))
def test_no_figure_of_the_test_has_a_say(seed):
    chance = np.random.default_rng(seed)
    names, betas = ("a", "b", "c"), (-1.0, 0.0, 1.0)
    valid = [
        row(name, *chance.random(3).round(2), dial=beta) for name in names for beta in betas
    ] + [popular(float(chance.random()) / 4)]  # fmt: skip
    before = advise(valid, valid)
    for _ in range(5):
        test = [
            each | {key: float(chance.random()) if key.endswith("@10") else value for key, value in each.items()}
            for each in valid
        ]
        garbled = advise(valid, test)
        assert taken(garbled) == taken(before)
        assert all(each.chosen in test for each in garbled.purposes if each.chosen)  # shown as the test has it


@pytest.mark.parametrize("seed", range(50))
def test_what_is_dominated_on_validation_by_its_own_method_is_never_advised(seed):
    """Coarse figures, so that there are ties."""
    chance = np.random.default_rng(seed)
    valid = [
        row(name, *(chance.integers(4, 8, 3) / 10), dial=beta) for name in "ab" for beta in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    for each in (each.chosen for each in advise(valid, valid).purposes if each.chosen):
        assert not any(_dominates(other, each) for other in valid if other["method"] == each["method"])


def _dominates(one, other):
    both = [(one[name], other[name]) for name in ("ndcg@10", "balance@10")]
    return all(a >= b for a, b in both) and any(a > b for a, b in both)


def test_of_equal_accuracy_the_more_balanced_setting_is_taken():
    valid = rows(("a", 0.25, 0.1, 0.48), ("a", 0.0, 0.1, 0.57), ("a", -0.25, 0.1, 0.57))
    assert taken(advise(valid, valid)) == [("a", 0.0)] * 3


def test_nobody_is_offered_a_balance_of_one_cohort_alone():
    valid = rows(("a", 0.0, 0.1, 1 / 3), ("b", 0.0, 0.095, 1 / 3), ("b", -1.0, 0.02, 0.9))
    assert advise(valid, valid).balance.chosen is None


def test_nothing_is_advised_without_a_hit_or_an_event_on_validation():
    for ndcg in (0.0, None):
        valid = [each | {"ndcg@10": ndcg, "tail_hr@10": ndcg, "balance@10": None} for each in VALID]
        assert taken(advise(valid, VALID)) == [None, None, None]
    assert taken(advise([], [])) == [None, None, None]


def test_of_what_is_alike_the_cheapest_is_taken_and_of_the_cheapest_the_highest():
    seconds = {"a": 100.0, "b": 40.0, "c": 50.0, "d": 10.0}
    valid = [row(name, 0.1 - 0.01 * at, train_seconds=seconds[name]) for at, name in enumerate(seconds)]
    assert advise(valid, valid).accuracy.advised == "a"
    found = advise(valid, valid, {"ndcg@10": Alike("a", ("b", "c"), 0)}).accuracy
    assert (found.advised, found.highest["method"], found.equals) == ("b", "a", ("b", "c"))  # d differs
    assert advise(valid, valid, {"ndcg@10": Alike("a", ("c", "b"), 0)}).accuracy.advised == "c"


def test_a_rule_is_simpler_than_what_is_trained():
    valid = [*VALID, popular(0.09, 0.001) | {"balance@10": 0.5}]
    assert advise(valid, valid).accuracy.advised == "a"
    alike = {"ndcg@10": Alike("a", ("b", "PopRec"), 0), TRAINED: Alike("a", ("b",), 0)}
    found = advise(valid, valid, alike)
    assert (found.accuracy.advised, found.accuracy.rule["method"]) == ("PopRec", "PopRec")
    assert found.trained.advised == "a"
    assert found.trained.rule is None


def test_a_rule_above_all_is_the_most_accurate():
    valid = [*VALID, popular(0.2)]
    found = advise(valid, [*VALID, popular(0.01)])
    assert found.accuracy.advised == "PopRec"
    assert advise([*VALID, popular(0.05)], valid).accuracy.advised == "a"


def test_the_default_is_random_as_it_is_trained():
    valid = rows(("random", 0.5, 0.2, 0.5), ("random", 0.0, 0.1, 0.5), ("b", 0.0, 0.3, 0.5))
    assert advise(valid, valid).default == valid[1]
    assert advise(VALID, VALID).default is None
