"""What a command line can say, and the settings that it comes to."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import typer

from negsample.errors import SEEDS, InputError
from negsample.plugins import load_plugins
from negsample.settings import PrepareSettings, RunSettings, checked, is_run_setting, run_settings

User = Annotated[str | None, typer.Option("--user", help="Column of the user; guessed when not given.")]
Item = Annotated[str | None, typer.Option("--item", help="Column of the item; guessed when not given.")]
Time = Annotated[str | None, typer.Option("--time", help="Column of the time; guessed when not given.")]
KeepMissing = Annotated[bool, typer.Option("--keep-missing-ids", help="Keep ids that say 'missing' (NA, null, ...).")]
MinUser = Annotated[int, typer.Option("--min-user-events", help="Leave out users with fewer events.")]
MinItem = Annotated[int, typer.Option("--min-item-events", help="Leave out items with fewer events.")]
Split = Annotated[
    Literal["timestamp", "paper"] | None,
    typer.Option(
        help="Split at a point in time (timestamp), or at a row count as the paper's code (paper). (default: timestamp)"
    ),
]
Preset = Annotated[
    Literal["default", "paper", "reference"],
    typer.Option(
        "--preset",
        help="A set of settings: our defaults, those of the paper's text (paper), or of its code (reference). The last "
        "two use the published settings of each dataset and method; --set and the other options take precedence.",
    ),
]
ValidFraction = Annotated[float, typer.Option(help="Share of events for validation.")]
TestFraction = Annotated[float, typer.Option(help="Share of events for test, the latest.")]
Cold = Annotated[
    Literal["keep", "drop"],
    typer.Option(
        help="Items in no train event: keep them in the catalogue (as tail items), or drop them and their events."
    ),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the users. (default: 20, or the preset's)")]
OutStudy = Annotated[
    Path, typer.Option("--out", help="Folder of the study; the same command resumes an interrupted one.")
]
Seed = Annotated[int, typer.Option(min=0, max=SEEDS, help="Seed of all random numbers.")]
Jobs = Annotated[
    int, typer.Option("--jobs", min=1, max=10**6, help="Runs at a time, each in a process with its share of the cores.")
]
Together = Annotated[
    int,
    typer.Option(
        "--together", min=1, max=10**6, help="Seeds of a method trained at once as one batched model, for a GPU."
    ),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="local|ray|ray=ADDRESS",
        help="Where runs are trained: this machine (local), or a Ray cluster whose nodes share --out and the "
        "datasets. ray: the cluster at RAY_ADDRESS, else one that runs on this machine, else a new one on it; ADDRESS: "
        "HOST:PORT, auto or local. On Ray --jobs counts over all nodes, and a run whose worker is lost is tried again.",
    ),
]
Dial = Annotated[
    str,
    typer.Option(
        "--dial",
        metavar="none|auto|NUMBER|balance:X",
        help="After training, add NUMBER * log(popularity of the item) to the scores: below 0 favours the tail, above "
        "0 the head. With auto, the number with the best NDCG@10 on validation; with balance:X, that among those with "
        "a Balance of at least X.",
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Delete an earlier study with other settings in --out. (default: refuse)"),
]
MLflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow", metavar="URI", help="Log the runs to MLflow: http://HOST:PORT of a server, or sqlite:///FILE."
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting of training or of the methods, as in max_length=100; repeatable.",
    ),
]

Cutoffs = Annotated[
    str | None,
    typer.Option("--k", metavar="K,K,...", help="Cut-offs of the metrics, such as 5,10,50; 10 is always added."),
]


def with_cutoffs(changes: list[str] | None, cutoffs: str | None) -> list[str] | None:
    """``changes`` as of ``--set``, with those of ``--k``."""
    return changes if cutoffs is None else [*(changes or []), f"k={cutoffs}"]


def _load_plugins(names: list[str] | None) -> list[str] | None:
    load_plugins(names or [])
    return names


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE|MODULE",
        help="A Python file or module with your own methods, backbones, metrics or baselines; repeatable.",
        callback=_load_plugins,
        is_eager=True,
    ),
]


def given_to_training(epochs: int | None, changes: list[str] | None) -> list[str]:
    """The settings of training that a person gave."""
    keys = [change.partition("=")[0] for change in changes or []]
    return [key for key in ["epochs"] * (epochs is not None) + keys if is_run_setting(key)]


class Preparing(NamedTuple):
    """The options that say how a log is prepared."""

    user: User = None
    item: Item = None
    time: Time = None
    keep_missing_ids: KeepMissing = False
    min_user_events: MinUser = 1
    min_item_events: MinItem = 1
    split: Split = None
    valid_fraction: ValidFraction = 0.05
    test_fraction: TestFraction = 0.05
    cold: Cold = "keep"

    def settings(self) -> PrepareSettings:
        """The settings that they come to.

        Raises:
            InputError: a value breaks its rule.
        """
        return checked(PrepareSettings, self._replace(split=self.split or "timestamp")._asdict())


class Doing(NamedTuple):
    """The options that say how the runs of a study are done."""

    at_once: Jobs = 1
    on: On = "local"
    together: Together = 1
    mlflow: MLflow = None
    replace: Replace = False


_BUNDLES: tuple[type, ...] = (Preparing, Doing)


def with_bundles(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` for Typer, with the options of each bundle in the place of the bundle."""
    signature = inspect.signature(function, eval_str=True)
    bundles = {name: each.annotation for name, each in signature.parameters.items() if each.annotation in _BUNDLES}

    @wraps(function)
    def command(**given: Any) -> None:
        for name, bundle in bundles.items():
            given[name] = bundle(**{field: given.pop(field) for field in bundle._fields})
        function(**given)

    parameters: list[inspect.Parameter] = []
    for name, each in signature.parameters.items():
        if name not in bundles:
            parameters.append(each.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        usual = bundles[name]._field_defaults
        for field, hint in get_type_hints(bundles[name], include_extras=True).items():
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(inspect.Parameter(field, kind, default=usual[field], annotation=hint))
    vars(command)["__signature__"] = signature.replace(parameters=parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def settings_of(
    epochs: int | None, changes: list[str] | None, common: Mapping[str, Any] = MappingProxyType({})
) -> tuple[RunSettings, dict[str, Any]]:
    """The settings of training, and the changes to those of the methods.

    Args:
        epochs: as given.
        changes: as given to ``--set``.
        common: settings of training where neither says otherwise: those of a preset.

    Raises:
        InputError: a key is unknown or given twice, or a value breaks its rule.
    """
    from negsample.methods import POPREC, negative_settings, split_settings

    given: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    for change in changes or []:
        key, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"--set takes KEY=VALUE, got '{change}'")
        if key in given:
            raise InputError(f"setting {key} is given twice")
        try:
            given[key] = json.loads(text)
        except (ValueError, RecursionError):
            given[key] = text
        if given[key] is None:
            raise InputError(f"setting {key}=null says nothing; leave it out for its default")
    of_run, of_methods = split_settings(given)
    negative_settings(POPREC, of_methods)  # a value that no method can have is refused now
    return run_settings(**{**common, **of_run}), of_methods


def whole_numbers(option: str, text: str | None) -> list[int]:
    """The numbers in a list with commas, each once; none where nothing is given.

    Raises:
        InputError: there is something else in it.
    """
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if any(not part.isdecimal() for part in parts):
        raise InputError(f"{option} takes whole numbers with commas, got '{text}'")
    return list(dict.fromkeys(map(int, parts)))
