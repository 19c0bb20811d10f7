"""The studies that `benchmarks/reliability/studies` generates are read as those of trained runs are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.reliability.studies.kinds import plan_of
from benchmarks.reliability.studies.writing import write_study
from negsample.analysis.reading import read_study


@pytest.mark.parametrize("kind", ["one-run", "failed", "folds"])
def test_generated_studies_are_read(tmp_path: Path, kind: str):
    plan = plan_of(kind, seed=1)
    write_study(plan, tmp_path / "study", np.random.default_rng(1))
    study = read_study(tmp_path / "study")
    assert len(study.failures) == sum(min(count, plan.seeds) for count in plan.failed.values())
    assert len(study.runs) + len(study.failures) == study.listed
    figures = study.table().filter(study.table()["runs"] > 0)
    assert figures["hr@10"].is_between(0, 1).all()


def test_the_same_seed_gives_the_same_plan():
    assert plan_of("usual", 3) == plan_of("usual", 3) != plan_of("usual", 4)
