"""What a command line can say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, get_type_hints

import typer

from negsample.cli import complete
from negsample.errors import SEEDS
from negsample.plugins import load_plugins
from negsample.settings import READING, PrepareSettings, Split, checked


def _load_plugins(names: list[str] | None) -> list[str] | None:
    load_plugins(names or [])
    return names


DatasetName = Annotated[
    str,
    typer.Argument(
        help="A name of `negsample data list`, a prepared folder, or a log.", autocompletion=complete.datasets
    ),
]
MethodName = Annotated[str, typer.Option(help="A name of `negsample methods`.", autocompletion=complete.methods)]
Preset = Annotated[
    Literal["default", "paper", "reference"],
    typer.Option(
        "--preset",
        help="A set of settings: our defaults, those of the paper's text (paper), or of its code (reference). The last "
        "two use the published settings of each dataset and method; --set and the other options take precedence.",
    ),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the users, at most. (default: 100, or the preset's)")]
EarlyStop = Annotated[
    int | None,
    typer.Option(
        "--early-stop",
        metavar="N",
        help="Stop training when validation has not improved for N epochs that were validated; 0: never. (default: 5; "
        "0 with --preset paper or reference)",
    ),
]
Refit = Annotated[
    bool | None,
    typer.Option(
        "--refit/--no-refit",
        help="After epoch and dial are chosen on validation, train anew on train and validation for as many epochs, "
        "and test that model. (default: yes; no with --preset paper or reference)",
    ),
]
FitTerms = Annotated[
    Literal["none", "auto"] | None,
    typer.Option(
        "--terms",
        help="With auto, after training fit weights of what is known at a time (popularity lately, the user's own "
        "items, neighbours of the latest ones), and the share of the model, to validation. "
        "(default: auto; none with --preset paper or reference)",
    ),
]
OutStudy = Annotated[
    Path, typer.Option("--out", help="Folder of the study; the same command resumes an interrupted one.")
]
Seed = Annotated[int, typer.Option(min=0, max=SEEDS, help="Seed of all random numbers.")]
Dial = Annotated[
    str,
    typer.Option(
        "--dial",
        metavar="none|auto|NUMBER|balance:X",
        help="After training, add NUMBER * log(popularity of the item) to the scores: below 0 favours the tail, above "
        "0 the head. With auto, the number with the best NDCG@10 on validation; with balance:X, the same among the "
        "numbers with a Balance of at least X.",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting of training or of the methods, for example max_length=100; repeatable.",
    ),
]
Users = Annotated[
    bool,
    typer.Option(
        "--users/--no-users",
        help="Show in the report for whom methods differ most, with the log's ids of users and items.",
    ),
]
Cutoffs = Annotated[
    str | None,
    typer.Option("--k", metavar="K,K,...", help="Cut-offs of the metrics, such as 5,10,50; 10 is always added."),
]
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


Weight = Annotated[
    str | None, typer.Option(help="Column of how much an event counts, for a model of a log with --weight.")
]
Column = Annotated[str | None, typer.Option(help="Its column in the file. (default: guessed from the usual names)")]
RunLog = Annotated[
    str | None,
    typer.Option("--data", help="The log, or prepared folder, of a run. (default: where it was; a MODEL needs none)"),
]


class Doing(NamedTuple):
    """The options that say how the runs of a study are done."""

    at_once: Annotated[
        int,
        typer.Option("--jobs", min=1, max=10**6, help="Runs at a time, each in a process with its share of the cores."),
    ] = 1
    on: Annotated[
        str,
        typer.Option(
            metavar="local|ray|ray=ADDRESS",
            help="Where runs are trained: this machine (local), or a Ray cluster whose nodes share --out and the "
            "datasets. ray: the cluster at RAY_ADDRESS, else one that runs on this machine, else a new one on it; "
            "ADDRESS: HOST:PORT, auto or local. On Ray --jobs counts over all nodes, and a run whose worker is lost is "
            "repeated.",
        ),
    ] = "local"
    together: Annotated[
        int,
        typer.Option(min=1, max=10**6, help="Seeds of a method trained at once as one batched model, for a GPU."),
    ] = 1
    mlflow: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Log the runs to MLflow: http://HOST:PORT of a server, or sqlite:///FILE."),
    ] = None
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Delete an earlier study with other settings in --out. (default: refuse)"),
    ] = False


def _option(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


ReadSettings = NewType("ReadSettings", PrepareSettings)
"""Those of them that say how a log is read, and the defaults."""


def _options_of(names: Iterable[str]) -> Iterator[inspect.Parameter]:
    for name, field in PrepareSettings.model_fields.items():
        if name not in names:
            continue
        option, kind, default = (
            typer.Option(f"--{name.replace('_', '-')}", help=field.description),
            field.annotation,
            field.default,
        )
        if name == "split":  # a preset says how to split, where nobody else does
            kind, default = Split | None, None
        yield _option(name, default, Annotated[kind, option])


_BUNDLES: Mapping[Any, list[inspect.Parameter]] = {
    Doing: [
        _option(name, Doing._field_defaults[name], hint)
        for name, hint in get_type_hints(Doing, include_extras=True).items()
    ],
    PrepareSettings: list(_options_of(PrepareSettings.model_fields)),
    ReadSettings: list(_options_of(READING)),
}
"""Options that several commands share; each bundle is one parameter of a command's function."""


def with_bundles(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` for Typer, with the options of each bundle in the place of the bundle."""
    signature = inspect.signature(function, eval_str=True)
    bundles = {name: each.annotation for name, each in signature.parameters.items() if each.annotation in _BUNDLES}

    @wraps(function)
    def command(**given: Any) -> None:
        for name, bundle in bundles.items():
            options = {each.name: given.pop(each.name) for each in _BUNDLES[bundle]}
            stated = {key: value for key, value in options.items() if value is not None}
            given[name] = bundle(**options) if bundle is Doing else checked(PrepareSettings, stated)
        function(**given)

    parameters: list[inspect.Parameter] = []
    for each in signature.parameters.values():
        parameters += _BUNDLES.get(each.annotation, [each.replace(kind=inspect.Parameter.KEYWORD_ONLY)])
    vars(command)["__signature__"] = signature.replace(parameters=parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command
