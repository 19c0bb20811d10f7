"""Requests to `negsample serve`: valid ones with their answers, made beforehand, and malformed ones."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from negsample.serving.histories import Histories
from negsample.serving.recommender import Recommender

DAY = 86_400 * 10**6
MARGIN = 1e-4
"""Scores that are closer may change places: a product's last bits depend on what else is in its matrix."""
MORE = 20
"""Items beyond k that the table has, for scores that are equal but for rounding."""


class Request(NamedTuple):
    """``raw``: what is sent. ``statuses``: what it may get. ``answer``: of a valid one, ``recommend``'s items with
    scores, some beyond ``k``, with ``k``, ``unknown`` and ``fallback``. ``half``: the client goes without an answer.
    ``rare``: large, sent one time in twenty that it is drawn."""

    name: str
    raw: bytes
    statuses: tuple[int, ...]
    answer: dict[str, Any] | None = None
    half: bool = False
    rare: bool = False


def http(body: bytes, *, method: str = "POST", path: str = "/recommend", length: int | None = None) -> bytes:
    """A request."""
    size = len(body) if length is None else length
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode() + body


def valid(recommender: Recommender, number: int) -> list[Request]:
    """So many distinct requests of all kinds."""
    draws = random.Random(1)
    return [_valid(recommender, draws) for _ in range(number)]


