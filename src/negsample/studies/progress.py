"""What a person sees while a study or a search runs: a live line, and a line for each run or trial that is done."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from negsample.data.description import seen_in_training
from negsample.execution.trainings import Watch
from negsample.methods import METHODS
from negsample.runs.failed import Failed
from negsample.runs.job import Job, stops_early
from negsample.runs.tunings import Trial
from negsample.studies.tuning_task import Tuning
from negsample.training.best import SELECTED_BY
from negsample.training.state import Epoch

_ROOM = {120: 68, 80: 27, 0: 5}
"""Of a terminal with so many columns, those for other things than words: the share done; the time left; a bar."""


@contextmanager
def progress_of(out: Console, jobs: Sequence[Job], *, begun: bool = True) -> Iterator[Progress]:
    """What ``jobs`` come to, live; ``begun``: from now on, else from :meth:`Progress.begin`."""
    bar = Bar(out, "starting", at_most=any(stops_early(job) for job in jobs))
    try:
        progress = Progress(bar, jobs)
        if begun:
            progress.begin()
        yield progress
    finally:
        if bar.live.live.is_started:  # else nothing was shown, and an empty line would be all there is
            bar.live.stop()


@contextmanager
def seen_by(
    jobs: Sequence[Job], shown: bool, watch: Watch | None, on_line: Callable[[str], None]
) -> Iterator[tuple[Watch, Callable[[str], None]]]:
    """The functions that are called with epochs and messages of ``jobs``: those of a live line, or the caller's own."""
    out = Console()
    if not shown or not (out.is_terminal or out.is_jupyter):
        yield watch or (lambda job, what: None), on_line
        return
    with progress_of(out, jobs) as progress:
        yield progress.watch, progress.on_line


@contextmanager
def progress_of_searches(out: Console, tunings: Sequence[Tuning]) -> Iterator[TuningProgress]:
    """What ``tunings`` come to, live."""
    bar = Bar(out, "searching", at_most=any(stops_early(each.job) for each in tunings))
    with bar.live:
        yield TuningProgress(bar, tunings)


@contextmanager
def bar_of(out: Console, what: str, total: float) -> Iterator[Bar]:
    """A live line over one piece of work."""
    bar = Bar(out, what)
    bar.set_total(total)
    with bar.live if out.is_terminal else nullcontext():
        yield bar


class Bar:
    """A live line with how much of all work is done and the time left, and other lines above it.

    ``at_most``: parts of the work may end before all of theirs is done.
    """

    def __init__(self, out: Console, what: str, *, at_most: bool = False) -> None:
        left = (TextColumn("left, at most" if at_most else "left"), TimeRemainingColumn())
        passed = (BarColumn(bar_width=24), TextColumn("elapsed"), TimeElapsedColumn())
        others = next(room for columns, room in _ROOM.items() if out.width >= columns)
        self.live = RichProgress(
            TextColumn("{task.description}", markup=False, table_column=Column(max_width=out.width - others)),
            TaskProgressColumn(),
            *(passed if others == max(_ROOM.values()) else ()),
            *(left if others > min(_ROOM.values()) else ()),
            console=out,
            speed_estimate_period=600,
            transient=True,
        )
        self._task = self.live.add_task(what)
        self._done: dict[Hashable, float] = {}

    def set_total(self, work: float) -> None:
        """So much there is to do."""
        self.live.update(self._task, total=work)

    def update(self, part: Hashable, done: float, line: str | None = None) -> None:
        """So much is ``done`` of a part of the work; less than before is a repetition, after a worker was lost."""
        self._done[part] = max(done, self._done.get(part, 0.0))
        self.live.update(self._task, completed=sum(self._done.values()), description=line)

    def on_line(self, line: str) -> None:
        """Say ``line`` above the bar."""
        self.live.console.print(line, markup=False, highlight=False, soft_wrap=True)


