"""What a person sees while a study or a search runs: a live line, and a line for each run or trial that is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from negsample.data.description import seen_train_events
from negsample.methods import METHODS
from negsample.runs.failed import Failed
from negsample.runs.job import Job
from negsample.runs.tunings import Trial
from negsample.studies.tuning_task import Tuning
from negsample.training.best import SELECTED_BY
from negsample.training.state import Epoch


def _bar(out: Console) -> RichProgress:
    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=out,
        speed_estimate_period=600,
        transient=True,
    )


@contextmanager
def progress_of(out: Console, jobs: Sequence[Job], *, begun: bool = True) -> Iterator[Progress]:
    """What ``jobs`` come to, live; ``begun``: from now on, else from :meth:`Progress.begin`."""
    bar = _bar(out)
    try:
        progress = Progress(bar, jobs)
        if begun:
            progress.begin()
        yield progress
    finally:
        if bar.live.is_started:  # else nothing was shown, and an empty line would be all there is
            bar.stop()


@contextmanager
def progress_of_searches(out: Console, tunings: Sequence[Tuning]) -> Iterator[TuningProgress]:
    """What ``tunings`` come to, live."""
    with _bar(out) as bar:
        yield TuningProgress(bar, tunings)


class Progress:
    """A live line over all jobs of a study, with the time left; a line for each that is done."""

    def __init__(self, bar: RichProgress, jobs: Sequence[Job]) -> None:
        self._bar = bar
        self._trained = [job for job in jobs if job.method in METHODS]
        self._task = self._bar.add_task("starting", total=sum(_work(job) for job in self._trained))
        self._last: dict[str, Epoch] = {}
        self._best: dict[str, float] = {}
        self._done: set[str] = set()

    def begin(self) -> None:
        """Show the live line."""
        self._bar.start()

    def watch(self, job: Job, epoch: Epoch | Failed | None) -> None:
        """An epoch of ``job`` is over, or with None the job; or it failed."""
        if isinstance(epoch, Failed):
            trained = self._last[job.name].epoch if job.name in self._last else 0
            if job.method in METHODS:
                self._bar.update(self._task, advance=_work(job) * (1 - trained / job.settings.training.epochs))
                self._done.add(job.name)
            self._say(f"failed: {epoch.line}")
            return
        if job.method not in METHODS:
            return
        factor = job.settings.training.oversampling_factor
        what = f"{job.data.name} {job.method} seed {job.seed}{'' if factor is None else f' oversampling {factor}'}"
        if epoch is not None:
            before = self._last.get(job.name)
            self._last[job.name] = epoch
            if epoch.valid is not None:
                self._best[job.name] = max(self._best.get(job.name, 0.0), epoch.valid[SELECTED_BY])
            done = f"{what} epoch {epoch.epoch}/{job.settings.training.epochs}"
            reported = before is not None and before.epoch >= epoch.epoch  # and again, after its worker was lost
            advance = 0.0 if reported else _work(job) / job.settings.training.epochs
            self._bar.update(self._task, advance=advance, description=done)
        elif job.name in self._last:
            self._done.add(job.name)
            best, seconds = 100 * self._best[job.name], self._last[job.name].seconds
            self._say(f"{what}: best validation HR@10 {best:.2f} %, {seconds:.1f} s of training")
        else:
            self._trained = [each for each in self._trained if each.name != job.name]
            self._bar.update(self._task, total=sum(_work(each) for each in self._trained))
            self._say(f"{what}: finished before")

    def tell(self, line: str) -> None:
        """Say ``line`` above the bar."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _say(self, line: str) -> None:
        self.tell(f"[{len(self._done)}/{len(self._trained)}] {line}")


class TuningProgress:
    """A live line over all trials of some searches; a line for each trial that is done."""

    def __init__(self, bar: RichProgress, tunings: Sequence[Tuning]) -> None:
        self._bar = bar
        self._task = self._bar.add_task("searching", total=sum(_trials_work(each) for each in tunings))
        self._seen: dict[tuple[str, int], int] = {}
        self._best: dict[str, float] = {}

    def watch(self, tuning: Tuning, said: Any) -> None:
        """An epoch of a trial is over, or with a trial that, or with None the search."""
        epochs, what = tuning.job.settings.training.epochs, f"{tuning.job.data.name} {tuning.job.method}"
        if said is None:
            return
        if isinstance(said, Trial):
            done = self._seen.pop((tuning.stem, said.number), 0)
            self._bar.update(self._task, advance=(epochs - done) * _work(tuning.job) / epochs)
            if said.value is not None and said.state == "complete":
                self._best[tuning.stem] = max(self._best.get(tuning.stem, 0.0), said.value)
            value = said.error or ("" if said.value is None else f"validation HR@10 {100 * said.value:.2f} %")
            best = f", best so far {100 * self._best[tuning.stem]:.2f} %" if tuning.stem in self._best else ""
            params = ", ".join(f"{key} {each:.4g}" for key, each in said.params.items())
            state = "" if said.state == "complete" else f" ({said.state} after {said.epochs} epochs)"
            self.tell(f"{what} trial {said.number + 1}/{tuning.planned}: {params}: {value}{state}{best}")
            return
        number, epoch = said
        reported = epoch.epoch <= self._seen.get((tuning.stem, number), 0)  # and again, after its worker was lost
        self._seen[tuning.stem, number] = epoch.epoch
        line = f"{what} trial {number + 1}/{tuning.planned} epoch {epoch.epoch}/{epochs}"
        advance = 0.0 if reported else _work(tuning.job) / epochs
        self._bar.update(self._task, advance=advance, description=line)

    def tell(self, line: str) -> None:
        """Say ``line`` above the bar."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _work(job: Job) -> float:
    return float(job.settings.training.epochs * seen_train_events(job.data, job.settings))


def _trials_work(tuning: Tuning) -> float:
    return tuning.planned * _work(tuning.job)
