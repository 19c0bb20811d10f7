"""A study killed at random moments, and one that several processes share: the numbers of a study left in peace."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

TUNED = ("--tune-trials", 2)
OF_TIME = ("seconds", "memory", "steps_per_second")


class Starter:
    """Command lines as forks, and what was trained by all of them."""

    def __init__(self, folder, surroundings, forks):
        self.trained_path = folder / "trained.jsonl"
        self.trained_path.touch()
        self._folder, self._number = folder, 0
        self._environment = surroundings | {"TRAINED": str(self.trained_path)}
        self._forks = forks

    def start(self, *arguments, **environment):
        self._number += 1
        output = self._folder / f"output-{self._number}"
        return self._forks.start(arguments, output, output, environment=self._environment | environment), output

    def wait(self, process):
        """How it ended, and what it said."""
        number, output = process
        code = self._forks.wait(number)
        return code, output.read_text() if output.exists() else ""  # it may be killed before it has one

    def kill(self, process):
        """It and its workers; whether it was still there to be killed."""
        os.killpg(process[0], signal.SIGKILL)  # before it is waited for there is such a group, dead or alive
        code, said = self.wait(process)
        assert code in (0, -signal.SIGKILL), said
        return code != 0

    def trained(self):
        """(what, training, epoch, process) in the order of time; what: trained or kept."""
        whole = self.trained_path.read_text().rpartition("\n")[0]
        return [tuple(json.loads(line)) for line in whole.splitlines()]

    def forget(self):
        """Forget what was trained until now."""
        self.trained_path.write_text("")

    def epochs(self):
        """How many different epochs were trained."""
        return len({(training, epoch) for _, training, epoch, _ in self.trained()})


@pytest.fixture(scope="module")
def every_start(tmp_path_factory, surroundings, forks):
    return Starter(tmp_path_factory.mktemp("starts"), surroundings, forks)


@pytest.fixture
def starter(every_start):
    every_start.forget()  # what earlier tests trained
    return every_start


class Undisturbed(NamedTuple):
    """A study left in peace: its folder, how often each (training, epoch) was trained, and the seconds it took."""

    folder: Path
    trained: Counter
    took: float


@pytest.fixture(scope="module")
def in_peace(every_start, log, small, tmp_path_factory):
    """``in_peace(tuned)``: the study that the others are compared with, made once; what was trained is forgotten."""

    @cache
    def make(tuned):
        folder = tmp_path_factory.mktemp("whole") / "whole"
        began = time.monotonic()
        code, said = every_start.wait(every_start.start(*study_in(folder, log, small, *(TUNED if tuned else ()))))
        assert code == 0, said
        took = time.monotonic() - began
        return Undisturbed(folder, trained_once(every_start), took)

    def give(tuned):
        every_start.forget()
        made = make(tuned)
        every_start.forget()
        return made

    return give


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if not any(word in key for word in OF_TIME)}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def table(path):
    frame = pl.read_csv(path)
    return frame.drop([name for name in frame.columns if any(word in name for word in OF_TIME)])


def numbers(out):
    """All that a study comes to, but for what it took: by the name of the file."""
    found = {}
    for path in out.rglob("*"):
        name = str(path.relative_to(out))
        if path.name in ("config.json", "metrics.json", "dial.json") or path.parent.name == "tuning":
            if path.suffix == ".json" and not path.name.endswith("checksums.json"):  # of files that have times
                found[name] = without_times(json.loads(path.read_text()))
        elif path.name == "log.jsonl":
            found[name] = [without_times(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.suffix in (".safetensors", ".npz"):
            found[name] = path.read_bytes()
        elif path.suffix == ".csv":
            found[name] = table(path).to_dicts()
    about = json.loads((out / "study.json").read_text())
    return found | {"study": {key: about[key] for key in ("runs", "methods", "repeats", "settings", "datasets")}}


def names(out):
    return sorted(path.name for path in (out / "runs").iterdir())


def assert_the_same_study(out, whole):
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == sorted(
        str(path.relative_to(whole)) for path in whole.rglob("*")
    )
    one, other = numbers(out), numbers(whole)
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == other[name], name
    assert not list(out.rglob(".*"))


def stage(out):
    """What a study is at, by what lies in its folder."""
    if (out / "report.html").exists():
        return "finished"
    done = {path.parent.name for path in out.glob("runs/[!.]*/metrics.json")}
    begun = [*out.glob("runs/.*.unfinished/state.pt")]
    if any(out.glob("runs/.*.unfinished/run/*")):
        return "measuring"
    if begun:
        return "training"
    if (out / "study.json").exists():
        return f"between runs, {len(done)} done" if len(done) < 5 else "reporting"
    return "tuning" if (out / "tuning").exists() else "starting"


def study_in(out, log, small, *more, methods="random,mixed"):
    return [
        "compare",
        log,
        "--methods",
        methods,
        "--repeats",
        2,
        "--epochs",
        10,
        "--early-stop",
        0,
        "--out",
        out,
        *small,
        *more,
    ]


def trained_once(starter):
    """Each epoch of each training, and that none was trained twice."""
    times = Counter((training, epoch) for what, training, epoch, _ in starter.trained() if what == "trained")
    assert set(times.values()) == {1}
    return times


@pytest.mark.parametrize(("at_once", "kills"), [(1, 6), (2, 3)])
def test_a_study_killed_at_random_moments_is_as_one_left_in_peace(
    at_once, kills, in_peace, starter, log, small, tmp_path
):
    whole, undisturbed, took = in_peace(tuned=True)
    out = tmp_path / "killed"
    command = study_in(out, log, small, *TUNED, "--jobs", at_once)
    chance = random.Random(at_once)
    stages = Counter()
    killed = 0
    while killed < kills:
        process = starter.start(*command, DRAWING="yes")
        patience = time.monotonic() + 2 * took
        if killed == 1:  # in the middle of a training, for sure
            while stage(out) != "training" and time.monotonic() < patience:
                time.sleep(0.002)
        else:
            if killed % 4:  # the others early; these when so much has been done, so that they fall all over the study
                reached = len(undisturbed) * killed / (kills - 1)
                while starter.epochs() < min(reached, len(undisturbed)) and time.monotonic() < patience:
                    time.sleep(0.01)
            time.sleep(chance.uniform(0, took / 15))
        if starter.kill(process):
            stages[stage(out)] += 1
            killed += 1
    print(dict(stages), len(starter.trained()), len(undisturbed))
    code, said = starter.wait(starter.start(*command))
    assert code == 0, said
    assert_the_same_study(out, whole)
    assert len(names(out)) == 5

    # Nothing that was kept is trained again, and a start goes on from there.
    last_kept, last_by, carried = defaultdict(int), {}, 0
    times = Counter()
    for what, training, epoch, by in starter.trained():
        if what == "kept":
            last_kept[training] = epoch
            continue
        assert epoch > last_kept[training], (training, epoch)
        times[training, epoch] += 1
        carried += training in last_by and last_by[training] != by and epoch > 1
        last_by[training] = by
    assert times.keys() == undisturbed.keys()
    assert carried or at_once > 1  # a worker takes longer to start than these trainings take: few are hit in the middle
    assert len(stages) >= 2, stages


def test_two_processes_share_a_study(in_peace, starter, log, small, tmp_path):
    whole, undisturbed, _ = in_peace(tuned=True)
    both = [starter.start(*study_in(tmp_path / "shared", log, small, *TUNED)) for _ in range(2)]
    ends = [starter.wait(process) for process in both]
    assert [code for code, _ in ends] == [0, 0], ends
    assert trained_once(starter) == undisturbed
    assert_the_same_study(tmp_path / "shared", whole)


def test_two_commands_that_overlap_share_a_study(in_peace, starter, log, small, tmp_path):
    first, trained, _ = in_peace(tuned=False)
    whole, shared = shutil.copytree(first, tmp_path / "whole"), tmp_path / "shared"
    assert starter.wait(starter.start(*study_in(whole, log, small, methods="random,in-batch")))[0] == 0
    undisturbed = trained | trained_once(starter)
    starter.forget()
    both = [starter.start(*study_in(shared, log, small, methods=each)) for each in ("random,mixed", "random,in-batch")]
    ends = [starter.wait(process) for process in both]
    assert [code for code, _ in ends] == [0, 0], ends
    assert trained_once(starter) == undisturbed
    assert names(shared) == names(whole)
    assert sorted(json.loads((shared / "study.json").read_text())["runs"]) == names(shared)
    assert set(table(shared / "table.csv")["method"]) == {"random", "mixed", "in-batch", "PopRec"}
    one, other = numbers(shared), numbers(whole)
    runs = [name for name in other if name.startswith("runs")]
    assert {name: one[name] for name in runs} == {name: other[name] for name in runs}
    assert not list(shared.rglob(".*"))


def test_what_a_killed_process_had_another_finishes(in_peace, starter, log, small, tmp_path):
    whole, shared = in_peace(tuned=False).folder, tmp_path / "shared"
    both = {each[0]: each for each in (starter.start(*study_in(shared, log, small)) for _ in range(2))}
    kept: list[int] = []
    patience = time.monotonic() + 100
    while not kept and time.monotonic() < patience:  # until one of them has kept the state of a training
        kept = [by for what, _, _, by in starter.trained() if what == "kept" and by in both]
        time.sleep(0.01)
    assert starter.kill(both.pop(kept[0]))
    (other,) = both.values()
    code, said = starter.wait(other)
    assert code == 0, said
    assert_the_same_study(shared, whole)


def test_a_run_that_another_process_trains_is_refused(starter, log, small, tmp_path):
    out = tmp_path / "run"
    command = ["train", log, "--method", "random", "--epochs", 400, "--early-stop", 0, "--out", out, *small]
    first = starter.start(*command)
    patience = time.monotonic() + 100
    while not starter.trained() and time.monotonic() < patience:
        time.sleep(0.01)
    code, said = starter.wait(starter.start(*command))
    assert code == 2
    assert f"error: another process is making {out}; wait for it, or choose another --out" in said
    assert not out.exists()
    assert starter.kill(first)
    assert max(epoch for _, _, epoch, _ in starter.trained()) < 400


def test_a_run_killed_in_its_refit_goes_on_with_it(starter, log, small_refitted, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "killed"
    command = ["train", log, "--method", "random", "--epochs", 60, "--set", "eval_every=60", *small_refitted, "--out"]
    assert starter.wait(starter.start(*command, whole))[0] == 0
    starter.trained_path.write_text("")

    def refits():
        return ["refit" in json.loads(training) for what, training, *_ in starter.trained() if what == "trained"]

    process, patience = starter.start(*command, out), time.monotonic() + 100
    while not any(refits()) and time.monotonic() < patience:
        time.sleep(0.01)
    assert starter.kill(process)
    assert not out.exists()
    starter.trained_path.write_text("")
    code, said = starter.wait(starter.start(*command, out))
    assert code == 0, said
    assert set(refits()) == {True}, "what was before the refit is not trained again"
    for name in ("model.safetensors", "model_before_refit.safetensors", "ranks.npz"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    for name in ("log.jsonl", "refit.jsonl"):
        one, other = ([json.loads(line) for line in (each / name).read_text().splitlines()] for each in (out, whole))
        assert without_times(one) == without_times(other)
        assert len(one) == 60
