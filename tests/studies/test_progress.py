"""The lines of a study's progress."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from negsample.methods import negative_settings
from negsample.runs.job import Job
from negsample.settings import run_settings
from negsample.studies.progress import progress_of
from negsample.training.best import SELECTED_BY
from negsample.training.state import Epoch


@pytest.mark.parametrize(("fit_terms", "note"), [(False, ""), (True, " (before terms are fitted)")])
def test_seconds_of_training_are_those_of_both_trainings(world, fit_terms, note):
    settings, said = run_settings(epochs=2, refit=True, fit_terms=fit_terms), StringIO()
    job = Job(world(users=30, items=20), "random", 0, settings, negative_settings("random", {}))
    with progress_of(Console(file=said, width=200), [job]) as progress:
        for number in (1, 2):
            progress.watch(job, Epoch(number, 0.5, 10.0 * number, number, {SELECTED_BY: 0.1 * number}))
        progress.watch(job, Epoch(1, 0.5, 3.0, 1, None, refit=1))
        progress.watch(job, None)
    line = f"[1/1] world random seed 0: best validation HR@10 20.00 %{note}, 23.0 s of training"
    assert line in said.getvalue()


def test_a_training_that_may_stop_early_has_a_limit_and_leaves_no_work_behind(world):
    said = StringIO()
    jobs = [
        Job(
            world(users=30, items=20),
            "random",
            0,
            run_settings(epochs=9, early_stop=stop),
            negative_settings("random", {}),
        )
        for stop in (0, 2)
    ]
    with progress_of(Console(file=said, width=200, force_terminal=True), jobs) as progress:
        (task,) = progress._bar.live.tasks
        for job, limit in zip(jobs, ("/9", " of at most 9"), strict=True):
            progress.watch(job, Epoch(3, 0.5, 1.0, 3, {SELECTED_BY: 0.1}))
            assert task.description == f"world random seed 0 epoch 3{limit}"
        assert task.completed == pytest.approx(task.total / 3)
        for job in jobs:
            progress.watch(job, None)
        assert task.completed == task.total
        progress._bar.live.refresh()
    assert "left, at most" in said.getvalue()


@pytest.mark.parametrize("width", [40, 80, 119, 120, 200])
def test_a_terminal_of_any_width_has_the_share_that_is_done_and_all_words(world, width):
    said = StringIO()
    job = Job(world(users=30, items=20), "random", 0, run_settings(epochs=2), negative_settings("random", {}))
    with progress_of(Console(file=said, width=width, force_terminal=True, color_system=None), [job]) as progress:
        progress.watch(job, Epoch(2, 0.5, 1.0, 2, {SELECTED_BY: 0.1}))
        progress._bar.live.refresh()
    shown = said.getvalue()
    assert "100%" in shown
    assert "…" not in shown
    assert "world random seed 0 epoch" in shown
    assert ("elapsed" in shown) == (width >= 120)
