"""The first two seats of a method: propose negatives, select among them by score."""

from negsample.negatives.bank import Cache, CrossBatch
from negsample.negatives.base import Negatives, Per, Sampler
from negsample.negatives.catalogue import WholeCatalogue
from negsample.negatives.cohort import Cohort, own_cohort
from negsample.negatives.in_batch import InBatch
from negsample.negatives.mixture import Mixture
from negsample.negatives.reweigh import BatchMix, LogQ, Resample, Temper
from negsample.negatives.select import Hardest, KeepAll, OneOfHardest, Scored, Select, Then
from negsample.negatives.unigram import LogUniform, Popularity, Uniform

__all__ = [
    "BatchMix",
    "Cache",
    "Cohort",
    "CrossBatch",
    "Hardest",
    "InBatch",
    "KeepAll",
    "LogQ",
    "LogUniform",
    "Mixture",
    "Negatives",
    "OneOfHardest",
    "Per",
    "Popularity",
    "Resample",
    "Sampler",
    "Scored",
    "Select",
    "Temper",
    "Then",
    "Uniform",
    "WholeCatalogue",
    "own_cohort",
]
