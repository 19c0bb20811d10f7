"""Backbones: from the items of a history to one state a position."""

from negsample.models.popular import PopRec
from negsample.models.sasrec import SASRec

__all__ = ["PopRec", "SASRec"]
