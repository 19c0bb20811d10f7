"""Which negatives? Train sequential recommenders with any negative-sampling method, and see what it costs whom."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from negsample.config import InputError, NegativeSettings, PrepareSettings, TrainSettings
    from negsample.data.catalogue import load_dataset
    from negsample.data.log import read_log
    from negsample.data.prepare import prepare
    from negsample.data.sequences import Dataset, open_dataset
    from negsample.data.split import split_by_time
    from negsample.evaluation import evaluate
    from negsample.methods import METHODS, Catalogue, Method, build_method, negative_settings
    from negsample.models import PopRec, SASRec
    from negsample.negatives import Hardest, InBatch, Mixture, Negatives, Popularity, Sampler, Uniform
    from negsample.report import write_report
    from negsample.seeds import generator
    from negsample.study import compare, plan
    from negsample.train import fit

# Where each public name lives; a name is loaded when it is first used, so that `negsample --help` needs no torch.
_HOMES = {
    "config": ("InputError", "NegativeSettings", "PrepareSettings", "TrainSettings"),
    "data.catalogue": ("load_dataset",),
    "data.log": ("read_log",),
    "data.prepare": ("prepare",),
    "data.sequences": ("Dataset", "open_dataset"),
    "data.split": ("split_by_time",),
    "evaluation": ("evaluate",),
    "methods": ("METHODS", "Catalogue", "Method", "build_method", "negative_settings"),
    "models": ("PopRec", "SASRec"),
    "negatives": ("Hardest", "InBatch", "Mixture", "Negatives", "Popularity", "Sampler", "Uniform"),
    "report": ("write_report",),
    "seeds": ("generator",),
    "study": ("compare", "plan"),
    "train": ("fit",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "METHODS",
    "Catalogue",
    "Dataset",
    "Hardest",
    "InBatch",
    "InputError",
    "Method",
    "Mixture",
    "NegativeSettings",
    "Negatives",
    "PopRec",
    "Popularity",
    "PrepareSettings",
    "SASRec",
    "Sampler",
    "TrainSettings",
    "Uniform",
    "build_method",
    "compare",
    "evaluate",
    "fit",
    "generator",
    "load_dataset",
    "negative_settings",
    "open_dataset",
    "plan",
    "prepare",
    "read_log",
    "split_by_time",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'negsample' has no attribute '{name}'")
    return getattr(import_module(f"negsample.{_HOME[name]}"), name)
