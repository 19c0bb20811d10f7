"""Which of the proposed negatives take part in the loss, and with what score."""

from negsample.miners.correction import BatchMix, LogQ, Resample, Temper
from negsample.miners.select import Hardest, KeepAll, OneOfHardest, Scored, Select, Then

__all__ = [
    "BatchMix",
    "Hardest",
    "KeepAll",
    "LogQ",
    "OneOfHardest",
    "Resample",
    "Scored",
    "Select",
    "Temper",
    "Then",
]
