"""For all tests: one thread, global chance left alone, and small things made from plain lists."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rich.style  # noqa: F401  # draws from the global generator when it is first imported
import torch
from by_hand import known_of

from negsample.analysis.resampling import REPLICATES
from negsample.batches.from_windows import training_batch
from negsample.batches.packed import Batch
from negsample.batches.windows import TrainEvents, training_windows
from negsample.data.dataset import Dataset
from negsample.data.log.read import Log
from negsample.data.manifest import Manifest
from negsample.data.prepare.pipeline import prepare
from negsample.models.baselines import own_baselines
from negsample.report.drawing import drawn, pixels
from negsample.settings import PrepareSettings

torch.set_num_threads(1)
gc.disable()  # till all tests are collected

HERE = Path(__file__).parent
QUICK = (  # files and folders of ``-m quick``: something of every package, in a minute on one core
    *("test_rooms.py", "test_losses.py", "batches", "miners", "scoring", "plugins/test_plugins.py"),
    *("analysis/test_statistics.py", "analysis/test_cutoff.py", "analysis/test_tables.py", "analysis/test_reading.py"),
    *("contracts/test_losses.py", "contracts/test_metrics.py", "contracts/test_miners.py"),
    *("data/test_split.py", "data/test_names.py", "data/test_cohorts.py", "data/prepare/test_prepare.py"),
    *("data/log/test_log_errors.py", "data/log/test_log_formats.py", "e2e/test_hostile_commands.py"),
    *("evaluation/test_balance.py", "evaluation/test_summary.py", "evaluation/test_recommended.py"),
    *("evaluation/test_own_metrics.py", "evaluation/test_ranking.py", "files/test_checksums.py"),
    *("models/test_sasrec.py", "models/test_gru4rec.py", "models/test_item_table.py", "optim/test_rows.py"),
    "parallel/test_shards.py",
    *("methods/test_spaces.py", "samplers/test_distribution.py", "samplers/test_mixture.py", "samplers/test_cohort.py"),
    *("training/test_score.py", "training/test_padding.py", "studies/test_study_mishaps.py"),
    *("paper/test_findings.py", "paper/test_presets.py", "report/test_words_at_the_edges.py"),
)


LONG = (  # files that take longest, which are begun first: no core waits for one of them at the end
    *("parallel/test_sharded_runs.py", "parallel/test_sharded_training.py", "parallel/test_memory.py"),
    *("training/test_fake_gpu.py", "parallel/test_sharded_serving.py", "benchmarks/test_gpu_benchmark.py"),
    *("data/prepare/test_prepare_apart.py", "execution/test_prepare_on_ray.py", "tutorials/test_tutorials.py"),
    *("e2e/test_kills.py", "serving/test_export.py", "execution/test_ray.py"),
    *("e2e/test_tracking.py", "e2e/test_commands.py", "contracts/test_no_leak.py", "report/test_report_page.py"),
    *("training/test_loop.py", "report/test_every_sentence.py", "analysis/test_users.py", "e2e/test_interruptions.py"),
    *("evaluation/test_evaluation.py", "serving/test_service.py", "training/test_checkpoint.py"),
    *("training/test_fit_together.py", "data/prepare/test_prepare_in_blocks.py", "execution/test_processes.py"),
    *("execution/test_failures.py", "studies/test_tuning.py", "report/test_report_browser.py", "e2e/test_plugins.py"),
    *("report/test_plots.py", "report/test_drawing.py", "report/test_several.py", "contracts/test_samplers.py"),
    "benchmarks/test_reliability.py",
)


def _is_quick(path: Path) -> bool:
    own = path.relative_to(HERE)
    return any(own.is_relative_to(each) for each in QUICK)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``-m quick`` does not even import the other files."""
    skipped = config.option.markexpr == "quick" and collection_path.suffix == ".py" and not _is_quick(collection_path)
    return True if skipped else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_quick(item.path):
            item.add_marker("quick")
    places = {HERE / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """The garbage collector passes over what is there by now: modules and tests, which stay to the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def global_chance() -> Iterator[None]:
    """Chance is an argument: whoever draws from a global generator, or seeds it, fails."""
    torch_before, numpy_before, python_before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    yield
    numpy_after = np.random.get_state()
    assert torch.equal(torch.get_rng_state(), torch_before), "the global generator of torch was used"
    assert numpy_after[2:] == numpy_before[2:], "the global generator of numpy was used"
    assert (numpy_after[1] == numpy_before[1]).all(), "the global generator of numpy was used"
    assert random.getstate() == python_before, "the global generator of Python was used"


def rng_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="session")
def rng() -> Callable[[int], torch.Generator]:
    """A generator from a seed."""
    return rng_of


@pytest.fixture(scope="session")
def batch_of() -> Callable[..., Batch]:
    """One batch of all users with two events or more, from their train items; each has them at 0, 1, ... days."""

    def make(histories: Sequence[Sequence[int]], items: int, max_length: int = 50) -> Batch:
        offsets = np.cumsum([0, *map(len, histories)])
        flat = np.array([item for history in histories for item in history], np.int32)
        times = np.array([86_400 * 10**6 * day for history in histories for day in range(len(history))], np.int64)
        events = TrainEvents(flat, offsets, offsets[1:], items, times)
        return training_batch(events, training_windows(events, max_length), max_length=max_length)

    return make


@pytest.fixture(scope="session")
def dataset_of() -> Callable[..., Dataset]:
    """A dataset straight from each user's (train, validation, test) items: no split rule in between.

    ``times``: of all events, user after user; without, all events follow each other.
    """

    def make(
        users: Sequence[tuple[Sequence[int], Sequence[int], Sequence[int]]],
        items: int,
        times: Sequence[int] | None = None,
    ) -> Dataset:
        parts = np.array([[len(part) for part in user] for user in users])
        offsets = np.concatenate([[0], np.cumsum(parts.sum(1))])
        counts = np.bincount([item for user in users for item in user[0]], minlength=items + 1)
        who = np.array([item for user in users for part in user for item in part], np.int32)
        when = np.arange(offsets[-1]) if times is None else np.array(times, np.int64)
        return Dataset(
            folder=Path("nowhere"),
            manifest=Manifest.model_construct(name="by hand", fingerprint="000000000000", settings=PrepareSettings()),
            items=who,
            times=when,
            offsets=offsets,
            train_ends=offsets[:-1] + parts[:, 0],
            valid_ends=offsets[:-1] + parts[:, 0] + parts[:, 1],
            train_counts=counts,
            known=known_of(who, when, items),
        )

    return make


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Dataset]:
    """A world with a known answer, prepared: after the first item of a pair comes its successor, modulo V.

    A user goes through ten pairs (i, i + 1), no item twice; which pair comes next is chance. His last event, the
    second item of a pair, is the test event, so whoever has learned the rule knows it. ``shuffled``: the same
    items at random over all users and times, where there is nothing to know.
    """

    def make(users: int = 240, items: int = 60, *, shuffled: bool = False, name: str = "world") -> Dataset:
        chance = np.random.default_rng(7)
        steps = 20
        pairs = np.stack([chance.permutation(items // 2)[: steps // 2] for _ in range(users)])
        firsts = 2 * pairs + chance.integers(0, 2, (users, 1))
        who = np.stack([firsts, firsts + 1], 2).reshape(users, steps) % items + 1
        if shuffled:
            who = chance.permutation(who.ravel())
        when = np.arange(steps) * users + np.arange(users)[:, None]
        frame = pl.LazyFrame(
            {
                "user": np.repeat(np.arange(users), steps),
                "item": who.ravel().astype(np.int64),
                "time": when.ravel().astype(np.int64),
            }
        )
        settings = PrepareSettings(valid_fraction=0.1, test_fraction=0.05)
        return prepare(Log(frame, name, []), settings, tmp_path_factory.mktemp("world") / name)

    return make


@pytest.fixture(scope="session", autouse=True)
def few_baselines() -> Iterator[None]:
    """Studies with PopRec alone, where others are not named: five more runs a study are not what most tests look at.

    ``every_baseline`` takes it back.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.studies.study.own_baselines", lambda items: ["PopRec"])
        yield


@pytest.fixture(scope="module")
def every_baseline() -> Iterator[None]:
    """Studies with all of negsample's own baselines, as they are for everybody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.studies.study.own_baselines", own_baselines)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_replicates() -> Iterator[None]:
    """Reports with a tenth of the resamples, which would take half of their time: most tests look at other things.

    ``every_replicate`` takes it back.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.analysis.frontier.REPLICATES", REPLICATES // 10)
        yield


@pytest.fixture
def every_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many resamples as everybody's reports have."""
    monkeypatch.setattr("negsample.analysis.frontier.REPLICATES", REPLICATES)


@pytest.fixture
def no_report() -> Iterator[None]:
    """Studies without their report, which takes longer than their runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.comparison.write_report", lambda *_, **__: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_pictures() -> Iterator[None]:
    """Reports whose SVG and PNG files are empty, since to draw them takes most of a report's time; the page has its
    charts.

    ``pictures`` takes it back.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.report.figures.drawn", lambda specs, config: ["<svg></svg>"] * len(specs))
        patch.setattr("negsample.report.figures.pixels", lambda svgs: [b""] * len(svgs))
        yield


@pytest.fixture(scope="session")
def pictures() -> Callable[[], AbstractContextManager[None]]:
    """``with pictures():`` reports have their SVG and PNG files, as they have for everybody."""

    @contextmanager
    def with_pictures() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("negsample.report.figures.drawn", drawn)
            patch.setattr("negsample.report.figures.pixels", pixels)
            yield

    return with_pictures


@pytest.fixture(scope="module")
def no_drawing() -> Iterator[None]:
    """Reports without charts: the tests of a module that looks at other things."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("negsample.report.figures.compiled", lambda specs, config: [{}] * len(specs))
        yield


@pytest.fixture(scope="session")
def whole_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets, seven methods, three seeds; read it, and write a report into a copy."""
    from make_study import make_study

    return make_study(tmp_path_factory.mktemp("whole") / "study")
