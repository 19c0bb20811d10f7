"""From the name of a method and its settings to the three seats."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from negsample.errors import InputError, guarded
from negsample.methods.parts import Catalogue, Method
from negsample.methods.rows import METHODS
from negsample.settings import NegativeSettings, checked

POPREC = "PopRec"


def method_names(given: str) -> list[str]:
    """The methods in a list with commas, each once, in order; PopRec is known in any spelling, ``all`` is every one.

    Raises:
        InputError: a name is unknown, or there is none.
    """
    names: list[str] = []
    known = f"the methods are: {', '.join(METHODS)}, {POPREC}; or 'all'"
    for name in (part.strip() for part in given.split(",")):
        if name.lower() == "all":
            names.extend(METHODS)
        elif name.lower() == POPREC.lower():
            names.append(POPREC)
        elif name in METHODS:
            names.append(name)
        elif name:
            close = difflib.get_close_matches(name.lower(), METHODS, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise InputError(f"unknown method '{name}'; {hint}{known}")
    if not names:
        raise InputError(f"no method given; {known}")
    return list(dict.fromkeys(names))


@guarded
def negative_settings(method: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of ``method``: its row's defaults with those of ``changes`` that it has.

    Raises:
        InputError: a change is unknown to every method or breaks its rule.
    """
    changed = _plain(changes)
    if method == POPREC:
        return {}
    _known(method)
    defaults = _plain(METHODS[method].defaults)
    return defaults | {key: value for key, value in changed.items() if key in defaults}


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Checked, and as JSON has them: a run's settings are read back from its folder."""
    return checked(NegativeSettings, settings).model_dump(exclude_none=True, mode="json")


def _known(method: str) -> None:
    if method not in METHODS:
        method_names(method)  # says which there are
        raise InputError(f"one method that is trained is needed, got {method!r}")


@guarded
def build_method(method: str, catalogue: Catalogue, negatives: Mapping[str, Any]) -> Method:
    """``method`` of the table with the settings ``negatives`` (all that its row names).

    Raises:
        InputError: settings that are right each by itself do not go together, or not with the data.
    """
    _known(method)
    lacking = [key for key in METHODS[method].defaults if negatives.get(key) is None]
    other = [key for key in negatives if key not in METHODS[method].defaults]
    if lacking or other:
        what = f"has no setting {other[0]}" if other else f"needs a {lacking[0]}"
        raise InputError(f"method {method} {what}; negative_settings({method!r}, changes) gives all that it needs")
    checked(NegativeSettings, negatives)
    try:
        built = METHODS[method].build(catalogue, negatives)
    except ValueError as error:
        raise InputError(f"method {method}: {error}") from None
    return built._replace(exclude=negatives["exclude"])
