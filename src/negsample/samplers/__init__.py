"""Which items are drawn as negatives, before any score is known."""

from negsample.samplers.base import Negatives, Per, Sampler
from negsample.samplers.cohort import Cohort, own_cohort
from negsample.samplers.in_batch import InBatch
from negsample.samplers.memory_bank import Cache, MemoryBank
from negsample.samplers.mixture import Mixture
from negsample.samplers.recent import Recent
from negsample.samplers.unigram import LogUniform, Popularity, Uniform, WholeCatalogue

__all__ = [
    "Cache",
    "Cohort",
    "InBatch",
    "LogUniform",
    "MemoryBank",
    "Mixture",
    "Negatives",
    "Per",
    "Popularity",
    "Recent",
    "Sampler",
    "Uniform",
    "WholeCatalogue",
    "own_cohort",
]
