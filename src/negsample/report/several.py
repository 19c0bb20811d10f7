"""One page of several studies: the logs together, what changed between studies of a log, then each as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from negsample.analysis.reading import read_study
from negsample.analysis.several import Several, several
from negsample.analysis.study import Study
from negsample.analysis.tables import write_table
from negsample.analysis.user_cases import UsersFile
from negsample.errors import InputError, guarded
from negsample.files.checksums import LIST, read_list
from negsample.files.folders import check_place, write_json
from negsample.files.together import rewriting
from negsample.report.figures import joint_figures, suffixes, write_figures
from negsample.report.formats import listed
from negsample.report.joint import Joint, joint_of_changes, joint_of_logs
from negsample.report.page import Put, section_of
from negsample.report.paging import ShownPage, about, page_text
from negsample.report.palette import Look, looks
from negsample.report.users import users_section

ABOUT = "studies.json"
"""Which studies a page is of: by it a folder is known to hold one."""


@guarded
def write_joint_report(
    studies: Sequence[Study | Path | str], out: Path | str, on_line: Callable[[str], None] = lambda line: None
) -> Path:
    """One page of several studies, in the folder ``out``: ``report.html``, ``figures/``, and beside them

    - of studies of different logs ``over_logs.csv`` (figures, ranks and shares of each log's highest figure by log, and
      their means) and ``over_logs_significance.csv`` (every pair of methods over the logs);
    - of studies of the same log ``changes.csv``: each method's figures in both, and their difference, tested user by
      user where both measured the same test events.

    No user is named on it. The studies stay as they are. What an earlier page wrote into ``out`` is replaced.

    Args:
        studies: two or more, or their folders; of one log the earlier one first.
        out: a folder of its own.
        on_line: called with a line for each figure that could not be drawn.

    Returns:
        The page.

    Raises:
        InputError: there are fewer than two, one is there twice or damaged, or ``out`` holds something else.

    Example:
        >>> negsample.write_joint_report(["out/before", "out/after"], "out/change")  # doctest: +SKIP
    """
    together = several([each if isinstance(each, Study) else read_study(Path(each)) for each in studies])
    folder = Path(out)
    check_joint_place(folder)
    look = looks(list(dict.fromkeys(name for study in together.studies for name in study.about["methods"])))
    parts = joint_parts(together, look)
    shown = _shown(together, parts, look)
    earlier = read_list(folder / LIST, "report").files if (folder / LIST).exists() else {}
    with rewriting(folder, "report", keep=lambda name: False) as scratch:
        for name, table in {name: table for part in parts for name, table in part.files.items()}.items():
            write_table(table, scratch / name)
        (scratch / "figures").mkdir()
        undrawn = write_figures(shown.figures, scratch / "figures")
        (scratch / "report.html").write_text(page_text(shown, look, undrawn), encoding="utf-8", newline="")
        named = zip(together.labels, together.studies, strict=True)
        write_json(scratch / ABOUT, {"studies": {label: str(study.folder.resolve()) for label, study in named}})
    for name in earlier.keys() - read_list(folder / LIST, "report").files.keys():
        (folder / name).unlink(missing_ok=True)
    for name in undrawn:
        on_line(f"figures/{name} could not be drawn; the page is written without it")
    return folder / "report.html"


def check_joint_place(folder: Path) -> None:
    """Refuses a folder that holds something else than such a page."""
    check_place(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / ABOUT).is_file():
        raise InputError(f"{folder} holds something else; choose another --out, a folder of its own for the page")


def joint_parts(together: Several, look: dict[str, Look] | None = None) -> list[Joint]:
    """What is said of the studies together, which stands first on their page."""
    methods = list(dict.fromkeys(name for study in together.studies for name in study.about["methods"]))
    look = look or looks(methods)
    parts = joint_of_logs(together.over_logs(), look) + joint_of_changes(together.changes(), look)
    if len(together.logs) > 1 and together.repeated:
        names = listed([f"`{name}`" for name in together.repeated])
        stands = "stands" if len(together.repeated) == 1 else "stand"
        line = f"Not compared, since {names} {stands} in several of these studies; give one study of each log."
        parts.append(Joint("Over the logs", [line], [], [], {}))
    return parts


def _shown(together: Several, parts: Sequence[Joint], look: dict[str, Look]) -> ShownPage:
    sides = [(sides, side) for sides in together.logs for side in sides]
    headings = [
        f"{side.found.dataset}, {side.label}" if len(sides) > 1 else side.found.dataset for sides, side in sides
    ]
    ending = suffixes(headings)
    sections: list[dict[str, Any]] = []
    own: dict[str, list[dict[str, Any]]] = {label: [] for label in together.labels}
    for at, (heading, (_, side)) in enumerate(zip(headings, sides, strict=True), 1):
        put = Put(heading, f"dataset-{at}", ending[heading], look)
        users = users_section(UsersFile(), set(), side.found.dataset)  # those are on the page of each study
        sections.append(section_of(side.study.analysis, side.found, put, users=False) | users)
        own[side.label].append(sections[-1])
    logs = [sides[-1].found.dataset for sides in together.logs]
    title = f"Negative sampling on {listed(logs)}" + (f": {listed(list(together.labels))}" if together.repeated else "")
    abouts = [about(study, own[label], label) for label, study in zip(together.labels, together.studies, strict=True)]
    manifests = {sides[-1].found.dataset: sides[-1].study.manifests[sides[-1].found.dataset] for sides in together.logs}
    again = "negsample report STUDY STUDY ... --out FOLDER"
    return ShownPage(title, abouts, sections, parts, joint_figures(manifests), again)
