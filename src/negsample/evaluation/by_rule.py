"""Ranks by the scores of a rule, and what validation chooses for it."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np
import torch

from negsample.batches.windows import Ints
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.evaluation.metrics import METRICS
from negsample.evaluation.queries import Queries, queries
from negsample.evaluation.ranks import QUERY_BLOCK, Ranking
from negsample.evaluation.running_top_k import RunningTopK
from negsample.evaluation.seen import Seen
from negsample.rules import Asked, Rule, Scorer
from negsample.rules.rule import Floats
from negsample.settings import RunSettings

_FEW = 16  # events of a query that are compared one by one


def rank_by_rule(
    scorer: Scorer, asked: Asked, query_E: Ints, targets_E: Ints, *, top_k: int = 0, seen: Seen | None = None
) -> Ranking:
    """As :func:`negsample.evaluation.ranks.rank`. Scores in float64 are equal where their numbers are; those in float32
    come from products, and are equal within their rounding error. Queries go in the order of their times, and the
    scores of a block of them are in memory."""
    queries = len(asked.users_Q)
    order = np.arange(queries) if asked.times_Q is None else np.argsort(asked.times_Q, kind="stable")
    starts, counts = np.searchsorted(query_E, np.arange(queries)), np.bincount(query_E, minlength=queries)
    ranks_E, tops = np.empty(len(query_E)), []
    for first in range(0, queries, QUERY_BLOCK):
        some = order[first : first + QUERY_BLOCK]
        scores = scorer(asked.take(some))
        if seen is not None:
            scores = np.array(np.broadcast_to(scores, (len(some), scores.shape[1])))
            for rows, items in seen.among(some, 1, scores.shape[1] + 1):
                scores[rows, items - 1] = -math.inf
        if len(scores) == 1:  # the same for all
            events = spans(starts[some], counts[some])
            ranks_E[events] = _ranks(scores[0], targets_E[events])
        else:
            for row, query in zip(scores, some, strict=True):
                of_query = slice(starts[query], starts[query] + counts[query])
                ranks_E[of_query] = _ranks(row, targets_E[of_query])
        if top_k:
            tops.append(np.broadcast_to(_top(scores, top_k), (len(some), min(top_k, scores.shape[1]))))
    if seen is not None:
        ranks_E[seen.holds(query_E, targets_E)] = math.inf
    top_QK = None
    if tops:
        top_QK = np.concatenate(tops)
        top_QK[order] = top_QK.copy()
    return Ranking(ranks_E, top_QK)


def _ranks(scores_V: Floats, targets: Ints) -> Floats:
    """Of some targets of one query, the mean of ties."""
    own, error = scores_V[targets - 1], _rounding(scores_V)
    least, most = own - error, own + error
    if len(own) <= _FEW:
        above = (scores_V > most[:, None]).sum(1)
        return np.asarray((above + (scores_V >= least[:, None]).sum(1) - 1) / 2)
    ascending = np.sort(scores_V)
    low, high = np.searchsorted(ascending, least, side="left"), np.searchsorted(ascending, most, side="right")
    return np.asarray(len(ascending) - high + (high - low - 1) / 2)


def _rounding(scores_V: Floats) -> float:
    """How far two of these scores may be apart that are equal but for rounding."""
    if scores_V.dtype != np.float32:
        return 0.0
    finite = scores_V[np.isfinite(scores_V)]
    return 2 * float(np.finfo(np.float32).eps * np.abs(finite).max(initial=0))


def _top(scores: Floats, k: int) -> Ints:
    """(Q, K) ids, best first, 0 where fewer are left."""
    numbers = torch.from_numpy(np.ascontiguousarray(scores))
    top = RunningTopK(len(numbers), min(k, numbers.shape[1]), numbers)
    top.add(numbers, 0, 1)
    values, ids = top.ordered()
    return np.asarray(ids.masked_fill(values == -math.inf, 0).numpy())


def rank_of_rule(scorer: Scorer, data: Dataset, asked: Queries, settings: RunSettings, *, top_k: int = 0) -> Ranking:
    """The ranks of the events of ``asked``; with frozen histories the moment of all is the cut, else their own. Where
    no part begins at a moment, a rule knows the events of earlier parts, whatever their times."""
    how = settings.evaluation
    frozen = how.history == "frozen" or not data.in_time
    times_Q = None if frozen else np.asarray(data.times[asked.known_until])
    of_rule = Asked(asked.windows.users, asked.known_until, times_Q)
    seen = asked.seen(data) if how.filter_seen else None
    return rank_by_rule(scorer, of_rule, asked.query_E, asked.targets_E, top_k=top_k, seen=seen)


class Chosen(NamedTuple):
    """What validation chose for a rule: its ``choice``, and NDCG@10 on validation of all that was ``tried``, in this
    order; minus infinity where float32 does not have it. ``seconds``: what that took, fits included."""

    choice: float
    tried: dict[float, float]
    seconds: float

    @property
    def at_end(self) -> bool:
        """Whether it is the smallest or the largest that was tried, so that a better one may lie beyond. Nothing lies
        beyond infinity."""
        return len(self.tried) > 1 and self.choice in (min(self.tried), max(self.tried)) and math.isfinite(self.choice)


def choose(rule: Rule, data: Dataset, settings: RunSettings) -> Chosen | None:
    """Set ``rule.choice``, where it is not chosen yet, to that of its choices with the highest NDCG@10 on validation;
    the first of equals. Test events have no say. None: it was chosen before."""
    if not math.isnan(rule.choice.item()):
        return None
    began, left = time.perf_counter(), list(rule.choices)
    if len(left) == 1:
        chosen = Chosen(left[0], {}, 0.0)
    else:
        asked, tried = queries(data, "valid", history=settings.evaluation.history, max_length=1), dict[float, float]()
        while left:
            tried |= {each: _reached(rule, each, data, asked, settings) for each in left}
            best = max(tried, key=lambda each: tried[each])
            left = [each for each in rule.beyond(best) if each not in tried]
        chosen = Chosen(best, tried, time.perf_counter() - began)
    rule.choice.fill_(chosen.choice)
    return chosen


def _reached(rule: Rule, choice: float, data: Dataset, asked: Queries, settings: RunSettings) -> float:
    try:
        scorer = rule.trial(choice)
    except np.linalg.LinAlgError:
        return -math.inf
    return float(np.mean(METRICS["ndcg"](rank_of_rule(scorer, data, asked, settings).ranks_E, 10)))
