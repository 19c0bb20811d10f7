"""How far a study can be trusted with a choice of method: reasons, each green, amber or red."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.analysis.advice import Advice
from negsample.analysis.folds import measured
from negsample.analysis.measures import ACCURACY
from negsample.analysis.significance import LEAST_USERS, Comparisons
from negsample.analysis.study import Study
from negsample.analysis.trainings import cut_off
from negsample.models.baselines import is_baseline

Light = Literal["green", "amber", "red"]
ENOUGH_USERS = 100
"""Effective users from which on their number is no reason for doubt."""
ENOUGH_HITS = 100
"""Hits of a run on test from which on their number is no reason for doubt."""
FINE = 0.2
"""The smallest detectable difference, as a share of the NDCG@10 of what is taken, up to which it is none."""
_TRIALS, _REPEATS = 20, 3
_TO_TRAIN = "random,mixed-log-q"  # where a study has rules alone: the usual method, and what we recommend
_ORDER: tuple[Light, ...] = ("red", "amber", "green")
MATTERS = (
    *("no test events", "nothing trained", "no hit on validation"),
    *("unfinished", "nothing hit", "contradicted", "failed", "cut off"),  # figures or choice may be others
    *("blind", "repeats", "users", "hits"),  # nothing can be told apart, and why
    *("by user", "not in time", "untuned", "tuned", "detectable"),  # another choice may be as good
    *("dial not reached", "dial", "windows", "age", "converged", "published settings"),
)
"""All reasons, the one that matters most to who has to choose first; of one light they stand in this order."""


class Reason(NamedTuple):
    """``what``: which one; ``facts``: its numbers and names. ``next``: options that the study's command needs to mend
    it, as of :func:`negsample.report.next_command.next_command`; None: the command cannot mend it."""

    light: Light
    what: str
    facts: Mapping[str, Any]
    next: Mapping[str, str] | None = None


class Trust(NamedTuple):
    """The worst reasons first, see :data:`MATTERS`."""

    reasons: tuple[Reason, ...]

    @property
    def light(self) -> Light:
        """That of the worst reason."""
        return self.reasons[0].light if self.reasons else "green"

    @property
    def next(self) -> Mapping[str, str] | None:
        """Options of the worst reason that the study's command can mend, among those of the worst light."""
        worst = [each.next for each in self.reasons if each.light == self.light and each.next is not None]
        return worst[0] if worst and self.light != "green" else None


def trust_in(study: Study, dataset: str, advice: Advice, tests: Comparisons, by_user: str | None) -> Trust:
    """The reasons for and against trusting ``advice`` on ``dataset``.

    Args:
        study: the study.
        dataset: one of its datasets with a finished run.
        advice: what it advises.
        tests: what was tested on test.
        by_user: what would be taken for accuracy if every user counted alike; None: not known.
    """
    found = [*_fatal(study, dataset, advice)]
    if not found:
        found = [
            *_finished(study, dataset),
            *_trained(study, dataset),
            *_users(study, dataset, advice),
            *_on_test(study, dataset, advice, tests, by_user),
            *_dial(study, dataset, advice),
            *_windows(study, dataset),
        ]
    return Trust(tuple(sorted(found, key=lambda each: (_ORDER.index(each.light), MATTERS.index(each.what)))))


def effective_users(study: Study, dataset: str) -> float:
    """``n^2 / sum n_u^2`` over the measured test events: so many users with as many events each would say as much."""
    counts = _events_by_user(study, dataset).astype(np.float64)
    return float(counts.sum() ** 2 / (counts**2).sum()) if len(counts) else 0.0


def _events_by_user(study: Study, dataset: str) -> NDArray[np.int64]:
    """How many measured test events each user has, over all folds."""
    users = np.concatenate([each.get("person_E", each["user_E"]) for each in study.events[dataset]])
    return np.unique(users, return_counts=True)[1]


def _more_windows(study: Study, dataset: str) -> Mapping[str, str] | None:
    """Options that test on more events; None without a split in time."""
    if study.manifests[dataset].get("not_in_time") is not None:
        return None
    return {"--folds": str(len(study.folds[dataset]) + 2)}


def _more_runs(study: Study) -> Mapping[str, str]:
    """Options that give each method enough runs; where some failed, it may have asked for as many."""
    return {"--repeats": str(max(_REPEATS, int(study.about["repeats"])))}


def _fewest(study: Study, dataset: str) -> int:
    """Runs of the trained method that has the fewest."""
    trained = [method for method in study.methods_of(dataset) if not is_baseline(method)]
    return min((len(study.repeats_of(dataset, method)) for method in trained), default=0)


def _fatal(study: Study, dataset: str, advice: Advice) -> list[Reason]:
    """Why nothing can be said at all."""
    if not measured(study, dataset)["events"]:
        return [Reason("red", "no test events", {})]
    if all(is_baseline(method) for method in study.methods_of(dataset)):
        asked = [method for method in study.about["methods"] if not is_baseline(method)]
        return [Reason("red", "nothing trained", {"asked": asked}, {} if asked else {"--methods": _TO_TRAIN})]
    if advice.accuracy.chosen is None:
        return [Reason("red", "no hit on validation", {})]
    return []


def _finished(study: Study, dataset: str) -> list[Reason]:
    found = []
    if study.missing:
        found.append(Reason("red", "unfinished", {"missing": study.missing, "listed": study.listed}, {}))
    if failed := len(study.failures_of(dataset)):
        found.append(Reason("amber", "failed", {"failed": failed}, {}))
    return found


