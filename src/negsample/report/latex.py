"""The page's table for a paper: LaTeX with booktabs, one table a dataset."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from negsample.analysis.formats import SPACE
from negsample.analysis.reading import Study
from negsample.report.cells import COLUMNS, Cell, Line
from negsample.report.facts import dial_words

_SHOWN = COLUMNS[:9]  # the paper's Table 3: HR and NDCG by cohort, and Balance
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "†": r"\dag{}",
    SPACE: "~",
}


def escaped(text: str) -> str:
    """``text`` as LaTeX prints it: its special characters escaped, line ends and control characters a space."""
    plain = re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)
    return "".join(_ESCAPED.get(each, each) for each in plain)


def latex_table(study: Study, dataset: str, lines: Sequence[Line]) -> str:
    """The table of ``dataset``: means with the standard deviation over the runs in %, the best in bold.

    ``lines``: its rows as the page shows them (:func:`negsample.report.cells.lines`).
    """
    rows = [
        " & ".join([escaped(line.method), *(_cell(cell) for cell in line.cells[: len(_SHOWN)])]) + r" \\"
        for line in lines
    ]
    groups = r" & \multicolumn{4}{c}{HR@10} & \multicolumn{4}{c}{NDCG@10} & \\"
    headings = " & ".join(["Method", *(escaped(column.heading.removesuffix(", %")) for column in _SHOWN)])
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}; fonts in T1, as with \usepackage[T1]{fontenc}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{_caption(study, dataset, lines)}}}",
            rf"\label{{tab:negsample-{study.datasets().index(dataset) + 1}}}",
            r"\small",
            r"\setlength{\tabcolsep}{3.5pt}",
            r"\begin{tabular}{l" + "r" * len(_SHOWN) + "}",
            r"\toprule",
            groups,
            r"\cmidrule(lr){2-5} \cmidrule(lr){6-9}",
            rf"{headings} \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table*}",
            "",
        ]
    )


def _cell(cell: Cell) -> str:
    if not cell.value:
        return "--"
    text = rf"\textbf{{{cell.text}}}" if cell.best else cell.text
    if cell.close:
        text += r"\textsuperscript{\dag}"
    return text if not cell.sd else rf"{text} {{\scriptsize$\pm${cell.sd.removeprefix('±')}}}"


def _caption(study: Study, dataset: str, lines: Sequence[Line]) -> str:
    """The protocol: what was measured on, over how many runs, by which rules."""
    manifest = study.manifests[dataset]
    settings = study.runs_of(dataset)[0].config["settings"]
    counts = Counter(line.runs for line in lines)
    usual = max(counts, key=lambda each: (counts[each], each))
    others = [f"{line.method}: {line.runs}" for line in lines if line.runs != usual]
    runs = f"{usual} run{'' if usual == 1 else 's'} a method" + (f" ({', '.join(others)})" if others else "")
    marked = any(cell.close for line in lines for cell in line.cells[: len(_SHOWN)])
    split = manifest.get("settings", {}).get("split")
    sentences = [
        f"Test figures on {dataset}, in %: mean ± standard deviation over {runs}; the best of each column in bold"
        + ("; †: tested, no significant difference from it (Holm-adjusted p of 0.05 or more)." if marked else "."),
        f"Ranks over the whole catalogue of {manifest['items']} items"
        + (f", global temporal split ({split})" if split else "")
        + f", {settings['history']} history"
        + (", without the items of the history." if settings.get("filter_seen") else "."),
        dial_words(study),
        f"negsample {study.about['negsample']}, data {manifest['fingerprint']}.",
    ]
    return escaped(" ".join(sentences))
