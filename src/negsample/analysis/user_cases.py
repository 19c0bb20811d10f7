"""Single users before two methods: history, test items and top lists, as they are kept in ``users.json``."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

_CHECKED = ConfigDict(strict=True, extra="forbid", frozen=True)
Cohort = Literal["head", "mid", "tail"]
LAST = 10
"""Items of a history that are kept."""


class Item(BaseModel):
    """An item by the log's id, and its popularity cohort in train."""

    model_config = _CHECKED

    item: str
    cohort: Cohort


class Event(BaseModel):
    """An :class:`Item` of a history; ``time``: microseconds since 1970, null where the log has none."""

    model_config = _CHECKED

    item: str
    cohort: Cohort
    time: int | None


class Target(BaseModel):
    """The :class:`Item` of a test event and its ``ranks`` by the two methods, from 1, the mean of ties; null where it
    is left out of the ranking, as the user had it."""

    model_config = _CHECKED

    item: str
    cohort: Cohort
    ranks: list[float | None]


class UserCase(BaseModel):
    """A user before two methods.

    ``events``: the measured test events; ``ndcg``: NDCG@10 of each method, summed up over them. The rest is of the
    moment at which the methods differ most: ``known``: how many events of the user were known, ``history``: the last
    of them, the latest first; ``targets``: the test events of the moment; ``tops``: both lists, best first.
    """

    model_config = _CHECKED

    user: str
    events: int
    ndcg: list[float]
    known: int
    history: list[Event]
    targets: list[Target]
    tops: list[list[Item]]


class UserPair(BaseModel):
    """Two methods, each at a dial, by a run of a seed: ``more``: how many ``users`` have more NDCG@10 with each;
    ``cases``: those with the most more of each, the largest first; ``differing``: how many were left out, whose ranks
    here are not those that the study has."""

    model_config = _CHECKED

    methods: list[str]
    dials: list[float]
    seeds: list[int]
    users: int
    more: list[int]
    cases: list[list[UserCase]]
    differing: int

    def frame(self) -> pl.DataFrame:
        """A row a user: see :meth:`negsample.Study.users`."""
        rows = []
        for case in (case for side in self.cases for case in side):
            history = [each.model_dump() for each in case.history]
            targets = [
                {**each.model_dump(exclude={"ranks"}), "rank": each.ranks[0], "other_rank": each.ranks[1]}
                for each in case.targets
            ]
            tops = [[each.model_dump() for each in top] for top in case.tops]
            figures = (case.user, case.events, *case.ndcg, case.known)
            rows.append((*figures, history, targets, *tops))
        item = {"item": pl.String, "cohort": pl.String}
        top = pl.List(pl.Struct(item))
        ranks = {"rank": pl.Float64, "other_rank": pl.Float64}
        schema: dict[str, Any] = {
            "user": pl.String,
            "events": pl.Int64,
            "ndcg": pl.Float64,
            "other_ndcg": pl.Float64,
            "known": pl.Int64,
        }
        schema |= {"history": pl.List(pl.Struct({**item, "time": pl.Int64}))}
        schema |= {"targets": pl.List(pl.Struct({**item, **ranks})), "top": top, "other_top": top}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        times = pl.element().struct.with_fields(pl.field("time").cast(pl.Datetime("us")))
        return frame.with_columns(pl.col("history").list.eval(times))


class DatasetUsers(BaseModel):
    """Of one dataset: ``key``: what the pairs were made from."""

    model_config = _CHECKED

    key: str
    pairs: list[UserPair]


class UsersFile(BaseModel):
    """``users.json``."""

    model_config = _CHECKED

    format: Literal[1] = 1
    datasets: dict[str, DatasetUsers] = {}
