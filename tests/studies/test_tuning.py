"""The search for settings: the same budget, validation alone, the same trials however often it was stopped."""

from __future__ import annotations

import json
import shlex
import sys

import numpy as np
import optuna
import pytest
from by_hand import with_events
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from negsample import FailedError, InputError, cli, run_settings
from negsample.cli.commands import command_to_train
from negsample.cli.given import settings_of
from negsample.comparison import compare
from negsample.methods import METHODS, negative_settings
from negsample.methods.fields import OneOf, Real
from negsample.methods.spaces import OF_TRAINING
from negsample.runs.job import Job, tuned_job
from negsample.runs.shortage import WAYS_OUT
from negsample.runs.tunings import Trial
from negsample.settings import ADVISED, PrepareSettings, checked
from negsample.studies import tuning, tuning_task
from negsample.studies.search import STARTUP
from negsample.studies.study import plan
from negsample.studies.tuning import check_alone, plan_tunings, tune_all, write_best
from negsample.studies.tuning_task import Tuning, _warm_up
from negsample.training import checkpoint
from negsample.training.state import Epoch

SETTINGS = run_settings(epochs=3, max_length=8, dim=8, blocks=1)


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


@pytest.fixture(autouse=True)
def after_each_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint, "_SHARE", 0)


def tuning_of(data, folder, *, method="random", trials=6, settings=SETTINGS, changes=None, given=()):
    (found,) = plan_tunings(
        [data],
        [method],
        trials=trials,
        seed=0,
        settings=settings,
        changes=changes or {},
        given=given,
        folder=folder,
    )
    return found


def rates(data, folder, low, high, *, trials=4, settings=SETTINGS):
    """A search of the learning rate alone, in a range of its own."""
    job = Job(data, "random", 7, settings, negative_settings("random", {}))
    return Tuning(job, {"learning_rate": Real(low, high)}, trials, folder)


def done(search):
    """Its trials, without what they took."""
    return [trial.model_copy(update={"seconds": 0.0}) for trial in search.trials()]


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    search = tuning_of(data, tmp_path_factory.mktemp("tuning"))
    tune_all([search])
    return search


def test_every_method_gets_as_many_trials_from_one_start(data, tmp_path):
    searches = plan_tunings(
        [data],
        ["random", "PopRec", "in-batch"],
        trials=4,
        seed=0,
        settings=SETTINGS,
        changes={},
        given=[],
        folder=tmp_path,
    )
    assert [search.job.method for search in searches] == ["random", "in-batch"]
    best = tune_all(searches)
    for search in searches:
        trials = search.trials()
        assert [trial.number for trial in trials] == [0, 1, 2, 3]
        assert {trial.state for trial in trials} == {"complete"}  # none is pruned before there are four
        assert {trial.epochs for trial in trials} == {SETTINGS.training.epochs}
        first = search.job.settings.flat() | search.job.negatives
        for key, value in trials[0].params.items():
            assert value == first[key], "the first trial is the defaults"
        assert len({json.dumps(trial.params) for trial in trials}) == 4
        value = max(trial.value for trial in trials)
        assert best["small", search.job.method] == next(trial.params for trial in trials if trial.value == value)


def test_a_summary_says_what_was_tried(finished):
    summary = json.loads(finished.path.read_text())
    assert (summary["planned"], summary["method"], summary["objective"]) == (6, "random", "hr@10")
    assert [trial["number"] for trial in summary["trials"]] == list(range(6))
    assert summary["best"]["value"] == finished.best().value
    assert {path.suffix for path in finished.folder.iterdir()} == {".json", ".log"}


def test_test_events_change_nothing(data, finished, tmp_path):
    items = np.array(data.items)
    of_test = np.concatenate([np.arange(*each) for each in zip(data.valid_ends, data.offsets[1:], strict=True)])
    assert len(of_test)
    items[of_test] = data.catalogue_size + 1 - items[of_test]
    other = tuning_of(with_events(data, items, data.times), tmp_path)
    tune_all([other])
    assert done(other) == done(finished)


def test_validation_events_do(data, finished, tmp_path):
    items = np.array(data.items)
    of_valid = np.concatenate([np.arange(*each) for each in zip(data.train_ends, data.valid_ends, strict=True)])
    items[of_valid] = data.catalogue_size + 1 - items[of_valid]
    other = tuning_of(with_events(data, items, data.times), tmp_path)
    tune_all([other])
    assert done(other) != done(finished)


