"""The renderer's death takes one picture and not the study."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from make_study import make_study

from negsample.files.checksums import LIST
from negsample.report import drawing, write_report
from negsample.report.drawing import Drawing


def bars(name: str, **more: Any) -> dict[str, Any]:
    encoding = {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b", "type": "quantitative"}}
    return {"data": {"values": [{"a": name, "b": 1}]}, "mark": "bar", "encoding": encoding} | more


def pid(there: Drawing) -> int:
    assert there._renderer is not None
    return there._renderer.pid


def test_one_process_draws_all_and_ends_with_the_block() -> None:
    with Drawing() as there:
        first = there.svg(bars("random"), {})
        assert first is not None
        assert first.startswith("<svg")
        one = pid(there)
        assert there.svg(bars("mixed"), {"background": "white"}) != first
        assert pid(there) == one
    with pytest.raises(ProcessLookupError):
        os.kill(one, 0)


def test_what_aborts_the_renderer_is_not_drawn_and_the_next_is() -> None:
    with Drawing() as there:
        assert there.svg(bars("a\x01b"), {}) is None  # Rust panics where it may not unwind
        assert there.svg(bars("random"), {}) is not None


def test_what_the_renderer_refuses_is_not_drawn_by_the_same_process() -> None:
    with Drawing() as there:
        assert there.svg(bars("random"), {}) is not None
        one = pid(there)
        assert there.svg(bars("random", mark="nonsense"), {}) is None
        assert pid(there) == one


def test_a_renderer_that_was_killed_is_started_anew() -> None:
    with Drawing() as there:
        there.svg(bars("random"), {})
        os.kill(pid(there), signal.SIGKILL)
        assert there.svg(bars("random"), {}) is not None


def test_a_renderer_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_SECONDS", 0.2)
    with Drawing() as there:
        there._ask(json.dumps({"spec": bars("random"), "config": {}}).encode() + b"\n")
        os.kill(pid(there), signal.SIGSTOP)
        assert there._ask(b"{}\n") is None


def test_the_report_is_written_without_the_picture_and_says_so(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=("random\x01", "PopRec"), repeats=1)
    (folder / "figures").mkdir()
    (folder / "figures" / "frontier--beauty.svg").write_text("of an earlier report")
    told: list[str] = []
    page = write_report(folder, told.append)
    assert any(line.startswith("figures/frontier--beauty.svg could not be drawn") for line in told)
    assert "Not drawn as a file: frontier--beauty.svg" in page.read_text("utf-8")
    assert not (folder / "figures" / "frontier--beauty.svg").exists()
    assert "figures/frontier--beauty.svg" not in json.loads((folder / LIST).read_text())["files"]
    assert (folder / "table.csv").exists()
