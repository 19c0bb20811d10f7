"""Every method with a log-q correction, by being in the table: an exact count of what may be a negative.

With all scores 0 its corrected negatives sum to the number of items that may be one, for every position, whoever shares
a draw and whatever is excluded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from by_hand import known_of

from negsample.batches.epochs import epoch_batches
from negsample.batches.padded import padded_batch
from negsample.methods import METHODS, Catalogue, Events, build_method, catalogue_of, negative_settings
from negsample.miners import LogQ
from negsample.samplers import InBatch, MemoryBank, Mixture
from negsample.training.inputs import propose
from negsample.training.score import score

V = 14
# All users' targets: of different lengths, items twice within and between users; 13 is one user's alone, 14 nobody's.
TARGETS = [[1, 2, 2, 3, 1, 13], [4, 1], [5, 6, 7, 1, 2, 8, 9, 10, 11, 12], [3], [6, 6, 6, 12, 2], [1, 4]]
COUNTS = torch.tensor([Counter(item for own in TARGETS for item in own)[i] for i in range(V + 1)])
DAY = 86_400 * 10**6
ONLY_MIXES = "batch-mix"  # its synthetic negatives are of no catalogue: it estimates nothing
ESTIMATES = [name for name, row in METHODS.items() if "log_q_strength" in row.defaults and name != ONLY_MIXES]
MANY = {
    "random_negatives": 20_000,
    "log_uniform_negatives": 20_000,
    "recent_negatives": 20_000,
    "half_life": 1.0,
    "in_batch_negatives": 100,  # more than there are: all of them, so nothing is chance
    "bank_size": 100,
    "warm_up": 0,
    "cache_negatives": 20_000,
    "cache_size": 500,
    "resampled": 3,
}
FEW = MANY | {
    "in_batch_negatives": 7,
    "random_negatives": 9,
    "bank_size": 5,
    "cache_negatives": 9,
    "cache_size": 8,
    "recent_negatives": 9,
}
COLLISIONS = ("none", "target", "history")


def batch_under(exclude):
    longest = max(map(len, TARGETS))
    padded = torch.tensor([[*own, *[0] * (longest - len(own))] for own in TARGETS])
    users = torch.arange(len(TARGETS))
    batch = padded_batch(padded, padded, catalogue_size=V, users_B=users, exclude=exclude)
    return replace(batch, times_T=torch.tensor([DAY * at for own in TARGETS for at in range(len(own))]))


def known():
    """Each user's n-th target on day n."""
    items, days = np.array([(item, day) for own in TARGETS for day, item in enumerate(own)]).T
    return known_of(items, DAY * days, V)


def built(name, changes):
    ends = np.cumsum([len(own) for own in TARGETS])
    events = Events(np.concatenate(TARGETS), np.append(0, ends), ends)
    return build_method(name, Catalogue(V, COUNTS, COUNTS, events, known), negative_settings(name, changes))


def sums_of(method, batch, rng):
    """(T,) sums of the corrected negatives where every score is 0."""
    proposed = propose(method, batch, rng=rng)
    states, vectors = torch.zeros(len(batch.targets_T), 1), torch.zeros(*proposed.ids.shape, 1)
    scored = score(
        states,
        states,
        vectors,
        proposed,
        batch,
        needs=method.miner.needs,
    )
    return method.miner(scored, rng=rng).neg_TK.double().exp().sum(1)


def may_be(method, batch):
    """(T,) how many items are not excluded, and some draw can give: slow and obvious."""
    parts = method.sampler.parts if isinstance(method.sampler, Mixture) else [method.sampler]
    only_targets = all(isinstance(part, InBatch | MemoryBank) for part in parts)
    found = []
    for row, target in zip(batch.inputs.rows_T.tolist(), batch.targets_T.tolist(), strict=True):
        never = {"none": set(), "target": {target}, "history": set(TARGETS[row])}[batch.exclude]
        others = {item for other, own in enumerate(TARGETS) if other != row for item in own}
        can_be = others if only_targets else set(range(1, V + 1))
        found.append(len(can_be - never))
    return torch.tensor(found).double()


def pers_of(name):
    """Who may share its draws; nobody where it has no such setting."""
    fields = METHODS[name].settings.model_fields
    return get_args(fields["draws_per"].annotation) if "draws_per" in fields else ()


def ways():
    for name in ESTIMATES:
        for per in pers_of(name) or (None,):
            for exclude in COLLISIONS:
                yield name, {"exclude": exclude} | ({} if per is None else {"draws_per": per})


of_ways = pytest.mark.parametrize(
    ("name", "changes"),
    list(ways()),
    ids=lambda each: "-".join(map(str, each.values())) if isinstance(each, dict) else each,
)


@of_ways
def test_corrected_negatives_sum_to_the_items_that_may_be_one(name, changes, rng):
    method, batch, one = built(name, MANY | changes), batch_under(changes["exclude"]), rng(0)
    sums_of(method, batch, one)  # fills a bank and a cache
    found = torch.stack([sums_of(method, batch, one) for _ in range(3)]).mean(0)
    torch.testing.assert_close(found, may_be(method, batch), atol=0, rtol=0.04)


FEW_OF = ("corrected-log-q", "mixed-log-q", "cross-batch", "recent-mixed-log-q")