def _trained(study: Study, dataset: str) -> list[Reason]:
    """Repeats, epochs, settings."""
    found = []
    runs = [run for run in study.runs_of(dataset) if not is_baseline(run.config["method"])]
    methods = list(dict.fromkeys(run.config["method"] for run in runs))
    fewest = _fewest(study, dataset)
    light: Light = "red" if fewest < 2 else "amber" if fewest < _REPEATS else "green"
    found.append(Reason(light, "repeats", {"repeats": fewest}, _more_runs(study)))
    cut = cut_off(study, dataset)
    if cut is None:
        found.append(Reason("green", "converged", {}))
    else:
        found.append(Reason("red", "cut off", cut._asdict(), {"--epochs": str(2 * cut.epochs)}))
    tunings = study.tunings_of(dataset)
    untuned = [method for method in methods if method not in {each.method for each in tunings}]
    if study.published_settings:
        found.append(Reason("green", "published settings", {}))
    elif untuned:
        facts = {"untuned": len(untuned), "methods": len(methods)}
        found.append(Reason("amber", "untuned", facts, {"--tune-trials": str(_TRIALS)}))
    else:
        ends = {each.method: each.at_an_end() for each in tunings}
        at_end = {method: names for method, names in ends.items() if names}
        found.append(Reason("amber" if at_end else "green", "tuned", {"at_end": at_end, "methods": len(methods)}))
    return found


def _users(study: Study, dataset: str, advice: Advice) -> list[Reason]:
    users, events = effective_users(study, dataset), int(measured(study, dataset)["events"])
    found = list[Reason]()
    chosen = advice.accuracy.chosen
    hits = 0.0 if chosen is None or chosen["hr@10"] is None else float(chosen["hr@10"]) * events
    light: Light = "red" if users < LEAST_USERS else "amber" if users < ENOUGH_USERS else "green"
    facts = {"effective": users, "users": len(_events_by_user(study, dataset)), "events": events}
    trained = [run for run in study.runs_of(dataset) if not is_baseline(run.config["method"])]
    if not any(figures["hr@10"] for run in trained for figures in study.figures(run, "test").values()):
        found.append(Reason("red", "nothing hit", {"methods": len({run.config["method"] for run in trained})}))
    more = _more_windows(study, dataset)
    of_hits: Light = "red" if hits < ENOUGH_HITS / 10 else "amber" if hits < ENOUGH_HITS else "green"
    return [
        *found,
        Reason(light, "users", facts, more),
        Reason(of_hits, "hits", {"hits": hits, "events": events, "chosen": chosen}, more if hits else None),
    ]


def _on_test(study: Study, dataset: str, advice: Advice, tests: Comparisons, by_user: str | None) -> list[Reason]:
    """Whether the test agrees, what it could have seen, and whether it matters how users are weighed."""
    chosen, found, more = advice.accuracy.chosen, [], _more_windows(study, dataset)
    assert chosen is not None
    rivals = [row for row in (advice.default, advice.accuracy.rule) if row is not None]
    against = {row["method"]: tests.between(ACCURACY, chosen, row) for row in rivals}
    worse = [name for name, each in against.items() if each and each.significant and (each.difference or 0) < 0]
    if worse:
        found.append(Reason("red", "contradicted", {"chosen": chosen, "by": worse}, more))
    seen = [each.detectable for each in against.values() if each is not None and each.detectable is not None]
    if seen and chosen[ACCURACY]:
        share = max(seen) / chosen[ACCURACY]
        facts = {"detectable": max(seen), "chosen": chosen}
        finer = _more_runs(study) if _fewest(study, dataset) < _REPEATS else more
        what = "blind" if share >= 1 else "detectable"
        found.append(Reason("green" if share <= FINE else "amber", what, facts, finer))
    if by_user is not None:
        light: Light = "green" if by_user == chosen["method"] else "amber"
        found.append(Reason(light, "by user", {"by_event": chosen["method"], "by_user": by_user}))
    return found


def _dial(study: Study, dataset: str, advice: Advice) -> list[Reason]:
    found = []
    betas = {beta for run in study.runs_of(dataset) for beta in study.grids[run.folder].betas}
    taken = {each.measure: each.chosen for each in advice.purposes if each.chosen is not None}
    at_end = [row for row in taken.values() if len(betas) > 1 and row["dial"] in (min(betas), max(betas))]
    if at_end:
        found.append(Reason("amber", "dial", {"at_end": list({row["method"]: row for row in at_end}.values())}))
    if missed := [run for run in study.unreached() if run in study.runs_of(dataset)]:
        found.append(Reason("amber", "dial not reached", {"runs": len(missed)}))
    return found


def _windows(study: Study, dataset: str) -> list[Reason]:
    """When it was tested, and how old the models were then."""
    manifest, folds = study.manifests[dataset], study.folds[dataset]
    if manifest.get("not_in_time") is not None:
        return [Reason("amber", "not in time", {})]
    count, more = len(folds), _more_windows(study, dataset)
    found = [Reason("green" if count > 1 else "amber", "windows", {"windows": count}, more)]
    aged = [run for run in study.runs_of(dataset) if run.metrics.get("age_days") is not None]
    old = [run for run in aged if not run.metrics["refit"]]
    if aged:
        days = max(float(run.metrics["age_days"]) for run in (old or aged))
        found.append(Reason("amber" if old else "green", "age", {"days": days}, {"--refit": ""}))
    return found
