"""The script for the day with a GPU, on a CPU: every part gives its rows, and whatever fails is told beside them."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.gpu import __main__ as program
from benchmarks.gpu.forecast import forecast
from benchmarks.gpu.kernels import is_product
from benchmarks.gpu.logs import SHAPES, made
from benchmarks.gpu.parts import PARTS
from negsample.methods import PAPER_SIX

NUMBERS = {
    "device": {"flops_per_second"},
    "steps": {"steps_per_second", "step_ms", "peak_bytes"},
    "kernels": {"kernels_a_step", "products_share_of_busy", "busy_share", "product_flops_a_step", "share_of_peak"},
    "evaluation": {"seconds"},
    "precision": {"steps_per_second"},
    "sharded": {"steps_per_second"},
}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_measures(tmp_path, part):
    out = tmp_path / "rows.json"
    program.main(["--from", "0", "--parts", part, "--out", str(out), "--device", "cpu", "--small"])
    rows = json.loads(out.read_text())["rows"]
    assert not [row["error"] for row in rows if "error" in row]
    for row in rows[part == "device" :]:
        assert all(row[name] > 0 for name in NUMBERS[part]), row
    if part == "steps":
        assert {(row["dataset"], row["method"]) for row in rows} >= {(d, m) for d in SHAPES for m in PAPER_SIX}
        assert {row["together"] for row in rows} == {1, 2}


def test_a_device_that_is_not_there_is_told_in_each_row(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("it is there")
    out = tmp_path / "gpu.json"
    program.main(["--out", str(out), "--small", "--parts", "device,evaluation"])
    found = json.loads(out.read_text())
    errors = [row.get("error", "") for part in found["parts"].values() for row in part["rows"]]
    assert len(errors) == 4 + 6
    assert all(error for error in errors[1:])
    assert "machine" in found["parts"]["device"]["rows"][0]


BROKEN = """
import sys
def lost(asked):
    for number in range(4):
        yield {"number": number}, lambda number=number: found(number)
def found(number):
    if number == 1:
        raise RuntimeError("CUDA error: an illegal memory access")
    if number == 2:
        import os
        os._exit(9)
    return {"squared": number**2}
from benchmarks.gpu import parts
parts.PARTS = {"lost": (lost, 1.0)}
from benchmarks.gpu.__main__ import main
main()
"""


def test_what_ends_a_process_ends_no_more(tmp_path, monkeypatch):
    """A broken device and a crash cost their own figure."""
    run = program.subprocess.run

    def instead(command, **options):
        return run([command[0], "-c", BROKEN, *command[3:]], **options)

    monkeypatch.setattr(program.subprocess, "run", instead)
    monkeypatch.setattr(program, "PARTS", {"lost": (None, 1.0)})
    program.main(["--out", str(tmp_path / "gpu.json"), "--device", "cpu", "--small"])
    part = json.loads((tmp_path / "gpu.json").read_text())["parts"]["lost"]
    assert [row.get("squared") for row in part["rows"]] == [0, None, None, 9]
    assert "CUDA error" in part["rows"][1]["error"]
    assert "ended with 9" in part["rows"][2]["error"]
    assert part["error"] is None


def test_a_part_ends_with_its_time(tmp_path):
    program.main(["--out", str(tmp_path / "gpu.json"), "--device", "cpu", "--parts", "kernels", "--seconds", "0.2"])
    part = json.loads((tmp_path / "gpu.json").read_text())["parts"]["kernels"]
    assert (part["rows"], part["error"]) == ([], "stopped after 0 s, its share of the time")


def test_a_forecast_by_hand():
    steps = [
        {
            "dataset": "amazon-beauty",
            "method": "random",
            "together": 20,
            "batch_size": 128,
            "steps_per_second": 1_000.0,
        },
        {"dataset": "amazon-beauty", "method": "random", "together": 1, "batch_size": 128, "steps_per_second": 100.0},
        {"dataset": "amazon-beauty", "method": "mixed", "together": 20, "error": "out of memory"},
    ]
    evaluations = [{"dataset": "amazon-beauty", "with_top": top, "seconds": 1.0 + top} for top in (False, True)]
    found = forecast(steps, evaluations, 4_096)
    (row,) = found["rows"]
    assert row["steps_an_epoch"] == 407  # of 52,024 users, 128 at a time
    assert row["training_hours"] == pytest.approx(20 * 200 * 407 / 1_000 / 3_600)
    queries = 0.05 * 394_908 / 4_096
    assert row["evaluation_hours"] == pytest.approx(20 * queries * (8 * 1 + 2 * 2) / 3_600)
    assert found["runs"] == 20
    assert len(found["missing"]) == 17


def test_logs_are_in_their_shape(tmp_path):
    data = made("retailrocket", 400, tmp_path, smaller=100)
    assert data.catalogue_size == 400
    assert len(data.train_ends) == 401
    lengths = (data.offsets[1:] - data.offsets[:-1])[1:]
    assert lengths.mean() == pytest.approx(SHAPES["retailrocket"].length, rel=0.2)


def test_products_by_name():
    names = ("sm90_xmma_gemm_f32f32_tf32", "nvjet_sm90_tst_128x64", "void cutlass::Kernel2", "aten::bmm", "gemvNSP")
    assert all(map(is_product, names))
    assert not any(map(is_product, ("vectorized_elementwise_kernel", "aten::mul", "indexSelectLargeIndex", "softmax")))
