"""The command that shows what is done already: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from negsample.cli.console import out, result, say
from negsample.cli.options import Plugins, Users
from negsample.cli.study import print_study_and_path
from negsample.errors import InputError


def report_command(
    folders: Annotated[
        list[Path], typer.Argument(help="The folder of a study; several for one page of all of them.", metavar="STUDY")
    ],
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Also test the paper's findings on this data (always done for a reproduction)."),
    ] = False,
    users: Users = True,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the page of several studies. That of one is in its folder.")
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Write the report of a study again, from its folder, or one page of several studies.

    Studies of different logs are compared over the logs; of the same log, the earlier one first, by what changed.
    """
    from negsample.analysis.reading import read_study
    from negsample.paper.beside import reproduced
    from negsample.paper.supplement import paper_supplement
    from negsample.report.page import write_report

    if len(folders) > 1:
        _report_several(folders, folder, paper=paper)
        return
    if folder is not None:
        raise InputError("--out is for the page of several studies, and one is given; its report is in its own folder")
    study = read_study(folders[0])
    write_report(study, say, supplement=paper_supplement if paper or reproduced(study) else None, users=users)
    print_study_and_path(study)


def _report_several(folders: list[Path], folder: Path | None, *, paper: bool) -> None:
    """One page of several studies."""
    from negsample.analysis.over_logs import over_logs, over_logs_table
    from negsample.analysis.reading import read_study
    from negsample.analysis.several import several
    from negsample.analysis.two_studies import changes_table
    from negsample.report.several import check_joint_place, joint_parts, write_joint_report

    if paper:
        raise InputError("--paper is for one study, and several are given; report each with it first")
    if folder is None:
        raise InputError(f"{len(folders)} studies are given, and no folder for their page; add --out FOLDER")
    check_joint_place(folder)
    together = several([read_study(each) for each in folders])
    page = write_joint_report(together.studies, folder, say)
    parts = joint_parts(together)
    for part in parts:
        out.plain(f"{part.title}: {' '.join(part.lines)}")
    out.plain(f"Report: {page}")
    told = {part.title: list(part.lines) for part in parts}
    tables = {
        "over_logs": over_logs_table(over_logs(together.over_logs())),
        "changes": changes_table(together.changes()),
    }
    result({"folder": folder, "report": page, "said": told, **{name: each.to_dicts() for name, each in tables.items()}})
