"""Logs of every format and with every fault: read as the slow reader reads them, refused, or read as advised."""

import pytest

from benchmarks.reliability.generated import FAULTS, KINDS, SOUND, case, measure, tried
from benchmarks.reliability.generated.forms import read_iso, read_number
from benchmarks.reliability.generated.outcomes import ADVISED, CORRECTED, REFUSED, RIGHT, outcome
from benchmarks.reliability.generated.slow import NoLogError, framed, unframed

TRIES_FIRST = True
BASE = 1_396_310_400


def test_generated_logs_are_read_right_or_refused():
    found = {kind: tried(kind, 1) for kind in KINDS}
    assert {RIGHT, ADVISED, REFUSED} <= set(found.values()) <= {RIGHT, ADVISED, CORRECTED, REFUSED}, found
    assert all(found[kind] != REFUSED for kind in SOUND), found


def test_the_same_seed_makes_the_same_logs():
    for kind in ("text with a header", "a zip archive", "bytes of JSON changed"):
        first, second = case(kind, 3), case(kind, 3)
        assert (first.files, first.expect, first.options) == (second.files, second.expect, second.options)
        assert case(kind, 4).files != first.files


def test_a_wrong_reading_is_found(tmp_path):
    made = case("text with a header", 1)
    wrong = made.__class__(**{**made.__dict__, "expect": [*(made.expect or []), ("u", "i", BASE * 10**6)]})
    assert outcome(wrong, tmp_path)[0] == "silent difference"
    unasked = made.__class__(**{**made.__dict__, "ask": True})
    assert outcome(unasked, tmp_path)[0] == "silent: read without a question"


def test_each_log_is_of_one_kind():
    outcomes = measure(4, 0)
    assert [sum(each.values()) for each in outcomes.values()] == [1] * 4
    assert len(outcomes.keys() & SOUND.keys()) == len(outcomes.keys() & FAULTS.keys()) == 2


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("1396310400", BASE * 10**6),
        ("1396310400.5", BASE * 10**6 + 500_000),
        ("1396310400123", BASE * 10**6 + 123_000),
        ("1396310400123456789", BASE * 10**6 + 123_456),
        ("1.3963104e9", None),
        ("1.396310400e9", BASE * 10**6),
        ("20140401", None),
        ("nan", None),
    ],
)
def test_the_slow_reader_reads_numbers(text, microseconds):
    assert read_number(text) == microseconds


def test_the_slow_reader_reads_iso_and_frames():
    assert read_iso("2014-04-01T02:00:00+02:00") == read_iso("2014-04-01 00:00 UTC") == BASE * 10**6
    assert read_iso("20140401") is read_iso("2014-13-01") is None
    assert unframed(framed(b"x" * 70_000)) == b"x" * 70_000
    with pytest.raises(NoLogError):  # and not for ever: the file ends before its last block
        unframed(framed(b"x" * 70_000)[:65_545])


@pytest.mark.parametrize(("kind", "number"), [("no ids at all", 7285), ("Excel", 11_654)])
def test_what_was_once_read_wrong(kind, number):
    """A field of JSON that is null in all objects; NaN among the numbers of a sheet."""
    assert tried(kind, f"0 {number}") in (RIGHT, REFUSED)
