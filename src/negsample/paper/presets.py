"""Whole sets of settings by one name: what the paper's text says, and what its code did."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from negsample.errors import InputError
from negsample.methods import DEFAULT_METHODS, METHODS, PAPER_SIX
from negsample.paper.published import DATASETS, published_settings
from negsample.settings import ADVISED

STANDS_IN = "amazon-beauty"
"""Whose published settings are taken for data that the paper does not have."""

_COMMON = {"epochs": 200, "eval_every": 25, "oversampling_factor": 30, "refit": False}


class Preset(NamedTuple):
    """A set of settings.

    ``split``: how a log is cut. ``training``: settings that all its runs have. ``pool``: the method that is its
    ``adaptive``. ``published``: whether the paper's settings for each dataset and method come with it.
    """

    name: str
    split: Literal["timestamp", "paper"]
    training: Mapping[str, Any]
    pool: Literal["adaptive", "adaptive-in-batch"] = "adaptive"
    published: bool = True

    @property
    def compared(self) -> Sequence[str]:
        """What is compared where nobody says otherwise."""
        return PAPER_SIX if self.published else DEFAULT_METHODS

    def methods(self, names: Sequence[str]) -> list[str]:
        """The rows of the table of methods that ``names`` mean here."""
        return list(dict.fromkeys(self.pool if name == "adaptive" else name for name in names))

    def settings(self, published: str, method: str) -> dict[str, Any]:
        """Those that the paper published for one of its datasets and a row of the table of methods.

        A method that is none of the paper's has the length and the dropout of the dataset alone.
        """
        if not self.published:
            return {}
        asked = "adaptive" if method == self.pool else method
        if asked not in PAPER_SIX:
            of_random = published_settings(published, "random").training
            return {key: of_random[key] for key in ("max_length", "dropout")}
        training, negatives = published_settings(published, asked)
        if method == "adaptive":  # published over a pool of the batch; the text draws as many at random
            negatives = {"random_negatives": negatives["in_batch_negatives"], "kept_hardest": negatives["kept_hardest"]}
        unused = {"not_kept": "zero"} if "not_kept" in METHODS[method].defaults else {}
        return dict(training) | dict(negatives) | unused

    def overrides(
        self, datasets: Mapping[str, str], methods: Sequence[str], given: Sequence[str]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """:meth:`settings` of each dataset and method, but for those that a person has ``given``.

        ``datasets``: by name, each with the paper's dataset whose settings it takes (see :func:`whose`). ``methods``:
        rows of the table of methods.
        """
        found = {}
        for dataset, published in datasets.items():
            for method in methods:
                every = self.settings(published, method)
                found[dataset, method] = {key: value for key, value in every.items() if key not in given}
        return found


class Whose(NamedTuple):
    """The paper's dataset whose settings are taken for another. ``known``: by its name, and not for want of one."""

    published: str
    known: bool


def whose(dataset: str) -> Whose:
    """The one of the paper's datasets whose name ``dataset`` begins with, as ``amazon-beauty-5core`` does.

    Data of any other name get the settings of Amazon Beauty: who calls says so.
    """
    found = [each for each in DATASETS if dataset.lower().startswith(each)]
    return Whose(found[0], True) if found else Whose(STANDS_IN, False)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "default": Preset("default", "timestamp", ADVISED, published=False),
        "paper": Preset("paper", "timestamp", _COMMON),
        "reference": Preset(
            "reference",
            "paper",
            _COMMON | {"table": "dense", "init": "glorot", "with_replacement": True, "padding": "count"},
            pool="adaptive-in-batch",
        ),
    }
)
"""``default``: what we advise, a refit and fitted terms included. ``paper``: what the text says, a cut in time and an
adaptive pool at random included. ``reference``: what its code did: a cut by rows, padding in the means, users drawn
with replacement, Glorot, and an adaptive pool of the batch."""


def remarks(
    preset: Preset, datasets: Mapping[str, str], names: Sequence[str], stand_ins: Collection[str] = ()
) -> list[str]:
    """What a person should know of ``preset`` on these ``datasets`` (name: split) and methods, a line each.

    ``stand_ins``: datasets whose settings are not taken by their name.
    """
    if not preset.published:
        return []
    unknown = "{} is none of the paper's datasets: the settings published for {} are taken (--set changes any)"
    other_split = "{} was prepared with --split {}; preset {} would cut it with --split {}"
    pools = {
        "adaptive-in-batch": "adaptive is adaptive-in-batch in preset {}, as in the runs behind the paper's table",
        "adaptive": "adaptive has a random pool in preset {}, as in the paper's text; the figures of its table are of a"
        " pool from the batch (adaptive-in-batch, in preset reference)",
    }
    found = []
    for dataset, split in datasets.items():
        if dataset not in stand_ins and not whose(dataset).known:
            found.append(unknown.format(dataset, STANDS_IN))
        if split != preset.split:
            found.append(other_split.format(dataset, split, preset.name, preset.split))
    return found + ([pools[preset.pool].format(preset.name)] if "adaptive" in names else [])


def check_untuned(preset: Preset, tune_trials: int | None) -> None:
    """A preset with published settings is not tuned anew.

    Raises:
        InputError: it would be.
    """
    if preset.published and tune_trials is not None:
        raise InputError(
            f"--preset {preset.name} has settings that were tuned already; leave out --tune-trials, or the preset"
        )
