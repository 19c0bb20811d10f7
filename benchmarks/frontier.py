"""What each method reaches over all settings of the dial, and whether training with another log-q strength is worth it.

`python -m benchmarks.frontier LOG --epochs N --out DIR`: two studies in DIR, resumable, at equal steps and each run at
its best validation epoch: the paper's six with `mixed-log-q` and PopRec; and `mixed-log-q` at log-q strengths below 1.
Writes `benchmarks/results/frontier-<dataset>.json`, `docs/images/frontier-<dataset>.svg` and `alpha-<dataset>.svg`, and
`benchmarks/results/frontier.md` of all datasets that have been measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import RESULTS, of_machine
from negsample import compare, load_dataset, plan, run_settings
from negsample.analysis.analyse import analyse
from negsample.analysis.frontier import FLOORS, Reach, reaches, standings
from negsample.analysis.resampling import interval
from negsample.analysis.study import Study
from negsample.analysis.tables import dialled_rows
from negsample.data.dataset import Dataset
from negsample.report.figures import Figure, dataset_figures, write_figures
from negsample.report.frontier_chart import frontier_chart
from negsample.report.palette import looks
from negsample.runs.machine import machine

METHODS = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed", "mixed-log-q")
TUNED = "mixed-log-q"
ALPHAS = (0.0, 0.25, 0.5, 0.75)  # below 1, which is the method's own
IMAGES = Path(__file__).parent.parent / "docs" / "images"
_TRAINED = "trained for it"  # the curve over the strengths, all at dial 0
_FLOORS = (0.5, 0.6, 0.7)  # of Balance, at which strengths are compared
_PAGE = RESULTS / "frontier.md"


def main() -> None:
    """Do what is not done yet, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frontier")
    parser.add_argument("log", help="bundled name, prepared folder or log")
    parser.add_argument("--out", type=Path, required=True, help="the studies; interrupted ones are carried on")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--eval-every", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    data = load_dataset(given.log)
    settings = run_settings(epochs=given.epochs, eval_every=given.eval_every)

    def study(name: str, methods: Sequence[str], changes: dict[str, Any]) -> Study:
        jobs = plan([data], methods, repeats=given.repeats, seed=0, settings=settings, changes=changes)
        return compare(jobs, given.out / name, at_once=given.jobs)

    of_methods = study("methods", METHODS, {})
    of_alphas = {alpha: study(f"alpha-{alpha:g}", [TUNED], {"log_q_strength": alpha}) for alpha in ALPHAS}
    found = measured(data, of_methods, of_alphas)
    name = data.name
    (RESULTS / f"frontier-{name}.json").write_text(json.dumps({"machine": machine()} | found, indent=1) + "\n")
    picture(of_methods, name)
    alpha_picture(of_methods, of_alphas, name)
    _PAGE.write_text("\n".join(page()) + "\n")
    print("\n".join(lines(found)))


def measured(data: Dataset, of_methods: Study, of_alphas: dict[float, Study]) -> dict[str, Any]:
    """Rows of the tables."""
    curves = reaches(of_methods, data.name)
    by_dial = {(row["method"], row["dial"]): row for row in dialled_rows(of_methods, data.name)}
    methods = []
    for each in standings(curves):
        runs = of_methods.runs_of(data.name, each.method)
        at = {beta: by_dial.get((each.method, beta)) for beta in (-0.5, 0.0, 0.5)}
        if each.method == "PopRec":
            at = {0.0: by_dial[(each.method, None)]}
        methods.append(
            each._asdict()
            | {"at": {f"{beta:g}": _figures(row) for beta, row in at.items() if row is not None}}
            | {"best_epochs": [run.metrics["best_epoch"] for run in runs]}
            | {"seconds": statistics.fmean(run.metrics["train_seconds"] for run in runs)}
            | {"seconds_to_best": _to_best(runs, "seconds"), "steps_to_best": _to_best(runs, "steps")}
        )
    alone = alpha_curves(of_methods, of_alphas, data.name)
    dialled = {each.method: each for each in alone}
    pairs = [dialled[_TRAINED], dialled["alpha 1"]]
    return {
        "dataset": data.name,
        "settings": of_methods.about["settings"],
        "repeats": of_methods.about["repeats"],
        "methods": methods,
        "alphas": [
            each._asdict()
            | {
                "plain": None if each.method == _TRAINED else _plain(dialled[each.method]),
                "at": _at_floors(dialled, each.method),
            }
            for each in standings(alone)
        ],
        "training_against_dial": [each._asdict() for each in standings(pairs)],
    }


