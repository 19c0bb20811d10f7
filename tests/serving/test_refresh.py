"""What came since: known without training, trained on, and left alone where it fails."""

from __future__ import annotations

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from negsample import InputError, load_model, read_log, read_study
from negsample.data.log.read import Log
from negsample.files.checksums import LIST, write_list
from negsample.serving.final import make_final
from negsample.serving.plan import plan_final
from negsample.serving.ranker import Ranker
from negsample.serving.refresh import joined, refresh, train_on

DAY = 86_400 * 10**6
CUT = 1_600_000_000_000_000 + 40 * DAY


@pytest.fixture(scope="module")
def early(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("early") / "M"
    make_final(plan_final(read_study(study), method="mixed-log-q", until=CUT), folder)
    return folder


@pytest.fixture
def copy(early, tmp_path):
    shutil.copytree(early, tmp_path / "M")
    return tmp_path / "M"


def new_things(after: int) -> pl.DataFrame:
    """Two new items, one of them had by a new user and an old one."""
    rows = [("newcomer", "novel"), ("u3", "novel"), ("u3", "novelty"), ("newcomer", "item 1")]
    times = [after + DAY * (1 + at) for at in range(4)]
    return pl.DataFrame({"user": [u for u, _ in rows], "item": [i for _, i in rows], "time": times})


def test_refreshed_it_knows_what_one_made_later_knows(copy, study, log, tmp_path):
    found = refresh(copy, read_log(log))
    later = load_model(copy)
    assert (found.added, found.late) == (len(log.filter(pl.col("time") >= CUT)), len(log.filter(pl.col("time") < CUT)))
    make_final(plan_final(read_study(study), method="mixed-log-q"), tmp_path / "all")
    known = load_model(tmp_path / "all")
    assert later.about.until == known.about.until
    for array in ("items", "times", "offsets"):
        np.testing.assert_array_equal(getattr(later.data, array), getattr(known.data, array))
    ask = later.ask()
    np.testing.assert_allclose(later.ranker.shift(ask)[1:], _shift_of(known, later.models[0], ask)[1:], rtol=1e-5)


def _shift_of(recommender, model, ask):
    """What the terms of another model add, by what this one knows."""
    ranker = Ranker(recommender.about, [model], recommender.data, recommender.log_p_V)
    return ranker.shift(ask._replace(time=recommender.about.until))


def test_new_items_and_users_are_admitted(copy):
    before = load_model(copy)
    found = refresh(copy, read_log(new_things(before.about.until)))
    after = load_model(copy)
    assert (found.items, found.users, after.about.untrained) == (2, 1, 2)
    assert after.item_ids.to_list() == [*before.item_ids, "novel", "novelty"]
    old, new = (load_file(copy / "model-0.safetensors")["table.weight"], before.models[0].table.weight)
    assert torch.equal(old[: len(new)], new)
    assert old[len(new) :].norm(dim=1).min() > 0
    frame = after.recommend(k=len(after.item_ids))
    assert {"novel", "novelty"} <= set(frame.filter(pl.col("user") == "newcomer")["item"])
    of_new = after.recommend({"x": ["novel"]}, k=3)  # no state, but terms; not RecentPop
    assert len(of_new) == 3
    people = after.histories({"x": ["novel", "item 1"], "y": ["item 1"]}, after.about.until)
    states = after.ranker.states(people)
    assert torch.equal(states[0], states[1])  # what was not trained is no input


def test_a_new_item_has_the_mean_of_its_nearest_trained_items(copy):
    before = load_model(copy)
    refresh(copy, read_log(new_things(before.about.until)))
    after, last = load_model(copy), len(before.item_ids)
    had = [set(each) for each in np.split(after.data.items, after.data.offsets[1:-1])]
    count = {item: sum(item in each for each in had) for item in range(1, last + 3)}
    for new in (last + 1, last + 2):
        both = {old: sum({old, new} <= each for each in had) for old in range(1, last + 1)}
        similar = {old: both[old] / np.sqrt((count[old] + 1) * (count[new] + 1)) for old in both}
        best = sorted((old for old in similar if similar[old]), key=lambda old: (-similar[old], old))[:10]
        weights = np.array([similar[old] for old in best])
        for model in after.models:
            table = model.table.weight.detach().numpy()
            np.testing.assert_allclose(table[new], weights @ table[best] / weights.sum(), rtol=1e-4)


def test_a_new_item_whose_users_had_nothing_else_has_zeros_until_they_have(copy, tmp_path):
    before = load_model(copy)
    alone = pl.DataFrame({"user": ["newcomer"], "item": ["novel"], "time": [before.about.until + DAY]})
    refresh(copy, read_log(alone))
    assert not load_file(copy / "model-0.safetensors")["table.weight"][-1].any()
    more = alone.with_columns(item=pl.lit("item 1"), time=pl.col("time") + DAY)
    refresh(copy, read_log(more))
    table = load_file(copy / "model-0.safetensors")["table.weight"]
    (number,) = load_model(copy).data.items[-1:]
    assert before.item_ids[int(number) - 1] == "item 1"
    torch.testing.assert_close(table[-1], table[int(number)])


def test_an_event_in_the_future_is_refused_and_nothing_changes(copy, tmp_path):
    content = {path.name: path.read_bytes() for path in copy.iterdir()}
    until = load_model(copy).about.until
    frame = pl.DataFrame({"user": ["u1", "u1"], "item": ["item 1"] * 2, "time": [until + 10**6, 4 * 10**15]})
    far = Log(frame.lazy(), "far", [])  # not read by read_log, which refuses it too
    for update in (lambda: refresh(copy, far), lambda: train_on(copy, far, tmp_path / "on")):
        with pytest.raises(InputError, match=r"is at 2096-10-02T07:06:40, in the future; .* correct its time or leave"):
            update()
    with pytest.raises(InputError, match="in the future"):
        read_log(frame)
    assert content == {path.name: path.read_bytes() for path in copy.iterdir()}
    assert not (tmp_path / "on").exists()


def test_the_epochs_of_training_on_do_not_add_up(copy, tmp_path, monkeypatch):
    trained = []

    def no_training(jobs, models, places, watch, *, refit):
        trained.extend(refit)

    monkeypatch.setattr("negsample.serving.refresh.train_models", no_training)
    about = json.loads((copy / "model.json").read_text())
    about["members"][0] |= {"epochs": 11}
    (copy / "model.json").write_text(json.dumps(about))
    (copy / LIST).unlink()
    write_list(copy / LIST, "model", "x", [path.name for path in copy.iterdir()])
    for last, new in zip([copy, tmp_path / "1", tmp_path / "2"], ["1", "2", "3"], strict=True):
        train_on(last, None, tmp_path / new)
    assert trained == [3, 3, 3]
    member = load_model(tmp_path / "3").about.members[0]
    assert (member.epochs, member.trained_on) == (11, 9)


def test_a_second_refresh_adds_to_the_first(copy, log, tmp_path):
    shutil.copytree(copy, tmp_path / "N")
    half = CUT + 10 * DAY
    refresh(copy, read_log(log.filter(pl.col("time") < half)))
    refresh(copy, read_log(log))
    refresh(tmp_path / "N", read_log(log))
    assert load_model(copy).recommend().equals(load_model(tmp_path / "N").recommend())


def test_where_nothing_is_new_nothing_changes(copy, log):
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    found = refresh(copy, read_log(log.filter(pl.col("time") < CUT)))
    assert (found.added, found.late, found.until) == (0, len(log.filter(pl.col("time") < CUT)), CUT)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_into_a_new_folder(copy, log, tmp_path):
    refresh(copy, read_log(log), tmp_path / "new")
    assert load_model(tmp_path / "new").about.until > load_model(copy).about.until
    with pytest.raises(InputError, match="exists already"):
        refresh(copy, read_log(log), tmp_path / "new")


def test_trained_on_it_has_vectors_of_new_items(copy, log, tmp_path):
    more = pl.concat([log.filter(pl.col("time") >= CUT), new_things(int(log["time"].max()))])
    epochs = []
    found = train_on(
        copy, read_log(more), tmp_path / "on", epochs=2, watch=lambda job, epoch: epochs.append(epoch.epoch)
    )
    after = load_model(tmp_path / "on")
    assert (epochs, found.items, after.about.untrained) == ([1, 2], 2, 0)
    member, before = after.about.members[0], load_model(copy).about.members[0]
    assert (member.epochs, member.trained_on) == (before.epochs, 2)
    old, new = (load_file(each / "model-0.safetensors")["table.weight"] for each in (copy, tmp_path / "on"))
    moved = (new[: len(old)] - old).norm() / old.norm()
    assert 0 < moved < 1  # it goes on from there
    assert new[-2:].norm(dim=1).min() > 0
    assert len(after.recommend(k=3)) == 3 * after.about.users


def test_a_stopped_one_is_carried_on(copy, log, tmp_path):
    def stop(job, epoch):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        train_on(copy, read_log(log), tmp_path / "on", epochs=2, watch=stop)
    train_on(copy, read_log(log), tmp_path / "on", epochs=2)
    train_on(copy, read_log(log), tmp_path / "at-once", epochs=2)
    assert load_model(tmp_path / "on").recommend().equals(load_model(tmp_path / "at-once").recommend())


def test_ids_of_another_kind_are_refused(study, log, tmp_path):
    numbered = load_model(study / "runs" / next(each.name for each in (study / "runs").glob("*mixed-log-q--seed-0*")))
    numbered.item_ids = pl.Series(range(len(numbered.item_ids)))
    with pytest.raises(InputError, match="whole numbers in the model"):
        joined(numbered, read_log(log))
    found = joined(numbered, read_log(log.with_columns(item=pl.lit("5"))))  # as a CSV file is read
    assert found.items == 0
    with pytest.raises(InputError, match="such as '05'"):
        joined(numbered, read_log(log.with_columns(item=pl.lit("05"))))


def test_what_is_no_model_is_refused(tmp_path, log):
    with pytest.raises(InputError, match="negsample final"):
        refresh(tmp_path, read_log(log))


def test_a_refreshed_one_is_trained_on_without_a_log(copy, log, tmp_path):
    refresh(copy, read_log(pl.concat([log, new_things(int(log["time"].max()))])))
    found = train_on(copy, None, tmp_path / "on", epochs=1)
    after = load_model(tmp_path / "on")
    assert (found.added, after.about.untrained) == (0, 0)
    assert load_file(tmp_path / "on" / "model-0.safetensors")["table.weight"][-2:].norm(dim=1).min() > 0
    np.testing.assert_array_equal(after.data.items, load_model(copy).data.items)
