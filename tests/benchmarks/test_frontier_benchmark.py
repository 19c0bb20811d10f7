"""The frontier benchmark, small: it writes figures, pictures and the page, and knows its strengths."""

from __future__ import annotations

import json

import pytest

from benchmarks import frontier


def test_it_measures_methods_and_strengths(world, tmp_path, monkeypatch, capsys):
    data = world(users=80, items=40, name="small")
    results, images = tmp_path / "results", tmp_path / "images"
    results.mkdir()
    monkeypatch.setattr(frontier, "RESULTS", results)
    monkeypatch.setattr(frontier, "IMAGES", images)
    monkeypatch.setattr(frontier, "_PAGE", results / "frontier.md")
    monkeypatch.setattr(frontier, "METHODS", ("random", "mixed-log-q"))
    monkeypatch.setattr(frontier, "ALPHAS", (0.5,))
    arguments = ["frontier", str(data.folder), "--epochs", "2", "--repeats", "2", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", arguments)
    frontier.main()
    found = json.loads((results / "frontier-small.json").read_text())
    assert [row["method"] for row in found["methods"]] == ["random", "mixed-log-q", "PopRec"]
    assert [row["method"] for row in found["alphas"]] == ["trained for it", "alpha 0.5", "alpha 1"]
    own = next(row for row in found["methods"] if row["method"] == "mixed-log-q")
    same = next(row for row in found["alphas"] if row["method"] == "alpha 1")
    assert own["hypervolume"] == pytest.approx(same["hypervolume"])
    assert same["at"]["0.5"][1:] == [0.0, 0.0]  # no difference from itself
    assert own["at"]["0"]["ndcg@10"] == pytest.approx(same["plain"]["ndcg@10"])
    assert {path.name for path in images.iterdir()} == {"frontier-small.svg", "alpha-small.svg"}
    assert "| mixed-log-q |" in (results / "frontier.md").read_text()
    assert "| alpha 0.5 |" in capsys.readouterr().out
