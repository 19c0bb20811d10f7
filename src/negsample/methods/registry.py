"""The methods by name: how to add one, its settings, its parts and what it costs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import torch
from pydantic.fields import FieldInfo

from negsample.errors import InputError, guarded
from negsample.methods import bce, by_cohort, hardest, in_batch, pairwise, recent, softmax
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.miners import Scored
from negsample.models.baselines import BASELINES, is_baseline
from negsample.plugins import Registry, sources_of
from negsample.settings import Settings, checked, is_run_setting, setting_fields

PAPER_SIX = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed")
DEFAULT_METHODS = (*PAPER_SIX, "mixed-log-q")
"""What ``compare`` compares where nobody says otherwise; a preset of the paper compares its six."""
POPREC = "PopRec"

_FAMILIES = {
    "Binary cross-entropy": bce,
    "Hardest": hardest,
    "By cohort": by_cohort,
    "Recent": recent,
    "Pairwise": pairwise,
    "Softmax": softmax,
    "In-batch softmax": in_batch,
}


def _check(name: str, method: MethodDefinition[Any]) -> None:
    if not isinstance(method, MethodDefinition):
        raise ValueError(f"a method is a negsample.MethodDefinition, got a {type(method).__name__}")
    method.settings()  # all have defaults


_own = {name: method for family in _FAMILIES.values() for name, method in family.METHODS.items()}
_registry: Registry[MethodDefinition[Any]] = Registry(
    "method", {name: _own[name] for name in (*PAPER_SIX, *_own)}, check=_check, reserved=("all", *BASELINES)
)
METHODS: Mapping[str, MethodDefinition[Any]] = _registry
"""The methods by name: negsample's own, and those of plugins; to be read alone."""


@guarded
def register_method(name: str, method: MethodDefinition[Any], *, replace: bool = False) -> MethodDefinition[Any]:
    """Add a method of your own, which then works wherever a name of ``negsample methods`` does. Returns it.

    Args:
        name: see :meth:`negsample.plugins.Registry.register`.
        method: its settings, and how it is built from them.
        replace: take the place of one that was registered before; never of negsample's own.

    Raises:
        InputError: the name is taken or is none, or the settings lack a default.
    """
    return _registry.register(name, method, replace=replace)


def family_of(name: str) -> str:
    """What a method is grouped under: ``Pairwise``, ``Baselines``, or ``Own`` for what negsample does not have."""
    if is_baseline(name):
        return "Baselines"
    return next((label for label, family in _FAMILIES.items() if name in family.METHODS), "Own")


def method_names(given: str) -> list[str]:
    """The methods and baselines in a list with commas, each once, in order; ``all`` is every method, and a
    baseline is known in any spelling.

    Raises:
        InputError: a name is unknown, or there is none.
    """
    names: list[str] = []
    baselines = {each.lower(): each for each in BASELINES}
    for name in (part.strip() for part in given.split(",")):
        if name.lower() == "all":
            names.extend(METHODS)
        elif name:
            known = baselines.get(name.lower(), name) if name not in METHODS else name
            if not is_baseline(known):
                METHODS[known]  # or it is an error
            names.append(known)
    if not names:
        raise InputError(f"no method given; the methods are: {', '.join([*METHODS, *BASELINES])}; or 'all'")
    return list(dict.fromkeys(names))


def known_settings() -> dict[str, FieldInfo]:
    """The settings of all methods, by name."""
    return {key: field for method in METHODS.values() for key, field in method.settings.model_fields.items()}


def split_settings(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings by name, parted into those of :func:`~negsample.settings.run_settings` and those of methods.

    Raises:
        InputError: a name is neither.
    """
    of_run, of_methods, methods = {}, {}, known_settings()
    for key, value in given.items():
        if is_run_setting(key):
            of_run[key] = value
        elif key in methods:
            of_methods[key] = value
        else:
            known = list(dict.fromkeys([*setting_fields(), *methods]))
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise InputError(f"unknown setting '{key}'; {hint}the settings are: {', '.join(known)}")
    return of_run, of_methods


@guarded
def negative_settings(method: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of ``method`` as JSON has them: its defaults, with those of ``changes`` that it has.

    Raises:
        InputError: a change is unknown to every method or breaks its rule.
    """
    own = {} if is_baseline(method) else _of(method).settings.model_fields
    for key, value in changes.items():
        if key not in own:
            having = [each.settings for each in METHODS.values() if key in each.settings.model_fields]
            if not having:
                raise InputError(f"unknown setting '{key}'; the settings of methods are: {', '.join(known_settings())}")
            checked(having[0], {key: value})
    if is_baseline(method):
        return {}
    changed = {key: value for key, value in changes.items() if key in own}
    return _settings(method, changed).model_dump(mode="json")


@guarded
def changed_settings(method: str, negatives: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``negatives``, as :func:`negative_settings` gives them, that are not the method's defaults."""
    usual = negative_settings(method, {})
    return {key: value for key, value in negatives.items() if key not in usual or value != usual[key]}


@guarded
def build_method(method: str, catalogue: Catalogue, negatives: Mapping[str, Any]) -> Method:
    """``method`` with the settings ``negatives``; what is not among them is as by default.

    Raises:
        InputError: a setting is none of the method's or breaks its rule, or settings that are right each by itself do
            not go together, or not with the data.
    """
    settings = _settings(method, negatives)
    try:
        built = _of(method).build(catalogue, settings)
    except ValueError as error:
        raise InputError(f"method {method}: {error}") from None
    except Exception as error:
        if not sources_of(method):
            raise
        raise InputError(f"method {method} of a plugin cannot be built: {type(error).__name__}: {error}") from error
    if not isinstance(built, Method):
        raise InputError(f"method {method}: build must give a negsample.Method, got a {type(built).__name__}")
    return built._replace(exclude=getattr(settings, "exclude", built.exclude))


def cost(name: str) -> str:
    """What a position costs with the default settings: ids drawn and for whom, scores computed, scores in the loss."""
    counts = torch.tensor([0, 1, 1, 1])
    method = build_method(name, Catalogue(3, counts, counts), {})
    if method.merged:
        return "V scores, none kept in memory; nothing drawn"
    if method.sampler.k == "all":
        return "T scores, one for each target of the batch; nothing drawn"
    parts = getattr(method.sampler, "parts", [method.sampler])
    drawn = sum(getattr(part, "most", part.k) for part in parts)
    one = torch.zeros(1, drawn)
    scored = Scored(one[:, 0], one, one, one[:, 0], torch.ones(1, drawn, dtype=torch.int64), one[:, 0])
    in_loss = method.miner(scored, rng=torch.Generator()).neg_TK.shape[1]
    left = "" if in_loss == drawn else f", {in_loss:,} in the loss"
    return f"{drawn:,} scores{left}; {drawn:,} ids a {method.sampler.per}"


def _of(method: str) -> MethodDefinition[Any]:
    if method not in METHODS:
        method_names(method)  # names the nearest ones
        raise InputError(f"one method that is trained is needed, got {method!r}")
    return METHODS[method]


def _settings(method: str, values: Mapping[str, Any]) -> Settings:
    try:
        settings: Settings = checked(_of(method).settings, values)
    except InputError as error:
        raise InputError(f"method {method}: {error}") from None
    return settings
