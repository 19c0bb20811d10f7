"""Sentences on a study as a whole, its runs, its dial, its windows, and whom it serves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.shown import expect, listed, shows


def when(value: str) -> str:
    """A moment of a file, as it is shown."""
    moment = datetime.fromisoformat(value)
    return moment.strftime("%Y-%m-%d" if moment.strftime("%H%M%S") == "000000" else "%Y-%m-%d %H:%M")


def _title(place: Place, at: re.Match[str]) -> Faults:
    yield from expect("datasets", at["logs"], place.title)


def _top(place: Place, at: re.Match[str]) -> Faults:
    about, raw = place.raw.about, place.raw
    true = (len(about["methods"]), about["repeats"], len(raw.runs), len(about["runs"]))
    yield from expect("counts", tuple(int(at[name]) for name in ("methods", "repeats", "done", "all")), true)
    yield from expect("plurals", (at["s"], at["t"]), ("s" * (true[0] != 1), "s" * (true[1] != 1)))
    yield from expect("made", (at["when"], at["version"]), (when(about["created"]), about["negsample"]))


def _failed(place: Place, at: re.Match[str]) -> Faults:
    many = len(place.raw.failed)
    yield from expect("failed", (int(at["n"]), at["s"]), (many, "s" * (many != 1)))


def _missing(place: Place, at: re.Match[str]) -> Faults:
    listed_runs = place.raw.about["runs"]
    failed = {each["run"] for each in place.raw.failed} & set(listed_runs)
    yield from expect(
        "missing",
        (int(at["n"]), int(at["all"])),
        (len(listed_runs) - len(place.raw.runs) - len(failed), len(listed_runs)),
    )
    nothing = [fold for fold in place.raw.manifests if not any(run.fold == fold for run in place.raw.runs)]
    yield from expect("nothing of", sorted((at["logs"] or "").split(", ")) if at["logs"] else [], sorted(nothing))


def _absent(place: Place, at: re.Match[str]) -> Faults:
    failed = {each["method"] for each in place.raw.failed if each["dataset"] in place.raw.logs[place.log]}
    known = {*place.methods, *failed}
    yield from expect("absent", at["names"], _named([name for name in place.raw.about["methods"] if name not in known]))


def _named(names: list[str]) -> str:
    return listed(names) if len(names) <= 6 else f"{len(names)} methods"


def _dial(place: Place, at: re.Match[str]) -> Faults:
    dial = place.raw.about["dial"]
    said = {
        "none": "At dial 0: the ranking as it was trained.",
        "auto": "Each run at the dial with its best NDCG@10 on validation.",
    }.get(dial)
    if dial.startswith("balance:"):
        least = dial.removeprefix("balance:")
        said = (
            f"Each run at the dial with its best NDCG@10 among those with a Balance of at least {least} on validation."
        )
    yield from expect("dial", at[0], said or f"All runs at dial {dial}.")
    for run in place.raw.runs:
        yield from _dial_of(run, dial)


def _dial_of(run: Any, dial: str) -> Faults:
    """Whether a run has the dial that was asked for."""
    if len(run.grid["betas"]) == 1 or dial == "none":
        yield from expect(f"{run.folder.name}: dial", run.metrics["dial"], 0.0)
        return
    if dial not in ("auto",) and not dial.startswith("balance:"):
        yield from expect(f"{run.folder.name}: dial", run.metrics["dial"], float(dial))
        return
    least = float(dial.removeprefix("balance:")) if dial != "auto" else -1.0
    valid = {beta: run.at(beta, "valid") for beta in run.grid["betas"]}
    able = {
        beta: one["ndcg@10"] or 0.0 for beta, one in valid.items() if least < 0 or (one["balance@10"] or -1.0) >= least
    }
    yield from expect(f"{run.folder.name}: reached", run.metrics["dial_reached"], bool(able))
    best = max(able.values(), default=0.0)
    if able and able[run.metrics["dial"]] < best:
        yield f"{run.folder.name}: dial {run.metrics['dial']}, the best on validation is that of {able}"
    if not able:
        yield from expect(f"{run.folder.name}: dial", run.metrics["dial"], 0.0)


def _unreached(place: Place, at: re.Match[str]) -> Faults:
    missed = [run for run in place.raw.runs if not run.metrics["dial_reached"]]
    counts: dict[str, int] = {}
    for run in missed:
        counts[f"{run.method} on {run.fold}"] = counts.get(f"{run.method} on {run.fold}", 0) + 1
    names = listed([f"{name} ({many} {'run' if many == 1 else 'runs'})" for name, many in counts.items()])
    yield from expect("not reached", at["names"], names)
    most = max((one["balance@10"] or 0.0, run.method) for run in missed for one in run.grid["valid"])
    if not shows(at["most"], most[0]):
        yield f"the most: {most}"
    of = [run.method for run in missed if any(one["balance@10"] == most[0] for one in run.grid["valid"])]
    if at["of"] not in of:
        yield f"the most is of {most[1]}"


def _above(place: Place, at: re.Match[str]) -> Faults:
    """Which cards show another setting of the dial than the table."""
    chosen = [taken.chosen for taken in place.advised.purposes.values()]
    others = [one for one in chosen if one.test["ndcg@10"] != place.mean(one.method, "ndcg@10")]
    yield from expect("shown above", at["above"], listed(list(dict.fromkeys(one.called for one in others))))
    dial = place.raw.about["dial"]
    begins = None if dial == "auto" or dial.startswith("balance:") else "0" if dial == "none" else dial
    yield from expect("the table's dial", at["beta"], begins)


def _marks(place: Place, at: re.Match[str]) -> Faults:
    tested = any(each.p is not None for each in place.compared.found)
    yield from expect("tested", not at[0].startswith("No difference"), tested)


def _age(place: Place, at: re.Match[str]) -> Faults:
    shown = []
    for refit, words in ((False, "on train alone"), (True, "anew on train and validation (refit)")):
        runs = [
            run for run in place.runs() if bool(run.metrics["refit"]) is refit and run.metrics["age_days"] is not None
        ]
        ages = list(dict.fromkeys(f"{run.metrics['age_days']:.3g} days" for run in runs))
        shown += [f"{words}: {listed(ages)} old at test"] if runs else []
    yield from expect("ages", at["ages"], listed(shown))


def _budget(place: Place, at: re.Match[str]) -> Faults:
    found = [each for each in place.raw.tunings if each["dataset"] in place.raw.logs[place.log]]
    budgets = sorted({(each["planned"], each["epochs"]) for each in found})
    said = [f"{trials} trials of at most {epochs} epochs" for trials, epochs in budgets]
    text = f"Budget of each method: {said[0]}." if len(said) == 1 else f"Budgets differ: between {listed(said)}."
    short = [f"{each['method']} ({len(each['trials'])})" for each in found if len(each["trials"]) < each["planned"]]
    text += f" Not finished: {_named(short)}." if short else ""
    never = [name for name in place.trained if name not in {each["method"] for each in found}]
    if place.raw.about["preset"] != "default":
        text += " The runs have the published settings, and not these."
    elif never:
        text += f" Not tuned: {_named(never)}."
    yield from expect("budget", at[0], text)


def _windows(place: Place, at: re.Match[str]) -> Faults:
    folds = [place.raw.manifests[name] for name in place.raw.logs[place.log]]
    spans = "; ".join(f"{when(each['test_start'])} to {when(each['last_time'])}" for each in folds)
    yield from expect("windows", (int(at["n"]), at["spans"]), (len(folds), spans))


def _first(place: Place, at: re.Match[str]) -> Faults:
    counts: dict[str, int] = {}
    names = place.raw.logs[place.log]
    for fold in names:
        means = {}
        for method in place.methods:
            values = [run.metrics["test"]["ndcg@10"] for run in place.runs(method) if run.fold == fold]
            known = [value for value in values if value is not None]
            if known and sum(known):
                means[method] = sum(known) / len(known)
        best = max(means.values(), default=0.0)
        for method, value in means.items():
            if value >= best - 1e-15:
                counts[method] = counts.get(method, 0) + 1
    said = dict(re.findall(r"([^\s,]+) in (\d+)", at["counts"]))
    there = sum(any(run.fold == fold for run in place.runs()) for fold in names)
    yield from expect("first in", ({name: int(n) for name, n in said.items()}, int(at["n"])), (counts, there))


def _over_users(place: Place, at: re.Match[str]) -> Faults:
    user_E = place.raw.events[place.raw.logs[place.log][-1]]["user_E"]
    counts = [int((user_E == user).sum()) for user in set(user_E.tolist())]
    effective = round(sum(counts) ** 2 / sum(each**2 for each in counts)) if counts else 0
    shown = [int(at[name].replace(",", "")) for name in ("users", "events", "effective")]
    yield from expect("users", shown, [len(counts), len(user_E), effective])


def _repeats(place: Place, at: re.Match[str]) -> Faults:
    new, again = (int(at[name].replace(",", "")) for name in ("new", "repeat"))
    yield from expect("new and repeated", (new, again), (place.test["new_events"], place.test["repeat_events"]))
    yield from expect("all", new + again, place.test["events"])


def _cut(place: Place, at: re.Match[str]) -> Faults:
    shown = [int(at[name].replace(",", "")) for name in ("head", "mid", "tail")]
    yield from expect("as of the cut", shown, [place.test[f"cut_{name}_events"] for name in ("head", "mid", "tail")])
    yield from expect("all", sum(shown), place.test["events"])


def _no_users(place: Place, at: re.Match[str]) -> Faults:
    """Nobody is shown where there is something to compare, and a model or the log is lacking."""
    lacking = [run.method for run in place.runs() if not (run.folder / "model.safetensors").exists()]
    kept = place.raw.folder / "data" / place.raw.logs[place.log][-1]
    if not lacking and kept.exists():
        yield "all models and the log are there"


def _nothing(place: Place, at: re.Match[str]) -> Faults:
    yield from expect("test events", place.test["events"], 0)


_N = r"[\d,]+"
SENTENCES: Mapping[str, Callable[[Place, re.Match[str]], Faults]] = {
    r"Negative sampling on (?P<logs>.+)": _title,
    r"Results on (?P<log>.+)": lambda place, at: expect("dataset", at["log"], place.log),
    r"(?P<methods>\d+) method(?P<s>s?), (?P<repeats>\d+) repeat(?P<t>s?), (?P<done>\d+) of (?P<all>\d+) runs"
    r" finished\."
    r" Made (?P<when>\S+(?: \d\d:\d\d)?) with negsample (?P<version>\S+)\.": _top,
    r"(?P<n>\d+) run(?P<s>s?) failed; why stands below each table\.": _failed,
    r"This study is not finished: (?P<n>\d+) of (?P<all>\d+) runs are missing, and the figures may still change\."
    r"(?: Nothing has finished on (?P<logs>.+?)\.)?": _missing,
    r"No run has finished yet of (?P<names>.+?)\.": _absent,
    r"(?:At dial 0: the ranking as it was trained|Each run at the dial with its best NDCG@10 on validation|Each"
    r" run at the"
    r" dial with its best NDCG@10 among those with a Balance of at least \S+ on validation|All runs at dial"
    r" \S+?)\.": _dial,
    r"Shown above: (?P<above>.+?)\. This table begins (?:at dial (?P<beta>\S+)|with each run at its own"
    r" dial)\.": _above,
    r"No setting of the dial reaches Balance \S+ on validation for (?P<names>.+); the most among these is"
    r" (?P<most>\S+)"
    r" \((?P<of>\S+)\)\. These runs are kept, at dial 0: ask for less, or for --dial auto\.": _unreached,
    r"(?:\* Significantly different from the best of its column: Holm-adjusted p below 0\.05 in its"
    r" family\. Coverage"
    r" and training time are not tested, nor baselines against each other, nor what the limits below name\.|No"
    r" difference"
    r" was tested for significance here\.)": _marks,
    r"Models were trained (?P<ages>.+) \(median over the test events since the last event they were trained"
    r" on\)\.": _age,
    r"Budgets? (?:of each method|differ): .+?epochs\.(?: Not finished: .+?\.)?(?: The runs have the published"
    r" settings, and"
    r" not these\.| Not tuned: .+?\.)?(?= Chosen by)": _budget,
    r"(?P<n>\d+) test windows that follow each other in time, each with all that came before it as train and"
    r" validation:"
    r" (?P<spans>.+?)\. The figures above are means over them; facts of the dataset are those of the last"
    r" one\.": _windows,
    r"Highest NDCG@10: (?P<counts>.+) of (?P<n>\d+) windows\.": _first,
    rf"Over users: each user's own mean, then the mean over the (?P<users>{_N}) users\. In a mean over the"
    rf" (?P<events>{_N})"
    r" events users with many of them weigh most: it is as steady as one over"
    rf" (?P<effective>{_N}) users with equally many events \(effective number of users\)\.": _over_users,
    rf"Repeats: the (?P<repeat>{_N}) events on an item that the user has in the history which the model knows;"
    rf" new items:"
    rf" the other (?P<new>{_N})\.": _repeats,
    r"As of the cut: cohorts by all events before the test part, validation included, where those of the other"
    r" tables are"
    rf" by training alone\. Test events: (?P<head>{_N}) head, (?P<mid>{_N}) mid, (?P<tail>{_N}) tail\.": _cut,
    r"Nobody is shown: the dataset or the models of this study are not at hand or cannot be read\. With them,"
    r" negsample report STUDY shows for whom the methods differ most\.": _no_users,
    r"There are no test events, so nothing was measured\.": _nothing,
}
"""By the pattern of a sentence, what checks it."""
