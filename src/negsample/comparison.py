"""A whole comparison in one call: train what is missing, then write the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from negsample.errors import FailedError, InputError, guarded, some, whole
from negsample.execution.backend import LOCAL, Backend, run_tasks
from negsample.execution.trainings import Outcomes, Training, Watch
from negsample.files.atomic import sweep
from negsample.files.claims import alone, clear_finished
from negsample.files.folders import make_folders
from negsample.report.page import write_report
from negsample.report.supplement import Supplementing
from negsample.runs.folder import is_run, read_run
from negsample.runs.job import Job
from negsample.runs.reasons import failed_for
from negsample.runs.remeasure import dial_again
from negsample.scoring.dial import parse_choice
from negsample.studies.files import write_study
from negsample.studies.forecast import check_fits
from negsample.studies.study import at_a_time, unfinished


@guarded
def compare(
    jobs: Sequence[Job],
    out: Path,
    *,
    oversampling: Sequence[Job] = (),
    at_once: int = 1,
    together: int = 1,
    dial: str = "none",
    on: Backend = LOCAL,
    watch: Watch = lambda job, what: None,
    tell: Callable[[str], None] = lambda line: None,
    note: Mapping[str, Any] | None = None,
    replace: bool = False,
    untuned: Mapping[tuple[str, str], str] | None = None,
    supplement: Supplementing | None = None,
) -> Path:
    """Do the jobs that ``out`` has not finished yet, and write the report. Returns the path of the page.

    Earlier runs in ``out`` stay part of the study: it may get more methods, seeds and datasets. A run that was stopped
    is carried on from its last checkpoint. Several processes may do one study at a time: each does what no other is
    at, and all end when all is done. A run that fails does not keep the others from being done: why it failed is kept
    in ``failed`` in the study's folder, and the same call tries it again.

    Args:
        jobs: from :func:`plan`.
        out: the study's folder.
        oversampling: from :func:`oversampled`, done beside them and shown in a chart of their own.
        at_once: jobs at a time, each in a process of its own that is started anew: a script that asks for more than
            one needs ``if __name__ == "__main__":`` around its work.
        together: up to so many jobs that differ in their seeds alone are trained as one batched model, which a GPU
            does in less time than one after another; each gives what it would give alone, but for rounding.
        dial: how every run's dial is chosen, as :func:`negsample.scoring.dial.parse_choice` takes it; no run is trained
            again for another one.
        on: where the jobs are done, from :func:`negsample.execution.backend.parse_backend`; on Ray ``at_once``
            holds for all nodes.
        watch: see ``Watch``.
        tell: what else there is to be said, a line at a time.
        note: more to keep in ``study.json``.
        replace: delete a study of other settings that is in ``out``, which is refused otherwise.
        untuned: methods whose tuning found nothing, by dataset and method, and why: their jobs are failed ones.
        supplement: what else the report shows, see :func:`negsample.report.page.write_report`.

    Raises:
        FailedError: after all else is done and the report is written: runs failed.
        InputError: ``out`` holds a study of other settings or something else where a run belongs, or cannot be
            written; other models than SASRec are to be trained together; or a run cannot be, see
            :func:`negsample.studies.forecast.check_fits`.
    """
    some("jobs", jobs)
    whole("at_once", at_once, 1, 10**6)
    whole("together", together, 1, 10**6)
    out = Path(out)
    choice, runs, every = parse_choice(dial), out / "runs", [*jobs, *oversampling]
    hopeless = [(job, why) for job in every if (why := (untuned or {}).get((job.data.name, job.method)))]
    possible = [job for job in every if job.name not in {each.name for each, _ in hopeless}]
    todo = unfinished(possible, out, together)
    tasks = [Training(group, [runs / job.name for job in group], choice) for group in todo]
    check_fits([task.jobs for task in tasks], at_once, memory=on.here)
    make_folders(out, "runs", "datasets")
    left = {folder for task in tasks for folder in task.folders}
    for folder in left:
        if folder.exists() and not is_run(folder):
            raise InputError(f"{folder} is there and is no finished run; delete it, and it is done again")
    about = {"dial": choice.text} | dict(note or {})
    sweep(out, deep=True)
    clear_finished([runs / job.name for job in possible if runs / job.name not in left])
    with alone(out / "study"):
        listed = write_study(jobs, out, about, oversampling=oversampling, replace=replace)
    datasets = {job.data.fingerprint: job.data for job in jobs}
    for folder in (runs / name for name in listed if is_run(runs / name)):
        dial_again(folder, choice, datasets.get(read_run(folder).config["dataset_fingerprint"]))
    for job in possible:
        if runs / job.name not in left:
            watch(job, None)

    outcomes = Outcomes(out, tasks, watch)
    for job, why in hopeless:
        outcomes.fail(job, failed_for(job, "untuned", why))
    run_tasks(tasks, outcomes.on_message, tell, at_once=at_a_time(every, at_once, together), on=on)
    with alone(out / "study"):  # another process may have added to the study: who comes last tells of all
        listed_now = write_study(jobs, out, about, oversampling=oversampling)
        for name in listed_now:
            if name not in listed and is_run(runs / name):
                dial_again(runs / name, choice, datasets.get(read_run(runs / name).config["dataset_fingerprint"]))
        page = (
            write_report(out, tell, supplement=supplement) if any(is_run(runs / name) for name in listed_now) else None
        )
    if outcomes.failures:
        failed = [outcomes.failures[job.name] for job in every if job.name in outcomes.failures]
        raise FailedError([each.line for each in failed], page)
    assert page is not None, "what did not fail is finished"
    return page
