"""One step of each method, position by position: what of its draws counts, how scores are changed, what is lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import torch
from torch import Tensor

from slow import losses


class Position(NamedTuple):
    """One target, and what was drawn for it.

    ``target``: its score. ``ids``, ``scores``, ``log_q``: of the draws that may be its negatives. ``drawn``: of how
    many draws, those that hit what is none included, but not those that are of the user's own sequence. ``columns``:
    where the draws stand among all that were made. ``log_q_target``: of the target, where the method asks.
    """

    target: Tensor
    ids: list[int]
    scores: Tensor
    log_q: Tensor | None
    drawn: int
    columns: list[int]
    log_q_target: float | None


def negatives(
    ids: Sequence[int], own: Sequence[bool], target: int, history: AbstractSet[int], policy: str
) -> list[int]:
    """Which of the draws may be negatives: no padding, nothing of the user's own sequence, nothing excluded."""
    barred = {"none": frozenset(), "target": {target}, "history": history}[policy]
    return [place for place, item in enumerate(ids) if item > 0 and not own[place] and item not in barred]


def tempered(position: Position, tau: float) -> Position:
    """Every score divided by the temperature."""
    return position._replace(target=position.target / tau, scores=position.scores / tau)


def log_q(position: Position, strength: float = 1.0) -> Tensor:
    """``s' = s - strength * log(m q)``."""
    assert position.log_q is not None
    return position.scores - strength * (math.log(position.drawn) + position.log_q)


def hardest(scores: Tensor, k: int) -> Tensor:
    """The k highest, or as many as there are."""
    order = sorted(range(len(scores)), key=lambda place: -float(scores[place].detach()))
    return scores[order[:k]]


def estimate(position: Position) -> Tensor:
    """``(1/m) sum_j exp(s_j) / q_j``: what XIR's weights add up to."""
    assert position.log_q is not None
    return torch.exp(position.scores - position.log_q).sum() / position.drawn


def resampled(position: Position, picked: Sequence[int]) -> Tensor:
    """Draws in proportion to ``exp(s) / q``, corrected for having been drawn from ``exp(s) / Z``, which is constant."""
    places = [position.ids.index(item) for item in picked]
    chosen = position.scores[places]
    law = chosen.detach() - torch.log(estimate(position)).detach()
    return chosen - (math.log(len(places)) + law)


def mixture(
    given: Sequence[float], scores: Sequence[Mapping[int, Tensor]], columns: Sequence[int]
) -> tuple[int, int, float]:
    """Which two columns, with which share of the first, make ``given`` at every position: by trying all pairs."""
    there = {place for place, score in enumerate(given) if math.isfinite(score)}
    best, found = math.inf, (0, 0, 0.0)
    for i in columns:
        for j in columns:
            if {place for place, each in enumerate(scores) if i in each and j in each} != there:
                continue
            pairs = [(float(scores[place][i].detach()), float(scores[place][j].detach())) for place in there]
            between = [(a - b, given[place] - b) for place, (a, b) in zip(there, pairs, strict=True)]
            length = sum(d * d for d, _ in between)
            share = sum(d * e for d, e in between) / length if length else 0.0
            miss = sum((e - share * d) ** 2 for d, e in between)
            if miss < best and -1e-6 <= share <= 1 + 1e-6:
                best, found = miss, (i, j, share)
    assert best < 1e-8, "it is no mixture of two"
    return found


Steps = Callable[[Sequence[Position], Mapping[str, Any], int], Tensor]


def _all(loss: Callable[..., Tensor]) -> Steps:
    return lambda at, n, items: loss([p.target for p in at], [p.scores for p in at])


def _adaptive(at: Sequence[Position], n: Mapping[str, Any], items: int) -> Tensor:
    if n["not_kept"] == "omit":
        return losses.bce([p.target for p in at], [hardest(p.scores, n["kept_hardest"]) for p in at])
    kept = [hardest(p.scores, n["kept_hardest"]) for p in at]
    zeros = [torch.zeros(len(p.scores) - len(some), dtype=torch.float64) for p, some in zip(at, kept, strict=True)]
    return losses.bce([p.target for p in at], [torch.cat(both) for both in zip(kept, zeros, strict=True)])


def _softmax(at: Sequence[Position], n: Mapping[str, Any], items: int) -> Tensor:
    at = [tempered(p, n["temperature"]) for p in at]
    return losses.softmax([p.target for p in at], [p.scores for p in at])


def _softmax_log_q(at: Sequence[Position], n: Mapping[str, Any], items: int) -> Tensor:
    at = [tempered(p, n["temperature"]) for p in at]
    return losses.softmax([p.target for p in at], [log_q(p, n["log_q_strength"]) for p in at])


def _in_batch_log_q(at: Sequence[Position], n: Mapping[str, Any], items: int) -> Tensor:
    at = [tempered(p, n["temperature"]) for p in at]
    targets = []
    for p in at:
        assert p.log_q_target is not None
        targets.append(p.target - n["log_q_strength"] * (math.log(p.drawn) + p.log_q_target))
    return losses.softmax(targets, [log_q(p, n["log_q_strength"]) for p in at])


def _tron(at: Sequence[Position], n: Mapping[str, Any], items: int) -> Tensor:
    at = [tempered(p, n["temperature"]) for p in at]
    return losses.softmax([p.target for p in at], [hardest(p.scores, n["kept_hardest"]) for p in at])


LOSS: dict[str, Steps] = {
    **dict.fromkeys(("random", "popularity", "in-batch", "mixed"), _all(losses.bce)),
    **dict.fromkeys(("inverse-popularity", "cohort", "own-cohort", "recent"), _all(losses.bce)),
    **dict.fromkeys(("adaptive", "adaptive-mixed", "adaptive-in-batch"), _adaptive),
    "bpr": _all(losses.bpr),
    "dns": lambda at, n, items: losses.bpr([p.target for p in at], [hardest(p.scores, 1) for p in at]),
    "bpr-max": lambda at, n, items: losses.bpr_max(
        [p.target for p in at], [p.scores for p in at], reg=n["regularization"]
    ),
    "gsasrec": lambda at, n, items: losses.gbce(
        [p.target for p in at], [p.scores for p in at], drawn=n["random_negatives"], items=items, t=n["calibration"]
    ),
    **dict.fromkeys(("sampled-softmax", "in-batch-softmax"), _softmax),
    **dict.fromkeys(("sampled-softmax-log-q", "log-uniform", "mixed-log-q", "cross-batch"), _softmax_log_q),
    "recent-mixed-log-q": _softmax_log_q,
    "in-batch-log-q": _in_batch_log_q,
    "tron": _tron,
    "full-ce": _all(losses.softmax),
}
"""Of every method that draws nothing when it selects: the loss of its positions, its settings, and V."""
