"""`python -m scripts.time_page DIR STUDY...`: studies of the same methods that differ in how they were trained.

Each STUDY is a study with `--refit`; its `targets` are read from its runs. DIR keeps `runs.jsonl`, a line a run with
its figures, to which those of further studies (other seeds, say) are added, and gets `README.md`: tables by log, and
the order of the methods under each way. The words at the head of the page are those of DIR's `intro.md`.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

from scipy.stats import kendalltau  # type: ignore[import-untyped]

from negsample.methods import PAPER_SIX
from scripts.study_runs import BASELINE, Figures, Line, as_trained, in_percent, merged, of_parts, runs_in, summary

SHOWN = ("ndcg@10", "hr@10", "balance@10", "cut_balance@10", "new_ndcg@10", "repeat_ndcg@10", "user_ndcg@10")
WAYS = ("rows", "rows, refit", "moments", "moments, refit")
ByMethod = dict[str, Figures]


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.time_page")
    parser.add_argument("out", type=Path)
    parser.add_argument("studies", nargs="*", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    new = (line for study in given.studies for line in lines_of(study))
    lines = merged(given.out / "runs.jsonl", new, ("log", "way", "method", "seed"))
    (given.out / "README.md").write_text(page(given.out, figures(lines)), encoding="utf-8")


def lines_of(study: Path) -> Iterator[Line]:
    """A line for each run, and for one with a refit two: the model before it, and after it."""
    for run in runs_in(study):
        config, metrics, parts = run.config, run.metrics, as_trained(run)
        of = {"log": config["dataset"], "method": config["method"], "seed": config["seed"]}
        if not metrics["refit"]:
            yield of | {"way": BASELINE} | of_parts(parts["valid"], parts["test"], SHOWN)
            continue
        way, epochs = config["settings"]["targets"], {"best_epoch": metrics["best_epoch"]}
        yield of | {"way": way} | epochs | of_parts(parts["valid"], parts["test_before_refit"], SHOWN)
        age = {"age_days": metrics["age_days"]}
        yield of | {"way": f"{way}, refit"} | age | of_parts(parts["valid"], parts["test"], SHOWN)


def figures(runs: Iterable[Line]) -> dict[str, dict[str, ByMethod]]:
    """By log, way and method: mean, standard deviation and number of runs of each figure."""
    found: dict[str, dict[str, dict[str, list[Line]]]] = {}
    for run in runs:
        found.setdefault(run["log"], {}).setdefault(run["way"], {}).setdefault(run["method"], []).append(run)
    return {
        log: {way: {method: summary(each, SHOWN) for method, each in of.items()} for way, of in ways.items()}
        for log, ways in found.items()
    }


def page(out: Path, found: dict[str, dict[str, ByMethod]]) -> str:
    """Markdown."""
    parts = [(out / "intro.md").read_text(encoding="utf-8").rstrip(), "", *_overview(found)]
    for log, ways in found.items():
        if not any(way in ways for way in WAYS):
            continue
        parts += ["", f"## {log}", "", *_table(ways), "", *_orders(ways)]
    return "\n".join(parts) + "\n"


def _overview(found: dict[str, dict[str, ByMethod]]) -> list[str]:
    """NDCG@10 on test of the baselines, and of the best of the six each way."""
    logs = [log for log, ways in found.items() if any(way in ways for way in WAYS)]
    rows: dict[str, list[str]] = {}
    for log in logs:
        ways = found[log]
        baselines = ways.get(BASELINE, {})
        for method in dict.fromkeys(each for some in found.values() for each in some.get(BASELINE, {})):
            rows.setdefault(f"`{method}`", []).append(in_percent(baselines.get(method), "ndcg@10"))
        for way in WAYS:
            six = {name: each for name, each in ways.get(way, {}).items() if name in PAPER_SIX}
            best = max(six, key=lambda name: six[name]["test_ndcg@10"]) if six else None
            cell = "" if best is None else f"{in_percent(six[best], 'ndcg@10')} (`{best}`)"
            rows.setdefault(f"best of the six, {way}", []).append(cell)
            rows.setdefault(f"`mixed-log-q`, {way}", []).append(
                in_percent(ways.get(way, {}).get("mixed-log-q"), "ndcg@10")
            )
    return [
        "## In short: NDCG@10 on test, %",
        "",
        "| | " + " | ".join(logs) + " |",
        "|---|" + "---|" * len(logs),
        *(
            f"| {name} | " + " | ".join(cells) + " |"
            for name, cells in sorted(rows.items(), key=lambda row: _place(row[0]))
        ),
        "",
        "The best of the six is the one with the highest figure of this row, so it is chosen on test.",
    ]


def _place(name: str) -> int:
    return 0 if name.startswith("`") and "mixed-log-q" not in name else 1 if name.startswith("best") else 2


def _table(ways: dict[str, ByMethod]) -> list[str]:
    runs = sorted({each["runs"] for way in WAYS for each in ways.get(way, {}).values()})
    there = [way for way in WAYS if way in ways]
    lines = [
        f"Test, %: NDCG@10, and Balance@10 by the cohorts of train / as of the cut. Runs of a method: "
        f"{' or '.join(map(str, runs))}.",
        "",
        "| method | " + " | ".join(there) + " |",
        "|---|" + "---|" * len(there),
    ]
    for method in dict.fromkeys(each for way in there for each in ways[way]):
        cells = []
        for way in there:
            of = ways[way].get(method)
            best = max((each["test_ndcg@10"] for each in ways[way].values()), default=0)
            ndcg = in_percent(of, "ndcg@10")
            ndcg = f"**{ndcg}**" if of and of["test_ndcg@10"] == best else ndcg
            cells.append(f"{ndcg}; {in_percent(of, 'balance@10')} / {in_percent(of, 'cut_balance@10')}")
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    lines += ["", "| baseline | |", "|---|---|"]
    for method, of in ways.get(BASELINE, {}).items():
        cell = f"{in_percent(of, 'ndcg@10')}; {in_percent(of, 'balance@10')} / {in_percent(of, 'cut_balance@10')}"
        lines.append(f"| `{method}` | {cell} |")
    return lines


def _orders(ways: dict[str, ByMethod]) -> list[str]:
    six = {
        way: {name: ways[way][name]["test_ndcg@10"] for name in PAPER_SIX if name in ways[way]}
        for way in WAYS
        if way in ways
    }
    lines = ["The paper's six by NDCG@10 on test:", ""]
    for way, of in six.items():
        lines.append(f"- {way}: " + ", ".join(f"`{name}`" for name in sorted(of, key=lambda name: -of[name])))
    first = next(iter(six.values()))
    taus = [
        f"{way} {kendalltau([first[n] for n in PAPER_SIX], [of[n] for n in PAPER_SIX]).statistic:.2f}"
        for way, of in list(six.items())[1:]
        if all(name in of and name in first for name in PAPER_SIX)
    ]
    if "moments" in ways and "rows" in ways:
        both = [
            (ways["moments"][name]["valid_ndcg@10"], each["valid_ndcg@10"])
            for name, each in ways["rows"].items()
            if name in ways["moments"]
        ]
        ratio = statistics.geometric_mean([by_moments / by_rows for by_moments, by_rows in both])
        ahead = sum(by_moments > by_rows for by_moments, by_rows in both)
        lines += [
            "",
            f"On validation moments have {ratio:.2f} times the NDCG@10 of rows (geometric mean over the methods; "
            f"{ahead} of {len(both)} methods have more by moments).",
        ]
    if taus:
        lines += [
            "",
            f"Kendall's tau with the order by {next(iter(six))} (1: the same order, -1: reversed): {', '.join(taus)}.",
        ]
    return lines


if __name__ == "__main__":
    main()
