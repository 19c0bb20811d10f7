"""What is made ahead comes in order, with its errors, and stops when nobody wants more."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from negsample.batches.epochs import prefetched


@pytest.mark.parametrize("depth", [1, 2, 50])
def test_same_things_in_the_same_order(depth):
    assert list(prefetched(iter(range(20)), depth)) == list(range(20))
    assert list(prefetched(iter([None, 0, None]), depth)) == [None, 0, None]
    assert list(prefetched(iter([]), depth)) == []


def test_it_is_made_elsewhere_and_no_more_than_depth_beyond():
    made, threads = [], set()

    def source():
        for number in range(100):
            threads.add(threading.get_ident())
            made.append(number)
            yield number

    things = prefetched(source(), 3)
    assert next(things) == 0
    deadline = time.monotonic() + 10
    while len(made) < 5 and time.monotonic() < deadline:  # 3 wait, one waits for room
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1, 2, 3, 4]
    assert threads
    assert threading.get_ident() not in threads
    things.close()


def test_an_error_comes_in_its_place():
    def source():
        yield 1
        raise KeyError("here")

    things = prefetched(source())
    assert next(things) == 1
    with pytest.raises(KeyError, match="here"):
        next(things)


def test_closing_ends_the_thread():
    before = threading.active_count()
    things = prefetched(itertools.count())
    assert list(itertools.islice(things, 5)) == [0, 1, 2, 3, 4]
    assert threading.active_count() == before + 1
    things.close()
    assert threading.active_count() == before
