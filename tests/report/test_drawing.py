"""The renderer's death takes one picture and not the study."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from make_study import make_study

from negsample.files.checksums import LIST
from negsample.report import drawing, write_report
from negsample.report.drawing import compiled, drawn, pixels


def bars(name: str, **more: Any) -> dict[str, Any]:
    encoding = {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b", "type": "quantitative"}}
    return {"data": {"values": [{"a": name, "b": 1}]}, "mark": "bar", "encoding": encoding} | more


def kinds(svgs: list[str | None]) -> list[str | None]:
    return [svg and svg[:4] for svg in svgs]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What each renderer is asked."""
    found: list[bytes] = []
    run: Callable[..., Any] = subprocess.run

    def counted(*command: Any, **how: Any) -> Any:
        found.append(how["input"])
        return run(*command, **how)

    monkeypatch.setattr(subprocess, "run", counted)
    return found


def test_one_process_draws_all_and_in_their_order(starts: list[bytes]) -> None:
    first, second = drawn([bars("random"), bars("mixed")], {})
    assert first is not None
    assert second is not None
    assert first.startswith("<svg")
    assert ("random" in first, "mixed" in second) == (True, True)
    assert len(starts) == 1
    assert drawn([bars("random")], {"background": "red"}) != [first]
    assert drawn([], {}) == []


def test_a_chart_is_compiled_and_a_picture_has_pixels() -> None:
    (vega,) = compiled([bars("random")], {})
    assert vega is not None
    assert [mark["type"] for mark in vega["marks"]] == ["rect"]
    (svg,) = drawn([bars("random", width=100)], {})
    assert svg is not None
    large, none = pixels([svg, "no picture"])
    assert large is not None
    assert none is None
    width = int(svg.partition('width="')[2].partition('"')[0])
    assert int.from_bytes(large[16:20], "big") == 2 * width


def test_what_aborts_the_renderer_is_not_drawn_and_the_next_is(starts: list[bytes]) -> None:
    aborts = bars("a\x01b")  # Rust panics where it may not unwind
    assert kinds(drawn([bars("random"), aborts, bars("mixed")], {})) == ["<svg", None, "<svg"]
    assert len(starts) == 3


def test_what_the_renderer_refuses_is_not_drawn_by_the_same_process(starts: list[bytes]) -> None:
    assert kinds(drawn([bars("random"), bars("random", mark="nonsense"), bars("mixed")], {})) == ["<svg", None, "<svg"]
    assert len(starts) == 1


def renderer(folder: Path, then: str) -> Path:
    """One that answers a chart and then does ``then``; from its second start on it is the real one."""
    path = folder / "renderer.py"
    path.write_text(
        "import os, runpy, signal, sys, time\nfrom pathlib import Path\n"
        f"started = Path({str(folder / 'started')!r})\n"
        f"if started.exists():\n    runpy.run_path({str(drawing._RENDERER)!r}, run_name='__main__')\n    sys.exit()\n"
        "started.touch()\nsys.stdin.buffer.readline()\nprint('\"<svg of the first/>\"', flush=True)\n" + then + "\n"
    )
    return path


@pytest.mark.parametrize("then", ["os.kill(os.getpid(), signal.SIGKILL)", "time.sleep(600)"])
def test_after_a_renderer_that_dies_or_hangs_another_goes_on(
    then: str, starts: list[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hangs = "sleep" in then
    real = drawing._answers

    def answers(asked: Any) -> list[str | None]:
        monkeypatch.setattr(drawing, "_SECONDS", 0.0 if hangs and not starts else 60.0)
        return real(asked)

    monkeypatch.setattr(drawing, "_RENDERER", renderer(tmp_path, then))
    monkeypatch.setattr(drawing, "_answers", answers)
    found = drawn([bars("random"), bars("mixed")], {})
    assert kinds(found) == ["<svg", "<svg"]
    assert found[0] == "<svg of the first/>"
    assert len(starts) == 2


def test_a_renderer_that_hangs_is_given_up(
    starts: list[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "renderer.py"
    path.write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(drawing, "_RENDERER", path)
    monkeypatch.setattr(drawing, "_SECONDS", -0.8)
    assert drawn([bars("random")], {}) == [None]
    assert len(starts) == 2


def test_the_report_is_written_without_the_picture_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Callable[[], AbstractContextManager[None]]
) -> None:
    monkeypatch.setattr(drawing, "_TRIES", 1)  # the name is in every chart
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=("random\x01", "PopRec"), repeats=1)
    (folder / "figures").mkdir()
    (folder / "figures" / "frontier--beauty.svg").write_text("of an earlier report")
    told: list[str] = []
    with pictures():
        page = write_report(folder, told.append)
    assert any(line.startswith("figures/frontier--beauty.svg could not be drawn") for line in told)
    assert "Not drawn as a file: frontier--beauty.svg" in page.read_text("utf-8")
    assert not (folder / "figures" / "frontier--beauty.svg").exists()
    assert "figures/frontier--beauty.svg" not in json.loads((folder / LIST).read_text())["files"]
    assert (folder / "table.csv").exists()
