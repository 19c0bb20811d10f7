"""What the commands compare and reproduce have in common: a study is done, seen on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from negsample.cli.console import notes, out, result, say
from negsample.cli.options import Doing
from negsample.errors import FailedError, InputError

if TYPE_CHECKING:
    from negsample.analysis.study import Study
    from negsample.data.dataset import Dataset
    from negsample.execution.backend import Backend
    from negsample.report.page import Supplementing
    from negsample.runs.job import Job
    from negsample.studies.tuning_task import Tuning

Tuned = Mapping[tuple[str, str], Mapping[str, Any]]
"""Settings of a dataset and a method, as a tuning found them."""
Planned = tuple["list[Job]", "list[Job]"]
"""The runs of a study's table, and those beside it."""


class StudyRequest(NamedTuple):
    """What a command asks of a study.

    ``planned``: the runs of its table and those beside it, given what a tuning found (None: nothing). ``note``: kept in
    study.json. ``remarks``: said before it begins. ``tuned_runs``: whether what ``tunings`` find is for the runs.
    ``users``: whether the report shows some.
    """

    folder: Path
    datasets: Sequence[Dataset]
    planned: Callable[[Tuned | None], Planned]
    note: Mapping[str, Any]
    remarks: Sequence[str]
    tunings: Sequence[Tuning] = ()
    tuned_runs: bool = True
    dial: str = "none"
    supplement: Supplementing | None = None
    forecast_only: bool = False
    users: bool = True


def carry_out(request: StudyRequest, doing: Doing) -> None:
    """Do what is left of a study, and say what came of it.

    Raises:
        FailedError: runs or searches failed; all else is done.
        InputError: a setting is wrong, or the dial brings no run to the Balance that was asked for.
    """
    from negsample.analysis.reading import read_study
    from negsample.comparison import compare
    from negsample.execution.backend import parse_backend
    from negsample.report.words import unreached_words
    from negsample.studies.files import check_study_folder
    from negsample.studies.progress import progress_of
    from negsample.tracking import track, tracked

    tracking, backend = track(doing.mlflow, request.folder), parse_backend(doing.on)
    check_study_folder(request.folder)
    planned, note = request.planned(None), dict(request.note)
    untuned: dict[tuple[str, str], str] = {}
    if request.tunings or request.forecast_only:
        _forecast_searches(request, doing, backend, planned)
        found = tuned(request.tunings, doing.at_once, backend, untuned)
        if request.tunings and request.tuned_runs:
            planned = request.planned(found)
            note["tunings"] = [each.stem for each in request.tunings]
    jobs, beside = planned
    failures: list[str] = []
    with tracked(tracking, say) as logging, progress_of(notes, [*jobs, *beside], begun=False) as progress:

        def before(left: Sequence[Sequence[Job]]) -> None:
            if not request.tunings:
                _describe(request, jobs)
            _print_forecast([*jobs, *beside], left, doing, backend)
            progress.begin()

        try:
            finished = compare(
                jobs,
                request.folder,
                oversampling=beside,
                at_once=doing.at_once,
                together=doing.together,
                dial=request.dial,
                on=backend,
                before=before,
                watch=logging(progress.watch),
                on_line=progress.on_line,
                note=note,
                replace=doing.replace,
                untuned=untuned if request.tuned_runs else {},
                supplement=request.supplement,
                users=request.users,
            )
        except FailedError as failed:
            if failed.page is None:
                raise
            finished, failures = read_study(request.folder), failed.lines
    print_study_and_path(finished)
    if not request.tuned_runs:
        failures += [f"the search of {method} on {name}: {why}" for (name, method), why in untuned.items()]
    if words := unreached_words(finished):
        if not failures and len(finished.unreached()) == len(finished.trained()):
            raise InputError(words)
        notes.plain(words)
    if failures:
        raise FailedError(failures)


