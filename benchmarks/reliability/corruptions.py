"""Files of a dataset, a study, its runs and tunings, and of a stopped training, damaged one at a time."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.reliability.small import SETTINGS, write_log
from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table
from negsample.comparison import compare
from negsample.data.arrays import ARRAYS
from negsample.data.load import load_dataset
from negsample.data.log.read import read_log
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.execution.attempts import run_job, run_jobs
from negsample.files.checksums import GROWING, LIST
from negsample.files.claims import place_of
from negsample.runs.folder import read_ranks
from negsample.runs.job import Job
from negsample.runs.remeasure import remeasure
from negsample.settings import PrepareSettings, checked, run_settings
from negsample.studies.study import plan
from negsample.studies.tuning import plan_tunings, tune_all
from negsample.studies.verify import verify
from negsample.training import checkpoint

WHAT = (
    "a file of a prepared dataset, study, run, tuning or stopped training is damaged (a bit, a digit, a header, the"
    " end, all of it; nested or endless JSON; the same file of another run in its place), and read again"
)
COUNT = 1000
TEST = "tests/benchmarks/test_reliability.py::test_damaged_files_are_named"

TOLD = "named by the command"
VERIFIED = "named by `negsample verify`, and not used for any result"
HARMLESS = "computed again, with the same result"
"""A state of a training that is gone, or half a line at the end of a journal."""


OUTCOMES = (TOLD, VERIFIED, HARMLESS, "silent", "traceback", "unnamed")


class Place(NamedTuple):
    """``files`` of one kind; ``numbers``: a digest of all that come of the command that reads one of them; ``share``:
    how often they are damaged, by what that takes."""

    name: str
    folder: Path
    files: list[Path]
    numbers: Callable[[Path], str]
    share: int


class _StoppedError(Exception):
    pass


def measure(count: int, seed: int) -> dict[str, dict[str, int]]:
    """Damage ``count`` times one file; what came of it, by what it is a file of."""
    chance, found = random.Random(seed), dict[str, Counter[str]]()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        places = [each for each in _places(Path(scratch)) for _ in range(each.share)]
        before: dict[tuple[int, Path], str] = {}
        tried = 0
        while tried < count:
            number = tried % len(places)
            place = places[number]
            path = chance.choice(place.files)
            expected = before.get((number, path.parent)) or place.numbers(path)
            before[number, path.parent] = expected
            others = [each for each in place.files if each.name == path.name and each != path]
            damage = chance.choice([each for each in DAMAGES if each is not _swapped or others])
            whole = path.read_bytes()
            damaged = _swapped(whole, chance, others) if damage is _swapped else damage(whole, chance)
            if damaged == whole:
                continue
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            outcome = _outcome(place, path, expected)
            found.setdefault(place.name, Counter(dict.fromkeys(OUTCOMES, 0)))[outcome] += 1
            if outcome not in (TOLD, VERIFIED, HARMLESS):
                print(outcome, path, damage.__name__, flush=True)
            path.write_bytes(whole)
            tried += 1
    return {name: dict(outcomes) for name, outcomes in sorted(found.items())}


def _outcome(place: Place, path: Path, before: str) -> str:
    try:
        if place.numbers(path) != before:
            return "silent"
    except InputError as error:
        return TOLD if str(path) in str(error) else "unnamed"
    except Exception as error:
        return f"traceback {type(error).__name__}"
    try:
        told = [sentence for found in verify(place.folder) for sentence in found.damaged]
    except Exception as error:
        return f"traceback {type(error).__name__}"
    if any(str(path) in sentence for sentence in told):
        return VERIFIED
    if (path.name == "state.pt" and not path.exists()) or (path.name.endswith(GROWING) and path.exists()):
        return HARMLESS
    return "unnamed"


def _flipped(whole: bytes, chance: random.Random) -> bytes:
    if not whole:
        return b"\x00"
    place = chance.randrange(len(whole))
    return whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]


def _flipped_header(whole: bytes, chance: random.Random) -> bytes:
    return _flipped(whole[:128], chance) + whole[128:]


def _digit(whole: bytes, chance: random.Random) -> bytes:
    digits = [each.start() for each in re.finditer(rb"[0-9]", whole[:100_000])]
    if not digits:
        return whole
    place = chance.choice(digits)
    return whole[:place] + str(chance.randrange(10)).encode() + whole[place + 1 :]


def _cut(whole: bytes, chance: random.Random) -> bytes:
    return whole[: chance.randrange(len(whole) + 1)]


def _longer(whole: bytes, chance: random.Random) -> bytes:
    return whole + chance.randbytes(chance.randint(1, 99))


def _emptied(whole: bytes, chance: random.Random) -> bytes:
    return b""


def _deleted(whole: bytes, chance: random.Random) -> None:
    return None


def _nested(whole: bytes, chance: random.Random) -> bytes:
    return chance.choice([b"[", b'{"a":']) * 100_000


def _endless_number(whole: bytes, chance: random.Random) -> bytes:
    return b"9" * 5000


def _noise(whole: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(len(whole))


def _swapped(whole: bytes, chance: random.Random, others: list[Path] = []) -> bytes:  # noqa: B006
    """The content of the same file of another run."""
    return chance.choice(others).read_bytes()


DAMAGES: tuple[Callable[..., bytes | None], ...] = (
    *(_flipped, _flipped, _digit, _digit, _flipped_header, _swapped, _swapped),
    *(_cut, _longer, _emptied, _deleted, _nested, _endless_number, _noise),
)


def _places(scratch: Path) -> Iterator[Place]:
    log = write_log(scratch / "log.csv")
    data = prepare(read_log(log), checked(PrepareSettings, {}), scratch / "data")
    yield Place("a prepared dataset", data.folder, _files(data.folder), lambda _: _of_dataset(data.folder), 3)

    settings, out = run_settings(**SETTINGS), scratch / "study"
    (tuning,) = plan_tunings(
        [data], ["random"], trials=3, seed=0, settings=settings, changes={}, given=[], folder=out / "tuning"
    )
    found = tune_all([tuning])
    jobs = plan([data], ["random", "mixed"], repeats=2, seed=0, settings=settings, tuned=found)
    compare(jobs, out, note={"tunings": [tuning.stem]})
    tunings = [path for path in _files(out) if path.parent == out / "tuning"]
    of_runs = [path for path in _files(out) if path.parent.parent == out / "runs"]
    models = [path for path in of_runs if path.name == "model.safetensors"]
    written = [path for path in _files(out) if path not in {*tunings, *of_runs}]
    yield Place("a study", out, written, lambda _: _of_study(out), 2)
    yield Place("a run", out, of_runs, lambda _: _of_study(out), 4)
    yield Place("a tuning", out, tunings, lambda _: _of_study(out) + repr(tuning.trials()), 2)
    yield Place("a saved model", out, models, lambda path: _of_model(path.parent, scratch / "again"), 1)

    job, stopped = jobs[-1], scratch / "stopped" / "run"
    share, checkpoint._SHARE = checkpoint._SHARE, 0  # a state after every epoch
    with_state = place_of(stopped)

    def stop(_: Job, epoch: Any) -> None:
        if epoch.epoch == 3:
            raise _StoppedError

    with suppress(_StoppedError):
        run_jobs([job], [stopped], watch=stop)
    checkpoint._SHARE = share
    state = torch.load(with_state / "state.pt", weights_only=True)
    best = f"best-{state['trainings'][0]['best'][0]}.pt"  # another one may be of an epoch that is trained again
    files = [with_state / each for each in ("state.pt", LIST, best)]
    yield Place("a stopped training", stopped.parent, files, lambda _: _of_training(job, stopped), 1)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _of_dataset(folder: Path) -> str:
    data = load_dataset(folder)
    digest = hashlib.sha256(data.manifest.model_dump_json().encode())
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(getattr(data, name)).data)
    digest.update(str(data.user_ids().to_list() + data.item_ids().to_list()).encode())
    return digest.hexdigest()


def _of_study(out: Path) -> str:
    """What a report is made of."""
    study = read_study(out)
    digest = hashlib.sha256(study_table(study).write_csv().encode())
    digest.update(repr((study.about, study.manifests, study.listed, study.tunings)).encode())
    for run in study.runs:
        grid = study.grids[run.folder]
        digest.update(repr((run.config, run.metrics, run.log, grid)).encode())
        for ranks in read_ranks(run.folder, len(grid.betas)).values():
            digest.update(np.ascontiguousarray(ranks).data)
    for events in (each for folds in study.events.values() for each in folds):
        for array in events.values():
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _of_model(run: Path, folder: Path) -> str:
    """What is measured again from a saved model; in a copy, since that writes."""
    copy = folder / run.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    try:
        remeasure(copy)
    except InputError as error:
        raise InputError(str(error).replace(str(copy), str(run))) from None
    return (copy / "metrics.json").read_text()


def _of_training(job: Job, stopped: Path) -> str:
    """What comes of it when it is carried on, in a copy."""
    copy = stopped.parent.with_name("carried-on")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(stopped.parent, copy)
    try:
        run_job(job, copy / stopped.name)
    except InputError as error:
        raise InputError(str(error).replace(str(copy), str(stopped.parent))) from None
    run = copy / stopped.name
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    figures = [(each["epoch"], each["loss"], each.get("valid")) for each in log]
    return hashlib.sha256((run / "model.safetensors").read_bytes() + repr(figures).encode()).hexdigest()
