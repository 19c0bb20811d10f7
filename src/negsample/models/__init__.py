"""Backbones: from the items of a history to one state a position."""

from negsample.models.baselines import PopRec
from negsample.models.build import Backbone
from negsample.models.gru4rec import GRU4Rec
from negsample.models.sasrec import SASRec
from negsample.models.together import Together

__all__ = ["Backbone", "GRU4Rec", "PopRec", "SASRec", "Together"]
