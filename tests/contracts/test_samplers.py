"""Every sampler, by being in the dict: its draws follow its stated law, and nobody gets what is left out for him."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
import scipy.stats
import torch
from by_hand import known_of

from negsample.batches.epochs import epoch_batches
from negsample.batches.padded import padded_batch
from negsample.batches.windows import TrainEvents
from negsample.samplers import (
    Cache,
    Cohort,
    InBatch,
    LogUniform,
    MemoryBank,
    Mixture,
    Popularity,
    Recent,
    Uniform,
    WholeCatalogue,
    own_cohort,
)
from negsample.samplers.base import PER

V = 12
HISTORIES = [
    [1, 2, 3, 2, 1],
    [4, 1],
    [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12],  # everything but 7
    [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1],  # everything
    [7, 5, 5, 9, 7],
    [9],  # not trained on, but counted
]
EVERYTHING_BUT_7, EVERYTHING = 2, 3
COUNTS = torch.tensor([Counter(item for history in HISTORIES for item in history)[i] for i in range(V + 1)])
COHORTS = torch.tensor([-1, 0, 0, 1, 1, 2, 2, 2, 1, 0, 2, 2, 1])
SHARES = [0.5, 0.2, 0.3]
EARLIER = [[2, 2, 2], [4, 1, 4, 4]]  # targets of the batches before: of user 0, then of user 1
POLICIES = ["history", "target", "none"]
DRAWS = 100_000
DAY = 86_400 * 10**6


class Part(NamedTuple):
    """Some of the draws.

    ``weights(targets, row)``: the law that ``log_q`` states, as weights of items, for a row of draws in a batch with
    ``targets``, what is the user's own included. ``source``: what is drawn from within one batch, where
    that is another. ``how``: one by one, by positions of the batch without replacement, or all that there is. ``own``:
    which of it is the user's own and left out: nothing, their targets, or what they have in the bank (by counts: in the
    law their targets).
    """

    k: int | Literal["all"]
    per: str
    weights: Callable
    how: Literal["independent", "positions", "given"] = "independent"
    source: Callable | None = None
    own: Literal["nothing", "targets", "bank", "bank by counts"] = "nothing"


class Case(NamedTuple):
    """``make(k)``: a fresh sampler with k draws; ``parts(k)``: what they are."""

    make: Callable[[int], Any]
    parts: Callable[[int], list[Part]]


def everyone(targets, row):
    return dict.fromkeys(range(1, V + 1), 1.0)


def by_count(exponent):
    return lambda targets, row: {i: float(COUNTS[i]) ** exponent for i in range(1, V + 1)}


def by_rank(targets, row):
    ranked = sorted(range(1, V + 1), key=lambda i: (-int(COUNTS[i]), i))
    return {item: math.log((r + 2) / (r + 1)) / math.log(V + 1) for r, item in enumerate(ranked)}


def by_cohort(shares_of):
    def weights(targets, row):
        cohort, shares = COHORTS.tolist(), shares_of(row.target)
        return {i: shares[cohort[i]] / cohort.count(cohort[i]) for i in range(1, V + 1)}

    return weights


def occurrences(targets, row):
    return dict(Counter(targets))


def banked(size):
    """Of the oldest batch those that chance left: all of it are alike where they are to be told apart."""
    assert size in (4, 5, 6)
    return lambda targets, row: dict(Counter([2] * (size - 4) + EARLIER[1]))


def cached(targets, row):
    places = [item for batch in EARLIER for item in batch]
    return {i: places.count(i) / 10 + (10 - len(places)) / 10 / V for i in range(1, V + 1)}


def by_recency(of_own):
    """As of the time of the target (``of_own``) or the first of the sequence: half after two days. Slow and obvious."""

    def weights(targets, row):
        now = row.day if of_own else row.first_day
        earlier = [(item, now - day) for history in HISTORIES for day, item in enumerate(history) if day < now]
        seen = {i: max(1, sum(item == i for item, _ in earlier)) for i in range(1, V + 1)}
        recent = {i: sum(2 ** (-age / 2) for item, age in earlier if item == i) for i in range(1, V + 1)}
        return {i: recent[i] + 10 * seen[i] / sum(seen.values()) for i in range(1, V + 1)}

    return weights


def recent(k, per):
    """Of the events of ``HISTORIES``, each user's n-th on day n."""
    items, days = np.array([(item, day) for history in HISTORIES for day, item in enumerate(history)]).T
    return Recent(known_of(items, DAY * days, V), len(items), k, half_life=2.0, per=per)


