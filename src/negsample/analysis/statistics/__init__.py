"""Statistics of figures: users and seeds drawn again, the test of a difference, Holm's correction."""

from negsample.analysis.statistics.pairs import Compared, Sample, compare, holm, seed_ratio
from negsample.analysis.statistics.resampling import REPLICATES, draws, groups_of, interval, picks, sums_of
from negsample.analysis.statistics.student import quantile, two_sided

__all__ = [
    "REPLICATES",
    "Compared",
    "Sample",
    "compare",
    "draws",
    "groups_of",
    "holm",
    "interval",
    "picks",
    "quantile",
    "seed_ratio",
    "sums_of",
    "two_sided",
]
