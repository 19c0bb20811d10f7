"""Losses: pure functions of scores.

``pos_T``: the score of each position's target. ``neg_TK``: of its negatives, ``-inf`` where absent: an absent one
adds nothing, and leaves the mean. Each returns a scalar. No loss touches ``log q``: a corrected method hands over
corrected scores.

A batch may be scored part by part: with ``parts`` a loss gives its (2, n) sums, and what each is to be divided by;
those of all parts are added up, and :func:`of_parts` makes the loss of them.

``weights_T``: how much each position counts, 1 in the mean: what it adds to a sum, with its target and its negatives,
is multiplied by it, and what a sum is divided by stays the same. None: each counts 1.

``targets_S``: how many positions each of S models has, that stand one model after another; the loss is (S,) then, and
what ``parts`` gives (2, n, S). None: all are of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Reduction = Literal["mean", "sum"]
Term = tuple[Tensor, Tensor | int]
"""A sum, and what it is to be divided by."""


def bce(
    pos_T: Tensor,
    neg_TK: Tensor,
    *,
    negatives: Reduction = "mean",
    parts: bool = False,
    weights_T: Tensor | None = None,
    targets_S: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy as in SASRec (Kang & McAuley, ICDM'18), for any number of negatives.

    ``mean_T softplus(-s_pos) + mean over the present negatives of softplus(s_neg)``; the second mean is 0 when
    none is present. With ``sum``, each negative has the weight one, as in the text of gSASRec (Petrov & Macdonald,
    RecSys'23): ``mean_T (softplus(-s_pos) + sum_k softplus(s_k))``. Another word is a ``ValueError``.
    """
    positives = weighted(F.softplus(-pos_T), weights_T, targets_S)
    terms = [(positives, _positions(pos_T, targets_S)), _as_negatives(neg_TK, negatives, weights_T, targets_S)]
    return from_terms(terms, parts)


def gbce(
    pos_T: Tensor,
    neg_TK: Tensor,
    *,
    items: int,
    t: float = 0.75,
    negatives: Reduction = "mean",
    parts: bool = False,
    weights_T: Tensor | None = None,
    targets_S: Tensor | None = None,
) -> Tensor:
    """Generalised BCE of gSASRec (Petrov & Macdonald, RecSys'23): BCE with ``sigma(s_pos) ** beta`` as probability.

    ``beta * softplus(-s_pos)`` takes the place of BCE's ``softplus(-s_pos)``; ``t = 0`` is BCE. The paper's
    calibration argument holds for ``sum`` (the method ``gsasrec`` uses it); ``mean`` is a deviation.

    Args:
        pos_T: scores of the targets.
        neg_TK: those of the negatives; all K columns, absent ones included, are the ``m`` of :func:`gbce_beta`.
        items: the size ``V`` of the catalogue.
        t: calibration, see :func:`gbce_beta`.
        negatives: as for :func:`bce`.
        parts: give sums and their divisors, see the module.
        weights_T: how much each target counts; None: 1.
        targets_S: of several models, see the module.

    Raises:
        ValueError: ``items``, ``t`` or ``negatives`` breaks its rule.
    """
    beta = gbce_beta(neg_TK.shape[1], items, t)
    positives = beta * weighted(F.softplus(-pos_T), weights_T, targets_S)
    terms = [(positives, _positions(pos_T, targets_S)), _as_negatives(neg_TK, negatives, weights_T, targets_S)]
    return from_terms(terms, parts)


def gbce_beta(m: int, items: int, t: float) -> float:
    """``a (t (1 - 1/a) + 1/a)`` with ``a = m / (V - 1)``: 1 for ``t = 0``, the sampling rate ``a`` for ``t = 1``.

    Written as ``1 - t (1 - a)``, the same, exact at ``t = 0``. ``a`` is at most 1 (gSASRec, RecSys'23).

    Raises:
        ValueError: ``t`` is outside [0, 1], or ``items`` (V) below 2.
    """
    if not 0 <= t <= 1:
        raise ValueError(f"calibration t must be in [0, 1], got {t}; take 0 for plain BCE, 1 for full calibration")
    if items < 2:
        raise ValueError(f"items must be >= 2, got {items}; give the size of the whole catalogue")
    return 1 - t * (1 - min(m / (items - 1), 1))


def bpr(
    pos_T: Tensor,
    neg_TK: Tensor,
    *,
    parts: bool = False,
    weights_T: Tensor | None = None,
    targets_S: Tensor | None = None,
) -> Tensor:
    """BPR (Rendle et al., UAI'09): mean over the present negatives of ``-log sigma(s_pos - s_neg)``, 0 if none."""
    losses_TK = F.softplus(neg_TK - pos_T[:, None])
    return from_terms([(weighted(losses_TK, weights_T, targets_S), _present(neg_TK, targets_S))], parts)


def bpr_max(
    pos_T: Tensor,
    neg_TK: Tensor,
    *,
    reg: float = 1.0,
    parts: bool = False,
    weights_T: Tensor | None = None,
    targets_S: Tensor | None = None,
) -> Tensor:
    """BPR-max (Hidasi & Karatzoglou, CIKM'18), with ``w = softmax`` over the position's present negatives.

    ``mean_T (-log sum_j w_j sigma(s_pos - s_j) + reg sum_j w_j s_j ** 2)``; a position without a negative adds 0.
    """
    absent_TK = neg_TK == -math.inf
    log_w_TK = neg_TK - _logsumexp(neg_TK)[:, None]
    log_beaten_T = _logsumexp(log_w_TK - F.softplus(neg_TK - pos_T[:, None]))
    squares_TK = neg_TK.masked_fill(absent_TK, 0).square()
    penalty_T = (log_w_TK.exp() * squares_TK).sum(1)
    each_T = reg * penalty_T - log_beaten_T.masked_fill(absent_TK.all(1), 0)
    return from_terms([(weighted(each_T, weights_T, targets_S), _positions(pos_T, targets_S))], parts)


