"""What `docs/refit.md` says in figures, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, geometric_mean

from scripts.figures_in_docs import Claim, Measured, result


def table() -> Sequence[str]:
    """NDCG@10 before and after, a line for each log and method: the mean over the seeds, and the ratio of the means."""
    return [
        f"| {log} | `{method}` | {100 * before:.2f} | {100 * after:.2f} | {after / before:.2f} "
        f"({' and '.join(f'{each:.2f}' for each in by_seed)}) |"
        for log, method, before, after, by_seed in _means()
    ]


def _means() -> Sequence[tuple[str, str, float, float, list[float]]]:
    rows, found = result("refit.json")["rows"], []
    for log, method in dict.fromkeys((row["dataset"], row["method"]) for row in rows):
        of = [row for row in rows if (row["dataset"], row["method"]) == (log, method)]
        before, after = (fmean(row[f"{when}_ndcg@10"] for row in of) for when in ("before", "after"))
        found.append((log, method, before, after, [row["after_ndcg@10"] / row["before_ndcg@10"] for row in of]))
    return found


CLAIMS: Sequence[Claim] = (
    Measured(
        "a refit has {:.2f} times the NDCG@10 of none",
        lambda: [geometric_mean(after / before for _, _, before, after, _ in _means())],
    ),
    Measured("{}", lambda: ["\n".join(table())]),
)
