"""The settings that a command line comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from negsample.errors import InputError
from negsample.settings import RunSettings, run_settings


class Given(NamedTuple):
    """The settings that a command line comes to: those of training, and the changes to those of the methods.

    ``names``: the settings that a person gave.
    """

    settings: RunSettings
    negatives: dict[str, Any]
    names: list[str]


def settings_of(
    epochs: int | None,
    changes: list[str] | None,
    cutoffs: str | None = None,
    common: Mapping[str, Any] = MappingProxyType({}),
    *,
    early_stop: int | None = None,
    refit: bool | None = None,
    terms: Literal["none", "auto"] | None = None,
) -> Given:
    """What ``--epochs``, ``--early-stop``, ``--refit``, ``--terms``, ``--set`` and ``--k`` come to.

    ``common``: settings of a preset, where they say nothing else.

    Raises:
        InputError: a key is unknown or given twice, or a value breaks its rule.
    """
    from negsample.methods import POPREC, negative_settings, split_settings

    options = {
        "epochs": epochs,
        "early_stop": early_stop,
        "refit": refit,
        "fit_terms": None if terms is None else terms == "auto",
    }
    given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    for change in [*(changes or []), *([] if cutoffs is None else [f"k={cutoffs}"])]:
        key, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"--set takes KEY=VALUE, got '{change}'")
        if key in given:
            raise InputError(f"setting {key} is given twice")
        try:
            given[key] = json.loads(text)
        except (ValueError, RecursionError):
            given[key] = text
        if given[key] is None:
            raise InputError(f"setting {key}=null says nothing; leave it out for its default")
    of_run, of_methods = split_settings(given)
    negative_settings(POPREC, of_methods)  # a value that no method can have is refused now
    return Given(run_settings(**{**common, **of_run}), of_methods, [*of_run, *of_methods])


def whole_numbers(option: str, text: str | None) -> list[int]:
    """The numbers in a list with commas, each once; none where nothing is given; anything else is an InputError."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if any(not part.isdecimal() for part in parts):
        raise InputError(f"{option} takes whole numbers with commas, got '{text}'")
    return list(dict.fromkeys(map(int, parts)))
