"""The events of a record: of a review at Amazon, Yelp or Steam, of a session at OTTO.

Each raises a ``KeyError``, ``TypeError`` or ``ValueError`` where the record is none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = 2**53  # of milliseconds; their microseconds are Int64
Events = list[tuple[Any, ...]]


def amazon_review(review: Any) -> Events:
    """One event, and the variant of the item."""
    return [(_id(review["user_id"]), _id(review["parent_asin"]), _micros(review["timestamp"]), _id(review["asin"]))]


def yelp_review(review: Any) -> Events:
    """One event."""
    return [(_id(review["user_id"]), _id(review["business_id"]), _moment(review["date"]))]


def steam_review(review: Any) -> Events:
    """One event, of the name that the user had."""
    return [(_id(review["username"]), _id(review["product_id"]), _moment(review["date"]))]


def otto_session(session: Any) -> Events:
    """Its events, and the type of each."""
    user = _id(session["session"])
    return [(user, _id(each["aid"]), _micros(each["ts"]), _text(each["type"])) for each in session["events"]]


def _id(value: Any) -> str:
    if type(value) is int:
        return str(value)
    return _text(value)


def _text(value: Any) -> str:
    """Text that is UTF-8: halves of a character, which a name that was cut may end with, become ``�``."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _micros(milliseconds: Any) -> int:
    if type(milliseconds) is not int or abs(milliseconds) > _LARGEST:
        raise TypeError(milliseconds)
    return milliseconds * 1000


def _moment(text: Any) -> int:
    """A date, or date and time, without a zone: UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo:
        raise ValueError(text)
    return (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
