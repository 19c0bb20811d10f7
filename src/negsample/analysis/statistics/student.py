"""Student's t with any number of degrees of freedom: tails and quantiles, to eight digits and more."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TERMS = 2000  # of the continued fraction: many more than 10^6 degrees of freedom take
_HALVINGS = 80
_TINY = 1e-300
_MOST = 1e100  # of t: its square is a number yet


def two_sided(t_P: Floats, freedom_P: Floats) -> Floats:
    """(P,) the probability that ``|T|`` is at least ``|t|``: ``I_x(f / 2, 1 / 2)``, ``x = f / (f + t^2)``."""
    squares_P = np.square(np.minimum(np.abs(t_P), _MOST))
    return _incomplete_beta(freedom_P / (freedom_P + squares_P), squares_P / (freedom_P + squares_P), freedom_P / 2)


def quantile(beyond: float, freedom_P: Floats) -> Floats:
    """(P,) the ``t`` that ``|T|`` exceeds with probability ``beyond``, by bisection of ``t / (1 + t)``."""
    low_P, high_P = np.zeros_like(freedom_P), np.ones_like(freedom_P)
    for _ in range(_HALVINGS):
        middle_P = (low_P + high_P) / 2
        with np.errstate(divide="ignore"):
            above_P = two_sided(middle_P / np.maximum(1 - middle_P, _TINY), freedom_P) > beyond
        low_P, high_P = np.where(above_P, middle_P, low_P), np.where(above_P, high_P, middle_P)
    found: Floats = low_P / np.maximum(1 - low_P, _TINY)
    return found


def _incomplete_beta(x_P: Floats, rest_P: Floats, a_P: Floats) -> Floats:
    """The regularised ``I_x(a, 1/2)``; ``rest`` is ``1 - x``, given for what rounding would take from it."""
    b_P = np.full_like(a_P, 0.5)
    turned_P = x_P > (a_P + 1) / (a_P + b_P + 2)  # there the fraction of the other tail converges faster
    first_P, second_P = np.where(turned_P, b_P, a_P), np.where(turned_P, a_P, b_P)
    at_P, left_P = np.where(turned_P, rest_P, x_P), np.where(turned_P, x_P, rest_P)
    beta_P = np.array([math.lgamma(a) + math.lgamma(0.5) - math.lgamma(a + 0.5) for a in a_P.ravel()])
    with np.errstate(divide="ignore"):
        log_P = first_P * np.log(at_P) + second_P * np.log(left_P) - beta_P.reshape(a_P.shape)
    part_P = np.exp(log_P) / first_P * _fraction(at_P, first_P, second_P)
    found: Floats = np.clip(np.where(turned_P, 1 - part_P, part_P), 0.0, 1.0)
    return found


def _fraction(x_P: Floats, a_P: Floats, b_P: Floats) -> Floats:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), from its front (modified Lentz)."""
    c_P = np.ones_like(x_P)
    d_P = 1 / _away_from_zero(1 - (a_P + b_P) * x_P / (a_P + 1))
    found_P = d_P.copy()
    for m in range(1, _TERMS):
        even_P = m * (b_P - m) * x_P / ((a_P + 2 * m - 1) * (a_P + 2 * m))
        odd_P = -(a_P + m) * (a_P + b_P + m) * x_P / ((a_P + 2 * m) * (a_P + 2 * m + 1))
        for term_P in (even_P, odd_P):
            d_P = 1 / _away_from_zero(1 + term_P * d_P)
            c_P = _away_from_zero(1 + term_P / c_P)
            factor_P = c_P * d_P
            found_P = found_P * factor_P
        if (np.abs(factor_P - 1) < 1e-13).all():
            break
    return found_P


def _away_from_zero(values_P: Floats) -> Floats:
    return np.where(np.abs(values_P) < _TINY, _TINY, values_P)
