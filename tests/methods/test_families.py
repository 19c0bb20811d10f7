"""The families that methods are grouped under."""

from __future__ import annotations

from negsample.methods import METHODS, family_of
from negsample.models.baselines import BASELINES


def test_every_method_has_a_family_and_what_is_not_ours_is_own() -> None:
    assert all(family_of(name) not in ("Own", "Baselines") for name in METHODS)
    assert {family_of(name) for name in BASELINES} == {"Baselines"}
    assert family_of("dns") == "Pairwise"
    assert family_of("of-a-plugin") == "Own"
