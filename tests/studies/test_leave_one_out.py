"""A study of a log that is split by leave-one-out: to the end with all defaults, and nothing in it needs a cut."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from by_hand import with_events

from negsample import compare, evaluate, final, load_model
from negsample.cli import app
from negsample.cli.console import exit_code
from negsample.data.load import load_dataset
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.execution.attempts import run_job
from negsample.methods import catalogue_of
from negsample.models.baselines import own_baselines
from negsample.rules import RecentPop
from negsample.runs.folder import read_run
from negsample.scoring.dial import Choice
from negsample.settings import PrepareSettings, run_settings
from negsample.studies.study import plan
from negsample.studies.tuning import plan_tunings

SENTENCE = "Each user's last event is test; other users' later events were trained on, so figures say nothing about "
SENTENCE += "the future."
SMALL = ["--epochs", "2", "--repeats", "2", "--set", "dim=8", "--set", "blocks=1", "--set", "max_length=8"]
SPLIT = PrepareSettings(split="leave-one-out")

pytestmark = pytest.mark.usefixtures("every_baseline", "no_drawing")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))


def frame(events: int = 400) -> pl.DataFrame:
    chance = np.random.default_rng(3)
    users, items = chance.integers(0, 40, events), (25 * chance.random(events) ** 2).astype(np.int64)
    return pl.DataFrame({"user": users, "item": items, "time": 1_600_000_000 + chance.integers(0, 10**7, events)})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    log = Log(frame().with_columns(pl.col("time") * 10**6).lazy(), "log", [])
    return prepare(log, SPLIT, tmp_path_factory.mktemp("data") / "timed")


@pytest.fixture(scope="module")
def untimed(tmp_path_factory):
    places = frame().with_columns(time=pl.int_range(pl.len()).over("user"))
    return prepare(Log(places.lazy(), "log", [], has_times=False), SPLIT, tmp_path_factory.mktemp("data") / "order")


@pytest.mark.parametrize("columns", [["user", "item", "time"], ["user", "item"]])
def test_the_command_runs_to_its_end_with_all_defaults(columns, tmp_path, monkeypatch, capsys):
    frame().select(columns).write_csv(tmp_path / "log.csv")
    out = tmp_path / "study"
    argv = ["negsample", "compare", str(tmp_path / "log.csv"), "--split", "leave-one-out", "--out", str(out), *SMALL]
    monkeypatch.setattr("sys.argv", [*argv, "--methods", "random,recent"])
    assert not exit_code(app)
    said = capsys.readouterr().out
    assert " ".join(said.split()).count(SENTENCE) == 2, "in the notes before, and below the table after"
    assert "What needs a split in time is left out" in said
    table = pl.read_csv(out / "table.csv")
    without = [name for name in own_baselines(25) if name not in ("RecentPop", "Terms")]
    assert table["method"].to_list() == ["random", *without]
    assert table["ndcg@10"].null_count() == 0
    page = (out / "report.html").read_text()
    text = " ".join(
        re.sub("<[^>]+>", " ", page[page.index("<main>") : page.index("</main>")]).replace("&#39;", "'").split()
    )
    assert text.index(SENTENCE) < text.index("Limits of these figures") < text.index("What needs a split in time")
    assert "1970-01" not in text
    assert "split leave-one-out, which is not in time" in (out / "table.tex").read_text()
    assert "What the refit gave, on test" in page
    assert "old at test" not in text
    run = next(read_run(folder) for folder in (out / "runs").glob("*--random--seed-0--*"))
    assert (run.metrics["age_days"], run.metrics["terms"], bool(run.metrics["refit"])) == (None, {}, True)


def test_each_user_is_measured_on_the_last_event_and_knows_all_others(data, tmp_path):
    """PopRec counts train alone; ItemKNN, by hand, all but the last event of everybody."""
    study = compare(data, tmp_path / "study", ["random"], repeats=1, settings={"epochs": 1, "dim": 8})
    tested = int((np.asarray(data.valid_ends) < data.offsets[1:]).sum())
    assert [run.metrics["test"]["events"] for run in study.runs] == [tested] * len(study.runs)
    counts = np.asarray(data.train_counts)[1:]
    ranks = [
        (counts > counts[item - 1]).sum() + (counts[: item - 1] == counts[item - 1]).sum()
        for item in data.items[data.offsets[1:] - 1][np.asarray(data.valid_ends) < data.offsets[1:]]
    ]
    popular = next(run for run in study.runs if run.config["method"] == "PopRec")
    assert popular.metrics["test"]["hr@10"] == pytest.approx(np.mean(np.array(ranks) < 10))


@pytest.mark.parametrize("method", ["mixed-log-q", "RepeatRecent", "EASE"])
def test_test_events_have_no_say(method, data, tmp_path):
    """With other items in them every choice and every weight is the same."""
    last = np.asarray(data.offsets[1:] - 1)[np.asarray(data.valid_ends) < data.offsets[1:]]
    items = np.array(data.items)
    items[last] = np.random.default_rng(0).permutation(items[last])

    def found(of, place):
        settings = run_settings(epochs=2, dim=8, blocks=1, refit=True, fit_terms=True)
        job = next(
            job for job in plan([of], ["mixed-log-q"], repeats=1, seed=0, settings=settings) if job.method == method
        )
        run_job(job, tmp_path / place, dial=Choice(None))
        kept = [path.read_bytes() for path in sorted((tmp_path / place).glob("*.safetensors"))]
        return kept, read_run(tmp_path / place).metrics["valid"], read_run(tmp_path / place).metrics["dial"]

    assert found(data, "ours") == found(with_events(data, items, np.asarray(data.times)), "theirs")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"terms": "recency"}, "setting terms=recency needs a split in time, and log has split=leave-one-out"),
        ({"terms": "repeats"}, "setting terms=repeats needs a split in time"),
        ({"targets": "horizon"}, "setting targets=horizon needs a split in time"),
        ({"train_window": 3}, "setting train_window=3.0 needs a split in time"),
        ({"weight_half_life": 3}, "setting weight_half_life=3.0 needs a split in time"),
    ],
)
def test_what_needs_a_cut_is_refused(settings, words, data, tmp_path):
    of = run_settings(**settings)
    with pytest.raises(InputError, match=re.escape(words)):
        plan([data], ["random"], repeats=1, seed=0, settings=of)
    with pytest.raises(InputError, match=re.escape(words)):
        plan_tunings([data], ["random"], trials=1, seed=0, settings=of, changes={}, given=[], folder=tmp_path)


def test_moments_need_times_and_no_cut(data, untimed):
    of = {"repeats": 1, "seed": 0, "settings": run_settings(targets="moments")}
    assert plan([data], ["random"], **of)
    with pytest.raises(InputError, match="targets=moments needs times, and log has none"):
        plan([untimed], ["random"], **of)


def test_methods_that_draw_as_of_a_time(data):
    of = {"repeats": 1, "seed": 0, "settings": run_settings()}
    methods = {job.method for job in plan([data], ["all"], **of)}
    assert not methods & {"recent", "recent-mixed-log-q", "RecentPop", "Terms"}
    assert {"random", "mixed-log-q", "Repeat", "PopRec"} < methods
    with pytest.raises(InputError, match="recent: draws by what is popular as of a time need a split in time"):
        plan([data], ["recent"], **of)
    catalogue = catalogue_of(data, 5)
    assert catalogue.known is not None
    with pytest.raises(InputError, match="asks what is known as of a time, and log has split=leave-one-out"):
        catalogue.known()


def test_a_rule_knows_the_earlier_parts_whatever_their_times(data):
    """Popularity of all train events, whose half-life is not chosen."""
    rule = RecentPop(data)
    assert rule.choices == [np.inf]
    found = {
        history: evaluate(rule, data, "test", run_settings(history=history)).ranks_E.tolist()
        for history in ("frozen", "rolling-basket")
    }
    assert found["frozen"] == found["rolling-basket"]


def test_a_model_to_take_home_knows_all_events_and_needs_times(data, untimed, tmp_path):
    how = {"methods": ["random"], "repeats": 1, "settings": {"epochs": 1, "dim": 8}}
    study = compare(data, tmp_path / "study", **how)
    run = next(run for run in study.runs if run.config["method"] == "random")
    with pytest.raises(InputError, match="was not tested as of a moment, but with split=leave-one-out"):
        load_model(run.folder)
    made = final(study, tmp_path / "MODEL")
    assert made.about.events == len(data.items)
    with pytest.raises(InputError, match="has no times, and a MODEL answers as of a time"):
        final(compare(untimed, tmp_path / "order", **how), tmp_path / "other")


def test_a_prepared_folder_says_it_too(data):
    again = load_dataset(data.folder)
    assert (again.in_time, again.manifest.notes[0]) == (False, SENTENCE)
    assert json.loads((data.folder / "manifest.json").read_text())["valid_start"] is None
