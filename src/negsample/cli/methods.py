"""The command that shows the methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from negsample.cli import complete
from negsample.cli.console import out, result
from negsample.cli.options import Plugins
from negsample.cli.tables import show_facts, show_table, table_of
from negsample.errors import InputError

if TYPE_CHECKING:
    from negsample.methods import MethodDefinition

_WIDE = 120  # columns of a terminal that has room for the papers


def methods_command(
    name: Annotated[
        str | None,
        typer.Argument(help="One method: its formula, when to use it, its settings.", autocompletion=complete.methods),
    ] = None,
    plugins: Plugins = None,
) -> None:
    """List the methods: sampler, miner, loss and cost; with NAME one method in full."""
    if name is None:
        _print_all()
    else:
        _print_one(name)


def _print_all() -> None:
    from negsample.methods import METHODS, cost
    from negsample.models.baselines import BASELINE_WORDS

    columns = ["method", "scores", "sampler > miner > loss", "paper"][: 4 if out.width >= _WIDE else 3]
    table = table_of(*columns, words=columns[2:])
    for name, method in METHODS.items():
        parts = f"{method.sampler} > {method.miner} > {method.loss}"
        cells = (name, cost(name).split()[0], parts, f"{method.paper} {method.year or ''}")
        table.add_row(*cells[: len(columns)])
    for name, about in BASELINE_WORDS.items():
        table.add_row(name, "", about)
    show_table(out, table)
    out.print(
        "scores: the number of scores computed for a training position (V: the number of items in the catalogue)\n"
        "negsample methods NAME shows one method: its paper, formula, settings, and when to use it.",
        highlight=False,
    )
    listed = [{"method": name, **_parts(method), "cost": cost(name)} for name, method in METHODS.items()]
    baselines = [{"method": name, "what": about} for name, about in BASELINE_WORDS.items()]
    result({"methods": listed, "baselines": baselines})


def _parts(method: MethodDefinition[Any]) -> dict[str, Any]:
    parts = {"sampler": method.sampler, "miner": method.miner, "loss": method.loss}
    return {**parts, "paper": method.paper, "year": method.year}


def _print_one(given: str) -> None:
    from negsample.methods import METHODS, cost, method_names
    from negsample.models.baselines import BASELINE_WORDS, is_baseline

    names = method_names(given)
    if len(names) == 1 and is_baseline(names[0]):
        words = BASELINE_WORDS.get(names[0], "baseline")
        out.plain(f"{names[0]}, a {words}")
        result({"baseline": names[0], "what": words})
        return
    if len(names) != 1:
        raise InputError(f"methods takes one name of its table, got '{given}'; without a name it lists them all")
    method = METHODS[names[0]]
    facts = {
        "sampler": method.sampler,
        "miner": method.miner,
        "loss": method.loss,
        "cost of a position": cost(names[0]),
        "paper": f"{method.paper} {method.year or ''}",
        "formula": method.formula,
        "when to use it": method.take,
        "head, mid, tail": method.serves,
    }
    out.print(Text(names[0], style="bold"))
    show_facts(out, facts.items())  # those of a plugin that say nothing are left out
    settings = table_of("setting", "default", "meaning", words=["meaning"])
    for key, field in method.settings.model_fields.items():
        settings.add_row(key, _shown(field.default), field.description or "")
    show_table(out, settings)
    known = {
        key: {"default": field.default, "meaning": field.description}
        for key, field in method.settings.model_fields.items()
    }
    about = {"cost": cost(names[0]), "formula": method.formula, "take": method.take, "serves": method.serves}
    result({"method": names[0], **_parts(method), **about, "settings": known})


def _shown(value: Any) -> str:
    return f"[{', '.join(f'{each:.3g}' for each in value)}]" if isinstance(value, tuple) else str(value)