def with_bank(size, *first, counts=None):
    bank = MemoryBank(size, counts=counts)
    chance = torch.Generator().manual_seed(0)
    for user, targets in enumerate(EARLIER):
        earlier, whose = torch.tensor([targets]), torch.tensor([user])
        bank.draw(padded_batch(earlier, earlier, catalogue_size=V, users_B=whose), rng=chance)
    return Mixture(*first, bank) if first else bank


def with_cache(k, *others):
    cache = Cache(V, k, size=10)
    for targets in EARLIER:
        cache.remember(torch.tensor(targets))
    return Mixture(cache, *others) if others else cache


SAMPLERS = {
    "in-batch all": Case(
        lambda k: InBatch("all"), lambda k: [Part("all", "batch", occurrences, "given", own="targets")]
    ),
    "in-batch all by counts": Case(
        lambda k: InBatch("all", counts=COUNTS),
        lambda k: [Part("all", "batch", by_count(1), "given", occurrences, own="targets")],
    ),
    "whole catalogue": Case(lambda k: WholeCatalogue(V), lambda k: [Part(V, "batch", everyone, "given")]),
    "bank": Case(lambda k: with_bank(5), lambda k: [Part(5, "batch", banked(5), "given", own="bank")]),
    "bank by counts": Case(
        lambda k: with_bank(5, counts=COUNTS),
        lambda k: [Part(5, "batch", by_count(1), "given", banked(5), own="bank by counts")],
    ),
    "cache": Case(lambda k: with_cache(k), lambda k: [Part(k, "batch", cached)]),
    "own cohort per position": Case(
        lambda k: Cohort(COHORTS, own_cohort(0.8), k, per="position"),
        lambda k: [Part(k, "position", by_cohort(lambda target: own_cohort(0.8)[COHORTS[target]]))],
    ),
    "popularity 0": Case(lambda k: Popularity(COUNTS, k, exponent=0), lambda k: [Part(k, "sequence", by_count(0))]),
    "popularity -1": Case(lambda k: Popularity(COUNTS, k, exponent=-1), lambda k: [Part(k, "sequence", by_count(-1))]),
    "recent per sequence": Case(lambda k: recent(k, "sequence"), lambda k: [Part(k, "sequence", by_recency(False))]),
    "recent per position": Case(lambda k: recent(k, "position"), lambda k: [Part(k, "position", by_recency(True))]),
    "recent + uniform per position": Case(
        lambda k: Mixture(recent(k, "position"), Uniform(V, 2 * k, per="position")),
        lambda k: [Part(k, "position", by_recency(True)), Part(2 * k, "position", everyone)],
    ),
    # Mixtures whose parts are shared by different ones.
    "in-batch all + bank": Case(
        lambda k: with_bank(6, InBatch("all")),
        lambda k: [
            Part("all", "batch", occurrences, "given", own="targets"),
            Part(6, "batch", banked(6), "given", own="bank"),
        ],
    ),
    "in-batch all + uniform per sequence": Case(
        lambda k: Mixture(InBatch("all"), Uniform(V, k)),
        lambda k: [Part("all", "batch", occurrences, "given", own="targets"), Part(k, "sequence", everyone)],
    ),
    "popularity per batch + uniform per sequence": Case(
        lambda k: Mixture(Popularity(COUNTS, 2 * k, per="batch"), Uniform(V, k)),
        lambda k: [Part(2 * k, "batch", by_count(1)), Part(k, "sequence", everyone)],
    ),
    "cache + log-uniform per position": Case(
        lambda k: with_cache(k, LogUniform(COUNTS, k, per="position")),
        lambda k: [Part(k, "batch", cached), Part(k, "position", by_rank)],
    ),
    "recent per sequence + uniform per position": Case(
        lambda k: Mixture(recent(k, "sequence"), Uniform(V, k, per="position")),
        lambda k: [Part(k, "sequence", by_recency(False)), Part(k, "position", everyone)],
    ),
    "in-batch all + recent per position": Case(
        lambda k: Mixture(InBatch("all"), recent(k, "position")),
        lambda k: [
            Part("all", "batch", occurrences, "given", own="targets"),
            Part(k, "position", by_recency(True)),
        ],
    ),
    "own cohort per position + uniform per sequence + bank": Case(
        lambda k: with_bank(4, Cohort(COHORTS, own_cohort(0.8), k, per="position"), Uniform(V, k)),
        lambda k: [
            Part(k, "position", by_cohort(lambda target: own_cohort(0.8)[COHORTS[target]])),
            Part(k, "sequence", everyone),
            Part(4, "batch", banked(4), "given", own="bank"),
        ],
    ),
}


