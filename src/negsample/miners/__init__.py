"""Which of the sampled negatives the loss is computed with, and with what scores."""

from negsample.miners.base import Chain, KeepAll, Miner, Scored
from negsample.miners.log_q import LogQ, Temperature
from negsample.miners.selection import BatchMix, Hardest, OneOfHardest, Resample

__all__ = [
    "BatchMix",
    "Chain",
    "Hardest",
    "KeepAll",
    "LogQ",
    "Miner",
    "OneOfHardest",
    "Resample",
    "Scored",
    "Temperature",
]
