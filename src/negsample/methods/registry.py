"""The methods by name, and the door for one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsample.errors import guarded
from negsample.methods import bce, by_cohort, hardest, in_batch, memory, pairwise, softmax
from negsample.methods.definition import MethodDefinition
from negsample.plugins import Registry

PAPER_SIX = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed")
POPREC = "PopRec"

_FAMILIES = (bce, hardest, by_cohort, pairwise, softmax, in_batch, memory)


def _check(name: str, method: MethodDefinition[Any]) -> None:
    if not isinstance(method, MethodDefinition):
        raise ValueError(f"a method is a negsample.MethodDefinition, got a {type(method).__name__}")
    method.settings()  # all have defaults


_own = {name: method for family in _FAMILIES for name, method in family.METHODS.items()}
_registry: Registry[MethodDefinition[Any]] = Registry(
    "method", {name: _own[name] for name in (*PAPER_SIX, *_own)}, check=_check, reserved=("all", POPREC)
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
