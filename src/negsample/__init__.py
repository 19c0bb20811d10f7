"""Which negatives? Train sequential recommenders with any negative-sampling method, and see what it costs whom."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from negsample.config import FailedError, InputError, NegativeSettings, PrepareSettings, TrainSettings
    from negsample.data.catalogue import load_dataset
    from negsample.data.log import read_log
    from negsample.data.padded import padded_batch
    from negsample.data.prepare import prepare
    from negsample.data.sequences import Dataset, open_dataset
    from negsample.data.split import split_by_time
    from negsample.dial import dials, item_vectors, log_shares, query_vectors
    from negsample.evaluation import evaluate, evaluate_by_dial
    from negsample.methods import METHODS, Catalogue, Method, build_method, catalogue_of, negative_settings
    from negsample.models import GRU4Rec, PopRec, SASRec
    from negsample.negatives import (
        BatchMix,
        Cache,
        Cohort,
        CrossBatch,
        Hardest,
        InBatch,
        KeepAll,
        LogQ,
        LogUniform,
        Mixture,
        Negatives,
        OneOfHardest,
        Popularity,
        Resample,
        Sampler,
        Scored,
        Select,
        Temper,
        Then,
        Uniform,
        WholeCatalogue,
    )
    from negsample.report import write_report
    from negsample.seeds import generator
    from negsample.study import compare, plan
    from negsample.train import fit
    from negsample.tuning import plan_tunings, tune_all

# Where each public name lives; a name is loaded when it is first used, so that `negsample --help` needs no torch.
_HOMES = {
    "config": ("FailedError", "InputError", "NegativeSettings", "PrepareSettings", "TrainSettings"),
    "data.padded": ("padded_batch",),
    "data.catalogue": ("load_dataset",),
    "data.log": ("read_log",),
    "data.prepare": ("prepare",),
    "data.sequences": ("Dataset", "open_dataset"),
    "data.split": ("split_by_time",),
    "dial": ("dials", "item_vectors", "log_shares", "query_vectors"),
    "evaluation": ("evaluate", "evaluate_by_dial"),
    "methods": ("METHODS", "Catalogue", "Method", "build_method", "catalogue_of", "negative_settings"),
    "models": ("GRU4Rec", "PopRec", "SASRec"),
    "negatives": (
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
        "Popularity",
        "Resample",
        "Sampler",
        "Scored",
        "Select",
        "Temper",
        "Then",
        "Uniform",
        "WholeCatalogue",
    ),
    "report": ("write_report",),
    "seeds": ("generator",),
    "study": ("compare", "plan"),
    "train": ("fit",),
    "tuning": ("plan_tunings", "tune_all"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "METHODS",
    "BatchMix",
    "Cache",
    "Catalogue",
    "Cohort",
    "CrossBatch",
    "Dataset",
    "FailedError",
    "GRU4Rec",
    "Hardest",
    "InBatch",
    "InputError",
    "KeepAll",
    "LogQ",
    "LogUniform",
    "Method",
    "Mixture",
    "NegativeSettings",
    "Negatives",
    "OneOfHardest",
    "PopRec",
    "Popularity",
    "PrepareSettings",
    "Resample",
    "SASRec",
    "Sampler",
    "Scored",
    "Select",
    "Temper",
    "Then",
    "TrainSettings",
    "Uniform",
    "WholeCatalogue",
    "build_method",
    "catalogue_of",
    "compare",
    "dials",
    "evaluate",
    "evaluate_by_dial",
    "fit",
    "generator",
    "item_vectors",
    "load_dataset",
    "log_shares",
    "negative_settings",
    "open_dataset",
    "padded_batch",
    "plan",
    "plan_tunings",
    "prepare",
    "query_vectors",
    "read_log",
    "split_by_time",
    "tune_all",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'negsample' has no attribute '{name}'")
    return getattr(import_module(f"negsample.{_HOME[name]}"), name)
