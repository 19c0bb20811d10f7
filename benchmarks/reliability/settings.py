"""Generated settings of training and of the methods: each ends in a result or in one line that says what is wrong.

Every setting is drawn from usual values, from the edges of numbers and from wrong types, and comes in through the door
of the command line (``--set KEY=VALUE``, a study's plan, the forecast, a run's folder) or through that of Python
(``RunSettings``, ``build_method``, ``fit``, ``evaluate``). Tried in processes of their own, so that one that dies or
hangs is counted.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, NamedTuple, get_args

import numpy as np
import polars as pl
import torch

from negsample import Dataset, PrepareSettings, evaluate, fit, plan, prepare, read_log
from negsample.cli.given import settings_of
from negsample.errors import FailedError
from negsample.execution.attempts import run_job
from negsample.methods import METHODS, POPREC, build_method, catalogue_of, known_settings, negative_settings
from negsample.runs.folder import read_run
from negsample.runs.job import Job, build_model
from negsample.settings import is_run_setting, run_settings, setting_fields
from negsample.studies.forecast.fits import check_fits
from negsample.training.divergence import DivergedError

WHAT = "settings of training and of all methods: usual values, extreme numbers, wrong types; by command and in Python"
COUNT = 2000
TEST = "tests/benchmarks/test_settings_at_the_edge.py::test_settings_end_in_a_result_or_in_one_line"

DONE, REFUSED, FAILED = "trained and measured", "refused in one line", "failed in training, with a message"
ILL = ("traceback", "silent (a metric or weight that is not a number)", "lost (it died, or took over 20 s)")
SECONDS = 20.0  # of a processor
_READY = "ready"
_SILENT, _LOST = ILL[1], ILL[2]

_SMALL: dict[str, Any] = {"epochs": 1, "batch_size": 16, "dim": 8, "max_length": 6}
_FEW = {"random_negatives": 9, "popularity_negatives": 9, "bank_size": 20, "warm_up": 1}
_NUMBERS: list[Any] = [0, -1, 1, 2, 3, 7, 0.5, 0.999999, 1.5, 100, 1000, 65536, 2**31 - 1, 2**31, 10**20]
_NUMBERS += [1e308, -1e308, 5e-324, 1e38, 3.5e38, 1e-38, 1e-45, 1e-300, 1e20, -0.0, math.nan, math.inf, -math.inf]
_OTHERS: list[Any] = [
    "",
    " ",
    "all",
    "ALL",
    "1e3",
    "nan",
    "Infinity",
    "0x10",
    "true",
    "\u0436",
    "\x00",
    "1 2",
    "'; DROP",
]
_OTHERS += ["a" * 10_000, "1" * 400, "9" * 5000, True, False, {}, {"a": 1}, [], [1], [1, "a", 2], [[1], [2], [3]]]
_OTHERS += [[1, 1, 1], [1e308, 1e308, 1], [0, 0, 0], [0, 1, 0], [5e-324, 0, 0], [-1, 1, 1], [math.nan, 1, 1]]


def _words(annotation: Any) -> set[str]:
    """Those that a setting knows."""
    parts = get_args(annotation)
    return {each for each in parts if isinstance(each, str)}.union(*(_words(each) for each in parts))


_FIELDS = setting_fields() | known_settings()
_WORDS = sorted(set().union(*(_words(field.annotation) for field in _FIELDS.values())))


class Try(NamedTuple):
    """One attempt: by ``command`` or ``python``, of which method, with which settings."""

    door: str
    method: str
    given: dict[str, Any]


def drawn(seed: int, number: int) -> Try:
    """The attempt of this number: one to four settings, mostly those that the method has."""
    chance = random.Random(f"settings/{seed}/{number}")
    method = chance.choice([*METHODS, POPREC])
    own = [] if method == POPREC else list(METHODS[method].defaults)
    every = list(_FIELDS)
    given = {}
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
        pool = every if chance.random() < 0.05 else chance.choice((list(setting_fields()), own or every))
        key = chance.choice(pool) if chance.random() > 0.01 else chance.choice(("", "epoch", "Ж", "dim "))
        given[key] = _value(chance, key)
        if key in ("epochs", "blocks") and isinstance(given[key], int) and given[key] >= 100:
            given[key] = 5  # more take long because that is what was asked for
    if chance.random() < 0.5 and any(key.startswith("table_") for key in given):
        given["table"] = "rows"
    return Try(chance.choice(("command", "python")), method, given)


def _value(chance: random.Random, key: str) -> Any:
    kind = chance.random()
    if kind < 0.6:
        return _usual(chance, key)
    return chance.choice(_NUMBERS if kind < 0.87 else _WORDS if kind < 0.9 else _OTHERS)


def _usual(chance: random.Random, key: str) -> Any:
    """A value of the kind that the setting takes, as far as its name says."""
    kinds: dict[str, tuple[Any, ...]] = {
        "learning_rate": (1e-4, 1e-3, 0.01, 0.1, 1.0),
        "table_learning_rate": (1e-3, 0.1),
        "cohort_shares": ([1, 1, 1], [0, 0, 1], [0.2, 0.3, 0.5]),
        "heads": (1, 2, 4),
        "filter_seen": (True, False),
        "popularity_exponent": (-1, 0, 0.75, 1, 50, -50),
        "temperature": (0.05, 0.5, 1, 10),
        "mix_concentration": (0.01, 1, 100),
        "regularization": (0, 0.1, 10),
    }
    annotation = str(_FIELDS[key].annotation) if key in _FIELDS else ""
    if key in kinds:
        return chance.choice(kinds[key])
    kind = _FIELDS[key].annotation if key in _FIELDS else None
    if _words(kind) and int not in get_args(kind):
        return chance.choice(sorted(_words(kind)))
    return chance.choice((0.1, 0.5, 0.9, 1.0)) if "float" in annotation else chance.choice((1, 2, 4, 5, 8, 20, 60))


def world(folder: Path) -> Dataset:
    """Forty users, 30 items, 12 events each."""
    chance = np.random.default_rng(0)
    users, events = 40, 12
    item = np.minimum(chance.geometric(0.12, users * events), 30)
    when = 1_500_000_000 + np.arange(users * events) % 97
    frame = {"user": np.repeat(np.arange(users), events), "item": item, "time": when}
    pl.DataFrame(frame).write_parquet(folder / "log.parquet")
    settings = PrepareSettings(valid_fraction=0.15, test_fraction=0.15)
    return prepare(read_log(folder / "log.parquet"), settings, folder / "data")


def outcome(tried: Try, data: Dataset, folder: Path) -> str:
    """What comes of it; one of ILL begins so, and says what it was."""
    began = time.process_time()
    try:
        silent = {"command": _by_command, "python": _by_python}[tried.door](tried, data, folder)
        found = f"{_SILENT}: {silent}" if silent else DONE
    except (FailedError, DivergedError) as error:
        found = _as_line(error, FAILED)
    except ValueError as error:  # InputError among them: what is wrong is in its message
        found = _as_line(error, REFUSED)
    except Exception as error:  # that is what is looked for
        found = f"{ILL[0]}: {type(error).__name__}: {str(error)[:300]}"
    took = time.process_time() - began
    return found if took < SECONDS else f"{_LOST}: {took:.0f} s"


def _as_line(error: Exception, kind: str) -> str:
    said = str(error)
    return (
        kind
        if said and "\n" not in said
        else f"{ILL[0]}: {type(error).__name__} of {said.count(chr(10)) + 1} lines: {said[:300]}"
    )


def _by_command(tried: Try, data: Dataset, folder: Path) -> str | None:
    given = {key: value for key, value in (_SMALL | _own(tried.method)).items() if key not in tried.given} | tried.given
    changes = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items()]
    settings, negatives, _ = settings_of(None, changes)
    job = plan([data], [tried.method], repeats=1, seed=0, settings=settings, changes=negatives)[-1]
    check_fits([[job]])
    run_job(job, folder)
    run = read_run(folder)
    return _ill(run.metrics["valid"], run.metrics["test"], *(entry for entry in run.log))


def _by_python(tried: Try, data: Dataset, folder: Path) -> str | None:
    of_training = {key: value for key, value in tried.given.items() if is_run_setting(key)}
    of_method = {key: value for key, value in tried.given.items() if not is_run_setting(key)}
    settings = run_settings(**(_SMALL | of_training))
    negatives = negative_settings(tried.method, _own(tried.method) | of_method)
    job = Job(data, tried.method, 0, settings, negatives)
    check_fits([[job]])
    model = build_model(job, torch.device("cpu"))
    if tried.method != POPREC:
        catalogue = catalogue_of(data, settings.model.max_length, windows=settings.training.windows)
        method = build_method(tried.method, catalogue, negatives)
        fitted = fit(model, data, method, settings, seed=0)
        if not all(bool(torch.isfinite(each).all()) for each in model.state_dict().values()):
            return "a weight is not finite"
        if not all(math.isfinite(epoch.loss) for epoch in fitted.log):
            return "a loss is not finite"
    return _ill(evaluate(model, data, "test", settings).figures)


def _own(method: str) -> dict[str, Any]:
    return {} if method == POPREC else {key: value for key, value in _FEW.items() if key in METHODS[method].defaults}


def _ill(*found: Mapping[str, Any]) -> str | None:
    """A figure over all events that is none; those of a cohort without events are undefined."""
    for each in found:
        for name in ("hr@10", "ndcg@10", "mrr@10", "loss"):
            value = each.get(name, 0)
            if (
                not isinstance(value, int | float)
                or not math.isfinite(value)
                or (name != "loss" and not 0 <= value <= 1)
            ):
                return f"{name} is {value}"
    return None


def measure(
    count: int, seed: int, say: Callable[[int, Try, str], None] = lambda number, tried, found: None
) -> dict[str, int]:
    """How often each outcome came, of the first ``count`` attempts of ``seed``."""
    outcomes: Counter[str] = Counter(dict.fromkeys((DONE, REFUSED, FAILED, *ILL), 0))
    number = 0
    while number < count:
        command = [sys.executable, "-m", "benchmarks.reliability.settings", str(seed), str(number), str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:
            number = _listen(process, number, count, lambda at, found: _count(outcomes, seed, at, found, say))
    return dict(outcomes)


def _count(outcomes: Counter[str], seed: int, number: int, found: str, say: Callable[[int, Try, str], None]) -> None:
    outcomes[next((kind for kind in ILL if found.startswith(kind)), found)] += 1
    say(number, drawn(seed, number), found)


def _listen(process: subprocess.Popen[bytes], number: int, count: int, told: Callable[[int, str], None]) -> int:
    """Up to which attempt the process came; the one in which it died or hung is counted too."""
    assert process.stdout is not None
    with DefaultSelector() as waiting:
        waiting.register(process.stdout, EVENT_READ)
        if json.loads(process.stdout.readline() or "null") != _READY:
            raise RuntimeError("the process that tries settings did not start")
        while number < count:
            line = process.stdout.readline() if waiting.select(3 * SECONDS) else b""
            if not line:
                process.kill()
                told(number, f"{_LOST}: exit {process.wait()}")
                return number + 1
            told(number, json.loads(line))
            number += 1
    return number


def _work(seed: int, first: int, last: int) -> None:
    """Attempts one after another, a line of JSON each."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        data = world(Path(scratch))
        _tell(_READY)
        for number in range(first, last):
            found = outcome(drawn(seed, number), data, Path(scratch) / f"run-{number}")
            _tell(found)


def _tell(said: str) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _work(*(int(each) for each in sys.argv[1:]))
