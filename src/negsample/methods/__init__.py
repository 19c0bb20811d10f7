"""Which negative-sampling methods are there, of which parts and with which settings?"""

from negsample.methods.definition import Catalogue, Events, Method, MethodDefinition, catalogue_of
from negsample.methods.registry import (
    DEFAULT_METHODS,
    METHODS,
    PAPER_SIX,
    POPREC,
    build_method,
    changed_settings,
    cost,
    family_of,
    known_settings,
    method_names,
    negative_settings,
    register_method,
    split_settings,
)

__all__ = [
    "DEFAULT_METHODS",
    "METHODS",
    "PAPER_SIX",
    "POPREC",
    "Catalogue",
    "Events",
    "Method",
    "MethodDefinition",
    "build_method",
    "catalogue_of",
    "changed_settings",
    "cost",
    "family_of",
    "known_settings",
    "method_names",
    "negative_settings",
    "register_method",
    "split_settings",
]
