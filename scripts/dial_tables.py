"""The tables of `docs/dial.md`, from `benchmarks/results/frontier-*.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.figures_in_docs import pick, result

LOGS = {
    "amazon-beauty-5core": "Beauty 5-core",
    "online-retail": "Online Retail",
    "movielens-100k": "MovieLens 100K",
}
_FLOORS = ("0.5", "0.6", "0.7")


def standings() -> list[str]:
    """A line a log: which method is highest at which required Balance, and which is dominated in how many resamples."""
    told = [
        "| | highest at a required Balance of, % (share of the range) | dominated, in % of resamples |",
        "|---|---|---|",
    ]
    for log, name in LOGS.items():
        found = result(f"frontier-{log}.json")
        rows = found["methods"]
        leading = sorted((row for row in rows if row["leads"]), key=lambda row: -row["share"])
        nowhere = sorted((row for row in rows if not row["leads"]), key=lambda row: row["undominated"])
        ahead = "; ".join(f"`{row['method']}` {_ranges(row['leads'])} ({_whole(row['share'])} %)" for row in leading)
        behind = ", ".join(f"`{row['method']}` {_whole(1 - row['undominated'])}" for row in nowhere)
        told.append(f"| **{name}** ({found['settings']['epochs']} epochs) | {ahead} | {behind} |")
    return told


def strengths(*logs: str) -> list[str]:
    """A line a strength of the log-q correction: NDCG@10 reached, with the interval of its difference from 1."""
    told = [
        "| NDCG@10, % | "
        + " | ".join(f"{LOGS[log]}: Balance {float(floor):.0%} or more" for log in logs for floor in _FLOORS)
        + " |",
        "|---|" + "---|" * (len(logs) * len(_FLOORS)),
    ]
    for row in result(f"frontier-{logs[0]}.json")["alphas"]:
        cells = []
        for log in logs:
            own = pick(result(f"frontier-{log}.json")["alphas"], method=row["method"])
            cells += [_reached(own["at"][floor], row["method"] == "alpha 1") for floor in _FLOORS]
        name = "all five, dial 0" if row["method"] == "trained for it" else f"{row['method']} and the dial"
        told.append(f"| {name} | {' | '.join(cells)} |")
    return told


def at(log: str, method: str, beta: str) -> str:
    """NDCG@10 / Balance@10 of a method at a setting of the dial."""
    row: Mapping[str, Any] = pick(result(f"frontier-{log}.json")["methods"], method=method)["at"][beta]
    return f"{100 * row['ndcg@10']:.2f} / {100 * row['balance@10']:.0f}"


def _ranges(leads: Sequence[Sequence[float]]) -> str:
    return " and ".join(f"{100 * low:.0f} to {100 * high:.0f}" for low, high in leads)


def _whole(share: float) -> str:
    return f"{100 * share:.0f}"


def _reached(at: Sequence[float], base: bool) -> str:
    value, low, high = at
    text = f"{100 * value:.2f}" if value else "none"
    return text if base else f"{text} ({100 * low:+.2f} to {100 * high:+.2f})"


if __name__ == "__main__":
    print("\n".join([*standings(), "", *strengths("amazon-beauty-5core", "online-retail")]))
