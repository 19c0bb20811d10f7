"""The command that shows the methods."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from negsample.cli.console import facts_of, out, table_of
from negsample.cli.options import Plugins
from negsample.errors import InputError

_WIDE = 120  # columns of a terminal that has room for the papers


def methods_command(
    name: Annotated[str | None, typer.Argument(help="One method: its formula, when to use it, its settings.")] = None,
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
    out.print(table)
    out.print(
        "scores: the number of scores computed for a training position (V: the number of items in the catalogue)\n"
        "negsample methods NAME shows one method: its paper, formula, settings, and when to use it.",
        highlight=False,
    )


def _print_one(given: str) -> None:
    from negsample.methods import METHODS, cost, method_names
    from negsample.models.baselines import is_baseline

    names = method_names(given)
    if len(names) != 1 or is_baseline(names[0]):
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
    out.print(facts_of((label, text) for label, text in facts.items() if text.strip()))  # a plugin's need not say all
    settings = table_of("setting", "default", "meaning", words=["meaning"])
    for key, field in method.settings.model_fields.items():
        settings.add_row(key, _shown(field.default), field.description or "")
    out.print(settings)


def _shown(value: Any) -> str:
    return f"[{', '.join(f'{each:.3g}' for each in value)}]" if isinstance(value, tuple) else str(value)
