"""Questions of the service answered by a recommender, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from negsample.batches.windows import Ints
from negsample.errors import InputError
from negsample.serving.histories import Histories
from negsample.serving.questions import Answer, Best, Question
from negsample.serving.ranker import Ask
from negsample.serving.recommender import Recommender

NUMBERS = 1 << 26
"""What is added to the scores of all items, by each of the questions of a pass, in 256 MiB."""
_MINUTE = 60_000_000  # microseconds


class UnknownUserError(InputError):
    """The model knows no such user."""


class _Read(NamedTuple):
    """A question in the numbers of a model."""

    items: Ints
    times: Ints
    unknown: int
    ask: Ask


class Responder:
    """Answers questions as :meth:`Recommender.recommend` does, all that are asked at once in one pass."""

    def __init__(self, recommender: Recommender) -> None:
        self.recommender = recommender
        self._item_ids = recommender.item_ids.to_list()
        self._at_once = max(NUMBERS // len(self._item_ids), 1)
        self._users = {each: number for number, each in enumerate(recommender.user_ids.cast(pl.String))}
        self.warm()

    def warm(self) -> None:
        """Answer once: what the first answer makes is there for all."""
        self([Question(items=[self._item_ids[0]]), Question(items=[])])

    def __call__(self, questions: Sequence[Question]) -> list[Answer | InputError]:
        """An answer to each, or why there is none."""
        found: list[Answer | InputError | None] = [None] * len(questions)
        reads: dict[int, _Read] = {}
        for row, question in enumerate(questions):
            try:
                reads[row] = self._read(question)
            except InputError as error:
                found[row] = error
        rows = list(reads)
        for first in range(0, len(rows), self._at_once):
            some = rows[first : first + self._at_once]
            for row, answer in zip(some, self._answers([reads[row] for row in some]), strict=True):
                found[row] = answer
        return [each for each in found if each is not None]

    def _read(self, question: Question) -> _Read:
        time = self._time(question)
        if question.user is not None:
            items, times, unknown = self._of_user(question.user)
        else:
            items, times, unknown = self._of_items(question, time)
        ask = self.recommender.ask(
            k=question.k,
            time=time,
            dial=question.dial,
            exclude_seen=question.exclude_seen,
            exclude=question.exclude,
            only=question.only,
        )
        return _Read(items, times, unknown, ask)

    def _time(self, question: Question) -> int:
        """As of when a question is answered: exactly, but for a time after all that the model knows, which is taken to
        the next whole minute, so that what is the same for everybody is not computed anew for each of them."""
        until = self.recommender.about.until
        time = question.time
        if time is None:
            time = max(question.times or [0]) + 1
            time = max(time, until)
        return time if time <= until else -(-time // _MINUTE) * _MINUTE

    def _of_user(self, user: str | int) -> tuple[Ints, Ints, int]:
        number = self._users.get(str(user).strip())
        if number is None:
            raise UnknownUserError("the model knows no such user; give their items")
        person = self.recommender.users.take(number, number + 1)
        return person.items, person.times, 0

    def _of_items(self, question: Question, time: int) -> tuple[Ints, Ints, int]:
        given = question.items or []
        numbers = self.recommender.numbers_or_0(given)
        times = np.full(len(given), time - 1) if question.times is None else np.array(question.times, np.int64)
        order = np.argsort(times, kind="stable")
        known = order[numbers[order] > 0]
        return numbers[known], times[known], len(given) - len(known)

    def _answers(self, reads: Sequence[_Read]) -> list[Answer]:
        lengths = [len(each.items) for each in reads]
        people = Histories(
            pl.Series(range(len(reads))),
            np.concatenate([each.items for each in reads]),
            np.concatenate([each.times for each in reads]),
            np.append(0, np.cumsum(lengths)),
            0,
            [],
        )
        asks = [each.ask for each in reads]
        people = people.before(np.array([ask.time for ask in asks]))
        none = np.diff(people.offsets) == 0
        best = self.recommender.ranker.best(people, asks)
        return [
            Answer(
                [
                    Best(self._item_ids[number - 1], score)
                    for number, score in zip(ids.tolist(), scores.tolist(), strict=True)
                    if number
                ],
                read.unknown,
                bool(without),
            )
            for read, without, ids, scores in zip(reads, none, best.ids_QK, best.scores_QK, strict=True)
        ]
