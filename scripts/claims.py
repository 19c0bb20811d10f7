"""What README.md and pages of docs say in figures, and the committed result that each figure comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scripts import claims_dial, claims_freshness, claims_paper, claims_refit, claims_studies
from scripts.figures_in_docs import ROOT, Claim, Measured, Stated, pick, result

PAPER_SIX = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed")


def _peers(negatives: int) -> Callable[[], list[str]]:
    def values() -> list[str]:
        rows = [row for row in result("peers.json")["rows"] if row["negatives"] == negatives]
        ours, rectools, recbole = (pick(rows, name=name) for name in ("negsample", "RecTools", "RecBole"))
        by_round = [t["step_ms"] / o["step_ms"] for t, o in zip(rectools["rounds"], ours["rounds"], strict=True)]
        times = rectools["step_ms"] / ours["step_ms"]
        found = [f"{ours['step_ms']:.1f}", f"{rectools['step_ms']:.1f}", f"{times:.1f}"]
        if negatives == 5:
            found += [f"{min(by_round):.1f}", f"{max(by_round):.1f}", f"{recbole['step_ms']:.1f}"]
            found += [f"{recbole['targets']:.0f}", f"{ours['targets']:.0f}"]
        return found

    return values


def _catalogue(method: str) -> tuple[str, str]:
    rows = result("catalogue-size.json")["rows"]
    of = [pick(rows, who="negsample, rows", method=method, items=items)["step_ms"] for items in (10**7, 10**4)]
    return f"{of[0]:.1f}", f"{of[1]:.1f}"


def _ten_million() -> list[str]:
    rows = [row for row in result("catalogue-size.json")["rows"] if row["items"] == 10**7]
    dense = [row["step_ms"] / 1000 for row in rows if row["who"] == "negsample, dense"]
    peak = max(row["peak_mb"] for row in rows if row["who"] == "negsample, rows") * 2**20 / 1e9
    held = 10**7 * result("catalogue-size.json")["dim"] * 4 * 3 / 1e9  # the table and Adam's two moments, float32
    limit = result("catalogue-size.json")["gigabytes"]
    return [f"{min(dense):.1f}", f"{max(dense):.1f}", f"{limit}", f"{peak:.1f}", f"{held:.1f}"]


def _drawing() -> list[str]:
    shares = [100 * pick(result("step.json")["rows"], method=method)["draw_share"] for method in PAPER_SIX]
    return [f"{min(shares):.0f}", f"{max(shares):.0f}"]


def _ranks(items: int, *keys: str) -> Callable[[], list[str]]:
    def values() -> list[str]:
        rows = [row for row in result("evaluation.json")["rank"] if row["items"] == items]
        return [
            f"{each(row[key] for row in rows):.1f}" for key in keys for each in ((min, max) if rows[1:] else (min,))
        ]

    return values


def _nine() -> list[str]:
    names = ("amazon-beauty-5core", "online-retail", "movielens-100k")
    rows = [pick(result("dial-cost.json")["rows"], dataset=name) for name in names]
    return [f"{row['nine_with_top_ms'] / row['one_ms']:.1f}" for row in rows]


def _prepare() -> list[str]:
    rows = result("prepare.json")["rows"]
    found: dict[str, list[Any]] = {"prepare": [], "times": [], "sort": []}
    for ids in ("integer", "text"):
        own, sort = (pick(rows, ids=ids, what=what) for what in ("prepare", "sort to a file, streaming"))
        found["prepare"] += [f"{own['seconds']:.0f}", f"{own['peak_gib']:.1f}"]
        found["times"].append(f"{own['seconds'] / sort['seconds']:.1f}")
        found["sort"].append(f"{sort['peak_gib']:.1f}")
    return [f"{result('prepare.json')['events'] // 10**6}", *found["prepare"], *found["times"], *found["sort"]]


def _small() -> list[str]:
    (row,) = (row for row in result("evaluation.json")["rank"] if row["items"] == 3665)
    figures = f"{row['ratio']:.1f}", f"{row['with_top_20_ratio']:.1f}", f"{row['ranks_ms']:.0f}"
    return [f"{row['items']:,}", f"{row['events']:,}", *figures]


def _top_lists() -> list[str]:
    (plain, terms), threads = result("recommend.json")["rows"], result("recommend.json")["threads"]
    assert (plain["people"], plain["items"], plain["history"], threads) == (10**6, 10**5, 20, 1)
    times = plain["people_a_second"] / terms["people_a_second"]
    return [f"{plain['seconds']:.0f}", f"{plain['ratio_of_products']:.1f}", f"{times:.1f}"]


def _steps_by_size() -> list[str]:
    found = []
    for items in (1_500_000, 10**7):
        steps = pick(result("terms-by-size.json")["rows"], items=items)["steps"]
        found += [f"{steps[method]['trained along']['ratio']:.2f}" for method in ("random", "mixed-log-q")]
        of_process = (steps["mixed-log-q"][way]["peak_mb"] for way in ("trained along", "without"))
        found += [f"{peak * 2**20 / 1e9:.1f}" for peak in of_process]
    return found


def _evaluations_by_size() -> list[str]:
    row = pick(result("terms-by-size.json")["rows"], items=10**7)
    found = row["evaluations"]
    seconds = (found[way]["ms"] / 1000 for way in ("without", "fitted, first", "fitted", "fit"))
    without, first, later, fit = seconds
    ratios = (found[way]["ratio"] for way in ("trained along", "fitted, first", "fitted"))
    peaks = (found[way]["peak_mb"] * 2**20 / 1e9 for way in ("fitted, first", "without"))
    figures = [f"{row['queries']}", f"{without:.1f}", *(f"{ratio:.1f}" for ratio in ratios)]
    return [*figures, f"{first:.0f}", f"{first - later:.0f}", f"{fit:.0f}", *(f"{peak:.1f}" for peak in peaks)]


def _logged(pattern: str) -> Callable[[], tuple[str, ...]]:
    """What a sentence of the experiment log says."""

    def values() -> tuple[str, ...]:
        found = re.search(pattern, " ".join((ROOT / "docs/log.md").read_text(encoding="utf-8").split()))
        assert found, f"the log has no {pattern}"
        return found.groups()

    return values


README: Sequence[Claim] = (
    Measured(
        "`make compare` takes {} minutes of two cores.",
        _logged(r"three seeds takes (\d+) minutes on two free cores"),
    ),
    Measured("all of this took {} min {} s, from the log", _logged(r"first answer 7 s: \*\*(\d+) min (\d+) s\*\*")),
    Stated("on the earliest 90 % of events. The next 5 % are validation"),
    Stated("the latest 5 % are the test"),
    Stated("from 33 % (one of the three alone) to 100 %"),
)

COMPARE: Sequence[Claim] = (
    Stated("random 3 451 MB 12 ms 168/epoch 44 s adaptive-mixed 3 451 MB 13 ms 168/epoch 47 s"),
    Stated("table dense (fewer than 50,000 items), 10 MB"),
    Stated("In all about 2 min and 1.3 GB for training and evaluation."),
    Stated("up to three times"),
    Stated("the latest 5 % of events are test, the 5 % before them validation"),
)

REPORT: Sequence[Claim] = (
    Stated("difference, 95 % interval, p"),
    Stated("from 33 % (only one cohort is served) to 100 %"),
)

SPEED: Sequence[Claim] = (
    Measured(
        "with 5 negatives a position {} ms. RecTools' SASRec takes {} ms ({} times; {} to {} by round). RecBole's "
        "takes {} ms for a step with {} targets; a step of the other two has {}.",
        _peers(5),
    ),
    Measured("With 100 negatives a position it takes {} ms here, and {} ms with RecTools ({} times).", _peers(100)),
    Measured(
        "a step with 256 negatives shared by the batch takes {} ms, and {} ms with ten thousand items",
        lambda: _catalogue("sampled softmax, 256 a batch"),
    ),
    Measured("with 100 negatives a sequence {} and {} ms.", lambda: _catalogue("random, 100 a sequence")),
    Measured(
        "With the dense table (Adam over all items) a step takes {} to {} s, and RecTools needs more than {} GiB of "
        "address space. The whole process takes {} GB, of which the table and Adam's state are {} GB.",
        _ten_million,
    ),
    Measured("takes {} to {} % of a step on Beauty for the paper's six", _drawing),
    Measured(
        "They take {} to {} times as long for Beauty's test events ({} to {} times with the top 20 in the same pass)",
        _ranks(12_101, "ratio", "with_top_20_ratio"),
    ),
    Measured("{} times for 2,000 events among a million items ({} times)", _ranks(10**6, "ratio", "with_top_20_ratio")),
    Measured(
        "Online Retail ({} items, {} events) takes {} times as long as its products ({} times with the top "
        "20), {} ms in all.",
        _small,
    ),
    Measured(
        "this takes {} times as long as one plain evaluation with its top 20 on Beauty, {} times on Online "
        "Retail and {} times on MovieLens 100K",
        _nine,
    ),
    Measured(
        "**Preparing** {} million events ([prepare.json]) takes {} s and {} GiB, with text ids {} s and {} GiB: {} and "
        "{} times as long as Polars' streaming sort of the same file, which takes {} and {} GiB.",
        _prepare,
    ),
    Measured(
        "With 1.5 million items a step with all three takes {} times as long as one without (`random`) and {} times "
        "(`mixed-log-q`), and the process {} GB in place of {}. With ten million, of which `repeats` alone can be "
        "trained along, {} and {} times, and {} GB in place of {}.",
        _steps_by_size,
    ),
    Measured(
        "An evaluation of {} queries among ten million items takes {} s, {} times as long with `repeats`, and with all "
        "terms fitted {} times as long at first and {} times again: of the first {} s, {} s are for neighbours, which "
        "are kept. The fit takes {} s. The process has {} GB in place of {}.",
        _evaluations_by_size,
    ),
    Measured(
        "take {} s of one core, {} times the bare products ([recommend.json]). With all terms a person costs {} times "
        "as much",
        _top_lists,
    ),
)

DATASETS: Sequence[Claim] = (
    Stated("5 % of 394,908 events are 19,746"),
    Stated("in 0.003 % of the sequences"),
    Stated("1 % of users, 1 % of videos"),
)

PAGES: Mapping[str, Sequence[Claim]] = {
    "README.md": README,
    "docs/how-to/compare.md": COMPARE,
    "docs/how-to/train.md": (),
    "docs/how-to/data.md": (),
    "docs/how-to/report.md": REPORT,
    "docs/how-to/command-line.md": (),
    "docs/speed.md": SPEED,
    "docs/studies/README.md": claims_studies.CLAIMS,
    "docs/dial.md": claims_dial.CLAIMS,
    "docs/paper.md": claims_paper.CLAIMS,
    "docs/refit.md": claims_refit.CLAIMS,
    "docs/freshness.md": claims_freshness.CLAIMS,
    "docs/datasets.md": DATASETS,
}