def alpha_curves(of_methods: Study, of_alphas: dict[float, Study], dataset: str) -> list[Reach]:
    """A curve a strength, over the dial; and one over the strengths, all at dial 0: what retraining reaches."""
    (own,) = [each for each in reaches(of_methods, dataset) if each.method == TUNED]
    curves = {
        alpha: next(each for each in reaches(study, dataset) if each.method == TUNED)
        for alpha, study in of_alphas.items()
    } | {1.0: own}
    ends = [(curve, curve.betas.index(0.0)) for _, curve in sorted(curves.items())]
    resampled = [
        (c.balance_RG[:, at], c.ndcg_RG[:, at]) for c, at in ends if c.balance_RG is not None and c.ndcg_RG is not None
    ]
    trained = Reach(
        _TRAINED,
        tuple(sorted(curves)),
        np.array([curve.balance_G[at] for curve, at in ends]),
        np.array([curve.ndcg_G[at] for curve, at in ends]),
        np.stack([balance for balance, _ in resampled], 1),
        np.stack([ndcg for _, ndcg in resampled], 1),
    )
    return [trained] + [curve._replace(method=f"alpha {alpha:g}") for alpha, curve in sorted(curves.items())]


def _at_floors(curves: dict[str, Reach], method: str) -> dict[str, list[float]]:
    """NDCG@10 with at least a Balance, and the 90 % interval of its difference from that of strength 1."""
    own, other = curves[method].resampled(), curves["alpha 1"].resampled()
    assert own is not None
    assert other is not None
    found = {}
    for floor in _FLOORS:
        at = int(np.abs(FLOORS - floor).argmin())
        low, high = interval(own[:, at] - other[:, at])
        found[f"{floor:g}"] = [float(curves[method].reached()[at]), float(low), float(high)]
    return found


def picture(study: Study, dataset: str) -> None:
    """The frontier chart of the report."""
    figures = dataset_figures(analyse(study), dataset)
    (figure,) = [each for each in figures if each.name.startswith("frontier--")]
    _save(figure, f"frontier-{dataset}")


def alpha_picture(of_methods: Study, of_alphas: dict[float, Study], dataset: str) -> None:
    """The same chart, of one method at several strengths."""
    found = alpha_curves(of_methods, of_alphas, dataset)
    rows = [
        {
            "method": each.method,
            "dial": None if each.method == _TRAINED else beta,
            "balance@10": balance,
            "ndcg@10": ndcg,
        }
        | dict.fromkeys(("hr@10", "head_hr@10", "mid_hr@10", "tail_hr@10"))
        for each in found
        for beta, balance, ndcg in zip(each.betas, each.balance_G.tolist(), each.ndcg_G.tolist(), strict=True)
    ]
    chart = frontier_chart(found, standings(found), rows, looks([each.method for each in found]))
    assert chart is not None
    spec = {key: value for key, value in chart.to_dict().items() if key not in ("config", "$schema")}
    _save(Figure("", "", "", spec, "dial"), f"alpha-{dataset}")


def _save(figure: Figure, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    assert not write_figures([figure._replace(name=name)], IMAGES, width=720, png=False)


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("hr@10", "ndcg@10", "balance@10", "tail_hr@10", "ndcg@10_sd")}


def _plain(curve: Reach) -> dict[str, float]:
    at = curve.betas.index(0.0)
    return {"ndcg@10": float(curve.ndcg_G[at]), "balance@10": float(curve.balance_G[at])}


def _to_best(runs: Sequence[Any], what: str) -> float:
    found = [entry[what] for run in runs for entry in run.log if entry["epoch"] == run.metrics["best_epoch"]]
    return statistics.fmean(found) if found else 0.0


