"""Words for chance and for initial values: no other is taken for one of them."""

from __future__ import annotations

import pytest
import torch

from negsample.models import SASRec
from negsample.models.init import fill
from negsample.models.item_table import ItemTable
from negsample.random import generator


@pytest.mark.parametrize("word", ["Normal", "xavier", "", None])
def test_no_other_word_is_taken_for_glorot(word, rng):
    for make in (
        lambda: fill(torch.empty(3, 2), word, rng=rng(0)),
        lambda: ItemTable(5, 2, rng=rng(0), init=word),
        lambda: ItemTable(5, 2, rng=rng(0), init=word, by_rows=True),
        lambda: SASRec(5, dim=2, rng=rng(0), init=word),
    ):
        with pytest.raises(ValueError, match="init must be 'normal' or 'glorot', got"):
            make()


@pytest.mark.parametrize("word", ["initial", "Order", "", None])
def test_chance_is_for_a_purpose_that_is_known(word):
    with pytest.raises(ValueError, match="purpose must be 'init' or 'order'"):
        generator(0, word)
