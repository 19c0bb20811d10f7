"""What is exported, used by the script of its README in a process that cannot import negsample."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from small_recommender import (
    DAY,
    UNTIL,
    V,
    asked_by_name,
    asked_of,
    column_of,
    recommended,
    small_data,
    small_recommender,
)

from negsample import InputError, encode_histories, load_model, query_vectors
from negsample.files.checksums import LIST, read_list
from negsample.scoring.dial import BETAS
from negsample.serving.export import export
from negsample.serving.served import Served

WITHOUT = "import json, pathlib, sys\nsys.modules['negsample'] = None\n"
ASK = """
asked = json.loads(pathlib.Path(sys.argv[1]).read_text())
print(json.dumps([recommend(**each) for each in asked]))
"""


@pytest.fixture(scope="module")
def recommender(dataset_of):
    """Of one block each: what takes time here is how many operations a graph has. ``test_served.py`` has two."""
    return small_recommender(small_data(dataset_of), "sasrec", "gru4rec", blocks=1)


@pytest.fixture(scope="module", params=["onnx", "torch"])
def graph(request, recommender, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs") / request.param
    return export(recommender, request.param, folder)[0].parent


def script_of(folder):
    (script,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    return script


def run(folder, more, *given):
    """What the script in the README of ``folder`` prints, with ``more`` at its end; all lines but the first are JSON.

    In a process that cannot import negsample.
    """
    code = [sys.executable, "-I", "-W", "error", "-c", WITHOUT + script_of(folder) + more, *map(str, given)]
    done = subprocess.run(code, cwd=folder, capture_output=True, text=True, env={"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    return first, [json.loads(line) for line in rest]


@pytest.fixture(scope="module")
def asked(recommender):
    return [
        each for length in (1, 4, 40) for each in asked_by_name(recommender, asked_of(recommender, length, seed=length))
    ]


@pytest.fixture(scope="module")
def answered(graph, asked, tmp_path_factory):
    """What the script prints as it stands, and its answers to ``asked`` and to a history without a known item."""
    path = tmp_path_factory.mktemp("asked") / "asked.json"
    path.write_text(json.dumps([*asked, {"items": ["no item"], "times": [5], "time": UNTIL}]))
    printed, (found,) = run(graph, ASK, path)
    return printed, found


def test_the_script_gives_the_best_items(answered, asked, recommender):
    for (ids, scores), each in zip(answered[1][:-1], asked, strict=True):
        best, of_best = recommended(recommender, **each)
        assert ids == best
        np.testing.assert_allclose(scores, of_best, atol=1e-4)


def test_the_script_runs_as_it_stands_and_without_known_items(answered, recommender):
    printed, (*_, unknown) = answered
    times = [UNTIL - hours * DAY // 24 for hours in (3, 2, 1)]
    best, _ = recommended(recommender, recommender.item_ids[:3].to_list(), times, UNTIL, recommender.about.dial)
    assert str(best) in printed
    column = column_of(recommender)[1:]
    assert unknown[0] == recommender.item_ids[column.argsort(descending=True, stable=True)[:10].numpy()].to_list()


def test_a_graph_without_terms_takes_the_same(recommender, tmp_path):
    plain = small_recommender(recommender.data, "gru4rec", terms=(), blocks=1)
    folder = export(plain, "onnx", tmp_path / "onnx", k=3)[0].parent
    named = asked_by_name(plain, asked_of(plain, 9, seed=1))
    (tmp_path / "asked.json").write_text(json.dumps([*named, {"items": [], "times": [], "time": UNTIL}]))
    _, (found,) = run(folder, ASK, tmp_path / "asked.json")
    for (ids, _), each in zip(found, named, strict=False):
        assert ids == recommended(plain, **each, k=3)[0]
    popular = plain.log_p_V[1:].argsort(descending=True, stable=True)[:3]
    assert found[-1][0] == plain.item_ids[popular.numpy()].to_list()


def test_an_export_is_listed_and_holds_no_pickle(graph):
    listed = read_list(graph / LIST, "export")
    assert {*listed.files, LIST} == {path.name for path in graph.iterdir()}
    for name in listed.files:
        listed.check(name)
    members = [path.read_bytes() for path in graph.iterdir()]
    for path in graph.glob("*.pt2"):
        with zipfile.ZipFile(path) as archive:
            members += [archive.read(each) for each in archive.namelist()]
        members.remove(path.read_bytes())
    for content in members:
        assert content[:2] not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # how a pickle begins
        assert content[:2] != b"PK"
        assert str(Path(__file__).parents[2]).encode() not in content


@pytest.mark.parametrize("graph", ["onnx"], indirect=True)
def test_the_encoder_gives_the_states(recommender, graph):
    import onnxruntime

    session = onnxruntime.InferenceSession(graph / "encoder.onnx")
    for length in (1, 30):
        items, *_ = asked_of(recommender, length, seed=9)
        (states,) = session.run(None, {"items": items.numpy()})
        wanted = Served(recommender.models, recommender.data, recommender.log_p_V).encoder(items)
        np.testing.assert_allclose(states, wanted, atol=1e-5)


@pytest.fixture(scope="module")
def large(dataset_of):
    """As many items as have approximate indexes."""
    return small_recommender(small_data(dataset_of, 1500, users=300), "sasrec", "gru4rec")


@pytest.mark.parametrize("to", ["vectors", "faiss"])
def test_vectors_give_the_best_items_but_for_some_of_each_person(large, tmp_path, to):
    folder = export(large, to, tmp_path / to)[0].parent
    asked = asked_of(large, 9, seed=1)
    served = Served(large.models, large.data, large.log_p_V)
    states, dial = served.encoder(asked[0]), 0.5
    np.save(tmp_path / "states.npy", states.numpy())
    _, (found,) = run(folder, f"print(json.dumps(best(np.load(sys.argv[1]), {dial})))", tmp_path / "states.npy")
    scores = (states @ served.encoder.vectors_VD.T + column_of(large) + dial * large.log_p_V)[:, 1:]
    of_best, rows = scores.topk(10)
    assert found[0] == [large.item_ids[row].to_list() for row in rows.numpy()]
    np.testing.assert_allclose(found[1], of_best, atol=1e-4)
    told = (folder / "README.md").read_text()
    assert "## Own items and neighbours" in told
    if to == "faiss":
        for kind in ("ivf", "hnsw"):
            (line,) = re.findall(rf"\| (`{kind}.faiss`.*)", told)
            recalls = [float(each) for each in re.findall(r"[01]\.\d{4}", line)]
            assert len(recalls) == len(BETAS)
            written = (folder / f"{kind}.faiss").exists()
            assert written == (min(recalls) >= 0.99) == line.endswith("written |") == (f"- `{kind}.faiss`:" in told)
            if written:
                assert math.isclose(recall(folder / f"{kind}.faiss", large, -1.0), recalls[0], abs_tol=5e-5)


def recall(path, recommender, beta):
    """Of the ten best items of all users at one setting, by their scores."""
    import faiss

    data, models = recommender.data, recommender.models
    histories = [data.items[start:stop].tolist() for start, stop in pairwise(data.offsets)]
    scores = sum(encode_histories(model, histories).double() @ model.table.weight[1:].double().T for model in models)
    scores = (scores / len(models) + column_of(recommender)[1:] + beta * recommender.log_p_V[1:]).detach().numpy()
    states = [encode_histories(model, histories) / len(models) for model in models]
    queries = query_vectors(torch.cat(states, 1).detach(), beta, terms=True).numpy()
    found = np.take_along_axis(scores, faiss.read_index(str(path)).search(queries, 10)[1], 1)
    return float((found >= np.sort(scores, 1)[:, -10:-9] - 1e-5).mean())


def test_an_approximate_index_that_finds_too_little_is_left_out(large, tmp_path, monkeypatch):
    monkeypatch.setattr("negsample.serving.indexes.RECALL", 1.5)
    export(large, "faiss", tmp_path / "faiss")
    assert {path.suffix for path in (tmp_path / "faiss").iterdir()} == {".md", ".json", ".parquet", ".faiss"}
    assert [path.name for path in (tmp_path / "faiss").glob("*.faiss")] == ["exact.faiss"]
    assert (tmp_path / "faiss" / "README.md").read_text().count("left out |") == 2


def test_few_items_have_the_exact_index_alone(recommender, tmp_path):
    made = export(recommender, "faiss", tmp_path / "faiss")
    assert [path.name for path in made] == ["README.md", LIST, "exact.faiss", "items.parquet"]
    assert "exact search among so few items" in (tmp_path / "faiss" / "README.md").read_text()


def test_what_is_there_is_not_overwritten(recommender, tmp_path):
    (tmp_path / "note.txt").touch()
    with pytest.raises(InputError, match="exists already; choose another --out, a new folder"):
        export(recommender, "vectors", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(("to", "package"), [("onnx", "onnxscript"), ("faiss", "faiss")])
def test_a_missing_package_is_named_before_the_work(recommender, tmp_path, monkeypatch, to, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs {package} .*; pip install 'negsample\[{to}\]'"):
        export(recommender, to, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_other_words_and_models_are_refused(recommender, tmp_path):
    with pytest.raises(InputError, match="to must be 'onnx' or 'torch' or 'faiss' or 'vectors', got 'tflite'"):
        export(recommender, "tflite", tmp_path / "new")
    with pytest.raises(InputError, match=f"k must be a whole number from 1 to {V}, got 61"):
        export(recommender, "torch", tmp_path / "new", k=61)
    assert not list(tmp_path.iterdir())


def test_the_page_exports_a_model_and_renews_its_terms(model, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs/export.md").read_text()
    first, second = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "MODEL").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    exec(first.replace('"onnx"', '"torch"'), {})
    with monkeypatch.context() as there:
        there.chdir("served")
        exec(script_of(tmp_path / "served"), {})
    printed = capsys.readouterr().out
    known = load_model(model)
    times = [known.about.until - hours * DAY // 24 for hours in (3, 2, 1)]
    best, _ = recommended(known, known.item_ids[:3].to_list(), times, known.about.until, known.about.dial)
    assert str(best) in printed
    exec(second, {})
    assert pl.read_parquet("terms.parquet").equals(pl.read_parquet("served/items.parquet"))


@pytest.mark.parametrize("filter_seen", [False, True])
def test_the_read_me_says_that_seen_items_are_not_left_out(recommender, tmp_path, monkeypatch, filter_seen):
    monkeypatch.setitem(recommender.about.settings, "filter_seen", filter_seen)
    export(recommender, "vectors", tmp_path / "vectors")
    assert ("do not leave them out" in (tmp_path / "vectors" / "README.md").read_text()) == filter_seen
