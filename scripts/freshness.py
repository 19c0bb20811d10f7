"""`python -m scripts.freshness STUDY... --method M --window DAYS --windows N --work FOLDER --out DIR`: how fast a
recommender ages, and what each way to keep it fresh gives.

A MODEL is made of the method's runs, one for each seed, as of T0, the study's test cut: what is before it chose its
epochs and terms. The windows follow each other from T0 on. Asked of, at the start of each, are the users of its events
who have a history by then. DIR keeps `runs.jsonl`, a line for each seed, window and way, to which those of other logs
are added; `README.md` and `freshness.svg` are made of it, and without a STUDY only these. FOLDER keeps the MODELs: what
was stopped is carried on by the same command.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.evaluation.metrics import hit, ndcg
from negsample.files.folders import write_json
from negsample.rules.rule import cut_time
from negsample.runs.folder import Run
from negsample.runs.kept import dataset_of
from negsample.serving.final import make_final
from negsample.serving.load import load_model
from negsample.serving.model import is_model
from negsample.serving.plan import plan_final
from negsample.serving.refresh import refresh, train_on
from negsample.settings import PrepareSettings
from scripts.freshness_asked import Asking, K, Window, events_of, ranks
from scripts.freshness_page import ANEW, CHART, KEY, NOTHING, OFTEN, ON, RECENT, REFRESHED, SENT, chart, page
from scripts.study_runs import Line, merged


class Updated(NamedTuple):
    """A MODEL at a window's start, and the seconds of CPU that it took to get there."""

    folder: Path
    seconds: float


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m scripts.freshness")
    parser.add_argument("studies", nargs="*", type=Path, metavar="STUDY", help="of one log; each has some of the seeds")
    parser.add_argument("--method", default="mixed-log-q")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--window", type=float, help="days")
    parser.add_argument("--windows", type=int)
    parser.add_argument("--anew", type=_numbers, help="windows to train anew for, as 2,5; (default: each)")
    parser.add_argument("--often", type=int, help="measure being refreshed so often a window, too")
    parser.add_argument("--no-train-on", action="store_true", help="where an epoch is a whole training")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    studies = map(read_study, given.studies)
    runs = [(study, run) for study in studies for run in study.runs_of(study.datasets()[0], given.method)]
    for study, run in runs[: given.seeds]:
        aged = Aged(study, run, given.work / run.folder.name)
        windows = aged.windows(round(given.window * 86_400e6), given.windows)
        for lines in aged.lines(windows, given.anew, not given.no_train_on, given.often):
            merged(given.out / "runs.jsonl", lines, KEY)
            print(*(json.dumps(line) for line in lines), sep="\n", flush=True)
    lines = merged(given.out / "runs.jsonl", [], KEY)
    (given.out / "README.md").write_text(page(given.out, lines), encoding="utf-8")
    (given.out / CHART).write_text(chart(lines), encoding="utf-8")


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


