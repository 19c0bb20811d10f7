"""The first two seats of a method: propose negatives, select among them by score."""

from negsample.negatives.base import Negatives, Sampler
from negsample.negatives.in_batch import InBatch
from negsample.negatives.mixture import Mixture
from negsample.negatives.select import Hardest, Select, keep_all
from negsample.negatives.unigram import Popularity, Uniform

__all__ = [
    "Hardest",
    "InBatch",
    "Mixture",
    "Negatives",
    "Popularity",
    "Sampler",
    "Select",
    "Uniform",
    "keep_all",
]