def test_stopped_at_every_moment_it_tries_the_same(data, finished, tmp_path):
    search = tuning_of(data, tmp_path)
    heard, stops = set(), 0

    def stop_at_news(said):
        moment = (said.number, "done") if isinstance(said, Trial) else (said[0], said[1][0])
        if moment not in heard:
            heard.add(moment)
            raise StoppedError

    while stops < 100:
        try:
            search.run(stop_at_news)
        except StoppedError:
            stops += 1
        else:
            break
    assert stops == sum(trial.epochs + 1 for trial in finished.trials())
    assert done(search) == done(finished)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("when", ["before a trial is kept", "after it", "before the summary"])
def test_stopped_while_it_writes_it_tries_the_same(when, data, finished, tmp_path, monkeypatch):
    search, calls = tuning_of(data, tmp_path), []
    name = "write_json" if when == "before the summary" else "keep_trial"
    really = getattr(tuning_task, name)

    def stopping(*arguments):
        calls.append(arguments)
        if when == "after it":
            really(*arguments)
        if len(calls) % 2:
            raise StoppedError
        if when != "after it":
            really(*arguments)

    monkeypatch.setattr(tuning_task, name, stopping)
    for _ in range(20):
        try:
            search.run(lambda said: None)
        except StoppedError:
            continue
        break
    assert len(calls) >= 6
    assert done(search) == done(finished)
    assert len(json.loads(search.path.read_text())["trials"]) == 6


def test_a_line_that_was_cut_off_is_no_damage(data, finished, tmp_path):
    tune_all([tuning_of(data, tmp_path, trials=2)])
    listed = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    search = tuning_of(data, tmp_path, trials=3)
    tune_all([search])
    (journal,) = tmp_path.glob("*.optuna.log")
    journal.write_bytes(journal.read_bytes()[:-40])  # killed while the third trial was written
    for path, content in listed.items():
        path.write_bytes(content)
    assert done(search) == done(finished)[:2]
    tune_all([search])
    assert done(search) == done(finished)[:3]


def test_looking_writes_nothing(finished):
    (journal,) = finished.folder.glob("*.optuna.log")
    before = journal.read_bytes()
    finished.trials()
    finished.best()
    assert journal.read_bytes() == before


def test_more_trials_carry_on(data, finished, tmp_path):
    tune_all([tuning_of(data, tmp_path, trials=4)])
    more = tuning_of(data, tmp_path, trials=6)
    tune_all([more])
    assert done(more) == done(finished)
    fewer = tuning_of(data, tmp_path, trials=4)
    tune_all([fewer])
    assert done(fewer) == done(finished)[:4]


def test_what_a_person_gives_is_not_searched(data, tmp_path):
    given = SETTINGS.replaced(learning_rate=0.02)
    search = tuning_of(
        data, tmp_path, trials=2, settings=given, given=["learning_rate"], changes={"draws_per": "batch"}
    )
    assert set(search.space) == {"batch_size", "random_negatives"}
    best = tune_all([search])["small", "random"]
    assert set(best) == {"batch_size", "random_negatives"}
    assert tuned_job(search.job, best).settings.training.learning_rate == 0.02
    assert set(tuning_of(data, tmp_path, changes={"random_negatives": 5}).space) == set(OF_TRAINING)


def test_nothing_left_to_search_is_refused(data, tmp_path):
    with pytest.raises(InputError, match="nothing is left to tune for random"):
        tuning_of(data, tmp_path, given=list(OF_TRAINING), changes={"random_negatives": 5})


def test_a_trial_that_diverges_is_told_and_the_search_goes_on(data, tmp_path):
    search = rates(data, tmp_path, 1e-3, 1e30)
    found = tune_all([search])["small", "random"]
    trials = search.trials()
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    failed = [trial for trial in trials if trial.state == "failed"]
    assert failed
    assert all("diverged" in trial.error and trial.value is None for trial in failed)
    assert trials[0].state == "complete"
    assert found in [trial.params for trial in trials if trial.state == "complete"]


def test_when_all_trials_fail_that_is_told(data, tmp_path):
    search = rates(data, tmp_path, 1e29, 1e30, trials=2)
    with pytest.raises(FailedError, match=r"small random: none of 2 trials .* could be trained; the last: .*diverged"):
        tune_all([search])
    why = {}
    assert tune_all([search], failed=why) == {}
    assert "the setting most likely at fault is learning_rate=" in why["small", "random"]
    assert json.loads(search.path.read_text())["best"] is None


