"""The command line: commands only, which parse, make the settings, call and print."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Annotated

import typer

from negsample.cli import data
from negsample.cli.console import exit_code, out, speaking
from negsample.cli.final import final_command, refresh_command
from negsample.cli.help import HelpfulCommand, HelpfulGroup
from negsample.cli.methods import methods_command
from negsample.cli.options import with_bundles
from negsample.cli.paper import reproduce_command
from negsample.cli.report import report_command
from negsample.cli.runs import evaluate_command, prepare_command, train_command, verify_command
from negsample.cli.serving import explain_command, export_command, recommend_command, serve_command
from negsample.cli.studies import compare_command, tune_command
from negsample.parallel.launch import check_alone, leave

app = typer.Typer(
    name="negsample",
    cls=HelpfulGroup,
    help="Compare negative-sampling methods for sequential recommenders: accuracy in total, and on popular (head), "
    "mid and rare (tail) items. First try: negsample compare online-retail --out out/online-retail",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
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
        bundled = with_bundles(command)
        spoken = bundled if command is serve_command else speaking(bundled)  # that one has no result, and ends never
        app.command(name, cls=HelpfulCommand, rich_help_panel=panel)(spoken)
app.add_typer(data.app, name="data", rich_help_panel="Data")


def _version(asked: bool) -> None:
    if asked:
        out.plain(f"negsample {version('negsample')}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version_asked: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    if context.invoked_subcommand not in ("train", "final", "recommend"):
        check_alone(str(context.invoked_subcommand))


def main() -> None:
    """Run the command line; exit 0 done, 2 the input or a setting is wrong, 3 runs failed, 130 interrupted."""
    leave(exit_code(app))
