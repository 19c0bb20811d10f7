"""Which of the proposed negatives take part in the loss, and with what score."""

from negsample.miners.base import Chain, Hardest, KeepAll, Miner, OneOfHardest, Scored
from negsample.miners.correction import BatchMix, LogQ, Resample, Temperature

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
