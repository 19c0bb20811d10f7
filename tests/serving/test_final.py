"""The model to take home: as the study tested it, carried anywhere, refused when it is not whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

from negsample import InputError, PrepareSettings, compare, load_model, read_study
from negsample.data.log.read import read_log
from negsample.files.checksums import LIST, write_list
from negsample.rules.rule import cut_time
from negsample.serving.final import make_final
from negsample.serving.plan import other_log, plan_final
from negsample.serving.refresh import refresh
from negsample.studies.verify import verify


@pytest.fixture(scope="module")
def as_tested(study, tmp_path_factory):
    """Trained on what was before the test part, as the refit was."""
    found = read_study(study)
    cut = cut_time(plan_final(found, method="mixed-log-q").data, "test")
    plan = plan_final(found, method="mixed-log-q", until=cut)
    folder = tmp_path_factory.mktemp("tested") / "MODEL"
    make_final(plan, folder)
    return plan, folder


def test_until_the_test_part_it_has_the_weights_of_the_refit(as_tested):
    plan, folder = as_tested
    ours, theirs = load_file(folder / "model-0.safetensors"), load_file(plan.runs[0].folder / "model.safetensors")
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_its_hits_on_the_test_events_are_the_studys(as_tested):
    plan, folder = as_tested
    data, found = plan.data, load_model(folder).recommend(k=10)
    begin, end = np.asarray(data.valid_ends), np.asarray(data.offsets[1:])
    users = np.flatnonzero((end > begin) & (begin > data.offsets[:-1]))
    rows = [(int(user), int(item)) for user in users for item in data.items[begin[user] : end[user]]]
    asked = pl.DataFrame(rows, schema=["u", "i"], orient="row").select(
        user=data.user_ids()[[user for user, _ in rows]], item=data.item_ids()[[item - 1 for _, item in rows]]
    )
    hits = asked.join(found, on=["user", "item"], how="left")["rank"].is_not_null()
    assert hits.mean() == pytest.approx(plan.runs[0].metrics["test"]["hr@10"], abs=1e-12)


def test_a_run_answers_as_the_model_made_like_it(as_tested):
    plan, folder = as_tested
    known = load_model(folder).users.take(0, 40)
    of_run = load_model(plan.runs[0].folder, plan.data)
    assert of_run.recommend(known).equals(load_model(folder).recommend(known))


def test_it_needs_nothing_else(model, tmp_path, monkeypatch):
    moved = tmp_path / "elsewhere" / "M"
    shutil.copytree(model, moved)
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "no-cache"))
    assert load_model(moved).recommend().equals(load_model(model).recommend())
    assert all(not found.damaged for found in verify(moved))
    assert {path.suffix for path in moved.iterdir()} == {".json", ".parquet", ".safetensors"}  # no pickle


def test_all_events_are_in_it(model, log):
    found = load_model(model)
    assert found.about.events == len(log)
    assert found.about.until == log["time"].max() + 1
    assert len(found.models) == 2
    assert set(found.item_ids) == set(log["item"])
    assert found.about.promise["ndcg@10"] > 0


@pytest.mark.parametrize("method", ["Terms", None])
def test_other_methods_can_be_taken(study, tmp_path, method):
    plan = plan_final(read_study(study), method=method)
    make_final(plan, tmp_path / "M")
    assert len(load_model(tmp_path / "M").recommend(k=3)) == 3 * load_model(tmp_path / "M").about.users


def test_the_terms_alone_can_be_taken_where_models_are_trained_with_terms(log, tmp_path):
    settings = {"terms": ["recency", "repeats"], "refit": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.comparison.write_report", lambda *_, **__: None)
        compare(log, tmp_path / "S", ["Terms"], settings=settings, progress=False)
    plan = plan_final(read_study(tmp_path / "S"))
    make_final(plan, tmp_path / "M")
    assert load_model(tmp_path / "M").about.members[0].terms == plan.runs[0].metrics["terms"]["weights"]


def test_a_study_that_is_not_split_in_time_says_so_wherever_its_model_is_loaded(log, model, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.comparison.write_report", lambda *_, **__: None)
        settings = {"epochs": 1, "dim": 4, "max_length": 5, "blocks": 1, "refit": False, "fit_terms": False}
        last = PrepareSettings(split="leave-one-out")
        found = compare(log, tmp_path / "S", ["random"], repeats=1, settings=settings, prepare=last, progress=False)
    make_final(plan_final(found), tmp_path / "M")
    why = "Each user's last event is test; other users' later events were trained on, so figures say nothing about the"
    assert f". Of its study: {why} future." in repr(load_model(tmp_path / "M"))
    later = pl.DataFrame({"user": ["u1"], "item": ["item 1"], "time": [log["time"].max() + 1]})
    refresh(tmp_path / "M", read_log(later))
    assert why in load_model(tmp_path / "M").summary
    assert "future" not in load_model(model).summary
    assert "not_in_time" not in json.loads((model / "model.json").read_text())


def test_one_run_can_be_taken(study, tmp_path):
    found = read_study(study)
    run = found.runs_of("log", "mixed-log-q")[0]
    plan = plan_final(run)
    make_final(plan, tmp_path / "M")
    make_final(plan_final(found, method="mixed-log-q"), tmp_path / "N")
    known = load_model(tmp_path / "N").users
    assert load_model(tmp_path / "M").recommend(known).equals(load_model(tmp_path / "N").recommend(known))
    with pytest.raises(InputError, match="is one run"):
        plan_final(run, seeds=2)
    with pytest.raises(InputError, match="cannot be taken home"):
        plan_final(found.runs_of("log", "RecentPop")[0])


def test_another_log_is_read_as_the_one_of_the_dataset_that_is_asked_for(study, log, tmp_path, monkeypatch):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path))
    found = read_study(study)
    odd = {"user": "who", "item": "sku", "time": "seen"}
    other = found.manifests["log"] | {"name": "other", "settings": found.manifests["log"]["settings"] | odd}
    both = replace(
        found, manifests=found.manifests | {"other": other}, folds=found.folds | {"other": found.folds["log"]}
    )
    log.rename(odd).write_csv(tmp_path / "odd.csv")
    assert other_log(both, str(tmp_path / "odd.csv"), "other").users == log["user"].n_unique()
    with pytest.raises(InputError, match="no column that looks like the user"):
        other_log(both, str(tmp_path / "odd.csv"), "log")
    read = []
    monkeypatch.setattr("negsample.data.load.load_dataset", lambda log, settings=None: read.append(settings))
    other_log(both, "online-retail", "other")
    assert read[0].user is None


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"method": "RecentPop"}, "cannot be taken home; of those there, mixed-log-q, random, Terms can"),
        ({"method": "nothing"}, "cannot be taken"),
        ({"dataset": "other"}, "dataset must be"),
        ({"method": "random", "seeds": 3}, "2 finished runs"),
        ({"until": 5}, "no event"),
    ],
)
def test_what_cannot_be_taken_is_refused(study, asked, why):
    with pytest.raises(InputError, match=why):
        plan_final(read_study(study), **asked)


def test_a_study_without_a_hit_asks_for_the_method(tmp_path):
    users, items = np.repeat(np.arange(12), 20), np.tile([0, 1], 120)  # all have both, and no seen item is ranked
    log = pl.DataFrame({"user": users, "item": items, "time": 1_600_000_000 + np.arange(240) * 7919 % 86_400})
    settings = {"epochs": 1, "dim": 4, "refit": False, "fit_terms": False, "filter_seen": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.comparison.write_report", lambda *_, **__: None)
        compare(log, tmp_path / "S", ["random"], repeats=1, settings=settings, progress=False)
    with pytest.raises(InputError, match="none has a hit; name one: random"):
        plan_final(read_study(tmp_path / "S"))
    assert plan_final(read_study(tmp_path / "S"), method="random").runs


def test_a_stopped_training_is_carried_on(study, tmp_path):
    plan = plan_final(read_study(study), method="random")
    stopped = RuntimeError("stopped")

    def stop(job, epoch):
        raise stopped

    with pytest.raises(RuntimeError, match="stopped"):
        make_final(plan, tmp_path / "M", stop)
    assert not (tmp_path / "M").exists()
    epochs = []
    make_final(plan, tmp_path / "M", lambda job, epoch: epochs.append(epoch.epoch))
    make_final(plan, tmp_path / "N")
    assert load_model(tmp_path / "M").recommend().equals(load_model(tmp_path / "N").recommend())
    with pytest.raises(InputError, match="exists already"):
        make_final(plan, tmp_path / "M")


# Hostile folders: consistent with their checksums, but not with themselves.


@pytest.fixture
def spoiled(model, tmp_path):
    """A copy, and what writes its list again."""
    folder = tmp_path / "M"
    shutil.copytree(model, folder)

    def listed() -> None:
        (folder / LIST).unlink()
        write_list(folder / LIST, "model", "x", [path.name for path in folder.iterdir()])

    return folder, listed


def about_with(folder, **changes):
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(about | changes))


def member_with(folder, **changes):
    about = json.loads((folder / "model.json").read_text())
    about["members"][0] |= changes
    (folder / "model.json").write_text(json.dumps(about))


def settings_with(folder, **changes):
    about = json.loads((folder / "model.json").read_text())
    about_with(folder, settings=about["settings"] | changes)


def parquet_with(folder, name, change):
    frame = pl.read_parquet(folder / name)
    change(frame).write_parquet(folder / name)


def first(frame: pl.DataFrame, column: str, value) -> pl.DataFrame:
    values = frame[column].to_list()
    return frame.with_columns(pl.Series(column, [value, *values[1:]], dtype=frame[column].dtype))


HOSTILE = {
    "more items than there are": lambda f: about_with(f, items=10**9),
    "more users than there are": lambda f: about_with(f, users=10**9),
    "more events than there are": lambda f: about_with(f, events=10**9),
    "no members": lambda f: about_with(f, members=[]),
    "an unknown field": lambda f: about_with(f, surprise=1),
    "a dial that is no number": lambda f: about_with(f, dial="x"),
    "another format": lambda f: about_with(f, format=99),
    "weights outside": lambda f: member_with(f, weights="../model-0.safetensors"),
    "weights elsewhere": lambda f: member_with(f, weights="/etc/passwd.safetensors"),
    "weights that are not there": lambda f: member_with(f, weights="other.safetensors"),
    "terms that are none": lambda f: member_with(f, terms={"names": ["popularity"], "share": 1.0}),
    "terms of another size": lambda f: member_with(
        f, terms={"names": ["popularity"], "share": 1.0, "items_F": [0.0] * 9}
    ),
    "a wide table": lambda f: settings_with(f, dim=10**6),
    "a long history": lambda f: settings_with(f, max_length=10**9),
    "many blocks": lambda f: settings_with(f, blocks=10**9),
    "an unknown setting": lambda f: settings_with(f, nonsense=1),
    "an item twice": lambda f: parquet_with(f, "items.parquet", lambda x: first(x, "item", x["item"][1])),
    "an item without id": lambda f: parquet_with(f, "items.parquet", lambda x: first(x, "item", None)),
    "an event beyond the items": lambda f: parquet_with(f, "events.parquet", lambda x: first(x, "item", 999)),
    "an event of nobody": lambda f: parquet_with(f, "events.parquet", lambda x: first(x, "user", -1)),
    "events out of order": lambda f: parquet_with(f, "events.parquet", lambda x: x.reverse()),
    "an event in the future": lambda f: parquet_with(f, "events.parquet", lambda x: first(x, "time", 2**60)),
    "another column": lambda f: parquet_with(f, "events.parquet", lambda x: x.rename({"time": "when"})),
    "times as text": lambda f: parquet_with(
        f, "events.parquet", lambda x: x.with_columns(pl.col("time").cast(pl.String))
    ),
    "no Parquet": lambda f: (f / "events.parquet").write_bytes(b"PAR1 nonsense PAR1"),
    "no weights": lambda f: (f / "model-0.safetensors").write_bytes(b"\x80\x04nonsense"),
    "weights of another shape": lambda f: save_file({"table.weight": torch.zeros(3, 3)}, f / "model-0.safetensors"),
    "weights that are not finite": lambda f: save_file(
        {name: each * torch.nan for name, each in load_file(f / "model-0.safetensors").items()},
        f / "model-0.safetensors",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_folder_is_refused_with_one_line(spoiled, kind):
    folder, listed = spoiled
    HOSTILE[kind](folder)
    listed()
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_link_that_leads_outside_is_refused(spoiled, tmp_path):
    folder, listed = spoiled
    outside = tmp_path / "outside.parquet"
    (folder / "users.parquet").rename(outside)
    (folder / "users.parquet").symlink_to(outside)
    listed()
    with pytest.raises(InputError, match="link"):
        load_model(folder)


def test_a_list_that_leads_outside_is_refused(spoiled, tmp_path):
    folder, _ = spoiled
    (tmp_path / "secret").write_text("x")
    (folder / LIST).unlink()
    write_list(folder / LIST, "model", "x", [*(path.name for path in folder.iterdir()), "../secret"])
    with pytest.raises(InputError, match="outside"):
        load_model(folder)


def test_a_changed_file_is_refused(spoiled):
    folder, _ = spoiled
    content = bytearray((folder / "events.parquet").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "events.parquet").write_bytes(content)
    with pytest.raises(InputError, match="checksum"):
        load_model(folder)


def test_what_is_no_model_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="negsample final"):
        load_model(tmp_path)
