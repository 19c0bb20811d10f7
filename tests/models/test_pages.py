"""A large array is one like any other."""

from __future__ import annotations

import copy
import gc
import mmap

import pytest
import torch

from negsample.models import pages


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [3, 1 << 20])
def test_it_is_an_array_of_its_own(rows, dtype):
    array = pages.empty((rows, 32), dtype)
    assert (array.shape, array.dtype) == ((rows, 32), dtype)
    assert array.is_contiguous()
    array.zero_()
    other = pages.empty((rows, 32), dtype).fill_(7)
    last = array[-1]
    del array
    gc.collect()
    last += 1  # its memory lives as long as a view of it
    assert last.sum() == 32
    assert (other == 7).all()
    assert (copy.deepcopy(other) == 7).all()


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="pages of 2 MiB are asked for on Linux only")
def test_large_pages_are_asked_for():
    array = pages.empty((pages.LARGE // 4,)).zero_()
    start = array.data_ptr()
    with open("/proc/self/smaps") as maps:
        ranges, flags = None, []
        for line in maps:
            first = line.split()[0]
            if "-" in first and not first.endswith(":"):
                ranges = [int(each, 16) for each in first.split("-")]
            elif first == "VmFlags:" and ranges[0] <= start < ranges[1]:
                flags = line.split()[1:]
    assert "hg" in flags


def test_too_much_is_an_error_of_torch():
    with pytest.raises(RuntimeError, match=r"can't allocate|size calculation|Storage size"):
        pages.empty((1 << 45, 1 << 10))
