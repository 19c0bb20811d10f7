from __future__ import annotations

import re
from pathlib import Path

import pytest
from make_study import METHODS, make_study

from negsample.report import write_report
from negsample.report.latex import escaped


@pytest.mark.parametrize(
    ("text", "tex"),
    [
        ("a_b & 50 %", r"a\_b \& 50 \%"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("$x^2~#", r"\$x\textasciicircum{}2\textasciitilde{}\#"),
        ("one\ntwo\r\n\n% three", r"one two \% three"),
        (
            '<b> | "q" `c`',
            r"\textless{}b\textgreater{} \textbar{} \textquotedbl{}q\textquotedbl{} "
            r"\textasciigrave{}c\textasciigrave{}",
        ),
    ],
)
def test_nothing_of_a_name_is_a_command(text: str, tex: str) -> None:
    assert escaped(text) == tex


def test_the_table_of_a_paper(tmp_path: Path) -> None:
    hostile = "b\\end{tabular}\n% & $"
    page = write_report(make_study(tmp_path / "study", datasets=["beauty", hostile]))
    text = (page.parent / "table.tex").read_text()
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == text.count(r"\bottomrule") == 2
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and line.split(" & ")[0] in METHODS]
    assert len(rows) == 14
    assert {row.count(" & ") for row in rows} == {9}
    best = next(row for row in rows if row.startswith("adaptive-mixed")).split(" & ")[1]
    assert re.fullmatch(r"\\textbf\{\d\.\d\d\} \{\\scriptsize\$\\pm\$\d\.\d\d\}", best)
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    for part in ("beauty", "over 3 runs", "sound", "frozen history", "At dial 0", "0123456789ab"):
        assert part in caption
    assert r"b\textbackslash{}end\{tabular\} \% \& \$" in text
