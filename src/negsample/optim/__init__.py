"""Optimizers: Adam for what every step touches, and row-wise ones for the rows of a large table."""

from negsample.optim.choice import ModelOptimizer, Optimizer, optimizer_for, optimizer_of, release
from negsample.optim.dense import BETAS, EPS, DenseAdam
from negsample.optim.row_adagrad import RowAdagrad
from negsample.optim.row_adam import RowAdam

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