class Progress:
    """A live line over all jobs of a study; a line for each that is done."""

    def __init__(self, bar: Bar, jobs: Sequence[Job]) -> None:
        self._bar = bar
        self._left = {job.name: _work(job) for job in jobs if job.method in METHODS}
        self._bar.set_total(sum(self._left.values()))
        self._seconds: dict[str, dict[bool, float]] = {}  # of a training and of its refit
        self._best: dict[str, float] = {}
        self._done: set[str] = set()
        self.begin, self.on_line = bar.live.start, bar.on_line

    def watch(self, job: Job, epoch: Epoch | Failed | None) -> None:
        """An epoch of ``job`` is over, or with None the job; or it failed."""
        name, trained, work = job.name, job.method in METHODS, _work(job)
        if isinstance(epoch, Failed):
            if trained:
                self._bar.update(name, work)
                self._done.add(name)
            self._say(f"failed: {epoch.line}")
            return
        if not trained:
            return
        training, factor = job.settings.training, job.settings.training.oversampling_factor
        what = f"{job.data.name} {job.method} seed {job.seed}{'' if factor is None else f' oversampling {factor}'}"
        if epoch is not None:
            refit, epochs = epoch.refit is not None, epoch.refit or training.epochs
            self._seconds.setdefault(name, {})[refit] = epoch.seconds
            if epoch.valid is not None:
                self._best[name] = max(self._best.get(name, 0.0), epoch.valid[SELECTED_BY])
            share = (epoch.epoch / epochs + refit) / (1 + training.refit)
            limit = _limit(epochs, not refit and stops_early(job))
            self._bar.update(name, work * share, f"{what}{' refit' * refit} epoch {epoch.epoch}{limit}")
        elif name in self._seconds:
            self._bar.update(name, work)  # with fewer epochs than there could have been
            self._done.add(name)
            best, seconds = 100 * self._best[name], sum(self._seconds[name].values())
            alone = " (before terms are fitted)" if job.fits_terms else ""
            self._say(f"{what}: best validation HR@10 {best:.2f} %{alone}, {seconds:.1f} s of training")
        else:
            self._left.pop(name, None)
            self._bar.set_total(sum(self._left.values()))
            self.on_line(f"{what}: finished before")

    def _say(self, line: str) -> None:
        self.on_line(f"[{len(self._done)}/{len(self._left)}] {line}")


class TuningProgress:
    """A live line over all trials of some searches; a line for each trial that is done."""

    def __init__(self, bar: Bar, tunings: Sequence[Tuning]) -> None:
        self._bar, self.on_line = bar, bar.on_line
        self._bar.set_total(sum(each.planned * _work(each.job) for each in tunings))
        self._best: dict[str, float] = {}

    def watch(self, tuning: Tuning, what: Any) -> None:
        """An epoch of a trial is over, or with a trial that, or with None the search."""
        if what is None:
            return
        epochs, work = tuning.job.settings.training.epochs, _work(tuning.job)
        trial = what if isinstance(what, Trial) else None
        number = what[0] if trial is None else trial.number
        name = f"{tuning.job.data.name} {tuning.job.method} trial {number + 1}/{tuning.planned}"
        if trial is None:
            done = what[1].epoch
            line = f"{name} epoch {done}{_limit(epochs, stops_early(tuning.job))}"
            self._bar.update((tuning.stem, number), work * done / epochs, line)
            return
        self._bar.update((tuning.stem, number), work)
        if trial.value is not None and trial.state == "complete":
            self._best[tuning.stem] = max(self._best.get(tuning.stem, 0.0), trial.value)
        value = trial.error or ("" if trial.value is None else f"validation HR@10 {100 * trial.value:.2f} %")
        best = f", best so far {100 * self._best[tuning.stem]:.2f} %" if tuning.stem in self._best else ""
        params = ", ".join(f"{key} {each:.4g}" for key, each in trial.params.items())
        state = "" if trial.state == "complete" else f" ({trial.state} after {trial.epochs} epochs)"
        self.on_line(f"{name}: {params}: {value}{state}{best}")


def _limit(epochs: int, early: bool) -> str:
    return f" of at most {epochs}" if early else f"/{epochs}"


def _work(job: Job) -> float:
    epochs = job.settings.training.epochs * (1 + job.settings.training.refit)
    return float(epochs * seen_in_training(job.data, job.settings)["events"])
