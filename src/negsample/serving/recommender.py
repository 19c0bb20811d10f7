"""A trained recommender, and what may be asked of it: for whom, of which items, as of when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.errors import InputError, guarded, whole
from negsample.evaluation.evaluate import QUERIES_AT_ONCE
from negsample.models import Backbone
from negsample.scoring.dial import LARGEST, log_shares
from negsample.serving.histories import Histories, read_histories
from negsample.serving.model import About
from negsample.serving.ranker import Ask, Ranker
from negsample.serving.when import Time, microseconds

MOST = 10_000
"""Items that may be asked for at once."""


class Recommender:
    """Models whose scores are averaged, and all events that they know.

    Attributes:
        folder: where it lies.
        about: what it is, see :class:`negsample.serving.model.About`.
        models: its members.
        data: all events that it knows, in memory.
        item_ids: (V,) the log's id of each item; that of item ``i`` at ``i - 1``.
        user_ids: (U,) of each user.
        target_counts: (V + 1,) how often each item was a target in training, or its weight: what the dial weighs by.
        log_p_V: (V + 1,) float64, what the dial multiplies.
        ranker: what finds the answers.
    """

    def __init__(
        self,
        folder: Path,
        about: About,
        models: Sequence[Backbone],
        data: Dataset,
        item_ids: pl.Series,
        user_ids: pl.Series,
        target_counts: NDArray[np.int64],
    ) -> None:
        self.folder, self.about, self.models, self.data = folder, about, list(models), data
        self.item_ids, self.user_ids, self.target_counts = item_ids, user_ids, target_counts
        self.log_p_V = log_shares(target_counts)
        self.ranker = Ranker(about, self.models, data, self.log_p_V)
        self._everything: NDArray[np.bool_] = np.arange(len(item_ids) + 1) == 0

    def __repr__(self) -> str:
        return f"<Recommender {str(self.folder)!r}: {self.summary}>"

    @property
    def summary(self) -> str:
        """Its method, how much it knows, and until when; and why its study's figures say nothing about the future,
        where they do not."""
        about = self.about
        of = f" x {len(self.models)}" if len(self.models) > 1 else ""
        return (
            f"{about.method}{of}, {about.items:,} items, {about.users:,} users, "
            f"events up to {np.datetime64(about.until - 1, 'us').astype('datetime64[s]')} UTC"
            + ("" if about.not_in_time is None else f". Of its study: {about.not_in_time}")
        )

    @cached_property
    def users(self) -> Histories:
        """All users that it knows, with their histories."""
        data = self.data
        times = np.asarray(data.times)
        return Histories(self.user_ids, data.items.astype(np.int64), times, np.asarray(data.offsets), 0, [])

    @guarded
    def recommend(
        self,
        histories: Any = None,
        *,
        k: int = 10,
        time: Time | None = None,
        dial: float | None = None,
        exclude_seen: bool | None = None,
        exclude: Sequence[Any] = (),
        only: Sequence[Any] | None = None,
    ) -> pl.DataFrame:
        """The ``k`` best items for each person: columns ``user``, ``rank`` (1 is best), ``item``, ``score``.

        Equal scores are in the order of the model's item numbers. A person without an item that the model knows gets
        what is popular lately (``RecentPop``), with shares as scores.

        Args:
            histories: a file or frame of events, or items by person: see
                :func:`negsample.serving.histories.read_histories`. (default: all users that it knows)
            k: from 1 to 10,000; fewer are given where fewer are left.
            time: as of when popularity, recency and the like are: a ``datetime``, ISO text, ``"now"`` or microseconds
                since 1970, UTC where no zone is given. Events at or after it do not count. (default:
                just after the last event, of those that it knows and of the histories)
            dial: towards the head above 0, towards the tail below. (default: the model's own, ``about.dial``)
            exclude_seen: leave out what the person had. (default: as the model was measured, by its ``filter_seen``)
            exclude: item ids that nobody gets; one that the model does not know is no error.
            only: item ids that alone are given. (default: all)

        Example:
            >>> load_model("MODEL").recommend({"ann": ["84029E", "71053"]}, k=5)  # doctest: +SKIP

        Raises:
            InputError: the histories cannot be read, or a value breaks its rule.
        """
        ask = self.ask(k=k, time=time, dial=dial, exclude_seen=exclude_seen, exclude=exclude, only=only)
        people = self.histories(histories, ask.time)
        if time is None:
            ask = ask.after(people)
        return pl.concat(list(self.answers(people, ask)))

    def histories(self, given: Any, at: int, **columns: str | None) -> Histories:
        """What was ``given`` as histories, with the model's item numbers; None: all users that it knows. ``at``,
        ``columns``: see :func:`~negsample.serving.histories.read_histories`."""
        if named := [
            name for name, column in columns.items() if column is not None and not isinstance(given, str | Path)
        ]:
            raise InputError(f"--{named[0]} is for --histories FILE; leave it out, or give the file")
        if given is None:
            return self.users
        return given if isinstance(given, Histories) else read_histories(given, self.item_ids, at=at, **columns)

    def ask(
        self,
        *,
        k: int = 10,
        time: Time | None = None,
        dial: float | None = None,
        exclude_seen: bool | None = None,
        exclude: Sequence[Any] = (),
        only: Sequence[Any] | None = None,
    ) -> Ask:
        """See :meth:`recommend`.

        Raises:
            InputError: a value breaks its rule, or nothing is left to recommend.
        """
        whole("k", k, 1, MOST)
        if dial is not None and not -LARGEST <= dial <= LARGEST:  # NaN is not
            raise InputError(f"dial must be a number from -{LARGEST:g} to {LARGEST:g}, got {dial}")
        left_out = self._left_out(exclude, only)
        if left_out.all():
            raise InputError("nothing is left to recommend: only and exclude leave no item that the model knows")
        time = self.about.until if time is None else microseconds("time", time)
        if time <= (first := int(self.data.known.by_time_times[0])):
            moment = np.datetime64(first, "us").astype("datetime64[s]")
            raise InputError(f"nothing is known before the time that was asked for; the first event is at {moment}")
        without_seen = self.about.settings["filter_seen"] if exclude_seen is None else exclude_seen
        return Ask(k, time, self.about.dial if dial is None else float(dial), without_seen, left_out)

    def _left_out(self, exclude: Sequence[Any], only: Sequence[Any] | None) -> NDArray[np.bool_]:
        if only is None and not len(exclude):
            return self._everything
        left_out = self._everything.copy()
        if only is not None:
            left_out[:] = True
            left_out[self.numbers(only)] = False
        left_out[self.numbers(exclude)] = True
        return left_out

    def numbers(self, ids: Sequence[Any]) -> Ints:
        """The numbers of those of ``ids`` that the model knows."""
        found = self.numbers_or_0(ids)
        return found[found > 0]

    def numbers_or_0(self, ids: Sequence[Any]) -> Ints:
        """(N,) the number of each of ``ids``, 0 for one that the model does not know."""
        return np.array([self._numbered.get(str(each).strip(), 0) for each in ids], np.int64)

    @cached_property
    def _numbered(self) -> dict[str, int]:
        return {each: number for number, each in enumerate(self.item_ids.cast(pl.String), start=1)}

    def answers(self, people: Histories, ask: Ask) -> Iterator[pl.DataFrame]:
        """What :meth:`recommend` gives, some thousand people at a time."""
        for first in range(0, max(len(people.offsets) - 1, 1), QUERIES_AT_ONCE):
            some = people.take(first, first + QUERIES_AT_ONCE)
            ids, scores = self.ranker.best(some, [ask] * len(some.keys))
            rows, places = np.nonzero(ids)
            yield pl.DataFrame(
                {
                    "user": some.keys[rows],
                    "rank": places.astype(np.int32) + 1,
                    "item": self.item_ids[ids[rows, places] - 1],
                    "score": scores[rows, places].astype(np.float32),
                }
            )
