"""`python -m scripts.methods_page`: makes `docs/methods.md` from the table of methods and what was measured of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2

from negsample.methods import METHODS, PAPER_SIX, POPREC, cost
from negsample.models.baselines import BASELINE_WORDS, is_baseline

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "methods.md"
RESULTS = ROOT / "benchmarks" / "results"
BY_COHORT = tuple(f"{cohort}_hr@10" for cohort in ("head", "mid", "tail"))
BEST_OF = ("hr@10", "ndcg@10", *BY_COHORT, "balance@10")
WITH_SPREAD = ("hr@10", "ndcg@10", "balance@10")


def page() -> str:
    """The whole page."""
    measured = json.loads((RESULTS / "methods.json").read_text("utf-8"))
    gradient = json.loads((RESULTS / "gradient.json").read_text("utf-8"))
    by_method = {row["method"]: row for row in measured["rows"]}
    runs = {row["runs"] for row in measured["rows"] if not is_baseline(row["method"])}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["setting"] = setting
    return environment.get_template("methods.md.jinja").render(
        methods=[
            {"name": name, "about": about, "cost": cost(name), "measured": figures(name, by_method)}
            for name, about in METHODS.items()
        ],
        baselines={name: words.removeprefix("baseline: ") for name, words in BASELINE_WORDS.items()},
        measured=measured,
        unmeasured=[name for name in (*METHODS, *BASELINE_WORDS) if name not in by_method],
        with_rules=any(is_baseline(name) and name != POPREC for name in by_method),
        settings=measured["settings"],
        anew=measured.get("anew", False),
        runs=" to ".join(str(each) for each in sorted(runs)),
        results=results(measured["rows"]),
        world=gradient["world"],
        sizes=list(dict.fromkeys(row["m"] for row in gradient["rows"])),
        gradient=gradient_lines(gradient["rows"], ("proposal", "form")),
        logs=gradient.get("logs"),
        **real_batches(gradient.get("logs", {}).get("rows", [])),
    )


def results(rows: list[dict[str, Any]]) -> list[list[str]]:
    """The cells of all methods on one log with one setting, the best of each column in bold."""
    best = {key: max(row[key] for row in rows if row[key] is not None) for key in BEST_OF}
    return [
        [
            f"`{row['method']}`",
            *(percent(row, key, best, 1 if key == "balance@10" else 2) for key in BEST_OF),
            percent(row, "coverage@10", best, 1),
            "-" if row["step_ms"] is None else f"{row['step_ms']:.1f}",
        ]
        for row in rows
    ]


def percent(row: dict[str, Any], key: str, best: dict[str, float], digits: int) -> str:
    """A cell, with its spread where there is one."""
    value, spread = row[key], row.get(f"{key}_sd")
    if value is None:
        return "-"
    text = f"{100 * value:.{digits}f}"
    text = f"**{text}**" if value == best.get(key) else text
    return text if spread is None or key not in WITH_SPREAD else f"{text} ±{100 * spread:.{digits}f}"


def gradient_lines(rows: list[dict[str, Any]], by: tuple[str, ...]) -> list[list[str]]:
    """The cells of the study of the gradient: a line a proposal and what else it is ``by``."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        cell = f"{100 * row['error']:.1f} ±{100 * row['noise']:.1f}"
        lines.setdefault(tuple(row[key] for key in by), []).append(cell)
    return [[*key, *cells] for key, cells in lines.items()]


def real_batches(logs: list[dict[str, Any]]) -> dict[str, Any]:
    """The cells of both tables of real batches."""
    partition = [
        [
            log["dataset"],
            f"`{row['method']}`",
            f"{row['ratio']:.3f} ±{row['error']:.3f}",
            f"{row['before']:.3f} ±{row['before_error']:.3f}",
            f"{100 * row['out_of_reach']:.1f} %",
        ]
        for log in logs
        for row in log["partition"]
    ]
    rows = [row | {"dataset": log["dataset"]} for log in logs for row in log["gradient"]]
    lines = gradient_lines(rows, ("dataset", "proposal", "law"))
    epochs = [
        row | {"dataset": log["dataset"], "batches": str(log["epoch_batches"])}
        for log in logs
        for row in log.get("epoch", [])
    ]
    in_epochs = gradient_lines(epochs, ("dataset", "batches", "proposal", "law"))
    return {
        "epochs": in_epochs,
        "partition": partition,
        "logs_gradient": lines,
        "logs_sizes": list(dict.fromkeys(r["m"] for r in rows)),
    }


def figures(name: str, measured: dict[str, dict[str, Any]]) -> str:
    """A method's cohorts beside those of the baseline that everybody knows."""
    if name not in measured:
        return ""
    own, base = (" / ".join(f"{100 * measured[each][key]:.2f}" for key in BY_COHORT) for each in (name, PAPER_SIX[0]))
    beside = "" if name == PAPER_SIX[0] else f" (random: {base})"
    return f" Measured above, HR@10 of the three: {own} %{beside}."


def setting(value: Any) -> str:
    """A default, readable."""
    return "[" + ", ".join(f"{each:.3g}" for each in value) + "]" if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
