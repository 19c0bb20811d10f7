"""The table of methods: a published name -> the three seats, with paper and year."""

from negsample.methods.names import POPREC, build_method, method_names, negative_settings
from negsample.methods.parts import Catalogue, Method, Row, catalogue_of
from negsample.methods.rows import METHODS, PAPER_SIX

__all__ = [
    "METHODS",
    "PAPER_SIX",
    "POPREC",
    "Catalogue",
    "Method",
    "Row",
    "build_method",
    "catalogue_of",
    "method_names",
    "negative_settings",
]