def at_every_granularity(per):
    """Samplers that have them all. A function, so that each lambda keeps its own ``per``."""
    alone = {
        "uniform": Case(lambda k: Uniform(V, k, per=per), lambda k: [Part(k, per, everyone)]),
        "popularity": Case(lambda k: Popularity(COUNTS, k, per=per), lambda k: [Part(k, per, by_count(1))]),
        "popularity 0.75": Case(
            lambda k: Popularity(COUNTS, k, exponent=0.75, per=per), lambda k: [Part(k, per, by_count(0.75))]
        ),
        "log-uniform": Case(lambda k: LogUniform(COUNTS, k, per=per), lambda k: [Part(k, per, by_rank)]),
        "cohort": Case(
            lambda k: Cohort(COHORTS, SHARES, k, per=per), lambda k: [Part(k, per, by_cohort(lambda target: SHARES))]
        ),
        "in-batch": Case(
            lambda k: InBatch(k, per=per), lambda k: [Part(k, per, occurrences, "positions", own="targets")]
        ),
        "in-batch by counts": Case(
            lambda k: InBatch(k, counts=COUNTS, per=per),
            lambda k: [Part(k, per, by_count(1), "positions", occurrences, own="targets")],
        ),
    }
    mixed = {
        "in-batch + uniform": Case(
            lambda k: Mixture(InBatch(k, per=per), Uniform(V, 2 * k, per=per)),
            lambda k: [Part(k, per, occurrences, "positions", own="targets"), Part(2 * k, per, everyone)],
        ),
        "all three": Case(
            lambda k: Mixture(InBatch(k, per=per), Popularity(COUNTS, k, per=per), Uniform(V, k, per=per)),
            lambda k: [
                Part(k, per, occurrences, "positions", own="targets"),
                Part(k, per, by_count(1)),
                Part(k, per, everyone),
            ],
        ),
    }
    return {f"{name} per {per}": case for name, case in (alone | mixed).items()}


for each in PER:
    SAMPLERS |= at_every_granularity(each)


def per_of(name):
    return max((part.per for part in SAMPLERS[name].parts(1)), key=PER.index)


PER_ROW = [name for name in SAMPLERS if per_of(name) != "batch"]
# Those that a draw differs by, by who shares it: what a batch shares leaves out nothing, a sequence no target.
POLICIES_OF = {"batch": ["none"], "sequence": ["none", "history"], "position": POLICIES}
WITH_CHANCE = [name for name in SAMPLERS if any(part.how != "given" for part in SAMPLERS[name].parts(1))]

per_sampler = pytest.mark.parametrize("name", SAMPLERS)
under_each_policy = pytest.mark.parametrize("policy", POLICIES)


@pytest.fixture
def batch(batch_of):
    return batch_of(HISTORIES, V)


def under(policy, batch):
    return dataclasses.replace(batch, exclude=policy)


class Row(NamedTuple):
    """Whose draws a row holds: what is left out at the draw, the target where there is one, the user, their targets,
    and the days of the target and of the first of the sequence."""

    left_out: frozenset[int]
    target: int | None
    user: int | None = None
    targets: tuple[int, ...] = ()
    day: int | None = None
    first_day: int | None = None