def test_bad_trials_are_stopped_early_and_that_is_told(data, tmp_path):
    settings = SETTINGS.replaced(epochs=6, batch_size=16)
    search = rates(data, tmp_path, 1e-7, 3e-2, trials=12, settings=settings)
    said = []
    tune_all([search], watch=lambda of, each: said.append(each))
    pruned = [trial for trial in search.trials() if trial.state == "pruned"]
    assert pruned
    assert all(2 <= trial.epochs < 6 and trial.number >= STARTUP - 1 for trial in pruned)
    assert [each for each in said if each in pruned] == pruned
    assert search.best().state == "complete"


def test_optuna_opens_the_journal(finished):
    (journal,) = finished.folder.glob("*.optuna.log")
    study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(journal))))
    assert [trial.params for trial in study.trials] == [trial.params for trial in finished.trials()]
    assert study.best_value == finished.best().value
    assert [len(trial.intermediate_values) for trial in study.trials] == [trial.epochs for trial in finished.trials()]


@pytest.mark.parametrize("line", ["nonsense\n", "5\n", "{}\n", '{"op_code": 4}\n', "[" * 100_000 + "\n"])
def test_a_damaged_journal_is_told(line, data, tmp_path):
    search = tuning_of(data, tmp_path, trials=2)
    tune_all([search])
    (journal,) = tmp_path.glob("*.optuna.log")
    first, *rest = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([first, line, *rest]))
    with pytest.raises(InputError, match=rf"{journal.name} is damaged .*delete .*: the same command searches anew"):
        search.trials()
    journal.write_text("".join([first, *rest, line, line]))  # appended since the list was made
    with pytest.raises(InputError, match=r"is damaged .*delete the files of its name, and the search starts anew"):
        search.trials()


def test_one_digit_of_a_journal_is_noticed(data, tmp_path):
    search = tuning_of(data, tmp_path, trials=2)
    tune_all([search])
    (journal,) = tmp_path.glob("*.optuna.log")
    whole = journal.read_text()
    place = whole.index("0.0")
    journal.write_text(f"{whole[:place]}1{whole[place + 1 :]}")
    with pytest.raises(InputError, match=rf"{journal.name} is damaged .*its checksum is another"):
        search.trials()


def test_a_damaged_state_is_told_and_is_no_failed_trial(data, finished, tmp_path):
    search = tuning_of(data, tmp_path, trials=2)

    def stop(said):
        if said[1] != 1 and said[1].epoch == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        search.run(stop)
    (state,) = tmp_path.glob(".*/state.pt")
    state.write_bytes(b"nothing")
    with pytest.raises(InputError, match="is damaged"):
        search.run(lambda said: None)
    assert search.trials() == []
    state.unlink()
    search.run(lambda said: None)
    assert done(search) == done(finished)[:2]


@pytest.mark.usefixtures("no_report")
def test_a_study_trains_what_was_found_with_paired_seeds(data, tmp_path):
    methods = ["random", "in-batch"]
    searches = plan_tunings(
        [data], methods, trials=3, seed=0, settings=SETTINGS, changes={}, given=[], folder=tmp_path / "tuning"
    )
    best = tune_all(searches)
    jobs = plan([data], methods, repeats=2, seed=0, settings=SETTINGS, tuned=best)
    compare(jobs, tmp_path)
    seeds = {method: [] for method in methods}
    for path in sorted(tmp_path.glob("runs/*/config.json")):
        config = json.loads(path.read_text())
        if config["method"] in methods:
            seeds[config["method"]].append(config["seed"])
            chosen = config["settings"] | config["negatives"]
            assert best["small", config["method"]].items() <= chosen.items()
    assert seeds == {method: [0, 1] for method in methods}
    assert not {search.job.seed for search in searches} & {0, 1}


def test_another_search_is_not_put_into_the_same_folder(data, tmp_path):
    first = tuning_of(data, tmp_path, trials=1)
    tune_all([first])
    check_alone(tuning_of(data, tmp_path, trials=9))
    for given, words in (
        ({"settings": SETTINGS.replaced(dim=4)}, "dim: 8, now 4"),
        ({"changes": {"draws_per": "batch"}}, "draws_per: sequence, now batch"),
        ({"method": "in-batch"}, "method: random, now in-batch"),
    ):
        with pytest.raises(InputError, match=rf"holds a search by other settings \({words}"):
            check_alone(tuning_of(data, tmp_path, **given))


