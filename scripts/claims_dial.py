"""What `docs/dial.md` says in figures, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.dial_tables import at, standings, strengths
from scripts.figures_in_docs import Claim, Measured, Stated, pick, result

_BEAUTY, _RETAIL, _MOVIES = "amazon-beauty-5core", "online-retail", "movielens-100k"


def _cost() -> Sequence[str]:
    ratios = [row["nine_with_top_ms"] / row["one_ms"] for row in result("dial-cost.json")["rows"]]
    return [f"{min(ratios):.1f}", f"{max(ratios):.1f}"]


def _knob() -> Sequence[str]:
    found = []
    for log in (_BEAUTY, _RETAIL):
        rows = result(f"frontier-{log}.json")["training_against_dial"]
        five, one = (pick(rows, method=method) for method in ("trained for it", "alpha 1"))
        found += [f"{100 * five['hypervolume']:.2f}", f"{100 * one['hypervolume']:.2f}", f"{100 * one['best']:.0f}"]
    five = pick(result(f"frontier-{_MOVIES}.json")["training_against_dial"], method="trained for it")
    return [*found, f"{100 * five['best']:.0f}"]


def _slopes() -> Sequence[int]:
    slopes = [slope for row in result("personal-dial.json")["rows"] for _, slope in row["chosen_personal"]]
    return [len(slopes), *(sum(test) for test in zip(*((s > 0, s == 0, s < 0) for s in slopes), strict=True))]


CLAIMS: Sequence[Claim] = (
    Stated("Bands: 90 % of resamples of users and seeds."),
    Stated("the best NDCG@10 among those with Balance of at least 70 %"),
    Stated("In brackets: 90 % interval of the difference"),
    Measured("it takes {} to {} times as long as a single evaluation with its top 20", _cost),
    Measured("{}", lambda: ["\n".join(standings())]),
    Measured("{}", lambda: ["\n".join(strengths(_BEAUTY, _RETAIL))]),
    Measured(
        "(NDCG@10 / Balance@10 {}, {}, {}), and `mixed` alone goes from {} at dial +0.5 to {} at -0.5.",
        lambda: [
            *(at(_RETAIL, method, "0") for method in ("random", "mixed", "popularity")),
            *(at(_RETAIL, "mixed", beta) for beta in ("0.5", "-0.5")),
        ],
    ),
    Measured(
        "on Online Retail it goes from {} to {} at -0.5, and `adaptive-mixed` from {} to {}.",
        lambda: [at(_RETAIL, method, beta) for method in ("adaptive", "adaptive-mixed") for beta in ("0", "-0.5")],
    ),
    Measured(
        "(hypervolume on Beauty {} against {}, one training better in {} % of resamples; on Online Retail {} against "
        "{}, {} %). On MovieLens 100K the five are better in {} % of resamples",
        _knob,
    ),
    Measured(
        "Of the {} runs, validation chooses `b1 > 0` in {}, `b1 = 0` in {}, and the opposite, `b1 < 0`, in {}.", _slopes
    ),
)
