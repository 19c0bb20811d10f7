"""The search for the settings of one method on one dataset: trials on validation, kept as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from negsample.errors import FailedError
from negsample.execution.attempts import Callback
from negsample.files.atomic import replacing_files, sweep
from negsample.files.checksums import GROWING, LIST, DamagedError, read_list, sum_of, write_list
from negsample.files.claims import claimed, clear
from negsample.files.folders import make_folders, write_json
from negsample.files.together import settled
from negsample.methods.fields import OneOf, Space
from negsample.runs.job import Job, build_model, default_device, tuned_job
from negsample.runs.reasons import failed_by
from negsample.runs.shortage import is_of_the_system
from negsample.runs.train import train_models
from negsample.runs.tunings import BestTrial, Trial, TuningSummary
from negsample.settings import RunSettings, fingerprint
from negsample.studies.search import as_trial, drop_half_line, ended, keep_trial, kept_trials, next_trial
from negsample.training.best import SELECTED_BY
from negsample.training.state import Epoch


class Tuning(NamedTuple):
    """The search for the settings of one method on one dataset.

    ``job``: what a trial is, but for what is searched. ``space``: that, by setting. ``planned``: trials. ``folder``:
    where its files are: ``NAME.json``, all trials and the best, and ``NAME.optuna.log``, a journal that Optuna reads.
    A trial is stopped early (pruned) when it is below the median of the earlier ones at the same epoch. It sees
    validation events alone.
    """

    job: Job
    space: dict[str, Space]
    planned: int
    folder: Path

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"the tuning of {self.job.method} on {self.job.data.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process goes an absolute folder."""
        return Tuning, (self.job, self.space, self.planned, self.folder.absolute())

    @property
    def stem(self) -> str:
        """The name of its files; the number of trials is no part of it: more of them carry on."""
        space = {key: str(each) for key, each in self.space.items()}
        dataset = self.job.name.partition("--")[0]
        return f"{dataset}--{self.job.method}--{fingerprint(self.job.identity() | {'space': space})}"

    @property
    def path(self) -> Path:
        """The summary."""
        return self.folder / f"{self.stem}.json"

    def run(self, report: Callable[[Any], None]) -> bool:
        """See :class:`negsample.execution.tasks.Task`. It reports a trial's number with each epoch, and each trial at
        its end.

        Raises:
            InputError: no trial of all could be trained, or what was kept is damaged.
        """
        with claimed([self.folder / self.stem]) as places:
            if places is None:
                return False
            (place,) = places
            make_folders(self.folder.parent, self.folder.name)
            sweep(self.folder)
            self._search(place, report)
            clear(place)
        return True

    def trials(self) -> list[Trial]:
        """Those that are done, up to ``planned``, in their order."""
        return [as_trial(each) for each in self._kept()[: self.planned]]

    @property
    def left(self) -> int:
        """How many trials are to be done."""
        return self.planned - len(self.trials())

    def best(self) -> Trial:
        """The one with the highest HR@10, of equal ones with the highest NDCG@10, and of those the first.

        Raises:
            FailedError: there is none.
        """
        trials = self.trials()
        if (best := _best(trials)) is None:
            errors = [each.error for each in trials if each.error]
            last = f"; the last: {errors[-1]}" if errors else ""
            raise FailedError([f"none of {self.planned} trials of its tuning could be trained{last}"])
        return best

    def _search(self, place: Path, report: Callable[[Any], None]) -> None:
        drop_half_line(self._journal)
        for trial in self.trials():
            report(trial)
        if self._kept():
            self._summarise()  # a killed process may have kept a trial that nothing lists yet
        while len(kept := self._kept()) < self.planned:
            done = self._try(kept, place, report)
            keep_trial(self._journal, self.stem, done)
            self._summarise()
            for path in (place / "state.pt", *place.glob("best-*")):
                path.unlink(missing_ok=True)
            report(as_trial(done))
        self._summarise()

    def _try(self, kept: Sequence[FrozenTrial], place: Path, report: Callable[[Any], None]) -> FrozenTrial:
        """The next trial: what it tries is a function of the earlier ones alone, so it can be done anew."""
        given = self.job.settings.flat() | self.job.negatives
        trial = next_trial(kept, self.space, given, seed=self.job.seed, warm_up=_warm_up(self.job.settings))
        job, callback, log = tuned_job(self.job, trial.params), Callback(report), list[Epoch]()

        def watch(epoch: Epoch) -> None:
            log.append(epoch)
            callback((trial.number, epoch))
            if epoch.valid is not None and epoch.epoch < job.settings.training.epochs:
                trial.report(epoch.valid[SELECTED_BY], epoch.epoch)
                if trial.should_prune():
                    raise _PrunedError

        state, error = TrialState.COMPLETE, None
        try:
            fit_trial(job, place, watch)
        except _PrunedError:
            state = TrialState.PRUNED
        except Exception as failed:
            if failed is callback.error or isinstance(failed, DamagedError) or is_of_the_system(failed):
                raise
            state, error = TrialState.FAIL, failed_by(job, failed).reason
        return ended(trial, state, log, error)

    def _kept(self) -> list[FrozenTrial]:
        """What is in the journal: as it was written, and what a killed process appended since."""
        if self._list.exists():
            settled(self._list, "tuning", lambda listed: listed.check(self._journal.name))
        kept = kept_trials(self._journal, self.stem)
        if len(kept) > 1:  # the list is made after the first
            read_list(self._list, "tuning")
        return kept

    @property
    def _journal(self) -> Path:
        return self.folder / f"{self.stem}{GROWING}"

    @property
    def _list(self) -> Path:
        return self.folder / f"{self.stem}.{LIST}"

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """A JSON file of the search, and the list of all of them and its journal, in one step."""
        with replacing_files(self.folder) as scratch:
            write_json(scratch / name, value)
            known = dict(read_list(self._list, "tuning").files) if self._list.exists() else {}
            known.pop(name, None)
            known[self._journal.name] = sum_of(self._journal)
            write_list(scratch / self._list.name, "tuning", self.stem, {*known, name}, known=known)

    def _summarise(self) -> None:
        trials, job = self.trials(), self.job
        best = _best(trials)
        summary = TuningSummary(
            format=1,
            dataset=job.data.name,
            dataset_fingerprint=job.data.fingerprint,
            method=job.method,
            objective=SELECTED_BY,
            epochs=job.settings.training.epochs,
            settings=job.settings.flat(),
            negatives=job.negatives,
            planned=self.planned,
            seed=job.seed,
            space={key: str(each) for key, each in self.space.items()},
            bounds={key: _ends(each) for key, each in self.space.items()},
            trials=trials,
            best=best and BestTrial(number=best.number, params=best.params, value=best.value or 0.0, ndcg=best.ndcg),
            seconds=sum(each.seconds for each in trials),
        )
        self.write(self.path.name, summary.model_dump(mode="json"))


def _ends(space: Space) -> tuple[float, float]:
    return (min(space.values), max(space.values)) if isinstance(space, OneOf) else (space.low, space.high)


def _warm_up(settings: RunSettings) -> int:
    """Epochs before a trial may be stopped for being below others: a third of all, or as many as ``early_stop`` waits,
    since few trials come to a third of a generous limit."""
    training = settings.resolved().training
    third = training.epochs // 3
    return max(min(third, training.early_stop * training.eval_every) if training.early_stop else third, 2)


def _best(trials: Sequence[Trial]) -> Trial | None:
    return max((each for each in trials if each.state == "complete"), key=lambda each: each.rank, default=None)


class _PrunedError(Exception):
    """A trial is stopped early."""


def fit_trial(job: Job, place: Path, watch: Callable[[Epoch], None]) -> None:
    """Train ``job`` with validation alone, kept in ``place`` to be carried on."""
    train_models([job], [build_model(job, default_device())], [place], lambda _, epoch: watch(epoch))
