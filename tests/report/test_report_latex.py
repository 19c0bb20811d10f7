from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from make_study import METHODS, make_study

from negsample.report import write_report
from negsample.report.latex import escaped

pytestmark = pytest.mark.usefixtures("no_drawing")

HOSTILE = r"\input{/etc/passwd} \write18{ls} 50% $x_1^2$ #1 & ~ {a} <b> |c| " "`d`" + "\n\\end{table*}%\u2028"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_study(tmp_path_factory.mktemp("latex") / "study", datasets=["beauty", HOSTILE])
    shutil.rmtree(folder / "runs" / "0-mixed-2")
    return write_report(folder).parent


def test_special_characters_print_as_themselves() -> None:
    assert escaped(r"a_b & 5% #1 $x$ {y} ~ ^ \z") == (
        r"a\_b \& 5\% \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
    )
    assert escaped("one\r\n\x00two\u2028three") == "one two three"


def test_a_hostile_name_gives_no_command_and_no_line(study: Path) -> None:
    text = (study / "table.tex").read_text()
    known = {"begin", "end", "centering", "caption", "label", "small", "setlength", "tabcolsep", "toprule", "cmidrule"}
    known |= {"midrule", "bottomrule", "multicolumn", "textbf", "scriptsize", "pm", "textsuperscript", "dag"}
    known |= {"textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"}
    known |= {"textquotedbl", "textasciigrave", "usepackage"}
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= known
    assert (text.count(r"\begin{"), text.count(r"\end{")) == (8, 8)
    assert text.count(r"\end{table*}") == 4
    for line in text.splitlines():
        bare = re.sub(r"\\[\\{}%&#$_]", "", line)
        assert bare.count("{") == bare.count("}"), line
        assert bare.count("$") % 2 == 0, line
        assert "#" not in bare
        assert line.startswith("% needs") or "%" not in bare


def test_the_rows_are_the_table_s_figures(study: Path) -> None:
    table = pl.read_csv(study / "table.csv").filter(dataset="beauty")
    text = (study / "table.tex").read_text().split(r"\end{table*}")[0]
    rows = [line.removesuffix(r" \\").split(" & ") for line in text.split(r"\midrule")[1].splitlines() if "&" in line]
    assert [row[0] for row in rows] == list(METHODS)
    columns = [f"{scope}{measure}@10" for measure in ("hr", "ndcg") for scope in ("", "head_", "mid_", "tail_")]
    for name, cells in zip([*columns, "balance@10"], zip(*(row[1:] for row in rows), strict=True), strict=True):
        digits = 1 if name == "balance@10" else 2
        for cell, value, sd in zip(cells, table[name], table[f"{name}_sd"], strict=True):
            plain = cell.replace(r"\textsuperscript{\dag}", "")
            mean = f"{100 * value:.{digits}f}"
            assert plain.removeprefix(r"\textbf{").startswith(mean)
            assert sd is None or plain.endswith(rf"{{\scriptsize$\pm${100 * sd:.{digits}f}}}")
        best = f"{100 * max(table[name]):.{digits}f}"
        assert [cell for cell in cells if r"\textbf" in cell] == [
            cell for cell in cells if cell.startswith(rf"\textbf{{{best}}}")
        ]
        assert sum(r"\textbf" in cell for cell in cells) >= 1


def test_the_caption_says_how_it_was_measured(study: Path) -> None:
    text = (study / "table.tex").read_text()
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    for words in (
        r"Test figures on beauty, in \%",
        "3 runs a method (mixed: 2)",
        "the whole catalogue of 12101 items",
        "global temporal split",
        "frozen history",
        "At dial 0",
        "data 0123456789ab",
    ):
        assert words in caption
    assert text.count(r"\label{tab:negsample-") == len(set(re.findall(r"\\label\{.*?\}", text))) == 4


def test_marks_stand_where_the_page_has_them(study: Path) -> None:
    page = (study / "report.html").read_text().split('class="sortable"')[1].split("</tbody>")[0]
    rows = page.split("<tr data-method=")[1:]
    marks = [sum(">*<" in cell for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)[:9]) for row in rows]
    text = (study / "table.tex").read_text().split(r"\end{table*}")[0]
    lines = [line for line in text.split(r"\midrule")[1].splitlines() if "&" in line]
    assert [line.count(r"\textsuperscript{*}") for line in lines] == marks
    assert sum(marks) > 0
    assert "significantly different from it" in text
