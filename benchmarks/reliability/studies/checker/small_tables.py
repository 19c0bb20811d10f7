"""The small tables of a page: significance by family, baselines, refits, terms, tunings, settings, cohorts."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.reliability.studies.checker.page import Table
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import COHORTS
from benchmarks.reliability.studies.checker.shown import expect, listed, shows, shows_digits, shows_seconds
from benchmarks.reliability.studies.checker.t_test import FAMILIES

Check = Callable[[dict[str, str], str, Place], Faults]


def lines_of(table: Table) -> dict[str, dict[str, str]]:
    """By the first cell of a line, its texts by heading; a heading that stands twice has ``' 2'``."""
    names: list[str] = []
    for heading in table.headings:
        names.append(heading if heading not in names else f"{heading} 2")
    return {line[0].text: dict(zip(names, [cell.text for cell in line], strict=True)) for line in table.lines}


def families(table: Table, place: Place) -> Faults:
    """How many comparisons of each family are significant."""
    lines = lines_of(table)
    yield from expect("families", list(lines), list(FAMILIES))
    for family, line in lines.items():
        found = [each for each in place.compared.found if each.family == family]
        tested = [each for each in found if each.p is not None]
        counts = len(found), sum(each.significant for each in tested), len(found) - len(tested)
        shown = [line.get(name, "0") for name in ("Comparisons", "Significant", "Not tested")]
        yield from expect(f"{family}: counts", shown, [str(each) for each in counts])
        near = [each for each in tested if each.borderline]
        if len(near) > 6:
            yield from expect(f"{family}: borderline", line["Borderline"], str(len(near)))
            continue
        texts = line.get("Borderline", "").split("; ") if line.get("Borderline") else []
        yield from expect(f"{family}: borderline", len(texts), len(near))
        for text, each in zip(texts, near, strict=False):
            said, _, p = text.rpartition(" (p ")
            yield from expect(f"{family}: borderline", said, f"{each.a} and {each.b}, {each.scope}")
            if each.p is not None and not shows_digits(p.rstrip(")"), each.p):
                yield f"{family}, {said}: shown p {p}, by the runs {each.p}"


_WORDS = {
    "RecentPop": "the most popular items lately, for everybody",
    "Repeat": "the user's own items, the most frequent first, then RecentPop",
    "RepeatRecent": "the user's own items, the latest first, then RecentPop",
    "ItemKNN": "items that the same users have as the user's latest ones",
    "PopRec": "the most popular items in train, for everybody",
}


def baselines(table: Table, place: Place) -> Faults:
    """What each ranks by and chose."""
    lines = lines_of(table)
    yield from expect("baselines", list(lines), place.rules)
    for name, line in lines.items():
        runs = place.runs(name)
        reached = [each for run in runs if (each := run.metrics["valid"]["ndcg@10"]) is not None]
        mean = statistics.fmean(reached) if reached else None
        yield from expect(f"{name} ranks by", line["Ranks by"], _WORDS[name])
        if not shows(line["NDCG@10 on validation"], mean, 100):
            yield f"{name}: validation '{line['NDCG@10 on validation']}', by the runs {mean}"
        seconds = place.raw.mean_sd(place.log, name, [run.metrics["train_seconds"] for run in runs])[0]
        if seconds is None or not shows_seconds(line["Choice and fit"], seconds):
            yield f"{name}: took '{line['Choice and fit']}', by the runs {seconds}"
        chosen = list(dict.fromkeys(choice(run.metrics) for run in runs if run.metrics["chosen"]))
        yield from expect(f"{name} chose", line["Chosen on validation"], listed(chosen) if chosen else "nothing")


def choice(metrics: Mapping[str, Any]) -> str:
    """What validation chose for a baseline."""
    setting, _, unit = metrics["chosen"]["setting"].partition(", ")
    return f"{setting} {metrics['chosen']['choice']:g} {unit}".strip()


def refits(table: Table, place: Place) -> Faults:
    """NDCG@10 before and after."""
    for method, line in lines_of(table).items():
        runs = place.runs(method)
        before = [run.metrics["test_before_refit"]["ndcg@10"] for run in runs]
        after = [run.metrics["test"]["ndcg@10"] for run in runs]
        change = [b - a for a, b in zip(before, after, strict=True)]
        shown = (line["NDCG@10 before the refit"], line["After"], line["Change"])
        yield from _means(method, place, shown, (before, after, change))
    known = [name for name in place.trained if any(v is not None for v in place.raw.values(place.log, name, "ndcg@10"))]
    yield from expect("refitted methods", list(lines_of(table)), known)


def terms(table: Table, place: Place) -> Faults:
    """NDCG@10 without and with fitted terms."""
    for method, line in lines_of(table).items():
        runs = place.runs(method)
        parts: list[list[Any]] = []
        for part in ("valid", "test"):
            parts += [[run.metrics["without_terms"][part]["ndcg@10"] for run in runs]]
            parts += [[run.metrics[part]["ndcg@10"] for run in runs]]
        shown = [line[name] for name in ("Validation without", "With", "Test without", "With 2")]
        yield from _means(method, place, shown, parts)
        chosen = list(dict.fromkeys(run.metrics["terms"]["chosen"] for run in runs))
        yield from expect(f"{method}: chosen share", line["Chosen"], listed(chosen))


def _means(method: str, place: Place, shown: Sequence[str], given: Sequence[Sequence[Any]]) -> Faults:
    for text, values in zip(shown, given, strict=True):
        mean, sd = place.raw.mean_sd(place.log, method, values)
        first, _, second = text.partition(" ± ")
        if not shows(first, mean, 100) or (second and not shows(second, sd, 100)) or bool(second) != (sd is not None):
            yield f"{method}: shown '{text}', by the runs {mean} and {sd}"


def tunings(table: Table, place: Place) -> Faults:
    """The trials of each search."""
    found = {each["method"]: each for each in place.raw.tunings if each["dataset"] in place.raw.logs[place.log]}
    yield from expect("tuned methods", sorted(lines_of(table)), sorted(found))
    for method, line in lines_of(table).items():
        search = found[method]
        states = [each["state"] for each in search["trials"]]
        yield from expect(f"{method}: trials", line["Trials"], f"{states.count('complete')} of {search['planned']}")
        for heading, state in (("Pruned", "pruned"), ("Failed", "failed")):
            yield from expect(f"{method}: {state}", line.get(heading, "0"), str(states.count(state)))
        complete = [each for each in search["trials"] if each["state"] == "complete"]
        best = max(complete, key=lambda each: (each["value"], each["ndcg"]))
        if not shows(line["Validation HR@10"], best["value"], 100):
            yield f"{method}: best '{line['Validation HR@10']}', by its trials {best['value']}"
        if not shows_seconds(line["Time"], sum(each["seconds"] for each in search["trials"])):
            yield f"{method}: took '{line['Time']}'"
        chosen = ", ".join(f"{name} {_short(value)}" for name, value in best["params"].items())
        yield from expect(f"{method}: chosen", line["Chosen"], chosen)
        for each in line["Searched"].split("; "):
            name, _, values = each.partition(" ")
            tried = sorted({trial["params"][name] for trial in search["trials"]}) if name != "nothing" else []
            texts = [_short(value) for value in tried]
            few = ", ".join(texts) if len(texts) <= 6 else f"{texts[0]} to {texts[-1]}"
            yield from expect(f"{method}: searched {name}", values, few)


def searches(table: Table, place: Place) -> Faults:
    """Since when a search has found nothing better; the median and the best trial; importance where it is enough."""
    found = {each["method"]: each for each in place.raw.tunings if each["dataset"] in place.raw.logs[place.log]}
    yield from expect("searches", sorted(lines_of(table)), sorted(found))
    for method, line in lines_of(table).items():
        trials = found[method]["trials"]
        complete = [each for each in trials if each["state"] == "complete"]
        best = max(complete, key=lambda each: (each["value"], each["ndcg"]))
        yield from expect(f"{method}: since", line["Best since trial"], f"{trials.index(best) + 1} of {len(trials)}")
        values = sorted(each["value"] for each in complete)
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
        for heading, true in (("HR@10, median complete trial", middle), ("HR@10, best trial", values[-1])):
            if not shows(line[heading], true, 100):
                yield f"{method}: {heading} '{line[heading]}', by its trials {true}"
        shares = [text for name, text in line.items() if name.startswith("Importance") and text]
        tried = [each for each in trials if each["state"] != "failed"]
        varied = sum(len({each["params"][name] for each in tried}) > 1 for name in tried[0]["params"])
        enough = len(tried) >= 20 and varied > 1 and len({each["value"] for each in tried}) > 1
        yield from expect(f"{method}: importance of", len(shares), varied if enough else 0)
        told = [int(text.removesuffix(" %")) for text in shares if text != "by chance"]
        if sum(told) > 100 + len(told) / 2 or (
            shares and len(told) == len(shares) and abs(sum(told) - 100) > len(told)
        ):
            yield f"{method}: importances of {shares}"
        if len(tried) < 20:
            why = f"{len(tried)} of the 20 trials that are needed"
            yield from expect(f"{method}: no importance", line["No importance"], why)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def settings(table: Table, place: Place) -> Faults:
    """Seeds, chosen epochs, time and memory of each method."""
    raw = place.raw
    several = len(raw.shown) > 1
    expected = [(log, name) for log in raw.shown for name in Place(raw, log).trained]
    lines = [dict(zip(table.headings, [cell.text for cell in line], strict=True)) for line in table.lines]
    yield from expect("methods with settings", [line["Method"] for line in lines], [name for _, name in expected])
    for line, (log, name) in zip(lines, expected, strict=False):
        runs = raw.of(log, name)
        yield from expect(f"{name}: dataset", line.get("Dataset", ""), log if several else "")
        yield from expect(f"{name}: seeds", line["Seeds"], listed([str(run.seed) for run in runs]))
        epochs = listed([str(run.metrics["best_epoch"]) for run in runs])
        yield from expect(f"{name}: chosen epochs", line["Chosen epochs"], epochs)
        took, _, steps = line["A run took"].partition(", ")
        seconds = raw.mean_sd(log, name, [run.metrics["train_seconds"] for run in runs])[0]
        pace = raw.mean_sd(log, name, [run.metrics["steps_per_second"] for run in runs])[0]
        if seconds is None or not shows_seconds(took, seconds) or not shows(steps, pace):
            yield f"{name}: took '{line['A run took']}', by the runs {seconds} s and {pace} steps"
        peak = raw.mean_sd(log, name, [run.metrics["peak_memory_bytes"] for run in runs])[0]
        size = 2**30 if "GiB" in line["Memory"] else 2**20
        if peak is None or not shows(line["Memory"], peak / size):
            yield f"{name}: memory '{line['Memory']}', by the runs {peak}"
        negatives = ", ".join(
            f"{key} {_full(value)}" for key, value in runs[0].config["negatives"].items() if value is not None
        )
        yield from expect(f"{name}: negatives", line["Negatives"], negatives or "none")
        usual = raw.about["settings"]
        other = {key: value for key, value in runs[0].config["settings"].items() if value != usual.get(key)}
        yield from expect(f"{name}: other settings", line["Other settings"] == "as above", not other)


def _full(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def cohorts(table: Table, place: Place) -> Faults:
    """What the manifest says of them."""
    for name, line in lines_of(table).items():
        of = place.manifest["cohorts"][name]
        shown = line["Items"], line["Train events"]
        yield from expect(f"{name}: counts", shown, (f"{of['items']:,}", f"{of['train_events']:,}"))
        if not shows(line["Share of items"], of["item_share"], 100) or not shows(line["MPU"], of["mpu"]):
            yield f"{name}: shares '{line['Share of items']}', '{line['MPU']}', by the manifest {of}"
    yield from expect("cohorts", list(lines_of(table)), list(COHORTS))


SMALL: Mapping[str, Callable[[Table, Place], Faults]] = {
    "Significance by family of comparisons": families,
    "Baselines": baselines,
    "What the refit gave, on test": refits,
    "What the terms fitted after training gave, NDCG@10": terms,
    "How each method was tuned": tunings,
    "What the searches brought": searches,
    "Settings of each method": settings,
    "Popularity cohorts": cohorts,
}
"""By the label of a table."""
