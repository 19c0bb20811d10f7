"""Features of items as of some times: how terms lie beside each other, and what a term of one's own must give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from negsample import InputError, TermDefinition, register_term
from negsample.scoring import lately
from negsample.scoring.lately import Lately, lately_of_train
from negsample.settings import TERMS, laid_out


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    for name in ("_parts", "_from"):
        monkeypatch.setattr(TERMS, name, dict(getattr(TERMS, name)))


@pytest.fixture(scope="module")
def data(dataset_of):
    return dataset_of([([1, 2, 1], [3], []), ([2], [], [1])], 3, [0, 10, 20, 30, 5, 50])


def constant(value, columns=1):
    def features(data, times):
        return (np.full((data.catalogue_size + 1, columns), value + time) for time in times)

    return features


def test_terms_of_ones_own_lie_after_popularity_and_recency(data):
    register_term("a", constant(100.0, 2), columns=2)
    register_term("z", constant(200.0))
    assert laid_out(["repeats"]) == ()
    assert [(each.name, each.start, each.stop) for each in laid_out(["a", "z"])] == [("a", 0, 2), ("z", 2, 3)]
    both = [("popularity", 0, 1), ("recency", 1, 8), ("a", 8, 10), ("z", 10, 11)]
    laid = laid_out(["a", "recency", "repeats", "z"])
    assert [(each.name, each.start, each.stop) for each in laid] == both
    found = Lately(data, laid, np.array([25, 7, 25])).features_NF.view(2, 4, 11)
    assert found[:, 1:, 8:].tolist() == [[[107, 107, 207]] * 3, [[125, 125, 225]] * 3]
    assert not found[:, 0].any()
    assert torch.equal(
        found[..., :8], Lately(data, laid_out(["popularity"]), np.array([7, 25])).features_NF.view(2, 4, 8)
    )


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            constant(1.0, 2),
            r"term own must give \(V \+ 1, columns\) = \(4, 1\) finite numbers .*, got ndarray \(4, 2\)",
        ),
        (constant(np.nan), r"\(4, 1\) finite numbers for each time, got numbers that are not finite"),
        (lambda data, times: [np.zeros((4, 1))], r"got NoneType \(\)"),
        (lambda data, times: [np.full((4, 1), "x")] * 2, "finite numbers"),
    ],
)
def test_what_are_no_features_is_refused(data, features, message):
    register_term("own", features)
    with pytest.raises(InputError, match=message):
        Lately(data, laid_out(["own"]), np.array([3, 4]))


@pytest.mark.parametrize(
    ("name", "part", "message"),
    [
        ("recency", TermDefinition(constant(1.0)), "the name 'recency' is negsample's own"),
        ("repeats", TermDefinition(constant(1.0)), "the name 'repeats' is negsample's own"),
        ("own", TermDefinition(None, 0), "term 'own': it is a TermDefinition"),
        ("own", constant(1.0), "term 'own': it is a TermDefinition"),
        ("own", TermDefinition(constant(1.0), 0), "term 'own': columns must be a whole number from 1 to 100, got 0"),
    ],
)
def test_what_is_no_term_is_not_registered(name, part, message):
    with pytest.raises(InputError, match=message):
        TERMS.register(name, part)


def test_a_term_that_was_replaced_is_computed_anew(data):
    register_term("own", constant(1.0))
    first = lately_of_train(data, laid_out(["own"]))
    assert lately_of_train(data, laid_out(["own"])) is first
    register_term("own", constant(2.0), replace=True)
    assert not torch.equal(lately_of_train(data, laid_out(["own"])).features_NF, first.features_NF)


def test_too_many_columns_for_the_catalogue_are_refused(data, monkeypatch):
    register_term("own", constant(1.0))
    monkeypatch.setattr(lately, "MEMORY", lately.LEAST * lately.bytes_of_a_cut(data, laid_out(["recency"])))
    with pytest.raises(InputError, match=r"popularity, recency, own of 3 items as of 20 times take .* leave"):
        lately_of_train(data, laid_out(["own", "recency"]))
    lately_of_train(data, laid_out(["recency"]))