class Aged:
    """A run's model as of its test cut, ``t0``, and what becomes of it; MODELs lie in ``work``."""

    def __init__(self, study: Study, run: Run, work: Path) -> None:
        self.study, self.run, self.work = study, run, work
        data = dataset_of(run)
        self.log, self.t0, self.events = data.name, cut_time(data, "test"), events_of(data)

    def windows(self, length: int, count: int) -> list[Window]:
        """``count`` of them, each ``length`` microseconds."""
        found = []
        for number in range(count):
            start = self.t0 + number * length
            before = self._before(start).select("user").unique()
            inside = self.events.filter(pl.col("time").is_between(start, start + length, closed="left"))
            people = inside.select("user").unique().join(before, on="user").sort("user")
            found.append(Window(number + 1, start, start + length, people))
        return found

    def lines(
        self, windows: list[Window], anew: list[int] | None, trains_on: bool, often: int | None
    ) -> Iterator[list[Line]]:
        """What was measured on each window, a line a way."""
        base = self._anew(self.t0)
        refreshed = trained_on = base._replace(seconds=0.0)
        old = load_model(base.folder)
        for window in windows:
            start, end = window.start, window.end
            refreshed = self._later(refreshed, start, REFRESHED, refresh)
            new = load_model(refreshed.folder)
            found = [
                self._line(window, NOTHING, [Asking(old, self.t0, start, end)]),
                self._line(window, SENT, [Asking(old, start, start, end)]),
                self._line(window, REFRESHED, [Asking(new, start, start, end)], refreshed),
                self._line(window, RECENT, [Asking(new, start, start, end, empty=True)], refreshed),
            ]
            if often:
                found.append(self._often(window, refreshed, often))
            if trains_on:
                trained_on = self._later(trained_on, start, ON, train_on)
                found.append(self._line(window, ON, [self._asking(trained_on, start, end)], trained_on))
            if start == self.t0 or anew is None or window.number in anew:
                made = self._anew(start)
                found.append(self._line(window, ANEW, [self._asking(made, start, end)], made))
            yield found

    def _asking(self, made: Updated, start: int, end: int) -> Asking:
        return Asking(load_model(made.folder), start, start, end)

    def _often(self, window: Window, refreshed: Updated, often: int) -> Line:
        """``refreshed`` is the MODEL at the window's start."""
        starts = [window.start + part * (window.end - window.start) // often for part in range(often + 1)]
        made, last = [], refreshed
        for start in starts[:-1]:
            last = self._later(last, start, REFRESHED, refresh)
            made.append(last)
        asked = [self._asking(*each) for each in zip(made, starts[:-1], starts[1:], strict=True)]
        seconds = statistics.fmean(each.seconds for each in made[1:])
        return self._line(window, OFTEN, asked, Updated(last.folder, seconds)) | {"updates": often}

    def _before(self, time: int) -> pl.DataFrame:
        return self.events.filter(pl.col("time") < time)

    def _anew(self, start: int) -> Updated:
        """The MODEL of all events before ``start``, made as `negsample final STUDY --data LOG` makes it."""
        place = self._place(start)
        data = prepare(self._log(start), PrepareSettings(), place / "data")
        plan = plan_final(self.study, method=self.run.config["method"], data=data)._replace(runs=[self.run])
        return updated(place / "anew", lambda out: make_final(plan, out))

    def _later(self, last: Updated, start: int, way: str, update: Callable[[Path, Log, Path], Any]) -> Updated:
        if start == self.t0:
            return last
        log = self._log(start)
        return updated(self._place(start) / way, lambda out: update(last.folder, log, out))

    def _place(self, start: int) -> Path:
        return self.work / f"{(start - self.t0) // 10**6}-s"

    def _log(self, until: int) -> Log:
        return Log(self._before(until).lazy(), self.log, [], self.log)

    def _line(self, window: Window, way: str, asked: list[Asking], made: Updated | None = None) -> Line:
        """The figures of a way on the window's events, which ``asked`` are about one after the other."""
        parts = [self._targets(window, each.start, each.end) for each in asked]
        ranks_E = np.concatenate([ranks(self.events, *each) for each in zip(asked, parts, strict=True)])
        targets, trained = pl.concat(parts), asked[-1].model.about.members[0]
        return {
            "log": self.log,
            "method": self.run.config["method"],
            "seed": self.run.config["seed"],
            "way": way,
            "window": window.number,
            "start": str(np.datetime64(window.start, "us").astype("datetime64[s]")),
            "days": (window.end - window.start) / 86_400e6,
            "users": len(window.people),
            "events": len(targets),
            "events_on_new_items": len(targets.join(self._before(self.t0), on="item", how="anti")),
            f"ndcg@{K}": float(ndcg(ranks_E, K).mean()),
            f"hr@{K}": float(hit(ranks_E, K).mean()),
            "epochs": trained.epochs + trained.trained_on,
            "seconds": made and round(made.seconds, 2),
        }

    def _targets(self, window: Window, start: int, end: int) -> pl.DataFrame:
        inside = self.events.filter(pl.col("time").is_between(start, end, closed="left"))
        return inside.join(window.people, on="user", maintain_order="left")


def updated(out: Path, make: Callable[[Path], object]) -> Updated:
    """The MODEL ``out``, which ``make`` writes if it is not there; the seconds that it took lie beside it."""
    beside = out.with_suffix(".json")
    if not (is_model(out) and beside.exists()):
        out.parent.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        make(out)
        write_json(beside, {"seconds": time.process_time() - began})
    return Updated(out, json.loads(beside.read_text("utf-8"))["seconds"])


if __name__ == "__main__":
    main()
