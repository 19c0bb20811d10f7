"""PopRec: the items of highest train count, for everybody."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from negsample.data.popularity import popularity_order
from negsample.evaluation.evaluate import evaluate
from negsample.evaluation.ranks import rank
from negsample.models import PopRec
from negsample.settings import run_settings

COUNTS = np.array([0, 3, 9, 0, 3, 7, 0])  # in order: 2, 5, then 1 and 4 tied, then 3 and 6 tied


def test_ranks_by_train_count_ties_by_id():
    model = PopRec(torch.from_numpy(popularity_order(COUNTS)))
    states = torch.ones(1, 1, dtype=torch.float64)
    (found,) = rank(states, model.table, np.zeros(6, np.int64), np.arange(1, 7), top_k=6)
    assert found.top_QK.tolist() == [[2, 5, 1, 4, 3, 6]]
    assert found.ranks_E.tolist() == [2, 0, 4, 3, 1, 5]


@pytest.mark.parametrize("history", ["frozen", "rolling"])
def test_everybody_gets_the_same_whatever_the_history(dataset_of, history):
    users = [([2, 5, 2, 1], [4], [2, 6]), ([5, 2], [1], [2]), ([2], [], [5])]
    data = dataset_of(users, 6)
    settings = run_settings(history=history)
    model = PopRec(torch.from_numpy(popularity_order(data.train_counts)), max_length=settings.model.max_length)
    found = evaluate(model, data, "test", settings)
    # train counts: item 2 four times, 5 twice, 1 once, then 3, 4, 6
    assert found.ranks_E.tolist() == [0, 5, 0, 1]
    assert found.figures["balance@1"] == pytest.approx(1 / 3)
    assert found.figures["coverage@1"] == 1 / 6
    assert found.figures["arp@1"] == 1


def test_exact_for_millions_of_items():
    items = 2**24 + 10  # beyond what float32 tells apart
    model = PopRec(torch.arange(1, items + 1))
    states = torch.ones(1, 1, dtype=torch.float64)
    targets = np.array([1, items - 1, items])
    (found,) = rank(states, model.table, np.zeros(3, np.int64), targets, top_k=2, item_block=2**22)
    assert found.ranks_E.tolist() == [0, items - 2, items - 1]
    assert found.top_QK.tolist() == [[1, 2]]


def test_nothing_is_trained():
    model = PopRec(torch.tensor([2, 1]))
    assert not any(each.requires_grad for each in model.parameters())
