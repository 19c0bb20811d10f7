"""What is offered and advised: chosen on validation, whatever the test says, and never what is dominated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made import popular, row

from negsample.analysis.advice import advise
from negsample.report.words import advice_words


def rows(*figures: tuple[str, float, float, float | None]) -> list[dict[str, Any]]:
    """Method, dial, NDCG@10, Balance@10."""
    return [row(method, ndcg, (balance or 0.0) * ndcg, balance, dial=dial) for method, dial, ndcg, balance in figures]


VALID = rows(
    ("a", -1.0, 0.092, 0.80),
    ("a", 0.0, 0.100, 0.60),
    ("b", -1.0, 0.060, 0.90),
    ("b", 0.0, 0.093, 0.40),
)
PURPOSES = ("accuracy", "tail", "balance")


def dials(found):
    return {purpose: {each["method"]: each["dial"] for each in getattr(found, purpose).rows} for purpose in PURPOSES}


def advised(found):
    return {purpose: getattr(found, purpose).advised for purpose in PURPOSES}


def test_validation_chooses():
    found = advise(VALID, VALID)
    assert dials(found) == {
        "accuracy": {"a": 0.0, "b": 0.0},
        "tail": {"a": -1.0, "b": -1.0},
        "balance": {"a": -1.0, "b": 0.0},
    }
    assert advised(found) == {"accuracy": "a", "tail": "a", "balance": "a"}
    assert found.accuracy.chosen["ndcg@10"] == 0.1
    assert advice_words(found) == (
        "By validation, take `a` for total accuracy; `a` at dial -1 for tail items and Balance at 90\xa0% or more of"
        " the best NDCG@10."
    )


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
        assert (dials(garbled), advised(garbled), advice_words(garbled)) == (
            dials(before),
            advised(before),
            advice_words(before),
        )
        for purpose in PURPOSES:
            for each in getattr(garbled, purpose).rows:
                assert each in test  # shown as the test has it


@pytest.mark.parametrize("seed", range(50))
def test_what_is_dominated_on_validation_is_never_advised(seed):
    """Coarse figures, so that there are ties."""
    chance = np.random.default_rng(seed)
    valid = [
        row(name, *(chance.integers(4, 8, 3) / 10), dial=beta) for name in "ab" for beta in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    found = advise(valid, valid)
    for purpose in PURPOSES:
        chosen = getattr(found, purpose).chosen
        assert not any(_dominates(other, chosen) for other in valid)
        for each in getattr(found, purpose).rows:
            assert not any(_dominates(other, each) for other in valid if other["method"] == each["method"])


def _dominates(one, other):
    both = [(one[name], other[name]) for name in ("ndcg@10", "balance@10")]
    return all(a >= b for a, b in both) and any(a > b for a, b in both)


def test_of_equal_accuracy_the_more_balanced_setting_is_offered():
    valid = rows(("a", 0.25, 0.1, 0.48), ("a", 0.0, 0.1, 0.57), ("a", -0.25, 0.1, 0.57))
    assert dials(advise(valid, valid)) == {purpose: {"a": 0.0} for purpose in PURPOSES}


def test_nobody_is_offered_a_balance_of_one_cohort_alone():
    valid = rows(("a", 0.0, 0.1, 1 / 3), ("b", 0.0, 0.095, 1 / 3), ("b", -1.0, 0.02, 0.9))
    found = advise(valid, valid)
    assert advised(found)["balance"] is None
    assert "Balance" not in advice_words(found)


def test_nothing_is_advised_without_a_hit_or_an_event_on_validation():
    for ndcg in (0.0, None):
        valid = [each | {"ndcg@10": ndcg, "tail_hr@10": ndcg, "balance@10": None} for each in VALID]
        found = advise(valid, VALID)
        assert advised(found) == dict.fromkeys(PURPOSES, None)
        assert advice_words(found).startswith("No method can be chosen")
    assert advise([], []).accuracy.rows == []


def test_poprec_is_what_has_to_be_beaten_on_validation():
    valid = [*VALID, popular(0.2)]
    found = advise(valid, [*VALID, popular(0.01)])
    assert found.baseline_leads
    assert advice_words(found).startswith("On validation no trained method has a higher NDCG@10 than PopRec")
    assert not advise([*VALID, popular(0.05)], valid).baseline_leads
