"""The search for a method's settings: trials on validation, kept as they come, carried on where they were stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from optuna import create_trial
from optuna.trial import FrozenTrial, TrialState

from negsample.data.dataset import Dataset
from negsample.errors import SEEDS, FailedError, InputError, guarded, some, whole
from negsample.execution.attempts import Caller
from negsample.execution.backend import LOCAL, Backend, run_tasks
from negsample.execution.tasks import Lost
from negsample.files.atomic import replacing_files, sweep
from negsample.files.checksums import GROWING, LIST, DamagedError, read_list, settled, sum_of, write_list
from negsample.files.claims import claimed, clear
from negsample.files.folders import make_folders, write_json
from negsample.methods import METHODS, POPREC, build_method, catalogue_of, method_names, negative_settings
from negsample.methods.spaces import Space, narrowed
from negsample.models import PopRec
from negsample.runs.job import Job, build_model, checkpoint_identity, default_device, tuned_job
from negsample.runs.reasons import failed_by
from negsample.runs.shortage import is_of_the_system
from negsample.settings import TrainSettings, fingerprint
from negsample.studies.earlier import differs
from negsample.studies.search import Trial, as_trial, drop_half_line, keep_trial, kept_trials, next_trial
from negsample.training.checkpoint import Checkpoint
from negsample.training.loop import fit_together
from negsample.training.state import SELECTED_BY, Epoch, Fitted, TrainingState, standing

SEED = 1_000_000
"""Added to a study's seed: no repeat trains with the seed that its settings were chosen by."""
TRIALS = 10_000
"""The most of a search."""


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
            InputError: there is none.
        """
        found = [each for each in self.trials() if each.state == "complete"]
        if not found:
            raise InputError(f"{self.name}: {self.failure}")
        return max(found, key=_standing)

    @property
    def failure(self) -> str:
        """Why there is no best."""
        errors = [each.error for each in self.trials() if each.error]
        last = f"; the last: {errors[-1]}" if errors else ""
        return f"none of {self.planned} trials of its tuning could be trained{last}"

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
        given = self.job.settings.model_dump(mode="json") | self.job.negatives
        trial = next_trial(kept, self.space, given, seed=self.job.seed, epochs=self.job.settings.epochs)
        log: list[Epoch] = []
        caller = Caller(report)

        def watch(epoch: Epoch) -> None:
            log.append(epoch)
            caller.tell((trial.number, epoch))
            if epoch.valid is not None and epoch.epoch < self.job.settings.epochs:
                trial.report(epoch.valid[SELECTED_BY], epoch.epoch)
                if trial.should_prune():
                    raise _PrunedError

        state, error = TrialState.COMPLETE, None
        try:
            fit_trial(self.job_of(trial.params), place, watch)
        except _PrunedError:
            state = TrialState.PRUNED
        except Exception as failed:
            if failed is caller.error or isinstance(failed, DamagedError) or is_of_the_system(failed):
                raise
            state, error = TrialState.FAIL, failed_by(self.job_of(trial.params), failed).reason
        looks = {each.epoch: standing(each.valid) for each in log if each.valid is not None}
        best = max(looks, key=lambda epoch: looks[epoch], default=None)
        hit_rate, ndcg = (None, None) if best is None or state == TrialState.FAIL else looks[best]
        about = {
            "number": trial.number,
            "best_epoch": best,
            "ndcg": ndcg,
            "epochs": log[-1].epoch if log else 0,
            "seconds": log[-1].seconds if log else 0.0,
            "error": error,
        }
        return create_trial(
            state=state,
            value=hit_rate,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=about,
            intermediate_values={epoch: found for epoch, (found, _) in looks.items()},
        )

    def job_of(self, params: Mapping[str, Any]) -> Job:
        """The job with ``params`` in the place of what is searched."""
        return tuned_job(self.job, params)

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

    def write(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        """JSON files of the search, and the list of all of them and its journal, in one step."""
        with replacing_files(self.folder) as scratch:
            for name, value in files.items():
                write_json(scratch / name, value)
            known = dict(read_list(self._list, "tuning").files) if self._list.exists() else {}
            known = {name: each for name, each in known.items() if name not in files}
            known |= {self._journal.name: sum_of(self._journal)}
            write_list(scratch / self._list.name, "tuning", self.stem, {*known, *files}, known=known)

    def _summarise(self) -> None:
        trials = self.trials()
        complete = [each for each in trials if each.state == "complete"]
        best = max(complete, key=_standing, default=None)
        summary = {
            "format": 1,
            "dataset": self.job.data.name,
            "dataset_fingerprint": self.job.data.fingerprint,
            "method": self.job.method,
            "objective": SELECTED_BY,
            "epochs": self.job.settings.epochs,
            "settings": self.job.settings.model_dump(mode="json"),
            "negatives": self.job.negatives,
            "planned": self.planned,
            "seed": self.job.seed,
            "space": {key: str(each) for key, each in self.space.items()},
            "trials": [each._asdict() for each in trials],
            "best": None
            if best is None
            else {key: best._asdict()[key] for key in ("number", "params", "value", "ndcg")},
            "seconds": sum(each.seconds for each in trials),
        }
        self.write({self.path.name: summary})


def _standing(trial: Trial) -> tuple[float, float]:
    """Of a complete trial."""
    return trial.value or 0.0, trial.ndcg or 0.0


class _PrunedError(Exception):
    """A trial is stopped early."""


@guarded
def plan_tunings(
    datasets: Sequence[Dataset],
    methods: Sequence[str],
    *,
    trials: int,
    seed: int,
    settings: TrainSettings,
    changes: Mapping[str, Any],
    given: Sequence[str],
    folder: Path,
    tuned: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType({}),
) -> list[Tuning]:
    """A tuning for each dataset and trained method, all with as many trials.

    Args:
        datasets: each by a name of its own.
        methods: names of the table; PopRec has nothing to tune.
        trials: of each.
        seed: of the study; see ``SEED``.
        settings: of training, but for what is searched.
        changes: to the methods' negative settings.
        given: settings of training that a person gave: like ``changes`` they are not searched.
        folder: of the summaries.
        tuned: settings of a dataset and a method by themselves, where the search begins.

    Raises:
        InputError: a method has nothing left to search, or what is given leaves no room for what is searched.
    """
    some("datasets", datasets)
    some("methods", methods)
    whole("trials", trials, 1, TRIALS)
    whole("seed", seed, 0, SEEDS)
    folder, methods = Path(folder), method_names(",".join(methods))
    found = []
    for data in datasets:
        for method in (each for each in methods if each != POPREC):
            job = Job(data, method, SEED + seed, settings, negative_settings(method, changes))
            job = tuned_job(job, tuned.get((data.name, method), {}))
            space = {key: each for key, each in METHODS[method].space.items() if key not in {*changes, *given}}
            if not space:
                raise InputError(f"nothing is left to tune for {method}: all that could be searched is given by --set")
            fixed = {key: value for key, value in job.negatives.items() if key not in space}
            for key in space:
                narrowed(key, space, fixed)
            found.append(Tuning(job, space, trials, folder))
    return found


@guarded
def tune_all(
    tunings: Sequence[Tuning],
    *,
    at_once: int = 1,
    on: Backend = LOCAL,
    watch: Callable[[Tuning, Any], None] = lambda tuning, said: None,
    tell: Callable[[str], None] = lambda line: None,
    failed: dict[tuple[str, str], str] | None = None,
) -> dict[tuple[str, str], dict[str, Any]]:
    """Do what is left of ``tunings``; returns the best settings of each, by dataset and method.

    Args:
        tunings: from :func:`plan_tunings`.
        at_once: tunings at a time, each in a process of its own; the trials of one come one after another, so that
            what they try does not depend on which is faster.
        on: where they are done.
        watch: called with what a tuning reports (see :meth:`Tuning.run`), and with None when it is done.
        tell: what else there is to be said, a line at a time.
        failed: where to note, by dataset and method, why a search found nothing; None: that is an error, at the end.

    Raises:
        FailedError: a search found nothing.
        InputError: see :meth:`Tuning.run`.
    """
    at_once = min(whole("at_once", at_once, 1, 10**6), len(tunings))
    lost: dict[str, str] = {}
    tried = [each for each in tunings if not each.left]  # told here: no process is worth it
    names = {each.stem for each in tried}
    left = [each for each in tunings if each.stem not in names]
    run_tasks(tried, partial(_heard, watch, lost, tried), tell)
    run_tasks(left, partial(_heard, watch, lost, left), tell, at_once=at_once, on=on)
    found, why = {}, {}
    for each in tunings:
        key = each.job.data.name, each.job.method
        if each.stem in lost:
            why[key] = f"in its tuning the {lost[each.stem]}; the same command carries on from its checkpoint"
        elif all(trial.state != "complete" for trial in each.trials()):
            why[key] = each.failure
        else:
            found[key] = each.best().params
    if failed is not None:
        failed |= why
    elif why:
        raise FailedError([f"{name} {method}: {reason}" for (name, method), reason in why.items()])
    return found


def _heard(
    watch: Callable[[Tuning, Any], None], lost: dict[str, str], tunings: Sequence[Tuning], number: int, said: Any
) -> None:
    if isinstance(said, Lost):
        lost[tunings[number].stem] = said.reason
    else:
        watch(tunings[number], said)


def check_alone(tuning: Tuning) -> None:
    """Refuse a folder that holds another search: its ``best.json`` would be replaced.

    Raises:
        InputError: names what differs; or a file of the other is damaged.
    """
    ours = tuning.job.identity() | {"space": {key: str(each) for key, each in tuning.space.items()}}
    for path in sorted(tuning.folder.glob(f"*.{LIST}")):
        name = path.name.removesuffix(f".{LIST}")
        if name != tuning.stem:
            other = settled(path, "tuning", lambda listed, name=name: listed.read_json(f"{name}.json"))  # type: ignore[misc]
            raise InputError(
                f"{tuning.folder} holds a search by other settings ({differs(other, ours)}); choose another --out, or "
                "delete it"
            )


def write_best(tuning: Tuning) -> Path:
    """``best.json`` beside the summary: the settings that were found, whole. Returns its path.

    Raises:
        InputError: see :meth:`Tuning.best`.
    """
    best = tuning.best()
    job = tuned_job(tuning.job, best.params)
    path = tuning.folder / "best.json"
    found = {"dataset": job.data.name, "dataset_fingerprint": job.data.fingerprint, "method": job.method}
    chosen = {"settings": job.settings.model_dump(mode="json"), "negatives": job.negatives, "params": best.params}
    about = {
        "objective": SELECTED_BY,
        "value": best.value,
        "best_epoch": best.best_epoch,
        "trial": best.number,
        "ndcg": best.ndcg,
    }
    tuning.write({path.name: found | chosen | about | {"trials": tuning.planned}})
    return path


def fit_trial(job: Job, place: Path, watch: Callable[[Epoch], None]) -> Fitted:
    """Train ``job`` with looks at validation alone, kept in ``place`` to be carried on."""
    device = default_device()
    model = build_model(job, device)
    assert not isinstance(model, PopRec)
    catalogue = catalogue_of(job.data, job.settings.max_length, device, windows=job.settings.windows)
    method = build_method(job.method, catalogue, job.negatives)
    training = TrainingState(model, method, seed=job.seed, watch=watch, keep=place)
    (fitted,) = fit_together([training], job.data, job.settings, Checkpoint(place, checkpoint_identity([job], device)))
    return fitted
