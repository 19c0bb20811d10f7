"""The command of a verdict: what to run next, the study's own with what mends the worst reason."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from benchmarks.reliability.studies.checker.page import Element
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.shown import expect

MENDS = {
    "rules alone": r"rules without training",
    "one run": r"(?:has one run|has two runs only|finished every window)",
    "cut off": r"Training was cut off",
    "untuned": r"were not tuned on this log",
    "more events": r"(?:tell as much as|test events, in the mean of its runs|has a significantly lower|one window)",
    "either": r"easily missed",
    "refit": r"after the last event that a model was trained on",
}
"""The words of reasons that a command can mend."""
OPTIONS = {
    "rules alone": "--methods",
    "one run": "--repeats",
    "cut off": "--epochs",
    "untuned": "--tune-trials",
    "refit": "--refit",
}


def check(trust: Element, place: Place) -> Faults:
    """The command to run next: the study's own, with what mends the worst reason that a command can mend."""
    for each in trust.every("pre"):
        own, words = shlex.split(place.raw.about["command"]), shlex.split(each.text())
        yield from expect("command", words[:3], own[:3])
        if words == own:
            lights = [one.text() for one in trust.every("li")]
            if not any("missing" in one or "failed" in one or "nothing to compare" in one for one in lights):
                yield f"the command is the study's own: {each.text()}"
        if not any("missing" in one.text() or "nothing to compare" in one.text() for one in trust.every("li")):
            yield from _mended(trust, place, own, words)
        if "--epochs" in words:
            epochs = int(words[words.index("--epochs") + 1])
            before = int(own[own.index("--epochs") + 1])
            if epochs not in (before, 2 * before):
                yield f"--epochs {epochs}"


def _mended(trust: Element, place: Place, own: Sequence[str], words: Sequence[str]) -> Faults:
    """Whether the command has what mends the worst reason that a command can mend."""
    lights = [each.text().partition(": ") for each in trust.every("li")]
    worst = lights[0][0]
    few = min((len(place.runs(name)) for name in place.trained), default=0) < 3 * len(place.raw.logs[place.log])
    split = place.manifest.get("not_in_time") is None
    failed = any("Runs that failed" in said for _, _, said in lights)
    for light, _, said in lights:
        if light == worst and "Runs that failed" in said:
            yield from expect("tries again what failed", words, own)
            return
        kind = next((name for name, pattern in MENDS.items() if re.search(pattern, said)), None)
        if light != worst or kind is None or (kind == "more events" and not split):
            continue
        if kind == "either" and not few and not split:
            continue
        if "hits 0 of" in said:  # more events would bring no hit, or some
            return
        options = {
            "rules alone": "--methods",
            "one run": "--repeats",
            "cut off": "--epochs",
            "untuned": "--tune-trials",
            "refit": "--refit",
        }
        option = options.get(kind, "--repeats" if kind == "either" and few else "--folds")
        yield from expect(f"mends '{said}'", option in words and (words != own or failed), True)
        return
