"""The script of the page's charts is made once for a version, and kept in the cache."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
import vl_convert

from negsample.report.vega import vega

NAME = f"vega-{version('vl-convert-python')}.js"


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was bundled, in no time; nothing of it stays."""
    made: list[str] = []

    def bundle(snippet: str) -> str:
        made.append(snippet)
        return f"const é={len(made)};window.vegaEmbed=$t;"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    return made


def made_anew() -> str:
    """As in another process."""
    return vega.__wrapped__()


def test_it_is_made_once(bundled: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    assert {made_anew() for _ in range(3)} == {"const é=1;window.vegaEmbed=$t;"}
    assert bundled == ["window.vegaEmbed = vegaEmbed;"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [NAME]


@pytest.mark.parametrize("content", [b"const half", b"", b"\xff\xfe"])
def test_what_is_damaged_is_made_anew(
    content: bytes, bundled: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path))
    kept = tmp_path / NAME
    kept.write_bytes(content)
    assert made_anew() == "const é=1;window.vegaEmbed=$t;" == kept.read_text("utf-8")


def test_a_report_needs_no_cache(bundled: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "file" / "cache"))
    assert made_anew() == "const é=1;window.vegaEmbed=$t;"
