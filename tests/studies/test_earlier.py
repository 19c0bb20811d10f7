"""A second command into a study's folder: it adds, or it is refused by what differs, or it replaces what is there."""

from __future__ import annotations

import json

import pytest

from negsample import cli
from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table
from negsample.comparison import compare
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.runs import train
from negsample.settings import PrepareSettings, run_settings
from negsample.studies.study import oversampled, plan

pytestmark = pytest.mark.usefixtures("no_report")

SETTINGS = run_settings(epochs=1, batch_size=64, dim=8, blocks=1, max_length=8)


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, name="small")


@pytest.fixture(scope="module")
def other(world):
    return world(users=50, name="other")


def grid(*data, methods=("random",), repeats=1, seed=0, changes=None, tuned=None, **settings):
    return plan(
        data,
        methods,
        repeats=repeats,
        seed=seed,
        settings=SETTINGS.replaced(**settings),
        changes=changes,
        tuned=tuned,
    )


def runs_of(out):
    return {(row["dataset"], row["method"]): row["runs"] for row in study_table(read_study(out)).to_dicts()}


def stamps(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("runs/*/model.safetensors")}


def test_methods_seeds_and_datasets_are_added(data, other, tmp_path):
    compare(grid(data), tmp_path)
    compare(grid(data, methods=["mixed"]), tmp_path)
    compare(grid(data, repeats=2), tmp_path)
    compare(grid(data, seed=7), tmp_path)
    before = stamps(tmp_path)
    compare(grid(other), tmp_path)
    compare(grid(other, data), tmp_path, dial="auto")
    assert runs_of(tmp_path) == {
        ("small", "random"): 3,
        ("small", "mixed"): 1,
        ("small", "PopRec"): 1,
        ("other", "random"): 1,
        ("other", "PopRec"): 1,
    }
    assert before.items() <= stamps(tmp_path).items()


def test_what_was_beside_the_table_stays(data, tmp_path):
    jobs = grid(data, epochs=2)
    beside = oversampled(jobs, [1, 2, 30])
    assert [job.settings.training.oversampling_factor for job in beside] == [1]  # the others are the runs themselves
    compare(jobs, tmp_path, oversampling=beside, note={"tunings": []})
    compare(grid(data, methods=["mixed"], epochs=2, k="7"), tmp_path, dial="-0.5")
    (run,) = read_study(tmp_path).oversampling
    assert run.metrics["dial"] == -0.5
    assert "hr@7" in run.metrics["test"]


@pytest.mark.parametrize(
    ("again", "note", "words"),
    [
        ({"dim": 4}, {}, r"dim: 8, now 4"),
        ({"epochs": 2, "dropout": 0.5}, {}, r"dropout: 0\.2, now 0\.5; epochs: 1, now 2"),
        ({"methods": ["mixed"], "learning_rate": 0.5}, {}, r"learning_rate: 0\.001, now 0\.5"),
        ({"changes": {"random_negatives": 7}}, {}, r"random_negatives of random: 100, now 7"),
        ({"tuned": {("small", "random"): {"batch_size": 32}}}, {}, r"batch_size of random: 64, now 32"),
        ({}, {"tune_trials": 3}, r"tune_trials: none, now 3"),
        ({}, {"preset": "paper"}, r"preset: default, now paper"),
    ],
)
def test_other_settings_are_refused_by_name_and_nothing_is_trained(again, note, words, data, tmp_path, monkeypatch):
    compare(grid(data), tmp_path)
    before = sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())
    monkeypatch.setattr(train, "fit_together", None)
    with pytest.raises(InputError, match=rf"holds a study of other settings \({words}\).*--replace"):
        compare(grid(data, **again), tmp_path, note=note)
    assert before == sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())


def test_another_dataset_alone_must_have_the_same_settings(data, other, tmp_path):
    compare(grid(data), tmp_path)
    with pytest.raises(InputError, match=r"\(dim: 8, now 4\)"):
        compare(grid(other, dim=4), tmp_path)


def test_the_same_name_for_other_events_or_another_split_is_refused(data, world, tmp_path):
    compare(grid(data), tmp_path / "study")
    with pytest.raises(InputError, match=r"events of small: fingerprint \w+, now \w+"):
        compare(grid(world(users=62, name="small")), tmp_path / "study")
    log = world_log()
    one, two = (
        prepare(log, PrepareSettings(split=split, valid_fraction=0.1), tmp_path / split / "log")
        for split in ("timestamp", "paper")
    )
    compare(grid(one), tmp_path / "other")
    with pytest.raises(InputError, match=r"\(split of log: timestamp, now paper\)"):
        compare(grid(two), tmp_path / "other")


