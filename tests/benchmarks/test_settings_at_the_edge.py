"""Settings at the edges of numbers and of wrong kinds: a result, or one line."""

from __future__ import annotations

import pytest
import torch

from benchmarks.reliability import faults
from benchmarks.reliability.settings import DONE, REFUSED, Try, measure, outcome, world
from negsample import InputError, run_settings
from negsample.methods import negative_settings
from negsample.samplers import Cohort

TOO_LARGE = {
    "cohort": {"cohort_shares": [1e308, 1e308, 1]},
    "random": {"table": "rows", "table_learning_rate": 3.5e38},
    "popularity": {"table": "rows", "learning_rate": 1e308},
    "mixed": {"table": "rows", "table_optimizer": "adagrad", "table_learning_rate": 1e39},
    "sampled-softmax": {"temperature": 1e-300},
    "bpr": {"learning_rate": 5e-324},
    "batch-mix": {"mixed_negatives": 2**31 - 1},
    "xir": {"resampled": 2**31 - 1},
    "log-uniform": {"log_uniform_negatives": 2**31 - 1},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return world(tmp_path_factory.mktemp("world"))


def test_settings_end_in_a_result_or_in_one_line():
    """Sixty of those that ``python -m benchmarks.reliability settings`` tries by the thousand."""
    ill = []

    def say(number, tried, found):
        if faults({found: 1}):
            ill.append((number, tried, found))

    outcomes = measure(60, 1, say)
    assert not ill
    assert sum(outcomes.values()) == 60
    assert outcomes[DONE] >= 10
    assert outcomes[REFUSED] >= 10


@pytest.mark.parametrize("door", ["command", "python"])
@pytest.mark.parametrize("method", TOO_LARGE)
def test_numbers_that_float32_or_the_memory_cannot_hold_are_refused(method, door, data, tmp_path):
    assert outcome(Try(door, method, TOO_LARGE[method]), data, tmp_path / "run") == REFUSED


@pytest.mark.parametrize("size", [1e-45, 1.1e38, -1e308, 5e-324, "1e308"])
def test_a_size_that_float32_does_not_have_is_named(size):
    with pytest.raises(InputError, match=r"popularity_exponent=.*: input should be 0 or of a size from 1.5e-45 to 1e"):
        negative_settings("popularity", {"popularity_exponent": size})
    assert negative_settings("popularity", {"popularity_exponent": 0})["popularity_exponent"] == 0
    assert run_settings(**{"learning_rate": 1e-44}).training.learning_rate == 1e-44


def test_shares_of_any_size_are_shares(rng, batch_of):
    """Their sum is infinite; they are 1 to 1 to nothing."""
    batch = batch_of([[5, 6], [7, 8]], 9)
    cohorts = torch.tensor([-1, 0, 0, 1, 1, 2, 2, 2, 2, 2])
    ids = Cohort(cohorts, [1e308, 1e308, 0], 4000).draw(batch, rng=rng(0)).ids
    assert set(ids.flatten().tolist()) == {1, 2, 3, 4}
    assert (ids[0] <= 2).float().mean() == pytest.approx(0.5, abs=0.04)
