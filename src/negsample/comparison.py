"""A whole comparison in one call: train what is missing, then write the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.data.dataset import Dataset
from negsample.data.load import load_dataset, load_folds
from negsample.errors import FailedError, InputError, guarded, some, whole
from negsample.execution.backend import LOCAL, Backend, run_tasks
from negsample.execution.trainings import Outcomes, Training, Watch
from negsample.files.atomic import sweep
from negsample.files.claims import alone, clear_finished
from negsample.files.folders import make_folders
from negsample.methods import DEFAULT_METHODS, split_settings
from negsample.report.page import Supplementing, write_report
from negsample.runs.folder import is_run, read_run
from negsample.runs.job import Job
from negsample.runs.kept import keep_dataset
from negsample.runs.reasons import failed_for
from negsample.runs.remeasure import set_dial
from negsample.runs.study_file import StudyFile
from negsample.scoring.dial import Choice, parse_choice
from negsample.settings import ADVISED, AFTER_TRAINING, PrepareSettings, run_settings
from negsample.studies.files import check_study_folder, read_about, write_study
from negsample.studies.forecast.fits import check_fits
from negsample.studies.study import at_a_time, folds_of, plan, unfinished

_REPEATS = 3


@guarded
def compare(
    data: Any,
    out: Path,
    methods: str | Sequence[str] | None = None,
    *,
    repeats: int | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    prepare: PrepareSettings | None = None,
    folds: int | None = None,
    oversampling: Sequence[Job] = (),
    at_once: int = 1,
    together: int = 1,
    dial: str = "none",
    on: Backend = LOCAL,
    progress: bool = True,
    before: Callable[[Sequence[Sequence[Job]]], None] = lambda groups: None,
    watch: Watch | None = None,
    on_line: Callable[[str], None] = lambda line: None,
    note: Mapping[str, Any] | None = None,
    replace: bool = False,
    untuned: Mapping[tuple[str, str], str] | None = None,
    supplement: Supplementing | None = None,
    users: bool = True,
) -> Study:
    """Compare methods on the same data: do the runs that ``out`` has not finished yet, and write the report.

    Earlier runs in ``out`` stay part of the study: it may get more methods, seeds and datasets. A run that was stopped
    is carried on from its last checkpoint. Several processes may work on one study: each does what no other is doing,
    and all end when all is done. A run that fails does not keep the others from being done: why it failed is kept in
    ``failed`` in the study's folder, and the same call tries it again.

    Args:
        data: a dataset, or several in a list: the name of a known one, the path of a log or of a prepared folder, a
            Polars or pandas frame, or a :class:`~negsample.Dataset`. Or the jobs of :func:`~negsample.plan`.
        out: the study's folder.
        methods: their names (see ``METHODS``), in a list or with commas; ``"all"``: every one. (default: the paper's
            six and ``mixed-log-q``)
        repeats: runs of each method, from different seeds. (default: 3)
        seed: the first. (default: 0)
        settings: of model, training and methods by name, as ``--set`` takes them: ``{"epochs": 5, "dim": 64}``. Models
            are refitted, and terms fitted after training, unless they say ``"refit": False, "fit_terms": False``; see
            ``ADVISED`` in :mod:`negsample.settings`.
        prepare: how logs are prepared.
        folds: test on so many windows of each log that follow each other in time, each with all that came before it as
            train and validation; see :func:`negsample.data.load.load_folds`. (default: on the last window alone)
        oversampling: jobs of :func:`~negsample.studies.study.oversampled`, done beside them and shown in a chart of
            their own.
        at_once: jobs at a time, each in a process of its own that is started anew: a script that asks for more than
            one needs ``if __name__ == "__main__":`` around its work.
        together: up to so many jobs that differ in their seeds alone are trained as one batched model, which a GPU
            does in less time than one after another; each gives what it would give alone, but for rounding.
        dial: how every run's dial is chosen, as :func:`negsample.scoring.dial.parse_choice` takes it; no run is trained
            again for another one.
        on: where the jobs are done, from :func:`negsample.execution.backend.parse_backend`; on Ray ``at_once`` holds
            for all nodes.
        progress: show a live line in a terminal or notebook; no more where ``watch`` is given.
        before: called once with the groups of jobs that are left, before the first begins.
        watch: see ``Watch``.
        on_line: called with other messages, a line at a time.
        note: more to keep in ``study.json``.
        replace: delete a study of other settings that is in ``out``, which is refused otherwise.
        untuned: methods whose tuning found nothing, by dataset and method, and why: their jobs are failed ones.
        supplement: what else the report shows, see :func:`negsample.report.page.write_report`.
        users: whether the report shows for whom methods differ most, with the log's ids; see there.

    Example:
        >>> compare("log.csv", "study", ["random", "mixed-log-q"], repeats=2).table()  # doctest: +SKIP

    Raises:
        FailedError: after all else is done and the report is written: runs failed.
        InputError: a name or a setting is unknown, or of another type; ``out`` holds a study of other settings or
            something else where a run belongs, or cannot be written; other models than SASRec are to be trained
            together; or a run cannot be, see :func:`negsample.studies.forecast.fits.check_fits`.
    """
    from negsample.studies.progress import seen_by

    whole("at_once", at_once, 1, 10**6)
    whole("together", together, 1, 10**6)
    out, choice = Path(out), parse_choice(dial)
    of_grid = {"methods": methods, "repeats": repeats, "seed": seed, "settings": settings}
    given = {**of_grid, "prepare": prepare, "folds": folds}
    jobs = _jobs_of(data, given)
    every = [*jobs, *oversampling]
    check_study_folder(out)
    hopeless = {job.name: why for job in every if (why := (untuned or {}).get((job.data.tuned_as, job.method)))}
    possible = [job for job in every if job.name not in hopeless]
    todo = unfinished(possible, out, together)
    check_fits(todo, at_once, memory=on.here)
    tasks = [Training(group, [out / "runs" / job.name for job in group], choice) for group in todo]
    study = _Folder(out, choice, jobs, oversampling, {"dial": choice.text, "folds": folds_of(jobs)} | dict(note or {}))
    left = {job.name for group in todo for job in group}
    finished = [job for job in possible if job.name not in left]
    study.open(finished, left, replace)
    before(todo)
    with seen_by(every, progress and watch is None, watch, on_line) as (watching, on_each_line):
        for job in finished:
            watching(job, None)
        study.keep_datasets(on_each_line)
        outcomes = Outcomes(out, tasks, watching)
        for job in every:
            if job.name in hopeless:
                outcomes.fail(job, failed_for(job, "untuned", hopeless[job.name]))
        run_tasks(tasks, outcomes.on_message, on_each_line, at_once=at_a_time(every, at_once, together), on=on)
        found = study.close(on_each_line, supplement, users)
    if outcomes.failures:
        failed = [outcomes.failures[job.name] for job in every if job.name in outcomes.failures]
        raise FailedError([each.line for each in failed], found.report_path if found else None)
    assert found is not None, "what did not fail is finished"
    return found


def _jobs_of(data: Any, given: Mapping[str, Any]) -> list[Job]:
    """The jobs of datasets, by what is ``given`` of the grid (None: the default), or those that ``data`` is."""
    several: list[Any] = list(data) if isinstance(data, list | tuple) and not isinstance(data, Job) else [data]
    some("data", several)
    if any(isinstance(each, Job) for each in several):
        if not all(isinstance(each, Job) for each in several):
            raise InputError("compare: data must be jobs of plan() or datasets, got both; make two calls")
        if idle := [name for name, value in given.items() if value is not None]:
            raise InputError(f"compare: {', '.join(idle)} would do nothing, jobs of plan() have them; leave them out")
        return several
    names = given["methods"]
    names = DEFAULT_METHODS if names is None else names.split(",") if isinstance(names, str) else names
    flat, of_methods = split_settings(given["settings"] or {})
    return plan(
        [data for each in several for data in _datasets(each, given["prepare"], given["folds"])],
        names,
        repeats=_REPEATS if given["repeats"] is None else given["repeats"],
        seed=given["seed"] or 0,
        settings=run_settings(**{**ADVISED, **flat}),
        changes=of_methods,
    )


def _datasets(of: Any, prepare: PrepareSettings | None, folds: int | None) -> list[Dataset]:
    if folds is not None:
        if isinstance(of, Dataset):
            raise InputError(f"compare: folds are made of a log, and {of.name} is prepared; give the log itself")
        return load_folds(of, folds, prepare)
    return [of if isinstance(of, Dataset) else load_dataset(of, prepare)]


class _Folder(NamedTuple):
    """The study's folder, while a command is at it. ``about``: what ``study.json`` has beside the jobs."""

    out: Path
    choice: Choice
    jobs: Sequence[Job]
    oversampling: Sequence[Job]
    about: Mapping[str, Any]

    def open(self, finished: Sequence[Job], left: set[str], replace: bool) -> None:
        """Clear what killed processes left, write ``study.json``, and choose the dial of what is finished.

        Raises:
            InputError: see :func:`compare`.
        """
        make_folders(self.out, "runs", "datasets")
        for folder in (self.out / "runs" / name for name in left):
            if folder.exists() and not is_run(folder):
                raise InputError(f"{folder} is there and is no finished run; delete it, and it is done again")
        sweep(self.out, deep=True)
        clear_finished([self.out / "runs" / job.name for job in finished])
        with alone(self.out / "study"):
            about = write_study(self.jobs, self.out, self.about, oversampling=self.oversampling, replace=replace)
        self._remeasure(about)

    def keep_datasets(self, on_line: Callable[[str], None]) -> None:
        """Keep the prepared datasets in the folder, which is then complete wherever it is moved to."""
        datasets = {job.data.name: job.data for job in self.jobs}
        with alone(self.out / "study"):
            lost = [name for name, data in datasets.items() if not keep_dataset(data, self.out)]
        if lost:
            on_line(
                f"The prepared data of {', '.join(lost)} cannot be kept in {self.out}, as its file system has no hard "
                "links to it: on another machine its runs need --data LOG."
            )

    def close(self, on_line: Callable[[str], None], supplement: Supplementing | None, users: bool) -> Study | None:
        """Write the report; None where no run is finished. A study is written anew only if another process added to
        it: the last one lists all."""
        with alone(self.out / "study"):
            about = read_about(self.out)
            if not {job.name for job in self.jobs} <= set(about.runs):
                about = write_study(self.jobs, self.out, self.about, oversampling=self.oversampling)
                self._remeasure(about)
            if not any(is_run(self.out / "runs" / name) for name in about.runs):
                return None
            study = read_study(self.out)
            write_report(study, on_line, supplement=supplement, users=users)
        return study

    def _remeasure(self, about: StudyFile) -> None:
        """Give all finished runs the dial, the cut-offs and the terms of this command."""
        jobs = {job.name: job for job in (*self.jobs, *self.oversampling)}
        datasets = {job.data.fingerprint: job.data for job in self.jobs}
        flat = self.jobs[0].settings.flat()
        common = {key: flat[key] for key in AFTER_TRAINING}
        for folder in (self.out / "runs" / name for name in (*about.runs, *about.oversampling)):
            if is_run(folder):
                settings = jobs[folder.name].config()["settings"] if folder.name in jobs else common
                data = datasets.get(read_run(folder).config["dataset_fingerprint"])
                set_dial(folder, self.choice, data, settings=settings)