def test_the_best_is_written_whole(finished):
    path = write_best(finished)
    best = json.loads(path.read_text())
    path.unlink()
    assert best["params"] == finished.best().params
    assert (best["settings"] | best["negatives"]).items() >= best["params"].items()
    assert (best["value"], best["trials"], best["method"]) == (finished.best().value, 6, "random")


def test_of_trials_that_hit_alike_the_best_is_by_ndcg_and_then_the_first(data, tmp_path, monkeypatch):
    """Where V is near 10 every trial hits everything."""
    ndcgs = iter([(0.3, 0.2), (0.5, 0.7), (0.7, 0.6), (0.7, 0.7)])

    def trained(job, place, watch):
        for epoch, ndcg in enumerate(next(ndcgs), 1):
            watch(Epoch(epoch, 1.0, 1.0, 1, {"hr@10": 1.0, "ndcg@10": ndcg}))

    monkeypatch.setattr(tuning_task, "fit_trial", trained)
    search = rates(data, tmp_path, 1e-4, 1e-2)
    tune_all([search])
    assert [(each.best_epoch, each.ndcg) for each in search.trials()] == [(1, 0.3), (2, 0.7), (1, 0.7), (1, 0.7)]
    assert search.best().number == 1
    assert json.loads(search.path.read_text())["best"]["number"] == 1
    assert json.loads(write_best(search).read_text())["trial"] == 1


