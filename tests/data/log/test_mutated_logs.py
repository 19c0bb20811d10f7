"""Logs that were right and are changed: read right, left out and counted, or refused in one line; never read wrong."""

from benchmarks.reliability import faults, total
from benchmarks.reliability.logs import measure
from benchmarks.reliability.made_logs import slow_read
from benchmarks.reliability.mutations import MUTATIONS

TRIES_FIRST = True


def test_mutated_logs_are_read_right_or_refused_in_one_line():
    by_kind = measure(3 * len(MUTATIONS), 5)
    outcomes = total(by_kind)
    assert by_kind.keys() == MUTATIONS.keys()
    assert sum(outcomes.values()) == 3 * len(MUTATIONS)
    assert not faults(outcomes), by_kind
    assert "refused though it can be read" not in outcomes, by_kind
    assert {"read right", "read, with a note", "refused in one line"} <= outcomes.keys()


def test_the_slow_reader_by_hand():
    text = 'user,item,time,title\n1,2,1396310400,"a\nb"\n\n 3 ,"4",2014-04-01T00:00:00Z,\n,5,1396310400,x\n'
    assert slow_read(text.encode(), ",") == [("1", "2", 1396310400000000), ("3", "4", 1396310400000000)]
    for bad in ("1,2,3", "1,2,5,x", '1,2,1396310400,"x', "1,2,1396310400"):
        assert slow_read(f"user,item,time,title\n{bad}\n".encode(), ",") is None
