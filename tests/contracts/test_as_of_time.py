"""Nothing of a moment or later is known at it: other events there change no bit of what is computed for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_hand import with_events

from negsample import run_settings
from negsample.batches.epochs import epoch_batches
from negsample.data.moments import MOMENTS, Cuts, horizon_width
from negsample.data.own import own_before, repeats_of
from negsample.evaluation.evaluate import encode
from negsample.evaluation.queries import queries
from negsample.models.baselines import BASELINES
from negsample.models.build import build_backbone
from negsample.rules import Asked
from negsample.samplers import Recent

DAY = 86_400 * 10**6
RULES = ("RecentPop", "Repeat", "RepeatRecent", "ItemKNN", "EASE")


@pytest.fixture(scope="module")
def data(tied):
    return tied(1)


@pytest.fixture(scope="module", params=["sasrec", "gru4rec"])
def model(request, data, rng):
    settings = run_settings(backbone=request.param, dim=4, max_length=8).model
    return build_backbone(settings, data.catalogue_size, rng=rng(0), device=torch.device("cpu"))


def with_others(data, which):
    """Other items in the place of ``which`` events."""
    items = np.where(which, data.items % data.catalogue_size + 1, data.items).astype(np.int32)
    counts = np.zeros(data.catalogue_size + 1, np.int64)
    for first, end in zip(data.offsets, data.train_ends, strict=False):
        np.add.at(counts, items[first:end], 1)
    return with_events(data, items, data.times, train_counts=counts)


def without(data, which):
    """No ``which`` events; of each user those before them are left."""
    before = np.append(0, np.cumsum(~which))
    bounds = {name: before[getattr(data, name)] for name in ("offsets", "train_ends", "valid_ends")}
    return with_events(data, data.items[~which], data.times[~which], **bounds)


def some(draws, among, number):
    return draws.choice(among, number, replace=False).tolist()


@pytest.mark.parametrize("which", ["last", "all"])
@pytest.mark.parametrize("targets", ["rows", "moments", "horizon"])
def test_no_targets_state_depends_on_its_moment_or_later(targets, which, model, data, rng):
    """By rows many do: most events share their day with another. Of a horizon the moment is the cut."""
    draws = np.random.default_rng(3)
    cuts = {"rows": None, "moments": MOMENTS, "horizon": Cuts(horizon_width(data), 2 * DAY)}[targets]

    def states_of(data):
        (batch,) = epoch_batches(data, batch_size=999, max_length=8, which=which, cuts=cuts, rng=rng(1))
        with torch.no_grad():
            vectors = model.table.lookup(batch.inputs.items_T)[0]
            return batch, batch.of_targets(model(vectors, batch.inputs, rng=rng(2)))

    batch, ours = states_of(data)
    kept = []
    for target in some(draws, len(ours), 8):
        time = batch.times_T[target].numpy()
        moment = time if cuts is None else cuts.before(time)
        kept.append(torch.equal(states_of(with_others(data, data.times >= moment))[1][target], ours[target]))
        earlier = states_of(with_others(data, data.times < moment))[1]
        assert cuts is None or not torch.equal(earlier[target], ours[target])
    assert all(kept) == (targets != "rows")


@pytest.mark.parametrize("per", ["sequence", "position"])
def test_no_law_of_recent_negatives_depends_on_the_moment_or_later(per, data, rng):
    def laws_of(data):
        (batch,) = epoch_batches(data, batch_size=999, max_length=8, exclude="none", cuts=MOMENTS, rng=rng(1))
        sampler = Recent(data.known, data.manifest.train_events, 4, half_life=3.0, per=per)
        return batch, sampler.log_prob(torch.arange(1, data.catalogue_size + 1), batch, per=per)

    batch, ours = laws_of(data)
    firsts = batch.times_T if per == "position" else batch.times_T[torch.from_numpy(batch.target_offsets[:-1])]
    for row in some(np.random.default_rng(4), len(ours), 6):
        assert torch.equal(laws_of(with_others(data, data.times >= firsts[row].item()))[1][row], ours[row])
        assert not torch.equal(laws_of(with_others(data, data.times < firsts[row].item()))[1][row], ours[row])


def unknown_to(data, part, asked, query, history):
    """The events that a query must not know: with frozen histories the part and what is later, else its moment and what
    is later; in a rolling basket, of its own user, its row and what is later."""
    until = asked.known_until[query]
    if history == "frozen":
        ends = data.train_ends if part == "valid" else data.valid_ends
        return np.arange(len(data.items)) >= np.repeat(ends, np.diff(data.offsets))
    later = data.times >= data.times[until]
    if history == "rolling-basket":
        first, end = data.offsets[asked.windows.users[query] :][:2]
        later[first:end] = np.arange(first, end) >= until
    return later


CASES = [(part, history) for part in ("valid", "test") for history in ("frozen", "rolling", "rolling-basket")]


@pytest.mark.parametrize(("part", "history"), CASES)
def test_no_querys_state_depends_on_what_it_must_not_know(part, history, model, data):
    asked = queries(data, part, history=history, max_length=8)
    ours = encode(model, data.items, asked.windows, device=torch.device("cpu"))
    for query in some(np.random.default_rng(5), len(ours), 6):
        unknown = unknown_to(data, part, asked, query, history)
        for which in (unknown, ~unknown):
            other = with_others(data, which)
            again = queries(other, part, history=history, max_length=8)
            theirs = encode(model, other.items, again.windows, device=torch.device("cpu"))
            assert torch.equal(theirs[query], ours[query]) == (which is unknown)


@pytest.mark.parametrize(("part", "history"), CASES)
@pytest.mark.parametrize("name", RULES)
def test_no_rule_knows_what_it_must_not(name, part, history, data):
    asked = queries(data, part, history=history, max_length=1)
    times = None if history == "frozen" else data.times[asked.known_until]
    of_rule = Asked(asked.windows.users, asked.known_until, times)

    def scores_of(data):
        found = BASELINES[name](data).scorer(part, 5.0)(of_rule)
        return np.broadcast_to(found, (len(of_rule.users_Q), data.catalogue_size))

    ours = scores_of(data)
    for query in some(np.random.default_rng(6), len(ours), 3):
        unknown = unknown_to(data, part, asked, query, history)
        for which in (unknown, ~unknown):
            assert (scores_of(with_others(data, which))[query] == ours[query]).all() == (which is unknown)


@pytest.mark.parametrize("change", [with_others, without])
def test_no_count_knows_the_moment_or_later(change, data):
    """Nor what else lies beside an item's events in the files; so no event sees itself, its ties or its basket."""
    items, users = np.arange(1, data.catalogue_size + 1), np.arange(data.users)

    def counts_of(data, time):
        known, own, width = data.known, (data.items, data.times, data.offsets), data.catalogue_size + 1
        before = np.append(0, np.cumsum(data.times < time))
        until = data.offsets[:-1] + np.diff(before[data.offsets])
        repeats = repeats_of(data.items, data.offsets, width)
        times = np.full(len(users), time)
        found = [*own_before(*own, repeats, users, until, times, width)]
        for half_life in (np.inf, 3.0 * DAY, 100.0 * DAY):
            found += [known.counts(items, time, half_life), known.totals(time, half_life)]
            found += [known.shares(items, time, half_life)]
        return [each.tobytes() for each in found]

    for time in some(np.random.default_rng(7), np.unique(data.times)[1:], 5):
        ours, later = counts_of(data, time), data.times >= time
        assert counts_of(change(data, later), time) == ours
        assert not any(map(np.array_equal, counts_of(with_others(data, ~later), time)[5::3], ours[5::3]))
