"""Which methods validation tells apart from the one that is highest there: what the advice chooses among."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.analysis.advice import ACCEPTABLE, TRAINED, Alike, Offer
from negsample.analysis.measures import FAMILIES, KEYS
from negsample.analysis.per_user import Entry, Sums, events_of, mean_sample, sums_by_user
from negsample.analysis.significance import compared
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline


def alike_on_validation(
    study: Study, dataset: str, offers: Sequence[Offer], *, by_user: bool = False
) -> dict[str, Alike]:
    """By the measure of each of ``offers``, and of :data:`TRAINED`; of those with a row. ``by_user``: means over users
    instead of events, at the same dials."""
    folds = events_of(study, dataset, "valid", by_user=by_user)
    groups = [(offer.measure, offer.measure, offer.rows) for offer in offers]
    groups += [(TRAINED, offers[0].measure, [row for row in offers[0].rows if not is_baseline(row["method"])])]
    seeds = {row["method"]: len(study.runs_of(dataset, row["method"])) for _, _, rows in groups for row in rows}
    whole = {method for method in seeds if study.repeats_of(dataset, method)}

    def entry(row: TableRow) -> Entry:
        return row["method"], (row["dial"] or 0.0,) * seeds[row["method"]]

    entries = {name: [entry(row) for row in rows if row["method"] in whole] for name, _, rows in groups}
    every = list(dict.fromkeys(each for some in entries.values() for each in some))
    if not folds or not every:
        return {}
    sums = sums_by_user(study, dataset, folds, every, "valid")
    return {
        name: _alike(dataset, sums, measure, entries[name], by_user)
        for name, measure, _ in groups
        if entries[name]
    }  # fmt: skip


def _alike(dataset: str, sums: Sequence[Sums], measure: str, entries: Sequence[Entry], by_user: bool) -> Alike:
    key = KEYS[measure]
    family = next(name for name, keys in FAMILIES.items() if key in keys)
    figures = {each: float(mean_sample(sums, each, *key).figures_S.mean()) for each in entries}
    highest = max(entries, key=lambda each: figures[each]) if by_user else entries[0]
    near = {each[0] for each in entries if figures[each] >= ACCEPTABLE * figures[highest]}
    found = compared(sums, dataset, family, [key], [(highest, each) for each in entries if each != highest])
    equals = tuple(each.b for each in found if each.p_holm is not None and not each.significant and each.b in near)
    return Alike(highest[0], equals, sum(each.p_holm is None for each in found))
