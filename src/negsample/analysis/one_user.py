"""What a user had, what came next, and what two runs answered: from the log and the runs' answers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.analysis.measures import COHORTS, K
from negsample.analysis.user_cases import LAST, Event, Item, Target, UserCase
from negsample.data.dataset import Dataset
from negsample.evaluation.answers import Answers
from negsample.evaluation.metrics import ndcg
from negsample.evaluation.queries import queries


class _OfUser(NamedTuple):
    """Of one user: the ``first`` of their queries; of each of their E events its query, counted from it, its item and
    the rank in the study. ``agree``: whether the ranks are the same here, as far as the first K go."""

    first: int
    query_E: NDArray[Any]
    targets_E: NDArray[Any]
    ranks_E: NDArray[np.float64]
    agree: bool


class Answered(NamedTuple):
    """What a run answers here, and the ``ranks_E`` of all events that the study has of it."""

    answers: Answers
    ranks_E: NDArray[np.float64]

    def of(self, user: int) -> _OfUser:
        """What is of ``user``, by the dataset's number."""
        asked, here_E, saved_E = self.answers.asked, self.answers.ranks_E, self.ranks_E[self.answers.events_E]
        first = int(np.searchsorted(asked.windows.users, user))
        of = asked.windows.users[asked.query_E] == user
        here, saved = (np.where(each[of] < K, each[of], K) for each in (here_E, saved_E))
        same = bool(np.array_equal(here, saved))
        return _OfUser(first, asked.query_E[of] - first, asked.targets_E[of], saved_E[of], same)


class Log:
    """A dataset with the ids of its log. ``users``: those with measured test events, by number."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.users = queries(data, "test", history="frozen", max_length=1).windows.users
        self._user_ids, self._item_ids = data.user_ids(), data.item_ids()

    def case(self, user: int, one: Answered, other: Answered, *, sign: int) -> UserCase | None:
        """The user with this number among ``users``; ``sign``: 1 where the first has more NDCG@10, else -1. None where
        an answer here is another than in the study."""
        data, number = self.data, int(self.users[user])
        both = [each.of(number) for each in (one, other)]
        if not all(each.agree for each in both):
            return None
        mine, gains = both[0], [ndcg(each.ranks_E, K) for each in both]
        query = int(np.argmax(np.bincount(mine.query_E, sign * (gains[0] - gains[1]))))
        until = int(one.answers.asked.known_until[mine.first + query])
        start = int(data.offsets[number])
        history = range(until - 1, max(start, until - LAST) - 1, -1)
        times = [int(data.times[at]) if data.has_times else None for at in history]
        now = mine.query_E == query
        ranks = [[_place(rank) for rank in each.ranks_E[now].tolist()] for each in both]
        tops = [each.answers.top_QK[of.first + query] for each, of in zip((one, other), both, strict=True)]
        return UserCase(
            user=str(self._user_ids[number]),
            events=len(mine.ranks_E),
            ndcg=[float(each.sum()) for each in gains],
            known=until - start,
            history=[
                Event(**self._item(data.items[at]), time=at_time) for at, at_time in zip(history, times, strict=True)
            ],
            targets=[
                Target(**self._item(item), ranks=list(places))
                for item, *places in zip(mine.targets_E[now], *ranks, strict=True)
            ],
            tops=[[Item(**self._item(item)) for item in top if item] for top in tops],
        )

    def _item(self, item: Any) -> dict[str, Any]:
        return {"item": str(self._item_ids[int(item) - 1]), "cohort": COHORTS[self.data.cohorts[item]]}


def _place(rank: float) -> float | None:
    """From 1."""
    return rank + 1 if np.isfinite(rank) else None