@pytest.mark.parametrize("name", FEW_OF)
@pytest.mark.parametrize("exclude", COLLISIONS)
def test_so_do_few_in_the_mean(name, exclude, rng):
    """Draws without replacement, with m as many as are there for the position.

    Who shares them goes round with what is excluded; above, all pairs do for every method.
    """
    pers = pers_of(name) or (None,)
    per = pers[(FEW_OF.index(name) + COLLISIONS.index(exclude)) % len(pers)]
    method = built(name, FEW | {"exclude": exclude} | ({} if per is None else {"draws_per": per}))
    batch, one = batch_under(exclude), rng(1)
    sums = torch.stack([sums_of(method, batch, one) for _ in range(201)])[1:]
    if name == "corrected-log-q":  # which has no estimate where all that was drawn is masked
        sums = torch.where(sums > 0, sums, torch.nan)
    mean = sums.nanmean(0)
    error, noise = (mean - may_be(method, batch)).abs(), (sums - mean).square().nanmean(0).sqrt() / 200**0.5
    assert (error < 4.5 * noise + 1e-4).all()
    assert (noise < 0.05 * may_be(method, batch)).all(), "the test cannot tell"


@pytest.mark.parametrize(
    ("per", "exclude", "share", "items"),
    [
        ("batch", "history", 2 / 3, 9),
        ("position", "target", 0.1, 11),
        ("position", "target", 0.4, 11),
        ("sequence", "history", 0.1, 9),
        ("sequence", "target", 0.4, 11),
        ("batch", "target", 0.4, 11),
    ],
)
def test_corrected_log_q_whatever_share_is_masked(per, exclude, share, items, rng):
    """Of 12 items the user has 1, 2 and 3; this ``share`` of what others have is of these three, or of the target.

    Divided by what the target alone leaves of the law before the draw left anything out, these were 27.0 for 9, 9.8
    and 6.6 for 11 and 8.1 for 9.
    """
    own = [1, 2, 3]
    of_own = {"history": round(540 * share) // 3, "target": round(540 * share)}[exclude]
    others = [1] * of_own + ([2, 3] * of_own if exclude == "history" else [2, 3])
    rest = 540 - len(others)
    others += [4 + i % 9 for i in range(rest)]
    longest = len(others)
    rows = torch.tensor([[*own, *[0] * (longest - 3)], others])
    batch = padded_batch(rows, rows, catalogue_size=12, users_B=torch.arange(2), exclude=exclude)
    counts = torch.bincount(rows.flatten(), minlength=13)
    counts[0] = 0
    settings = negative_settings("corrected-log-q", {"in_batch_negatives": 543, "draws_per": per, "exclude": exclude})
    sums = sums_of(build_method("corrected-log-q", Catalogue(12, counts, counts), settings), batch, rng(0))
    assert float(sums[0]) == pytest.approx(items, rel=1e-4)


@pytest.mark.parametrize(
    ("with_replacement", "which", "max_length"), [(False, "last", 50), (True, "last", 50), (False, "all", 4)]
)
@pytest.mark.parametrize("name", ["corrected-log-q", "mixed-log-q", "cross-batch", "xir", "recent-mixed-log-q"])
def test_over_the_batches_of_an_epoch_too(name, with_replacement, which, max_length, dataset_of, rng):
    """Users with favourites, some with long sequences, some in a batch; the same user twice, or in windows."""
    source = rng(3)
    users = []
    for user in range(120):
        length = 2 + int(torch.randint(4, (1,), generator=source)) + (8 if user % 9 == 0 else 0)
        liked = torch.randint(1, 41, (3,), generator=source)
        users.append((liked[torch.randint(3, (length,), generator=source)].tolist(), [1], [2]))
    data = dataset_of(users, 40)
    catalogue = catalogue_of(data, max_length, windows=which)
    own = torch.zeros(120, 41)
    for user, (items, *_) in enumerate(users):
        own[user] += torch.bincount(torch.tensor(items[1:]), minlength=41)
    method = build_method(name, catalogue, negative_settings(name, {"warm_up": 0, "bank_size": 64}))
    ratios, one = [], rng(4)
    can_be = (catalogue.target_counts > 0).sum()
    only_targets = name in ("corrected-log-q", "cross-batch")
    for _ in range(12):
        found = epoch_batches(
            data,
            batch_size=30,
            max_length=max_length,
            exclude=method.exclude,
            with_replacement=with_replacement,
            which=which,
            rng=one,
        )
        for batch in found:
            if only_targets:  # less the items that are a user's alone
                left = catalogue.target_counts - own[batch.position_users] > 0
                left[torch.arange(len(left)), batch.targets_T] = False
                truth = left.sum(1)
            else:
                truth = torch.full((len(batch.targets_T),), 39)
            ratios.append((sums_of(method, batch, one) / truth).mean())
    assert can_be == 40
    assert float(torch.stack(ratios).mean()) == pytest.approx(1, abs=0.03)


def test_a_law_that_forgets_whose_targets_they_are_is_found_out(rng):
    """The unigram of all targets for shared draws, with one's own among them: what log q was."""
    method, batch = built("corrected-log-q", MANY | {"exclude": "target"}), batch_under("target")
    ids = method.sampler.draw(batch, rng=rng(0)).ids
    log_q = method.sampler.log_prob(ids, batch, per="batch")
    zeros = torch.zeros(len(batch.targets_T), 1)
    kept = propose(method, batch, rng=rng(0))._replace(ids=ids, log_q=log_q, owner=None)
    scored = score(zeros, zeros, torch.zeros(len(ids), 1), kept, batch, needs=frozenset(("log_q",)))
    sums = LogQ()(scored, rng=rng(0)).neg_TK.exp().sum(1)
    assert float((sums / may_be(method, batch) - 1).abs().max()) > 0.08
