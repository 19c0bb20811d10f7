"""A time that is asked about, in the forms that a person gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from negsample.errors import InputError, whole

Time = int | datetime | str
"""Microseconds since 1970; a :class:`datetime.datetime`; or ISO text, or ``"now"``. UTC where no zone is given."""
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(name: str, given: Time) -> int:
    """``given`` in microseconds since 1970.

    Example:
        >>> microseconds("time", "1970-01-02")
        86400000000

    Raises:
        InputError: text is no time, or it is before 1970 or too late.
    """
    from negsample.scoring.serving import LATEST  # needs torch, and a command's help does not

    if isinstance(given, str):
        try:
            given = datetime.now(UTC) if given == "now" else datetime.fromisoformat(given)
        except ValueError:
            raise InputError(f"{name} takes now or a time, as 2011-11-30 or 2011-11-30T12:00, got '{given}'") from None
    if isinstance(given, datetime):
        if (since := since_1970(given)) < 0:
            raise InputError(f"{name} must not be before 1970, got {given}")
        given = since
    return whole(name, given, 0, LATEST)


def since_1970(moment: datetime) -> int:
    """Microseconds, UTC where ``moment`` has no zone; below 0 before 1970."""
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (zoned - _FIRST) // timedelta(microseconds=1)


def shown_moment(time: int) -> str:
    """Microseconds since 1970 as text, UTC."""
    return f"{_FIRST + timedelta(microseconds=time):%Y-%m-%d %H:%M:%S}"