def world_log():
    import polars as pl

    from negsample.data.log.read import Log

    # Seven events a moment: a cut through ties is another one.
    frame = pl.LazyFrame(
        {"user": [0, 1, 2] * 40, "item": [0, 1, 2, 3, 4, 5] * 20, "time": [i // 7 for i in range(120)]}
    )
    return Log(frame, "log", [])


def test_a_replaced_study_is_gone_but_for_the_runs_that_are_the_same(data, other, tmp_path):
    compare(grid(data, other, methods=["random", "mixed"]), tmp_path)
    kept = {path.parent.name for path in stamps(tmp_path) if "--random--" in path.parent.name}
    before = stamps(tmp_path)
    (tmp_path / "runs" / ".nobody.unfinished").mkdir()
    jobs = grid(data, other, methods=["random", "mixed"], changes={"in_batch_negatives": 7})
    with pytest.raises(InputError, match=r"in_batch_negatives of mixed"):
        compare(jobs, tmp_path)
    compare(jobs, tmp_path, replace=True)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {job.name for job in jobs}
    assert all(stamps(tmp_path)[path] == before[path] for path in before if path.parent.name in kept)
    jobs = grid(data, dim=4)
    compare(jobs, tmp_path, replace=True)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {job.name for job in jobs}
    assert {path.name for path in (tmp_path / "datasets").iterdir()} == {"small.json", "small.npz"}
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["small"]
    assert json.loads((tmp_path / "study.json").read_text())["datasets"] == ["small"]


def test_replace_deletes_nothing_of_the_same_study(data, tmp_path):
    compare(grid(data, methods=["random", "mixed"]), tmp_path)
    before = stamps(tmp_path)
    compare(grid(data), tmp_path, replace=True)
    assert stamps(tmp_path) == before
    assert runs_of(tmp_path)["small", "mixed"] == 1


def test_a_study_that_has_trained_nothing_is_replaced_without_a_question(data, tmp_path):
    compare(grid(data, methods=["PopRec"]), tmp_path)
    compare(grid(data, dim=4), tmp_path)
    assert runs_of(tmp_path) == {("small", "random"): 1, ("small", "PopRec"): 1}


def test_a_checkpoint_is_not_thrown_away_without_a_question(data, tmp_path):
    def stop(job, epoch):
        if epoch is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(grid(data, epochs=9), tmp_path, watch=stop)
    (place,) = tmp_path.glob("runs/.*.unfinished")
    (place / "state.pt").touch()
    with pytest.raises(InputError, match=r"\(epochs: 9, now 2\)"):
        compare(grid(data, epochs=2), tmp_path)
    compare(grid(data, epochs=2), tmp_path, replace=True)
    assert not list(tmp_path.rglob(".*"))


def called(monkeypatch, capsys, *arguments):
    """Exit code, and what is said on stderr."""
    monkeypatch.setattr("sys.argv", ["negsample", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code or 0, capsys.readouterr().err


def test_the_command_refuses_before_it_tunes_and_replaces_when_asked(data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "study"
    small = ("--methods", "random", "--repeats", 1, "--epochs", 1, "--set", "dim=8", "--set", "max_length=8")
    small += ("--no-refit", "--terms", "none")
    command = ("compare", data.folder, "--out", out, *small)
    assert called(monkeypatch, capsys, *command) == (0, "")
    before = stamps(out)
    code, said = called(monkeypatch, capsys, *command, "--set", "dropout=0.5", "--tune-trials", 9)
    assert code == 2
    assert "holds a study of other settings (tune_trials: none, now 9; dropout: 0.2, now 0.5)" in said
    assert not (out / "tuning").exists()
    assert called(monkeypatch, capsys, *command, "--dial", "auto", "--repeats", 2)[0] == 0
    assert before.items() <= stamps(out).items()
    assert called(monkeypatch, capsys, *command, "--set", "dropout=0.5", "--replace") == (0, "")
    assert {path.parent.name.split("--")[1] for path in before.keys() & stamps(out).keys()} == {"PopRec"}