def called(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["negsample", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


SMALL = [
    "--epochs",
    3,
    "--set",
    "dim=8",
    "--set",
    "blocks=1",
    "--set",
    "max_length=8",
    "--no-refit",
    "--set",
    "fit_terms=false",
]


def test_the_command_tunes(data, tmp_path, monkeypatch, capsys):
    out = tmp_path / "tuned"
    code, said, wrong = called(
        monkeypatch, capsys, "tune", data.folder, "--method", "random", "--trials", 2, "--out", out, *SMALL
    )
    assert (code, wrong) == (0, "")
    assert "trial 2/2" in said
    assert str(out / "best.json") in said
    assert json.loads((out / "best.json").read_text())["trials"] == 2


ODD = ["--user", "who is", "--item", "what", "--time", "at", "--split", "paper", "--valid-fraction", 0.1]
ODD += ["--test-fraction", 0.2, "--min-user-events", 2, "--min-item-events", 2, "--cold", "drop", "--keep-missing-ids"]
ODD += [
    "--no-refit",
    "--set",
    "fit_terms=false",
    "--epochs",
    2,
    "--seed",
    3,
    "--set",
    "dim=8",
    "--set",
    "blocks=1",
    "--set",
    "max_length=8",
]
ODD += ["--set", "history=rolling", "--set", "dropout=0.125", "--set", "not_kept=zero", "--set", "filter_seen=true"]


def test_the_command_that_is_printed_trains_that_very_model(tmp_path, monkeypatch, capsys):
    """Columns, split, epochs, every setting and the seed: the run is the best trial, whatever was given."""
    chance, log = np.random.default_rng(0), tmp_path / "a log.csv"
    pairs = chance.integers(0, (30, 25), (500, 2))
    rows = [f"u{user},i{item},{1_600_000_000 + 3600 * place}" for place, (user, item) in enumerate(pairs)]
    log.write_text("\n".join(["who is,what,at", *rows]) + "\n")
    out = tmp_path / "tuned"
    asked = ["tune", log, "--method", "adaptive-mixed", "--trials", 2, "--out", out, *ODD]
    code, said, wrong = called(monkeypatch, capsys, *asked)
    assert (code, wrong) == (0, "")
    (line,) = [each for each in said.splitlines() if each.startswith("Train it: negsample train ")]
    command = shlex.split(line.removeprefix("Train it: negsample "))
    assert command[-2:] == ["--out", "RUN"]
    code, _, wrong = called(monkeypatch, capsys, *command[:-1], tmp_path / "run")
    assert (code, wrong) == (0, "")
    best, config = (json.loads((tmp_path / name).read_text()) for name in ("tuned/best.json", "run/config.json"))
    same = ("dataset", "dataset_fingerprint", "method", "settings", "negatives")
    assert {key: config[key] for key in same} == {key: best[key] for key in same}
    assert config["seed"] == tuning.SEED + 3
    assert json.loads((tmp_path / "run/metrics.json").read_text())["best_epoch"] == best["best_epoch"]
    log_of_run = [json.loads(each) for each in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert max(each["valid"]["hr@10"] for each in log_of_run) == best["value"]  # the same model, bit for bit


@pytest.mark.parametrize("method", METHODS)
def test_a_command_has_every_setting_that_is_not_the_default(method, data):
    """Every method, with some settings of training and every searched one changed, through the options' own parser."""
    space = METHODS[method].space
    params = {key: each.values[-1] if isinstance(each, OneOf) else each.high for key, each in space.items()}
    settings = replace_settings(
        SETTINGS, table="rows", precision="bfloat16", oversampling_factor=3, dropout=0.123456789
    )
    job = tuned_job(Job(data, method, 5, settings, negative_settings(method, {})), {**params, "learning_rate": 1 / 3})
    words = shlex.split(command_to_train("LOG", checked(PrepareSettings, {}), job))
    changes = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    epochs, early_stop = (int(words[words.index(name) + 1]) for name in ("--epochs", "--early-stop"))
    again, negatives, _ = settings_of(epochs, changes, common=ADVISED, early_stop=early_stop)
    assert again == job.settings
    assert negative_settings(method, negatives) == job.negatives
    assert words[:3] == ["negsample", "train", "LOG"]


def replace_settings(settings, **changes):
    return run_settings(**(settings.flat() | changes))


@pytest.mark.parametrize("method", ["PopRec", "random,mixed"])
def test_the_command_refuses_what_cannot_be_tuned(method, data, tmp_path, monkeypatch, capsys):
    code, _, wrong = called(
        monkeypatch, capsys, "tune", data.folder, "--method", method, "--trials", 2, "--out", tmp_path / "x"
    )
    assert code == 2
    assert wrong.startswith("error: tune takes one method that is trained")


def test_the_command_compares_what_it_found(data, tmp_path, monkeypatch, capsys):
    options = ["--methods", "random", "--repeats", 2, "--tune-trials", 2, "--out", tmp_path / "study"]
    code, _, wrong = called(monkeypatch, capsys, "compare", data.folder, *options, *SMALL)
    assert (code, wrong) == (0, "")
    (summary,) = (tmp_path / "study" / "tuning").glob("*[!s].json")
    best = json.loads(summary.read_text())["best"]["params"]
    configs = [json.loads(path.read_text()) for path in (tmp_path / "study").glob("runs/*--random--*/config.json")]
    assert sorted(config["seed"] for config in configs) == [0, 1]
    assert all(best.items() <= (config["settings"] | config["negatives"]).items() for config in configs)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_searched_is_a_setting_and_lies_around_its_default(method):
    row = METHODS[method]
    defaults = run_settings().flat() | negative_settings(method, {})
    assert set(OF_TRAINING) <= set(row.space)
    for key, space in row.space.items():
        assert key in defaults, key
        if isinstance(space, OneOf):
            assert defaults[key] in space.values
        else:
            assert space.low <= defaults[key] <= space.high
            assert space.low < space.high


def test_a_trial_that_breaks_is_told_and_the_search_goes_on(data, tmp_path, monkeypatch):
    fit, calls = tuning_task.fit_trial, []

    def short(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return fit(*arguments)

    monkeypatch.setattr(tuning_task, "fit_trial", short)
    search = tuning_of(data, tmp_path, trials=2)
    tune_all([search])
    assert [(trial.state, trial.error) for trial in search.trials()] == [("failed", WAYS_OUT), ("complete", None)]


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [
        ({"epochs": 20}, 6),
        ({"epochs": 3}, 2),
        ({"epochs": 100, "early_stop": 5}, 5),
        ({"epochs": 100, "early_stop": 5, "eval_every": 4}, 20),
        ({"epochs": 12, "early_stop": 9}, 4),
        ({"epochs": 12, "early_stop": 11}, 4),  # it stops nothing
        ({"epochs": 100, "early_stop": 1}, 2),
    ],
)
def test_a_trial_is_spared_for_a_third_of_its_epochs_or_while_it_may_wait(settings, epochs):
    assert _warm_up(run_settings(**settings)) == epochs
