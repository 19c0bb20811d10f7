"""How parameters learn: Adam for what a step always touches, rules of their own for the rows of a large table."""

from negsample.optim.choice import ModelOptimizer, Optimizer, optimizer_for, optimizer_of, release
from negsample.optim.dense import BETAS, EPS, DenseAdam
from negsample.optim.rows import RowAdagrad, RowAdam

__all__ = [
    "BETAS",
    "EPS",
    "DenseAdam",
    "ModelOptimizer",
    "Optimizer",
    "RowAdagrad",
    "RowAdam",
    "optimizer_for",
    "optimizer_of",
    "release",
]
