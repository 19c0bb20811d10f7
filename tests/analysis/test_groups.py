"""Groups without a significant difference, against the tests they are made of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from made import comparisons, row

from negsample.analysis.groups import fully_tested, joined
from negsample.analysis.significance import Comparisons

KEY = ("ndcg@10", "all")


def given(methods: str, p: Callable[[str, str], float | None]) -> Comparisons:
    return comparisons([row(each, 0.01) for each in methods], lambda measure, scope, a, b: p(a, b))


def test_neighbours_overlap_and_who_differs_from_all_stands_alone() -> None:
    apart = {"ac", "ad", "bd", "ae", "be", "ce", "de"}
    tests = given("abcde", lambda a, b: 0.01 if a + b in apart else 0.5)
    assert joined(tests, KEY, list("abcde")) == [["a", "b"], ["b", "c"], ["c", "d"]]


def test_a_method_between_two_that_do_not_differ_need_not_belong_to_them() -> None:
    tests = given("abc", lambda a, b: 0.5 if a + b == "ac" else 0.01)
    assert joined(tests, KEY, list("abc")) == [["a", "c"]]


@pytest.mark.parametrize("seed", range(5))
def test_two_are_joined_if_and_only_if_their_difference_is_not_significant(seed: int) -> None:
    drawn = np.random.default_rng(seed).random((9, 9))
    tests = given("abcdefghi", lambda a, b: float(drawn[ord(a) - 97, ord(b) - 97] ** 3))
    groups = joined(tests, KEY, list("abcdefghi"))
    for a, b in combinations("abcdefghi", 2):
        each = tests.of_table(*KEY, a, b)
        assert each is not None
        assert any({a, b} <= set(group) for group in groups) == (not each.significant)


def test_who_was_not_fully_tested_is_left_out() -> None:
    tests = given("abcd", lambda a, b: None if "c" in (a, b) else 0.5)
    assert fully_tested(tests, KEY, list("abcd")) == ["a", "b", "d"]
    assert fully_tested(given("ab", lambda a, b: None), KEY, ["a", "b"]) == ["a"]
    assert fully_tested(Comparisons(), KEY, []) == []
