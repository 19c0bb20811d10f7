"""What each process has, without starting any."""

from __future__ import annotations

import pytest
import torch

from negsample.batches.epochs import share_of
from negsample.errors import InputError
from negsample.models.init import fill, filled_part
from negsample.parallel.launch import check_alone, launched_rank, launched_size
from negsample.parallel.processes import Processes, current, each_by_first
from negsample.parallel.shards import Shards
from negsample.random import generator


@pytest.mark.parametrize(("rows", "size"), [(7, 2), (8, 2), (8, 3), (10, 4), (100, 7), (5, 1)])
def test_every_row_is_in_one_process_as_torch_divides_them(rows, size):
    shards = [Shards(rows, Processes(rank, size)) for rank in range(size)]
    chunks = torch.chunk(torch.arange(rows), size)
    assert [list(range(each.start, each.stop)) for each in shards] == [each.tolist() for each in chunks]


@pytest.mark.parametrize(("rows", "size", "fewer"), [(3, 4, 3), (9, 4, 3), (9, 7, 5)])
def test_a_process_without_rows_is_refused(rows, size, fewer):
    with pytest.raises(InputError, match=f"{rows - 1} items cannot be divided over {size} processes.*start {fewer}"):
        Shards(rows, Processes(0, size))
    Shards(rows, Processes(fewer - 1, fewer))


@pytest.mark.parametrize("init", ["normal", "glorot"])
@pytest.mark.parametrize(
    ("rows", "dim", "dtype"),
    [
        (11, 3, torch.float32),
        ((1 << 16) + 1, 5, torch.float32),  # the last block would have fewer numbers than are drawn at once
        ((1 << 17) + 40, 3, torch.float32),
        ((1 << 16) + 9, 4, torch.bfloat16),
    ],
)
def test_a_part_is_filled_as_it_is_in_the_whole(rows, dim, dtype, init, rng):
    one, two = rng(3), rng(3)
    whole = fill(torch.empty(rows, dim, dtype=dtype), init, rng=one)
    for start, stop in ((0, rows // 2), (rows // 2, rows)):
        own = two.clone_state()
        part = filled_part(torch.empty(stop - start, dim, dtype=dtype), start, rows, init, rng=own)
        assert torch.equal(part, whole[start:stop])
    assert torch.equal(own.get_state(), one.get_state())


def test_a_batch_is_divided_and_one_that_is_too_small_has_a_stand_in():
    windows = torch.tensor([4, 8, 15, 16, 23])
    assert share_of(windows, None) == (windows, True)
    shares = [share_of(windows, Processes(rank, 3)) for rank in range(3)]
    assert [each.tolist() for each, _ in shares] == [[4, 16], [8, 23], [15]]
    few = [share_of(windows[:2], Processes(rank, 3)) for rank in range(3)]
    assert [(each.tolist(), counts) for each, counts in few] == [([4], True), ([8], True), ([4], False)]


def test_streams_differ_and_one_without_is_as_ever():
    def first(*stream):
        return torch.rand(4, generator=generator(0, "negatives", stream=stream)).tolist()

    assert first() == torch.rand(4, generator=generator(0, "negatives")).tolist()
    assert len({tuple(first(*each)) for each in ((), (1, 0, 2), (1, 1, 2), (2, 0, 2), (1, 0, 3))}) == 5


def test_one_process_is_alone(monkeypatch):
    assert current() is None
    assert each_by_first(None, lambda: 3) == 3
    assert (launched_rank(), launched_size()) == (0, 1)
    check_alone("compare")
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("WORLD_SIZE", "2"), ("RANK", "1")):
        monkeypatch.setenv(name, value)
    assert (launched_rank(), launched_size()) == (1, 2)
    with pytest.raises(InputError, match="torchrun started 2 processes, and compare is the work of one"):
        check_alone("compare")