def _forecast_searches(request: StudyRequest, doing: Doing, backend: Backend, planned: Planned) -> None:
    """Say what the searches and then the runs will take, after what would refuse them later: tuning takes hours."""
    from negsample.methods import POPREC
    from negsample.studies.earlier import check_adds, read_earlier
    from negsample.studies.forecast.fits import check_fits
    from negsample.studies.study import unfinished

    jobs, every = planned[0], [*planned[0], *planned[1]]
    if not doing.replace:  # what is tuned is compared later, when its settings are known
        known = [job for job in jobs if job.method == POPREC] if request.tuned_runs else every
        check_adds(request.folder, read_earlier(request.folder), known, request.note)
    left = unfinished(every, request.folder, doing.together)
    check_fits(left, doing.at_once, memory=backend.here)
    _describe(request, jobs)
    if request.forecast_only or any(tuning.left for tuning in request.tunings):
        _print_forecast(every, left, doing, backend, request.tunings, alone=request.forecast_only)
    if request.forecast_only:
        raise typer.Exit


def _describe(request: StudyRequest, jobs: Sequence[Job]) -> None:
    from negsample.cli.terminal import print_dataset

    for data in request.datasets:
        print_dataset(notes, data, jobs[0].settings)
    for remark in request.remarks:
        notes.plain(remark)


def _print_forecast(
    every: Sequence[Job],
    left: Sequence[Sequence[Job]],
    doing: Doing,
    backend: Backend,
    tunings: Sequence[Tuning] = (),
    *,
    alone: bool = False,
) -> None:
    """``alone``: it is all that was asked for."""
    from negsample.cli.forecast import print_forecast
    from negsample.studies.forecast import forecast
    from negsample.studies.study import at_a_time

    ahead = forecast(
        left,
        at_a_time(every, doing.at_once, doing.together),
        searches=[(tuning.job, tuning.left) for tuning in tunings if tuning.left],
        searches_at_once=max(min(doing.at_once, len(tunings)), 1),
    )
    print_forecast(out if alone else notes, ahead, here=not backend.ray, report=True)
    if alone:
        lines = [{"dataset": each.dataset, "method": each.method, "seconds": each.seconds} for each in ahead.lines]
        result({"seconds": ahead.seconds, "bytes": ahead.memory, "runs": lines})


def print_study_and_path(study: Study) -> None:
    """The figures of a study, and where its report is."""
    from negsample.analysis.over_logs import over_logs
    from negsample.cli.terminal import print_study
    from negsample.report.baselines import choices_words
    from negsample.report.joint_words import over_logs_words
    from negsample.report.verdict import shown_verdict, verdict_lines

    print_study(out, study)
    for dataset in study.datasets():
        if words := choices_words(study, dataset):
            out.plain((f"{dataset}: " if len(study.datasets()) > 1 else "") + words)
    verdicts = {dataset: found.verdict for dataset, found in study.analysis.datasets.items()}
    for verdict in verdicts.values():
        for line in verdict_lines(study, verdict):
            out.plain(line)
    found = study.analysis.datasets
    joint = over_logs_words(over_logs(found)[0]) if len(found) > 1 else []
    if joint:
        out.plain(f"Over the logs: {' '.join(joint)}")
    out.plain(f"Report: {study.report_path}")
    failed = [each.line for each in study.failures]
    told = {dataset: shown_verdict(study, each)._asdict() for dataset, each in verdicts.items()}
    told = {dataset: each | {"cards": [card._asdict() for card in each["cards"]]} for dataset, each in told.items()}
    files = {"folder": study.folder, "report": study.report_path}
    result({**files, "verdicts": told, "over_logs": joint, "table": study.table().to_dicts(), "failed": failed})


def tuned(
    tunings: Sequence[Tuning], at_once: int, backend: Backend, failed: dict[tuple[str, str], str] | None = None
) -> dict[tuple[str, str], dict[str, Any]]:
    """Do what is left of ``tunings``, seen on the terminal; ``failed`` as of
    :func:`negsample.studies.tuning.tune_all`."""
    from negsample.studies.forecast.fits import check_fits
    from negsample.studies.progress import progress_of_searches
    from negsample.studies.tuning import tune_all

    check_fits([[tuning.job] for tuning in tunings], at_once, memory=backend.here)
    with progress_of_searches(notes, tunings) as progress:
        return tune_all(
            tunings, at_once=at_once, on=backend, watch=progress.watch, on_line=progress.on_line, failed=failed
        )
