"""The page's table for a paper: LaTeX with booktabs, one table a dataset."""

from __future__ import annotations

import re
from collections import Counter

from negsample.analysis.study import Study
from negsample.report.formats import SPACE
from negsample.report.table import FiguresTable, TableCell
from negsample.report.words import dial_words

_LEFT_OUT = ("coverage@10", "train_seconds")
_ESCAPED = {each: f"\\{each}" for each in "{}$&#%_"} | {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    SPACE: "~",
}


def escaped(text: str) -> str:
    """``text`` as LaTeX prints it: its special characters escaped, line ends and control characters a space."""
    plain = re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)
    return "".join(_ESCAPED.get(each, each) for each in plain)


def latex_tables(study: Study, dataset: str, main: FiguresTable, other: FiguresTable) -> str:
    """The tables of ``dataset`` as the page shows them, but for coverage and seconds: means with the standard
    deviation over the runs in %, the best in bold; and the figures at other cut-offs, where there are any."""
    shown = [at for at, column in enumerate(main.columns) if column.name not in _LEFT_OUT]
    lines = [line._replace(cells=[line.cells[at] for at in shown]) for line in main.lines]
    first = FiguresTable([main.columns[at] for at in shown], lines)
    label = f"tab:negsample-{study.datasets().index(dataset) + 1}"
    text = _table(first, _caption(study, dataset, first), label)
    if other.columns:
        caption = f"Test figures on {dataset} at other cut-offs, {_units(other)}, the best in bold."
        text += _table(other, escaped(caption), f"{label}-others")
    return text


def _table(table: FiguresTable, caption: str, label: str) -> str:
    rows = [" & ".join([escaped(line.method), *(_cell(cell) for cell in line.cells)]) + r" \\" for line in table.lines]
    groups, rules, at = [""], [], 2
    for name, span in table.groups:
        groups.append(rf"\multicolumn{{{span}}}{{c}}{{{escaped(name.removesuffix(', %'))}}}")
        rules += [rf"\cmidrule(lr){{{at}-{at + span - 1}}}"] if name else []
        at += span
    headings = " & ".join(["Method", *(escaped(column.heading.removesuffix(", %")) for column in table.columns)])
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}; fonts in T1, as with \usepackage[T1]{fontenc}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            r"\small",
            r"\setlength{\tabcolsep}{3.5pt}",
            r"\begin{tabular}{l" + "r" * len(table.columns) + "}",
            r"\toprule",
            " & ".join(groups) + r" \\",
            " ".join(rules),
            rf"{headings} \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def _cell(cell: TableCell) -> str:
    if not cell.value:
        return "--"
    text = rf"\textbf{{{cell.text}}}" if cell.best else cell.text
    if cell.differs:
        text += r"\textsuperscript{*}"
    return text if not cell.sd else rf"{text} {{\scriptsize$\pm${cell.sd.removeprefix('±')}}}"


def _units(table: FiguresTable) -> str:
    return "in %" + (f" ({table.notes})" if table.notes else "") + ": mean ± standard deviation"


def _caption(study: Study, dataset: str, table: FiguresTable) -> str:
    """The protocol: what was measured on, over how many runs, by which rules."""
    manifest = study.manifests[dataset]
    settings = study.runs_of(dataset)[0].config["settings"]
    counts = Counter(line.runs for line in table.lines)
    usual = max(counts, key=lambda each: (counts[each], each))
    others = [f"{line.method}: {line.runs}" for line in table.lines if line.runs != usual]
    runs = f"{usual} run{'' if usual == 1 else 's'} a method" + (f" ({', '.join(others)})" if others else "")
    marked = any(cell.differs for line in table.lines for cell in line.cells)
    split, in_time = manifest.get("settings", {}).get("split"), manifest.get("not_in_time") is None
    sentences = [
        f"Test figures on {dataset}, {_units(table)} over {runs}; the best of each column in bold"
        + ("; *: significantly different from it (Holm-adjusted p below 0.05)." if marked else "."),
        f"Ranks over the whole catalogue of {manifest['items']} items"
        + (f", global temporal split ({split})" if split and in_time else "")
        + ("" if in_time else f", split {split}, which is not in time")
        + f", {settings['history']} history"
        + (", without the items of the history." if settings.get("filter_seen") else "."),
        dial_words(study),
        f"negsample {study.about['negsample']}, data {manifest['fingerprint']}.",
    ]
    return escaped(" ".join(sentences))
