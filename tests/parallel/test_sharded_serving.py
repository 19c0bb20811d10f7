"""A MODEL that several processes make, and what they answer by it: what one process answers, to the last bit."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from launching import GLOO, run
from safetensors.torch import load_file, save_file
from worker import ASKED

import negsample.serving.top_k as top_k
from negsample.files.checksums import LIST, read_list, write_list
from negsample.serving.load import load_model
from negsample.studies.verify import verify

pytestmark = GLOO
BLOCK = 7
"""Items that are scored at once, so that few have blocks enough for all processes, and some blocks are of two."""


@pytest.fixture(scope="module")
def made(world, tmp_path_factory):
    """A run, and the MODEL that two processes made of it."""
    out = tmp_path_factory.mktemp("serving")
    run(2, "makes", world(name="serving").folder, out, BLOCK)
    return out


def test_several_processes_make_the_model_that_one_makes(made):
    assert not [sentence for found in verify(made / "MODEL") for sentence in found.damaged]
    (made / "one").mkdir()
    run(1, "serves", made / "run", made / "one", BLOCK)
    ours, theirs = (load_file(made / name / "model-0.safetensors") for name in ("MODEL", "one/MODEL"))
    assert ours.keys() == theirs.keys()
    for name in ours:
        off = (ours[name] - theirs[name]).abs().flatten()
        assert float(off.quantile(0.9)) < 1e-3, name
    assert load_model(made / "MODEL").about == load_model(made / "one" / "MODEL").about


@pytest.fixture(scope="module")
def with_equals(made):
    """The same with items that have equal scores, some in each process."""
    folder = shutil.copytree(made / "MODEL", made / "equals" / "MODEL")
    weights, listed = load_file(folder / "model-0.safetensors"), read_list(folder / LIST, "model")
    table = weights["table.weight"]
    for first, last in ((2, 12), (17, 24), (28, 60)):
        table[first:last] = table[first].clone()
    weights["terms.items_F"].zero_()
    save_file(weights, folder / "model-0.safetensors")
    write_list(folder / LIST, "model", listed.of, list(listed.files))
    return folder.parent


@pytest.fixture(scope="module")
def left(with_equals):
    """How two processes ended, the second of which was killed among the last answers."""
    (with_equals / "top.parquet").write_bytes(b"as it was")
    return run(2, "serves", "", with_equals, BLOCK, "dies", fails=True)


@pytest.mark.parametrize("size", [2, 3])
def test_they_answer_what_one_answers(size, with_equals, left, monkeypatch):
    if size > 2:
        run(size, "serves", "", with_equals, BLOCK)
    monkeypatch.setattr(top_k, "ITEM_BLOCK", BLOCK)
    alone = compared(with_equals, size)
    assert alone.filter(pl.col("user") == "none").height == ASKED["new"]["k"]


def compared(folder, size):
    """What one process answers to the last that is asked; to all it is what each of several answered."""
    recommender = load_model(folder / "MODEL")
    for name, asked in ASKED.items():
        alone = recommender.recommend(**asked)
        for rank in range(size):
            assert pl.read_parquet(folder / f"{name}-{size}-{rank}.parquet").equals(alone), (name, rank)
    return alone


def test_they_do_with_terms(made, monkeypatch):
    monkeypatch.setattr(top_k, "ITEM_BLOCK", BLOCK)
    compared(made, 2)


def test_equal_scores_are_among_what_is_asked(with_equals):
    scores = load_model(with_equals / "MODEL").recommend(k=20).group_by("user", "score").len()["len"]
    assert scores.max() > 5


def test_one_that_is_lost_leaves_what_was_there(with_equals, left):
    first, killed = left
    assert killed.code == -9
    assert first.code == 2
    assert "another process has ended" in first.said
    assert (with_equals / "top.parquet").read_bytes() == b"as it was"
    assert not [path for path in with_equals.iterdir() if "top.parquet" in path.name and path.name != "top.parquet"]
