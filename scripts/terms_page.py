"""`python -m scripts.terms_page DIR STUDY...`: what terms give, fitted after training and trained along.

Each STUDY is a study with `--refit`, with or without `--terms auto` and `--set terms=`. DIR keeps `runs.jsonl`, a line
a run and way with its figures at dial 0, to which those of further studies (other seeds, say) are added. It gets
`README.md`: for each log a table, `mixed-log-q` with terms and the dial against each rival, and which differences are
significant (kept in `differences.jsonl`), and figures by window of studies with `--folds` (`windows.jsonl`); and
`waterfall.svg`.
The words at the head of the page are those of DIR's `intro.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.study_runs import Line, merged
from scripts.terms_chart import waterfall
from scripts.terms_differences import KEY as OF_DIFFERENCES
from scripts.terms_differences import differences_of, differences_table
from scripts.terms_folds import KEY as OF_WINDOWS
from scripts.terms_folds import is_of_a_window, windows_of, windows_table
from scripts.terms_lines import CONTENDER, KEY, WAYS, Found, by_log, lines_of
from scripts.terms_tables import figures_table, rivals_table

CHART = "waterfall.svg"


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.terms_page")
    parser.add_argument("out", type=Path)
    parser.add_argument("studies", nargs="*", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    runs = (line for study in given.studies for line in lines_of(study) if not is_of_a_window(line["log"]))
    lines = merged(given.out / "runs.jsonl", runs, KEY)
    of_windows = (line for study in given.studies for line in windows_of(study))
    windows = merged(given.out / "windows.jsonl", of_windows, OF_WINDOWS)
    told = (line for study in given.studies for line in differences_of(study))
    differences = merged(given.out / "differences.jsonl", told, OF_DIFFERENCES)
    found = by_log(lines)
    (given.out / "README.md").write_text(page(given.out, found, differences, windows), encoding="utf-8")
    (given.out / CHART).write_text(waterfall(found), encoding="utf-8")


def page(out: Path, found: Mapping[str, Found], differences: Sequence[Line], windows: Sequence[Line]) -> str:
    """Markdown, of each log with a trained method."""
    parts = [
        (out / "intro.md").read_text(encoding="utf-8").rstrip(),
        "",
        f"![NDCG@10 on test with one ingredient added at a time, a panel for each log]({CHART})",
    ]
    for log, of in found.items():
        if any(way in WAYS for _, way in of):
            parts += ["", f"## {log}", "", *figures_table(of)]
            rivals = rivals_table(of)
            parts += (
                ["", f"`{CONTENDER}` with terms against each rival. Test, %: NDCG@10; Balance@10.", "", *rivals]
                if rivals
                else []
            )
            if told := [line for line in differences if line["log"] == log]:
                runs = min(line["runs"] for line in told)
                head = f"`{CONTENDER}` with terms after training less each rival, both at dial 0, over users and "
                head += f"{runs} run{'s' * (runs > 1)} of a method:"
                parts += ["", head, "", *differences_table(told)]
            if of_log := [line for line in windows if line["log"] == log]:
                seeds = len({line["seed"] for line in of_log})
                head = "Test windows that follow each other (`--folds`), at dial 0. Test, %: NDCG@10; Balance@10. "
                parts += ["", f"{head}{seeds} run{'s' * (seeds > 1)} of a method a window.", "", *windows_table(of_log)]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