def _valid(recommender: Recommender, draws: random.Random) -> Request:
    ids, until = recommender.item_ids.to_list(), recommender.about.until
    asked: dict[str, Any] = {"k": draws.choice([1, 5, 10, 10, 10, 20, 100, 1000])}
    if draws.random() < 0.3:
        asked["dial"] = draws.choice([-1.0, -0.5, 0.5, 1.0])
    if draws.random() < 0.3:
        asked["exclude_seen"] = True
    if draws.random() < 0.2:
        asked["exclude"] = [*draws.sample(ids, min(draws.choice([1, 10, 500]), len(ids) // 2)), "no such item"]
    if draws.random() < 0.1:
        asked["only"] = draws.sample(ids, min(draws.choice([3, 300]), len(ids)))
    time = until - draws.randrange(1, 6) * DAY if draws.random() < 0.2 else until
    people, unknown = recommender.users, 0
    body = dict(asked) if time == until else asked | {"time": _iso(time)}
    if draws.random() < 0.4:
        row = draws.randrange(len(people.keys))
        people = people.take(row, row + 1)
        body["user"] = people.keys[0]
    else:
        length = draws.choice([0, 1, 2, 5, 5, 10, 10, 30, 200])
        items = [draws.choice(ids) if draws.random() < 0.95 else f"unknown {draws.random()}" for _ in range(length)]
        body["items"] = items
        times = [time - 1] * length
        if draws.random() < 0.4:
            times = sorted(time - draws.randrange(1, 90 * DAY) for _ in items)
            body["times"] = [_iso(each) for each in times]
        numbers = [ids.index(each) + 1 if each in ids else 0 for each in items]
        known = np.flatnonzero(numbers)
        unknown = length - len(known)
        offsets = np.array([0, len(known)])
        people = Histories(pl.Series(["x"]), np.array(numbers)[known], np.array(times)[known], offsets, unknown, [])
    frame = recommender.recommend(people, time=time, **asked | {"k": asked["k"] + MORE})
    answer = {
        "k": asked["k"],
        "items": list(zip(frame["item"].to_list(), frame["score"].to_list(), strict=True)),
        "unknown": unknown,
        "fallback": not (people.times < time).any(),
    }
    return Request("valid", http(json.dumps(body, allow_nan=False).encode()), (200,), answer)


def _iso(time: int) -> str:
    return f"{np.datetime64(time, 'us')}Z"


def same(found: dict[str, Any], wanted: dict[str, Any]) -> tuple[bool, bool]:
    """Whether an answer is right, and whether its items are the very same: items may change places where their scores
    are equal but for rounding."""
    scores, best = dict(wanted["items"]), wanted["items"][: wanted["k"]]
    given = [(each["item"], each["score"]) for each in found["items"]]
    identical = [item for item, _ in given] == [item for item, _ in best]
    right = (
        (found["unknown"], found["fallback"]) == (wanted["unknown"], wanted["fallback"])
        and len(given) == len(best)
        and len({item for item, _ in given}) == len(given)
        and all(
            abs(score - at_rank) <= MARGIN and abs(score - scores.get(item, np.inf)) <= MARGIN
            for (item, score), (_, at_rank) in zip(given, best, strict=True)
        )
    )
    return right, identical


def malformed(recommender: Recommender) -> list[Request]:
    """Requests that break each rule there is."""
    item = recommender.item_ids[0]
    one = {"items": [item]}
    wrong: dict[str, Any] = {
        "no object": [],
        "nothing asked": {},
        "null": None,
        "user and items": {"user": 1} | one,
        "unknown field": one | {"kk": 1},
        "k of 0": one | {"k": 0},
        "huge k": one | {"k": 10**9},
        "k beyond 64 bits": one | {"k": 10**30},
        "k as text": one | {"k": "10"},
        "k as fraction": one | {"k": 1.5},
        "k as truth": one | {"k": True},
        "dial as text": one | {"dial": "high"},
        "dial of 101": one | {"dial": 101},
        "ids as fractions": {"items": [1.5]},
        "ids as lists": {"items": [[item]]},
        "ids as null": {"items": [None]},
        "long id": {"items": ["x" * 1000]},
        "items as text": {"items": "abc"},
        "items as object": {"items": {"a": 1}},
        "too many items": {"items": [1] * 10_001},
        "too many excluded": one | {"exclude": [1] * 100_001},
        "times without items": {"user": 1, "times": []},
        "fewer times": one | {"times": []},
        "times as numbers": one | {"times": [1_322_000_000]},
        "times as digits": one | {"times": ["1322000000"]},
        "no time": one | {"time": "yesterday"},
        "time before 1970": one | {"time": "1066-10-14"},
        "truth as text": one | {"exclude_seen": "yes"},
        "only nothing": one | {"only": []},
        "only unknown": one | {"only": ["no such item"]},
    }
    requests = [Request(name, http(json.dumps(body, allow_nan=False).encode()), (422,)) for name, body in wrong.items()]
    texts = {
        "empty body": b"",
        "no JSON": b"items=1",
        "half JSON": b'{"items": [',
        "no UTF-8": b'{"user": "\xff"}',
        "half a pair": b'{"user": "\\ud800"}',
        "deep": b"[" * 100_000,
        "long number": b'{"user": ' + b"9" * 5000 + b"}",
        "zero bytes": b"\0" * 100,
    }
    requests += [Request(name, http(body), (400,)) for name, body in texts.items()]
    requests += [
        Request("k not a number", http(b'{"items": [1], "k": NaN}'), (422,)),
        Request("dial not a number", http(b'{"items": [1], "dial": NaN}'), (422,)),
        Request("dial infinite", http(b'{"items": [1], "dial": 1e999}'), (422,)),
        Request("unknown user", http(b'{"user": "no such user"}'), (404,)),
        Request("get", http(b"", method="GET"), (405,)),
        Request("no such page", http(b"", path="/nothing", method="GET"), (404,)),
        Request("large body", http(b" " * (5 << 20)), (413,), rare=True),
        Request("large list", http(json.dumps({"items": ["x" * 40] * 90_000}).encode()), (422,), rare=True),
        Request("no HTTP", b"hello\r\n\r\n", (400,)),
        Request("half a head", b"POST /recommend HTT", (0,), half=True),
        Request("half a body", http(b'{"items"', length=100), (0,), half=True),
        Request("gone before the answer", http(json.dumps(one).encode()), (0,), half=True),
    ]
    return requests