def rows_of(batch, per):
    """Slow and obvious."""
    had: dict[int, set[int]] = {}
    for key in batch.history_keys.tolist():
        had.setdefault(key // (V + 1), set()).add(key % (V + 1))
    if per == "batch":
        return [Row(frozenset(), None)]
    users, rows, targets = batch.users_B.tolist(), batch.inputs.rows_T.tolist(), batch.targets_T.tolist()
    own = [tuple(sorted(t for t, r in zip(targets, rows, strict=True) if users[r] == user)) for user in users]
    days = [round(time / DAY) for time in batch.times_T.tolist()]
    firsts = [min(day for day, r in zip(days, rows, strict=True) if r == row) for row in range(batch.sequences)]
    if per == "sequence":
        of_sequence = {"history": lambda b: had[b], "target": lambda b: (), "none": lambda b: ()}[batch.exclude]
        return [Row(frozenset(of_sequence(b)), None, users[b], own[b], None, firsts[b]) for b in range(batch.sequences)]
    of_position = {"history": lambda b, target: had[b], "target": lambda b, target: {target}, "none": lambda *_: ()}
    left_out = of_position[batch.exclude]
    of_positions = zip(rows, targets, days, strict=True)
    return [Row(frozenset(left_out(b, t)), t, users[b], own[b], day, firsts[b]) for b, t, day in of_positions]


def minus(weights, left_out, own):
    """Of others, and not left out."""
    of_others = {item: weight - own.count(item) for item, weight in weights.items() if item not in left_out}
    return {item: weight for item, weight in of_others.items() if weight > 0}


def own_in_bank(row):
    return EARLIER[row.user] if row.user in (0, 1) else []


def allowed(part, batch, row):
    """Weights of what one draw of the part can give to the row, in this batch."""
    weights = (part.source or part.weights)(batch.targets_T.tolist(), row)
    own = {"nothing": [], "targets": list(row.targets)}.get(part.own, own_in_bank(row))
    return minus(weights, row.left_out, own)


def law(parts, batch, row, there):
    """Slow and obvious: item to the stated probability of one draw that the row has, of each part so many."""
    result = dict.fromkeys(range(1, V + 1), 0.0)
    for part, draws in zip(parts, there, strict=True):
        own = {"nothing": [], "bank": own_in_bank(row)}.get(part.own, list(row.targets))
        left = minus(part.weights(batch.targets_T.tolist(), row), row.left_out, own)
        for item, weight in left.items():
            result[item] += draws / max(sum(there), 1) * weight / sum(left.values())
    return result


def there_for(parts, batch, drawn, row):
    """How many of each part's draws are there for the row: not absent, and not its own."""
    start, found = 0, []
    for part in parts:
        stop = start + (len(batch.targets_T) if part.k == "all" else part.k)
        found.append(sum(1 for item, owner in drawn[start:stop] if item and (owner is None or owner != row.user)))
        start = stop
    return found


def with_owners(negatives):
    """Rows of (item, owner) of what was drawn."""
    ids, owner = negatives.ids, negatives.owner
    if owner is None:
        return [[(item, None) for item in row] for row in ids.view(-1, ids.shape[-1]).tolist()]
    owners = owner.tolist() + [-1] * (len(ids) - len(owner))
    return [list(zip(ids.tolist(), owners, strict=True))]


def tensors_of(batch):
    return {
        "items": batch.inputs.items_T,
        "slots": batch.inputs.positions_T,
        "rows": batch.inputs.rows_T,
        "offsets": torch.from_numpy(batch.inputs.offsets),
        "targets": batch.targets_T,
        "users": batch.users_B,
        "history": batch.history_keys,
    }


@per_sampler
def test_shape_type_and_device(name, batch, rng):
    sampler = SAMPLERS[name].make(7)
    ids, log_q, owner, frozen, *_ = sampler.sample(batch, rng=rng(0))
    k = sum(len(batch.targets_T) if part.k == "all" else part.k for part in SAMPLERS[name].parts(7))
    rows = {"batch": (), "sequence": (batch.sequences,), "position": (len(batch.targets_T),)}[per_of(name)]
    assert sampler.per == per_of(name)
    assert ids.shape == (*rows, k)
    assert log_q.shape == ((batch.sequences, k) if owner is not None else ids.shape)
    assert sampler.k == ("all" if "in-batch all" in name else k)
    assert frozen == (SAMPLERS[name].parts(7)[-1].k if "bank" in name else 0)
    assert (ids.dtype, log_q.dtype) == (torch.int64, torch.float32)
    assert ids.device == log_q.device == batch.device


@per_sampler
def test_the_same_generator_gives_the_same_ids_and_draw_agrees_with_sample(name, batch, rng):
    make = SAMPLERS[name].make
    first, again = make(9).sample(batch, rng=rng(3)), make(9).sample(batch, rng=rng(3))
    assert torch.equal(first.ids, again.ids)
    assert torch.equal(first.log_q, again.log_q)
    assert torch.equal(first.ids, make(9).draw(batch, rng=rng(3)).ids)


@pytest.mark.parametrize("name", WITH_CHANCE)
def test_another_generator_gives_other_ids_and_one_moves_on(name, batch, rng):
    make, one = SAMPLERS[name].make, rng(3)
    first, second = make(9).draw(batch, rng=one).ids, make(9).draw(batch, rng=one).ids
    assert not torch.equal(first, second)
    assert not torch.equal(first, make(9).draw(batch, rng=rng(4)).ids)


@per_sampler
def test_shared_draws_say_whose_they_are(name, batch, rng):
    case = SAMPLERS[name]
    sampled = case.make(9).draw(batch, rng=rng(3))
    if per_of(name) != "batch" or all(part.own == "nothing" for part in case.parts(9)):
        assert sampled.owner is None
        return
    (drawn,) = with_owners(sampled)
    users, rows = batch.users_B.tolist(), batch.inputs.rows_T.tolist()
    in_batch = Counter((t, users[r]) for t, r in zip(batch.targets_T.tolist(), rows, strict=True))
    in_bank = Counter((item, user) for user, items in enumerate(EARLIER) for item in items)
    start = 0
    for part in case.parts(9):
        stop = start + (len(rows) if part.k == "all" else part.k)
        theirs = Counter(pair for pair in drawn[start:stop] if pair[0])
        assert part.own != "nothing" or {owner for _, owner in theirs} <= {-1}
        assert part.own == "nothing" or not theirs - (in_batch if part.own == "targets" else in_bank)
        start = stop


@per_sampler
def test_the_batch_is_left_as_it_was(name, batch, rng):
    before = {key: value.clone() for key, value in tensors_of(batch).items()}
    SAMPLERS[name].make(9).sample(batch, rng=rng(0))
    assert all(torch.equal(before[key], value) for key, value in tensors_of(batch).items())


@under_each_policy
@per_sampler
def test_nobody_gets_what_is_left_out_and_zero_only_where_nothing_is_left(name, policy, batch, rng):
    batch = under(policy, batch)
    ids = SAMPLERS[name].make(60).draw(batch, rng=rng(1)).ids
    if policy not in POLICIES_OF[per_of(name)]:
        assert torch.equal(ids, SAMPLERS[name].make(60).draw(under("none", batch), rng=rng(1)).ids)
    assert int(ids.min()) >= 0
    assert int(ids.max()) <= V
    for row, drawn in zip(rows_of(batch, per_of(name)), ids.view(-1, ids.shape[-1]).tolist(), strict=True):
        assert not row.left_out & set(drawn)
        start = 0
        for part in SAMPLERS[name].parts(60):
            k = len(batch.targets_T) if part.k == "all" else part.k
            present = sum(item > 0 for item in drawn[start : start + k])
            start += k
            can_be = allowed(part, batch, row)
            if part.how != "independent":
                assert present == min(k, sum(can_be.values()))
            elif part.per == per_of(name):
                assert present == (k if can_be else 0)


@pytest.mark.parametrize("name", PER_ROW)
def test_the_whole_history_counts_not_only_the_window(name, batch_of, rng):
    histories = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]  # L = 1: only the last two events are in the batch
    batch = batch_of(histories, V, max_length=1)
    assert sorted(batch.targets_T.tolist()) == [6, 12]
    ids = SAMPLERS[name].make(40).draw(batch, rng=rng(0)).ids
    for row, user in enumerate(batch.users_B.tolist()):
        assert set(ids[row].tolist()) - {0} <= set(histories[1 - user])


