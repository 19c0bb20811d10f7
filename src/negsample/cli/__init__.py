"""The command line: commands only, which parse, make the settings, call and print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import typer

from negsample.cli import data
from negsample.cli.console import exit_code
from negsample.cli.final import final_command, refresh_command
from negsample.cli.methods import methods_command
from negsample.cli.options import with_bundles
from negsample.cli.paper import reproduce_command
from negsample.cli.runs import evaluate_command, prepare_command, train_command, verify_command
from negsample.cli.serving import explain_command, export_command, recommend_command, serve_command
from negsample.cli.studies import compare_command, report_command, tune_command

app = typer.Typer(
    name="negsample",
    help="Compare negative-sampling methods for sequential recommenders: accuracy in total, and on popular (head), "
    "mid and rare (tail) items. First try: negsample compare online-retail --out out/online-retail",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PANELS: Mapping[str, Mapping[str, Callable[..., None]]] = {
    "Studies": {
        "compare": compare_command,
        "report": report_command,
        "tune": tune_command,
        "reproduce": reproduce_command,
        "methods": methods_command,
    },
    "Take home": {
        "final": final_command,
        "recommend": recommend_command,
        "explain": explain_command,
        "refresh": refresh_command,
        "export": export_command,
        "serve": serve_command,
    },
    "Data": {"inspect": data.inspect_command, "prepare": prepare_command},
    "Runs and folders": {"train": train_command, "evaluate": evaluate_command, "verify": verify_command},
}
"""The commands as ``negsample --help`` shows them: by panel, first what a new user needs."""
for panel, commands in PANELS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(with_bundles(command))
app.add_typer(data.app, name="data", rich_help_panel="Data")


def main() -> None:
    """Run the command line; exit 0 done, 2 the input or a setting is wrong, 3 runs failed, 130 interrupted."""
    sys.exit(exit_code(app))