def page() -> list[str]:
    """Markdown of all that lies in the results."""
    text = ["# Frontiers", "", "`python -m benchmarks.frontier LOG --epochs N --out DIR`, a log at a time."]
    for path in sorted(RESULTS.glob("frontier-*.json")):
        found = json.loads(path.read_text())
        text += ["", f"## {found['dataset']}", "", of_machine(found["machine"]), "", *lines(found)]
    return text


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown tables of one dataset."""
    settings = found["settings"]
    name = found["dataset"]
    text = [
        f"{found['repeats']} seeds, {settings['epochs']} epochs each (equal steps), every run at its best validation "
        "epoch. Test, means over seeds, in %: HR@10 / NDCG@10 / Balance@10.",
        "",
        "| method | dial -0.5 | 0 | +0.5 | hypervolume (90 %) | highest at Balance | dominated, of resamples | adds "
        "| best epochs | steps, seconds to them (of all) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(found["methods"], key=lambda row: -row["hypervolume"]):
        at = [_three(row["at"].get(beta)) for beta in ("-0.5", "0", "0.5")]
        best = ", ".join(map(str, row["best_epochs"]))
        text.append(
            f"| {row['method']} | {' | '.join(at)} | {_standing(row)} "
            f"| {best} | {row['steps_to_best']:,.0f}, {row['seconds_to_best']:.0f} s "
            f"({row['seconds']:.0f} s) |"
        )
    text += [
        "",
        f"![Frontiers on {name}](../../docs/images/frontier-{name}.svg)",
        "",
        f"`{TUNED}` trained at other strengths `alpha` of the log-q correction; each with the dial, and all of them at "
        "dial 0 ('trained for it'). In brackets: 90 % interval of the difference from strength 1, resample by "
        "resample.",
        "",
        "| | NDCG@10, Balance@10 at dial 0 | "
        + " | ".join(f"NDCG@10 at Balance {100 * floor:.0f} or more" for floor in _FLOORS)
        + " | hypervolume (90 %) | highest at Balance | dominated | adds |",
        "|---|---|" + "---|" * (len(_FLOORS) + 4),
    ]
    for row in found["alphas"]:
        plain = row["plain"]
        told = "" if plain is None else f"{_percent(plain['ndcg@10'], 2)}, {_percent(plain['balance@10'], 0)}"
        floors = [_reached(row["at"][f"{floor:g}"], row["method"]) for floor in _FLOORS]
        text.append(f"| {row['method']} | {told} | {' | '.join(floors)} | {_standing(row)} |")
    trained, dialled = found["training_against_dial"]
    text += [
        "",
        f"All five trainings at dial 0 against one training (alpha 1) and the dial: hypervolume "
        f"{_volume(trained)} against {_volume(dialled)}; the one training has the larger in "
        f"{_percent(dialled['best'], 0)} % of resamples.",
        "",
        f"![Strengths of log-q and the dial on {name}](../../docs/images/alpha-{name}.svg)",
    ]
    return text


def _reached(at: Sequence[float], method: str) -> str:
    value, low, high = at
    if method == "alpha 1":
        return _percent(value, 2)
    return f"{_percent(value, 2)} ({100 * low:+.2f} to {100 * high:+.2f})"


def _standing(row: dict[str, Any]) -> str:
    ahead = ", ".join(f"{100 * low:.0f}-{100 * high:.0f}" for low, high in row["leads"]) or "nowhere"
    return f"{_volume(row)} | {ahead} | {_percent(1 - row['undominated'], 0)} % | {_percent(row['adds'], 1)} %"


def _volume(row: dict[str, Any]) -> str:
    return f"{_percent(row['hypervolume'], 3)} ({_percent(row['low'], 2)} to {_percent(row['high'], 2)})"


def _three(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    return f"{_percent(row['hr@10'], 2)} / {_percent(row['ndcg@10'], 2)} / {_percent(row['balance@10'], 0)}"


def _percent(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{100 * value:.{digits}f}"


if __name__ == "__main__":
    main()
