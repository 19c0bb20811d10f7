"""The command line: verbs only, which parse, make the settings, call and print."""

from __future__ import annotations

import sys

import typer

from negsample.cli import data
from negsample.cli.console import exit_code
from negsample.cli.options import with_bundles
from negsample.cli.paper import reproduce
from negsample.cli.runs import evaluate, methods, prepare, train, verify
from negsample.cli.studies import compare, report, tune

app = typer.Typer(
    name="negsample",
    help="Compare negative-sampling methods for sequential recommenders: accuracy in total, and on popular (head), "
    "mid and rare (tail) items. First try: negsample compare online-retail --out out/online-retail",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
for verb in (prepare, train, evaluate, compare, tune, reproduce, report, verify, methods):
    app.command()(with_bundles(verb))


def main() -> None:
    """Run the command line; exit 0 done, 2 the input or a setting is wrong, 3 runs failed, 130 interrupted."""
    sys.exit(exit_code(app))