def sampled_softmax(
    pos_T: Tensor,
    neg_TK: Tensor,
    *,
    temperature: float = 1.0,
    parts: bool = False,
    weights_T: Tensor | None = None,
    targets_S: Tensor | None = None,
) -> Tensor:
    """Sampled softmax, the cross-entropy of the target among itself and its negatives (Jean et al., ACL'15).

    ``mean_T (-s_pos / tau + log(exp(s_pos / tau) + sum_j exp(s_j / tau)))``, for negatives ``s_j - log(m q_j)``
    the log-q correction of Bengio & Senecal (2008). Of the negatives only their logsumexp counts.

    Raises:
        ValueError: ``temperature`` is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}; 1 leaves the scores as they are")
    scaled_TK = neg_TK if temperature == 1 else neg_TK / temperature
    losses_T = F.softplus(_logsumexp(scaled_TK) - pos_T / temperature)
    return from_terms([(weighted(losses_T, weights_T, targets_S), _positions(pos_T, targets_S))], parts)


def corrected_log_q(
    pos_T: Tensor,
    neg_TK: Tensor,
    *,
    parts: bool = False,
    weights_T: Tensor | None = None,
    targets_S: Tensor | None = None,
) -> Tensor:
    """Corrected log-q (Khrylchenko et al., RecSys'25), for scores already corrected: ``s'_j = s_j - log(m q'_j)``.

    ``mean_T sg(1 - P) (-s_pos + log sum_j exp(s'_j))``, ``P = exp(s_pos) / (exp(s_pos) + sum_j exp(s'_j))``,
    ``sg`` without gradient. Its gradient is that of :func:`sampled_softmax` of the same scores; what the paper
    changes besides is ``q'``. Of the negatives only their logsumexp counts; a position without one adds 0.
    """
    margin_T = _logsumexp(neg_TK) - pos_T
    losses_T = torch.sigmoid(margin_T).detach() * margin_T
    return from_terms([(weighted(losses_T, weights_T, targets_S), _positions(pos_T, targets_S))], parts)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "bce": bce,
    "gbce": gbce,
    "bpr": bpr,
    "bpr_max": bpr_max,
    "sampled_softmax": sampled_softmax,
    "corrected_log_q": corrected_log_q,
}


def of_parts(sums_2N: Tensor) -> Tensor:
    """The loss, from the (2, n) sums of a batch's parts added up; (S,) from (2, n, S) of S models."""
    return (sums_2N[0] / sums_2N[1].clamp(min=1)).sum(0)


def from_terms(terms: list[Term], parts: bool) -> Tensor:
    """The sum of one or two ``terms``, each a sum and what it is divided by; with ``parts`` as the module says."""
    if not parts:
        quotients = [total / (number if isinstance(number, int) else number.clamp(min=1)) for total, number in terms]
        return quotients[0] if len(terms) == 1 else quotients[0] + quotients[1]
    totals, numbers = zip(*terms, strict=True)
    divisors = [torch.as_tensor(each, dtype=totals[0].dtype, device=totals[0].device) for each in numbers]
    return torch.stack([torch.stack(totals), torch.stack(divisors)])


def weighted(losses: Tensor, weights_T: Tensor | None, targets_S: Tensor | None = None) -> Tensor:
    """The sum of (T,) or (T, K) ``losses``, each times the weight of its position; None: each counts 1. With
    ``targets_S`` (S,) sums."""
    if weights_T is not None:
        losses = losses * (weights_T if losses.dim() == 1 else weights_T.unsqueeze(1))
    return _sum(losses, targets_S)


def _sum(values: Tensor, targets_S: Tensor | None) -> Tensor:
    if targets_S is None:
        return values.sum()
    values_T = values if values.dim() == 1 else values.sum(1)
    return torch.segment_reduce(values_T, "sum", lengths=targets_S, unsafe=True)


def _as_negatives(neg_TK: Tensor, negatives: str, weights_T: Tensor | None, targets_S: Tensor | None) -> Term:
    if negatives not in ("mean", "sum"):
        raise ValueError(f"negatives must be 'mean' or 'sum', got {negatives!r}; 'sum' weighs each one as a target")
    total = weighted(F.softplus(neg_TK), weights_T, targets_S)
    return total, _present(neg_TK, targets_S) if negatives == "mean" else _positions(neg_TK, targets_S)


def _positions(scores: Tensor, targets_S: Tensor | None) -> Tensor | int:
    return len(scores) if targets_S is None else targets_S


def _present(neg_TK: Tensor, targets_S: Tensor | None) -> Tensor:
    there_TK = neg_TK > -math.inf
    return there_TK.sum() if targets_S is None else _sum(there_TK.sum(1, dtype=neg_TK.dtype), targets_S)


def _logsumexp(neg_TK: Tensor) -> Tensor:
    """(T,) logsumexp of each row; of a row all absent, half the lowest number and no gradient.

    That of torch has the gradient nan there. Half, so that a score can be subtracted and the result is a number.
    """
    limits = torch.finfo(neg_TK.dtype)
    if not neg_TK.shape[1]:
        return neg_TK.new_full((len(neg_TK),), limits.min / 2)
    top_T = neg_TK.detach().amax(1).clamp(min=limits.min / 2)
    total_T = (neg_TK - top_T[:, None]).exp().sum(1)  # at least 1, or 0 where all are absent: clamp stops its gradient
    return top_T + total_T.clamp(min=limits.tiny).log()
