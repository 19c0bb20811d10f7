"""The tables of the page of terms: every method under every way, and `mixed-log-q` against each rival."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from negsample.methods import PAPER_SIX
from scripts.study_runs import BASELINE, Figures, in_percent, usual
from scripts.terms_lines import AFTER, ALONG, BOTH, CONTENDER, NO_TARGETS, REFIT, SHOWN, TARGETS, WAYS, WORDS, Found


class Against(NamedTuple):
    """The `setting` of the dial that was chosen against a rival, with its figures, and by how much it is ahead of the
    rival in each figure on test. None: no setting has a higher Balance@10 on validation."""

    setting: Figures | None
    ahead: dict[str, float]

    @property
    def in_both(self) -> bool:
        """Whether it is ahead in all figures."""
        return self.setting is not None and all(by > 0 for by in self.ahead.values())


def against(dial: Sequence[Figures], rival: Figures) -> Against:
    """By validation alone: of the settings with a higher Balance@10 than the rival, that with the highest NDCG@10. A
    rival without a hit has no Balance@10: without one on validation every setting is allowed, and without one on test
    NDCG@10 alone is compared.
    """
    least = rival.get("valid_balance@10", float("-inf"))
    allowed = [each for each in dial if each["valid_balance@10"] > least]
    if not allowed:
        return Against(None, {})
    chosen = max(allowed, key=lambda each: float(each["valid_ndcg@10"]))
    shared = [name for name in SHOWN if f"test_{name}" in rival]
    return Against(chosen, {name: chosen[f"test_{name}"] - rival[f"test_{name}"] for name in shared})


def figures_table(found: Found) -> list[str]:
    """A line a method and its targets, a column a way; baselines below, each where it knows as much as a model."""
    there = [way for way in WAYS if way in (REFIT, AFTER) or any((targets, way) in found for targets in TARGETS)]
    runs = usual(each["runs"] for (_, way), of in found.items() if way != BASELINE for each in of.values())
    best = {
        way: max(
            (each["test_ndcg@10"] for targets in TARGETS for each in found.get((targets, way), {}).values()),
            default=None,
        )
        for way in there
    }
    lines = [
        f"Test at dial 0, %: NDCG@10; Balance@10. Runs of a method: {runs}, where a cell has no other number.",
        "",
        *_head("method", "targets", *there),
    ]
    for method in sorted({each for of in _trained(found) for each in of}, key=_order):
        for targets in TARGETS:
            cells = [found.get((targets, way), {}).get(method) for way in there]
            if any(cells):
                texts = [_text(each, runs, best[way]) for way, each in zip(there, cells, strict=True)]
                lines.append(_row(f"`{method}`", targets, *texts))
    for name, figures in _baselines(found).items():
        own = AFTER if name == "Terms" else REFIT
        lines.append(_row(f"`{name}`", "baseline", *(_text(figures) if way == own else "" for way in there)))
    return [*lines, "", f"Settings that are not defaults: {'; '.join(_settings(found))}."]


def rivals_table(found: Found) -> list[str]:
    """A line a rival: the six with a refit and terms after training, and the baselines. Nothing where there is none, or
    no contender."""
    contenders = {
        f"`{CONTENDER}`, {targets}: {way}": found[targets, way][CONTENDER]
        for way in (AFTER, BOTH)
        for targets in TARGETS
        if CONTENDER in found.get((targets, way), {})
    }
    rivals = {
        f"`{method}`, {targets}": found[targets, AFTER][method]
        for method in PAPER_SIX
        for targets in TARGETS
        if method in found.get((targets, AFTER), {})
    } | {f"`{name}`": figures for name, figures in _baselines(found).items()}
    if not contenders or not rivals:
        return []
    met = [[against(of["dial"], rival) for rival in rivals.values()] for of in contenders.values()]
    return [
        *_head("rival", "the rival", *(f"{name} ({_runs(of['runs'])})" for name, of in contenders.items())),
        *(
            _row(name, _text(rival), *(_against_text(column[i]) for column in met))
            for i, (name, rival) in enumerate(rivals.items())
        ),
        _row("ahead in both", "", *(f"{sum(each.in_both for each in of)} of {len(of)} rivals" for of in met)),
    ]


def _against_text(met: Against) -> str:
    if met.setting is None:
        return "no setting has a higher Balance@10 on validation"
    behind = [_behind(name, -by) for name, by in met.ahead.items() if by <= 0]
    return f"dial {met.setting['beta']:g}: {_text(met.setting)}. {', '.join(behind) or '**Ahead in both**'}"


def _behind(name: str, by: float) -> str:
    digits = 1 if "balance" in name else 2
    shown = f"{100 * by:.{digits}f}"
    if by == 0:
        return f"{WORDS[name]} equal"
    return f"{WORDS[name]} {shown} behind" if float(shown) else f"{WORDS[name]} less than {0.1**digits:g} behind"


def _text(figures: Figures | None, runs: int | None = None, best: float | None = None) -> str:
    """NDCG@10, in bold the `best`; Balance@10; and the number of runs where it is not `runs`."""
    if figures is None:
        return ""
    ndcg, balance = (in_percent(figures, name) or "n/a" for name in SHOWN)
    ndcg = f"**{ndcg}**" if figures["test_ndcg@10"] == best else ndcg
    return f"{ndcg}; {balance}" + ("" if runs in (None, figures["runs"]) else f" ({_runs(figures['runs'])})")


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _trained(found: Found) -> Iterator[Mapping[str, Figures]]:
    return (of for (_, way), of in found.items() if way != BASELINE)


def _baselines(found: Found) -> dict[str, Figures]:
    of = found.get((NO_TARGETS, BASELINE), {})
    return {name: of[name] for name in sorted(of, key=lambda name: (name == "Terms", name))}


def _order(method: str) -> tuple[int, str]:
    known = (*PAPER_SIX, CONTENDER)
    return known.index(method) if method in known else len(known), method


def _settings(found: Found) -> Iterator[str]:
    """Those of training by targets, with terms trained along and without."""
    for targets in TARGETS:
        for way in (REFIT, ALONG):
            of = found.get((targets, way), {})
            texts = dict.fromkeys(settings_text(each["settings"]) for each in of.values())
            if of:
                yield f"{targets}, {way}: {' or '.join(texts)}"


def settings_text(settings: Mapping[str, Any]) -> str:
    """As they are given to `--set`, but for what the ways and targets say: `epochs=6, windows=all`."""
    shown = {key: value for key, value in settings.items() if key not in ("refit", "targets")}
    texts = (f"{key}={','.join(value) if isinstance(value, list) else value}" for key, value in shown.items())
    return f"`{' '.join(texts)}`" if shown else "none"


def _head(*names: str) -> list[str]:
    return [_row(*names), "|" + "---|" * len(names)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
