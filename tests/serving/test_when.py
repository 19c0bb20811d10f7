"""Times that are asked about: every form of one moment is the same, and what is no time is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from negsample.errors import InputError
from negsample.serving.when import microseconds, shown_moment

NOON = 1_322_654_400 * 10**6  # 2011-11-30T12:00 UTC


@pytest.mark.parametrize(
    "given",
    [
        NOON,
        "2011-11-30T12:00",
        "2011-11-30 14:00+02:00",
        datetime(2011, 11, 30, 12),
        datetime(2011, 11, 30, 13, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_every_form_of_a_moment_is_the_same(given):
    assert microseconds("time", given) == NOON
    assert shown_moment(NOON) == "2011-11-30 12:00:00"


def test_now_is_when_it_is_asked():
    before = datetime.now(UTC)
    assert before <= datetime.fromtimestamp(microseconds("time", "now") / 1e6, UTC) + timedelta(milliseconds=1)
    assert microseconds("time", "now") - before.timestamp() * 1e6 < 60e6


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("yesterday", "--until takes now or a time, as 2011-11-30 or 2011-11-30T12:00, got 'yesterday'"),
        ("1969-12-31", "--until must not be before 1970, got 1969-12-31 00:00:00"),
        (datetime(1969, 12, 31), "--until must not be before 1970"),
        (-1, "--until must be a whole number from 0 to"),
        (2**63, "--until must be a whole number from 0 to"),
        (True, "--until must be a whole number from 0 to"),
    ],
)
def test_what_is_no_time_is_refused(given, rule):
    with pytest.raises(InputError) as error:
        microseconds("--until", given)
    assert str(error.value).startswith(rule)
