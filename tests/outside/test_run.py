"""A run's folder, from its saved weights alone: every figure at every dial, the epoch and the dial that were chosen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from slow import figures, files
from world import all_figures, counts_of_targets, ranked

from negsample import SASRec, generator, plan, run_settings
from negsample.execution.attempts import run_job
from negsample.scoring.dial import parse_choice

LONGEST = 6
SETTINGS = run_settings(epochs=4, dim=8, blocks=1, max_length=LONGEST, batch_size=16, learning_rate=0.02)


@pytest.fixture(scope="module", params=["auto", "balance:0.6"])
def run(request, world_of, tmp_path_factory):
    """A real run of a slice of the bundled log."""
    world = world_of("online-retail")
    job = next(job for job in plan([world.data], ["mixed"], repeats=1, seed=3, settings=SETTINGS) if job.negatives)
    folder = tmp_path_factory.mktemp("run") / "run"
    run_job(job, folder, dial=parse_choice(request.param))
    return world, files.read(folder), 0.6 if "balance" in request.param else 0.0


def test_the_epoch_and_the_dial_are_chosen_on_validation(run):
    _, found, least = run
    assert found["metrics"]["best_epoch"] == files.best_epoch(found["log"])
    beta = files.chosen(found["dial"], least)
    assert found["metrics"]["dial"] == beta
    place = found["dial"]["betas"].index(beta)
    for part in ("valid", "test"):
        assert found["metrics"][part].items() >= found["dial"][part][place].items()
    best = next(entry for entry in found["log"] if entry["epoch"] == found["metrics"]["best_epoch"])
    zero = found["dial"]["valid"][found["dial"]["betas"].index(0.0)]
    assert best["valid"]["hr@10"] == pytest.approx(zero["hr@10"])


def test_every_figure_of_its_files(run):
    """From weights in single precision: a rank may differ by what rounding decides, a figure by an event or two."""
    world, found, _ = run
    log_p = figures.log_shares(counts_of_targets(world, LONGEST))
    for place, beta in list(enumerate(found["dial"]["betas"]))[::4]:
        events, orders = ranked(world, found["weights"], "test", LONGEST, shift=beta * log_p)
        ranks = np.array([event.rank for event in events])
        mine = found["ranks"]["test_GE"][place]
        assert np.abs(mine - ranks).max() <= 1
        assert (mine == ranks).mean() > 0.97
        said = found["dial"]["test"][place]
        own = [event._replace(rank=rank) for event, rank in zip(events, mine.tolist(), strict=True)]
        for name, value in all_figures(world, "test", own, orders).items():
            shown = name.startswith(("coverage", "arp"))  # which of two that tie but for rounding is shown is open
            value = None if math.isnan(value) else pytest.approx(value, abs=2e-3 if shown else 1e-9)
            assert said[name] == value, name


def test_training_has_moved_the_weights(run):
    """What was measured is a trained model and no first value."""
    world, found, _ = run
    first = SASRec(world.data.catalogue_size, dim=8, max_length=LONGEST, blocks=1, rng=generator(3, "init"))
    moved = (found["weights"]["table.weight"] - first.table.weight.detach().double()).abs()
    assert moved[1:].max() > 0.02
    assert (found["weights"]["table.weight"][0] == 0).all()
