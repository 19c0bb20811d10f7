"""Statistics of figures: the test of a difference, Holm's correction, users and seeds drawn again."""

from negsample.analysis.statistics.resampling import REPLICATES, draws, groups_of, interval, picks, sums_of
from negsample.analysis.statistics.t_test import Sample, TTest, holm, seed_ratio, t_quantile, t_tests

__all__ = [
    "REPLICATES",
    "Sample",
    "TTest",
    "draws",
    "groups_of",
    "holm",
    "interval",
    "picks",
    "seed_ratio",
    "sums_of",
    "t_quantile",
    "t_tests",
]