def rows_of_user(name, user, batch):
    """Which rows of a draw are his."""
    row = batch.users_B.tolist().index(user)
    return batch.inputs.rows_T == row if per_of(name) == "position" else torch.arange(batch.sequences) == row


@pytest.mark.parametrize("name", PER_ROW)
def test_who_lacks_one_item_gets_that_one(name, batch, rng):
    rows = rows_of_user(name, EVERYTHING_BUT_7, batch)
    ids, log_q = (each[rows] for each in SAMPLERS[name].make(5).sample(batch, rng=rng(2))[:2])
    present = ids > 0
    assert bool(present.any(1).all())
    assert set(ids[present].tolist()) == {7}
    torch.testing.assert_close(log_q[present], torch.zeros(int(present.sum())), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", PER_ROW)
def test_who_has_everything_gets_nothing(name, batch, rng):
    rows = rows_of_user(name, EVERYTHING, batch)
    ids, log_q = (each[rows] for each in SAMPLERS[name].make(5).sample(batch, rng=rng(2))[:2])
    assert not ids.any()
    assert (log_q == -math.inf).all()


@pytest.mark.parametrize("name", PER_ROW)
def test_a_batch_where_nobody_can_get_anything(name, batch_of, rng):
    batch = batch_of([list(range(1, V + 1))] * 3, V)
    ids, log_q, *_ = SAMPLERS[name].make(5).sample(batch, rng=rng(2))
    assert not ids.any()
    assert (log_q == -math.inf).all()


@under_each_policy
@per_sampler
def test_log_q_is_the_law_after_exclusion_whichever_part_drew_it(name, policy, batch, rng):
    batch, case = under(policy, batch), SAMPLERS[name]
    sampled = case.make(8).sample(batch, rng=rng(5))
    drawn, log_q, per = with_owners(sampled), sampled.log_q.view(-1, sampled.ids.shape[-1]), per_of(name)
    if sampled.owner is not None:  # shared, and another one for each sequence: what is excluded is masked when scored
        batch, drawn, per = under("none", batch), drawn * batch.sequences, "sequence"
    for row, own, found in zip(rows_of(batch, per), drawn, log_q, strict=True):
        stated = law(case.parts(8), batch, row, there_for(case.parts(8), batch, own, row))
        gone = [not item or (owner is not None and owner == row.user) for item, owner in own]
        expected = [-math.inf if no else math.log(stated[item]) for no, (item, _) in zip(gone, own, strict=True)]
        torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize("histories", [HISTORIES, [[1, 2, 3]]], ids=["of all", "of one user"])
@under_each_policy
@per_sampler
def test_log_prob_of_any_id_is_the_law(name, policy, histories, batch_of, rng):
    batch, case, own_per = under(policy, batch_of(histories, V)), SAMPLERS[name], per_of(name)
    sampler, parts = case.make(8), case.parts(8)
    drawn = with_owners(sampler.draw(batch, rng=rng(0)))  # what a bank or a mixture states is of its last draw
    planned = [len(batch.targets_T) if part.k == "all" else part.k for part in parts]
    for per in PER[PER.index(own_per) :]:
        if len(parts) > 1 and per not in ("batch", own_per):
            continue  # what is left of a mixture's draws for a row is known of its own rows
        rows = rows_of(batch, per)
        ids = torch.arange(V + 1)  # 0, what is left out, and what can be drawn
        found = sampler.log_prob(ids, batch, per=per).exp().expand(len(rows), -1)
        in_rows = sampler.log_prob(ids.repeat(len(rows), 1), batch, per=per).exp() if per != "batch" else found
        some = torch.arange(len(rows))[::2]
        if per != "batch":
            of_some = sampler.log_prob(ids.repeat(len(some), 1), batch, per=per, rows=some).exp()
            torch.testing.assert_close(of_some, in_rows[some])
        for number, row in enumerate(rows):
            there = (
                planned if per == "batch" else there_for(parts, batch, drawn[number], row) if len(parts) > 1 else [1]
            )
            stated = torch.tensor([0.0, *law(parts, batch, row, there).values()])
            torch.testing.assert_close(found[number], stated, atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(in_rows[number], stated, atol=1e-6, rtol=1e-5)


def p_value(observed: torch.Tensor, stated: dict[int, float], *, correction: float = 1.0) -> float:
    """Chi-square goodness of fit of counts of ids to a law; 0 when something impossible was drawn.

    Draws without replacement vary less; ``correction`` says by how much.
    """
    if any(observed[i] > 0 for i in range(V + 1) if stated.get(i, 0.0) == 0):
        return 0.0
    support = [i for i, share in stated.items() if share > 0]
    if len(support) == 1:
        return 1.0
    draws = int(observed.sum())
    statistic = sum((int(observed[i]) - draws * stated[i]) ** 2 / (draws * stated[i]) for i in support)
    return float(scipy.stats.chi2.sf(statistic * correction, len(support) - 1))


def a_little_wrong(stated: dict[int, float], draws: int) -> dict[int, float]:
    """The law with a little probability moved from its most probable item to its second.

    By so much that the statistic is expected to be 400 higher, which is 9 standard deviations above what is noticed;
    of all draws at most 0.023.
    """
    first, second = sorted(stated, key=stated.__getitem__)[-1:-3:-1]
    moved = math.sqrt(400 / draws / (1 / stated[first] + 1 / stated[second]))
    return stated | {first: stated[first] - moved, second: stated[second] + moved}


def shares(weights: dict[int, float]) -> dict[int, float]:
    return {item: weight / sum(weights.values()) for item, weight in weights.items()}


def many_positions():
    """4000 positions of two kinds of users, of which some are drawn without replacement."""
    targets = torch.tensor([[1, 2, 2, 3] * 50, [4, 1, 5, 5] * 50] * 10)
    batch = padded_batch(targets, targets, catalogue_size=V, users_B=torch.arange(10, 30))
    return dataclasses.replace(batch, times_T=DAY * (torch.arange(4000) % 5))


def groups_of(parts, batch, per):
    """Rows to whom every part gives the same, each with one of them."""
    by_row: dict[Row, list[int]] = {}
    for index, row in enumerate(rows_of(batch, per)):
        by_row.setdefault(row, []).append(index)
    groups: dict[Any, tuple[Row, list[int]]] = {}
    for row, indices in by_row.items():
        key = tuple(tuple(sorted(allowed(part, batch, row).items())) for part in parts)
        groups.setdefault(key, (row, []))[1].extend(indices)
    return list(groups.values())


def check_fit(observed, part, batch, row):
    """Of what the part drew for rows like this one."""
    can_be, draws = allowed(part, batch, row), int(observed.sum())
    left = sum(can_be.values())
    correction = (left - 1) / (left - part.k) if part.how == "positions" else 1.0
    assert p_value(observed, shares(can_be), correction=correction) > 1e-5
    if len(can_be) > 1:
        wrong = a_little_wrong(shares(can_be), draws)
        assert p_value(observed, wrong, correction=correction) < 1e-9, "the test cannot tell a wrong law"
    everything = allowed(part, batch, row._replace(left_out=frozenset()))
    if everything.keys() != can_be.keys():
        assert p_value(observed, shares(everything), correction=correction) < 1e-9, "nor one without exclusion"
    with_own = allowed(part._replace(own="nothing"), batch, row)
    if shares(with_own) != shares(can_be) and part.how != "given":
        assert p_value(observed, shares(with_own), correction=correction) < 1e-9, "nor one with one's own"


@pytest.mark.parametrize(
    ("name", "policy"), [(name, policy) for name in SAMPLERS for policy in POLICIES_OF[per_of(name)]]
)
def test_draws_follow_the_law(name, policy, batch_of, rng):
    case, per, one = SAMPLERS[name], per_of(name), rng(11)
    scarce = any(part.how == "positions" for part in case.parts(1))
    batch = under(policy, many_positions() if scarce else batch_of([[1, 2, 3], [4, 1]], V))
    k = (100 if per == "position" else 1_000) if scarce else DRAWS
    sampler, parts, groups = case.make(k), case.parts(k), groups_of(case.parts(k), batch, per)
    sizes = [len(batch.targets_T) if part.k == "all" else part.k for part in parts]
    observed = torch.zeros(len(groups), len(parts), V + 1, dtype=torch.int64)
    for _ in range(math.ceil(DRAWS / (max(len(rows) for _, rows in groups) * k)) if scarce else 1):
        ids = sampler.draw(batch, rng=one).ids
        for place, drawn in enumerate(torch.split(ids.view(-1, ids.shape[-1]), sizes, 1)):
            for group, (_, rows) in enumerate(groups):
                own = drawn[rows if parts[place].per == per else rows[:1]]  # a draw that many share counts once
                observed[group, place] += torch.bincount(own.flatten(), minlength=V + 1)
    for (row, _), of_group in zip(groups, observed, strict=True):
        for part, counts in zip(parts, of_group, strict=True):
            counts[0] *= part.per == per  # elsewhere it is what the row may not have of a shared draw
            if part.how == "given":
                assert {i: n for i, n in enumerate(counts.tolist()) if n} == allowed(part, batch, row)
            else:
                check_fit(counts, part, batch, row)
    if len(parts) == 1 and parts[0].source is None:
        ids = torch.arange(V + 1)
        log_q = sampler.log_prob(ids if per == "batch" else ids.expand(len(rows_of(batch, per)), -1), batch, per=per)
        for (_, rows), counts in zip(groups, observed[:, 0], strict=True):
            q = log_q.view(-1, V + 1)[rows[0]].double().exp()
            error = (counts / counts.sum() - q).abs()
            assert (error < 5 * torch.sqrt(q * (1 - q) / counts.sum()) + 1e-6).all()


ON_A_GPU = [name for name in SAMPLERS if "own cohort" in name or ("in-batch" in name and "in-batch all" not in name)]
"""Those that draw otherwise there, so that it is not waited for."""


@pytest.mark.parametrize(
    ("name", "policy"), [(name, policy) for name in ON_A_GPU for policy in POLICIES_OF[per_of(name)]]
)
def test_draws_as_a_gpu_makes_them_follow_the_law_and_leave_the_same_out(
    name, policy, batch, batch_of, rng, monkeypatch
):
    for module in ("cohort", "in_batch"):
        monkeypatch.setattr(f"negsample.samplers.{module}.may_ask", lambda device: False)
    test_draws_follow_the_law(name, policy, batch_of, rng)
    test_nobody_gets_what_is_left_out_and_zero_only_where_nothing_is_left(name, policy, batch, rng)


def test_every_batch_of_an_epoch_is_drawn_for(rng):
    offsets = np.cumsum([0, *map(len, HISTORIES)])
    times = np.concatenate([DAY * np.arange(len(history)) for history in HISTORIES])
    flat = np.array([item for history in HISTORIES for item in history], np.int32)
    for policy in POLICIES:
        samplers = [case.make(4) for case in SAMPLERS.values()]
        batches = epoch_batches(
            TrainEvents(flat, offsets, offsets[1:], V, times), batch_size=2, max_length=3, exclude=policy, rng=rng(0)
        )
        for batch in batches:
            for sampler in samplers:
                ids, log_q, owner, *_ = sampler.sample(batch, rng=rng(1))
                there = ids > 0
                if owner is not None:
                    own = owner == batch.users_B.unsqueeze(1)
                    there = there & ~torch.nn.functional.pad(own, (0, len(ids) - len(owner)))
                assert torch.equal(there, torch.isfinite(log_q))
                if sampler.per != "batch":
                    for row, drawn in zip(rows_of(batch, sampler.per), ids.tolist(), strict=True):
                        assert not row.left_out & set(drawn)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Uniform(0, 5), "got 0"),
        (lambda: Uniform(5, 0), "k must be >= 1, got 0"),
        (lambda: Uniform(5, 1, per="user"), "batch, sequence, position, got 'user'"),
        (lambda: Popularity(COUNTS, 0), "k must be >= 1, got 0"),
        (lambda: Popularity(COUNTS, 5, exponent=math.nan), "finite number, got nan"),
        (lambda: Popularity(COUNTS, 5, exponent=math.inf), "finite number, got inf"),
        (lambda: Popularity(torch.tensor([1, 2]), 5), r"counts\[0\] == 0"),
        (lambda: Popularity(torch.tensor([0, 2, -1]), 5), "numbers >= 0"),
        (lambda: Popularity(torch.tensor([0, 0, 0]), 5), "at least one event"),
        (lambda: Popularity(torch.tensor([0]), 5), r"\(V \+ 1,\)"),
        (lambda: LogUniform(COUNTS, 0), "k must be >= 1, got 0"),
        (lambda: LogUniform(torch.tensor([1, 2]), 5), r"counts\[0\] == 0"),
        (lambda: WholeCatalogue(0), "items must be >= 1, got 0"),
        (lambda: InBatch(0), "k must be >= 1 or 'all', got 0"),
        (lambda: InBatch("all", per="sequence"), "shared by the batch, got per='sequence'"),
        (lambda: InBatch(3, per="user"), "got 'user'"),
        (lambda: InBatch(3, counts=torch.tensor([1, 2])), r"counts\[0\] == 0"),
        (lambda: MemoryBank(0), "size must be >= 1, got 0"),
        (lambda: MemoryBank(5, warm_up=-1), "warm_up must be >= 0 batches, got -1"),
        (lambda: MemoryBank(5, counts=torch.tensor([0, 0])), "at least one event"),
        (lambda: Cache(0, 1, size=1), "got items 0, k 1 and size 1"),
        (lambda: Cache(1, 0, size=1), "k 0"),
        (lambda: Cache(1, 1, size=0), "size 0"),
        (lambda: recent(0, "sequence"), "k must be >= 1, got 0"),
        (lambda: recent(5, "batch"), "got draws per batch; take sequence or position"),
        (lambda: Recent(None, 5, 5, half_life=0), "half_life must be a number of days above 0, got 0"),
        (lambda: Recent(None, 5, 5, half_life=math.inf), "above 0, got inf"),
        (lambda: Mixture(), "at least two parts, got 0"),
        (lambda: Mixture(Uniform(5, 5)), "at least two parts, got 1"),
    ],
)
def test_senseless_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
