"""Every sampler, by being in the dict: its draws follow its stated law, and nobody gets what he has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest
import scipy.stats
import torch

from negsample.data.batches import epoch_batches
from negsample.negatives import InBatch, Mixture, Popularity, Uniform

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


class Case(NamedTuple):
    """``make(k)``: the sampler with k draws; ``parts(k)``: draws of each part, and its weights for who has nothing."""

    make: Callable
    parts: Callable


def everyone(targets):
    return dict.fromkeys(range(1, V + 1), 1.0)


def by_count(exponent):
    def weights(targets):
        return {i: float(COUNTS[i]) ** exponent for i in range(1, V + 1) if COUNTS[i] > 0 or exponent == 0}

    return weights


def occurrences(targets):
    return dict(Counter(targets))


SAMPLERS = {
    "uniform": Case(lambda k: Uniform(V, k), lambda k: [(k, everyone)]),
    "popularity": Case(lambda k: Popularity(COUNTS, k), lambda k: [(k, by_count(1))]),
    "popularity 0.75": Case(lambda k: Popularity(COUNTS, k, exponent=0.75), lambda k: [(k, by_count(0.75))]),
    "popularity 0": Case(lambda k: Popularity(COUNTS, k, exponent=0), lambda k: [(k, by_count(0))]),
    "popularity -1": Case(lambda k: Popularity(COUNTS, k, exponent=-1), lambda k: [(k, by_count(-1))]),
    "in-batch": Case(InBatch, lambda k: [(k, occurrences)]),
    "in-batch all": Case(lambda k: InBatch("all"), lambda k: [("all", occurrences)]),
    "in-batch + uniform": Case(
        lambda k: Mixture(InBatch(k), Uniform(V, 2 * k)), lambda k: [(k, occurrences), (2 * k, everyone)]
    ),
    "popularity + uniform": Case(
        lambda k: Mixture(Popularity(COUNTS, 3 * k, exponent=0.75), Uniform(V, k)),
        lambda k: [(3 * k, by_count(0.75)), (k, everyone)],
    ),
    "all three": Case(
        lambda k: Mixture(InBatch(k), Popularity(COUNTS, k), Uniform(V, k)),
        lambda k: [(k, occurrences), (k, by_count(1)), (k, everyone)],
    ),
}
SHARED = ["in-batch all"]
PER_SEQUENCE = [name for name in SAMPLERS if name not in SHARED]
CATALOGUE = [name for name in SAMPLERS if "in-batch" not in name and name != "all three"]

per_sampler = pytest.mark.parametrize("name", SAMPLERS)


@pytest.fixture
def batch(batch_of):
    return batch_of(HISTORIES, V)


def law(parts, batch, had):
    """Slow and obvious: item to probability of one draw for a user who has ``had``."""
    targets = batch.targets_T.tolist()
    result = dict.fromkeys(range(1, V + 1), 0.0)
    sizes = [len(targets) if k == "all" else k for k, _ in parts]
    for size, (_, weights) in zip(sizes, parts, strict=True):
        allowed = {item: weight for item, weight in weights(targets).items() if item not in had}
        for item, weight in allowed.items():
            result[item] += size / sum(sizes) * weight / sum(allowed.values())
    return result


def tensors_of(batch):
    return {
        "items": batch.inputs.items_T,
        "slots": batch.inputs.slots_T,
        "rows": batch.inputs.rows_T,
        "offsets": torch.from_numpy(batch.inputs.offsets),
        "targets": batch.targets_T,
        "users": batch.users_B,
        "history": batch.history_keys,
    }


def p_value(drawn: torch.Tensor, stated: dict[int, float]) -> float:
    """Chi-square goodness of fit of draws to a law; 0 when something impossible was drawn."""
    observed = torch.bincount(drawn.flatten(), minlength=V + 1)
    if any(observed[i] > 0 for i in range(V + 1) if stated.get(i, 0.0) == 0):
        return 0.0
    support = [i for i, share in stated.items() if share > 0]
    if len(support) == 1:
        return 1.0
    total = drawn.numel()
    return float(scipy.stats.chisquare(observed[support].numpy(), [total * stated[i] for i in support]).pvalue)


def a_little_wrong(stated: dict[int, float]) -> dict[int, float]:
    """The law with 0.01 of probability moved from its most probable item to its second."""
    first, second = sorted(stated, key=stated.__getitem__)[-1:-3:-1]
    return stated | {first: stated[first] - 0.01, second: stated[second] + 0.01}


@per_sampler
def test_shape_type_and_device(name, batch, rng):
    sampler = SAMPLERS[name].make(7)
    ids, log_q = sampler.sample(batch, rng=rng(0))
    shape = (len(batch.targets_T),) if name in SHARED else (batch.sequences, sampler.k)
    assert ids.shape == log_q.shape == shape
    assert (ids.dtype, log_q.dtype) == (torch.int64, torch.float32)
    assert ids.device == log_q.device == batch.device
    assert ids.is_contiguous() or ids.dim() == 2


@per_sampler
def test_k_is_the_number_of_draws_a_sequence(name, batch, rng):
    sampler = SAMPLERS[name].make(7)
    drawn = sampler.draw(batch, rng=rng(0)).shape[-1]
    assert sampler.k == ("all" if name in SHARED else drawn)


@per_sampler
def test_the_same_generator_gives_the_same_ids_and_draw_agrees_with_sample(name, batch, rng):
    sampler = SAMPLERS[name].make(9)
    first, again = sampler.sample(batch, rng=rng(3)), sampler.sample(batch, rng=rng(3))
    assert torch.equal(first.ids, again.ids)
    assert torch.equal(first.log_q, again.log_q)
    assert torch.equal(first.ids, sampler.draw(batch, rng=rng(3)))


@pytest.mark.parametrize("name", PER_SEQUENCE)
def test_another_generator_gives_other_ids_and_one_moves_on(name, batch, rng):
    sampler, one = SAMPLERS[name].make(9), rng(3)
    first, second = sampler.draw(batch, rng=one), sampler.draw(batch, rng=one)
    assert not torch.equal(first, second)
    assert not torch.equal(first, sampler.draw(batch, rng=rng(4)))


@per_sampler
def test_the_batch_is_left_as_it_was(name, batch, rng):
    before = {key: value.clone() for key, value in tensors_of(batch).items()}
    SAMPLERS[name].make(9).sample(batch, rng=rng(0))
    assert all(torch.equal(before[key], value) for key, value in tensors_of(batch).items())


@pytest.mark.parametrize("name", PER_SEQUENCE)
def test_nobody_gets_what_he_has_and_zero_only_where_nothing_is_left(name, batch, rng):
    ids = SAMPLERS[name].make(60).draw(batch, rng=rng(1))
    parts = SAMPLERS[name].parts(60)
    assert int(ids.min()) >= 0
    assert int(ids.max()) <= V
    for row, user in enumerate(batch.users_B.tolist()):
        had = set(HISTORIES[user])
        assert not had & set(ids[row].tolist())
        expected = 0
        for k, weights in parts:
            allowed = {i: w for i, w in weights(batch.targets_T.tolist()).items() if i not in had}
            without_replacement = weights is occurrences
            expected += min(k, sum(allowed.values())) if without_replacement else k if allowed else 0
        assert int((ids[row] > 0).sum()) == expected


@per_sampler
def test_the_whole_history_counts_not_only_the_window(name, batch_of, rng):
    histories = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]  # L = 1: only the last two events are in the batch
    batch = batch_of(histories, V, max_length=1)
    assert sorted(batch.targets_T.tolist()) == [6, 12]
    ids = SAMPLERS[name].make(40).draw(batch, rng=rng(0))
    for row, user in enumerate(batch.users_B.tolist() if name not in SHARED else []):
        assert set(ids[row].tolist()) - {0} <= set(histories[1 - user])


@pytest.mark.parametrize("name", PER_SEQUENCE)
def test_who_lacks_one_item_gets_that_one(name, batch, rng):
    ids, log_q = SAMPLERS[name].make(5).sample(batch, rng=rng(2))
    row = batch.users_B.tolist().index(EVERYTHING_BUT_7)
    present = ids[row] > 0
    assert bool(present.any())
    assert set(ids[row][present].tolist()) == {7}
    torch.testing.assert_close(log_q[row][present], torch.zeros(int(present.sum())), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", PER_SEQUENCE)
def test_who_has_everything_gets_nothing(name, batch, rng):
    ids, log_q = SAMPLERS[name].make(5).sample(batch, rng=rng(2))
    row = batch.users_B.tolist().index(EVERYTHING)
    assert (ids[row] == 0).all()
    assert (log_q[row] == -math.inf).all()


@pytest.mark.parametrize("name", PER_SEQUENCE)
def test_a_batch_where_nobody_can_get_anything(name, batch_of, rng):
    batch = batch_of([list(range(1, V + 1))] * 3, V)
    ids, log_q = SAMPLERS[name].make(5).sample(batch, rng=rng(2))
    assert not ids.any()
    assert (log_q == -math.inf).all()


@pytest.mark.parametrize("name", PER_SEQUENCE)
def test_log_q_is_the_law_after_exclusion_whichever_part_drew_it(name, batch, rng):
    case = SAMPLERS[name]
    ids, log_q = case.make(8).sample(batch, rng=rng(5))
    for row, user in enumerate(batch.users_B.tolist()):
        stated = law(case.parts(8), batch, set(HISTORIES[user]))
        expected = torch.tensor([math.log(stated[i]) if i else -math.inf for i in ids[row].tolist()])
        torch.testing.assert_close(log_q[row], expected)


@per_sampler
def test_log_prob_of_any_id_is_the_law(name, batch):
    case = SAMPLERS[name]
    ids = torch.arange(V + 1).repeat(batch.sequences, 1)  # 0, what a user has, and what he could get
    shares = case.make(8).log_prob(ids, batch).exp()
    for row, user in enumerate(batch.users_B.tolist()):
        stated = law(case.parts(8), batch, set(HISTORIES[user]))
        expected = torch.tensor([0.0, *(stated[i] for i in range(1, V + 1))])
        torch.testing.assert_close(shares[row], expected, atol=1e-6, rtol=1e-5)
        assert math.isclose(float(shares[row].sum()), 0 if user == EVERYTHING else 1, abs_tol=1e-5)


def test_log_prob_takes_an_expanded_view_without_a_warning(batch):
    torch.set_warn_always(True)
    try:
        InBatch(8).log_prob(torch.arange(V + 1).expand(batch.sequences, -1), batch)
    finally:
        torch.set_warn_always(False)


def test_log_q_of_all_targets_shared_is_their_share_of_the_batch(batch, rng):
    ids, log_q = InBatch("all").sample(batch, rng=rng(0))
    assert torch.equal(ids, batch.targets_T)
    seen = Counter(ids.tolist())
    torch.testing.assert_close(log_q, torch.tensor([math.log(seen[i] / len(ids)) for i in ids.tolist()]))


@pytest.mark.parametrize("name", CATALOGUE)
def test_draws_from_the_catalogue_follow_the_law(name, batch, rng):
    case, k = SAMPLERS[name], 60_000
    ids, log_q = case.make(k).sample(batch, rng=rng(11))
    for row, user in enumerate(batch.users_B.tolist()):
        if user == EVERYTHING:
            continue
        stated = law(case.parts(k), batch, set(HISTORIES[user]))
        assert p_value(ids[row], stated) > 1e-4
        share = torch.bincount(ids[row], minlength=V + 1) / len(ids[row])
        torch.testing.assert_close(share[ids[row]], log_q[row].exp(), atol=0.01, rtol=0)
        if user != EVERYTHING_BUT_7:
            assert p_value(ids[row], a_little_wrong(stated)) < 1e-6, "the test cannot tell a wrong law"
            without_exclusion = law(case.parts(k), batch, set())
            assert p_value(ids[row], without_exclusion) < 1e-6, "the test cannot tell a law without exclusion"


@pytest.mark.parametrize("name", ["in-batch", "in-batch + uniform", "all three"])
def test_draws_from_the_batch_follow_the_law(name, batch_of, rng):
    # Many users of a kind, so that a column of ids holds many independent draws of one law.
    kinds = [[1, 2, 3, 2], [4, 1], [7, 5, 5, 9, 8]]
    batch = batch_of(kinds * 700, V)
    case, k = SAMPLERS[name], 3
    sampler, parts, one = case.make(k), case.parts(k), rng(12)
    ids = torch.cat([sampler.draw(batch, rng=one).unsqueeze(0) for _ in range(300)])
    kind_B = batch.users_B % 3
    for kind, history in enumerate(kinds):
        drawn = ids[:, kind_B == kind]
        start = 0
        for size, weights in parts:  # each part's place by itself, the first and the last
            stated = law([(size, weights)], batch, set(history))
            for column in {start, start + size - 1}:
                assert p_value(drawn[..., column], stated) > 1e-4
                assert p_value(drawn[..., column], a_little_wrong(stated)) < 1e-6
            start += size
        whole = drawn.flatten()
        share = torch.bincount(whole, minlength=V + 1) / len(whole)
        expected = torch.tensor([0.0, *law(parts, batch, set(history)).values()])
        torch.testing.assert_close(share, expected, atol=0.005, rtol=0)


@pytest.mark.parametrize("others", [0, 400], ids=["drawn by tries", "drawn by sorting"])
def test_in_batch_is_without_replacement_over_positions(others, batch_of, rng):
    # For the user of [1, 2] four positions are allowed: 6, 5, 4, 4. All the others forbid theirs: 2.
    batch = batch_of([[3, 4, 4, 5, 6], *[[1, 2]] * (others + 1)], V)
    one, k = rng(5), 2
    rows = [row for row, user in enumerate(batch.users_B.tolist()) if user > 0]
    calls = 40 if others else 6000
    pairs = Counter()
    for _ in range(calls):
        pairs.update(map(tuple, InBatch(k).draw(batch, rng=one)[rows].tolist()))
    positions = [4, 4, 5, 6]
    ordered = Counter((positions[a], positions[b]) for a in range(4) for b in range(4) if a != b)
    assert set(pairs) <= set(ordered), "a position came twice"
    observed = [pairs[pair] for pair in ordered]
    expected = [sum(observed) * count / 12 for count in ordered.values()]
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4
    with_replacement = Counter((a, b) for a in positions for b in positions if (a, b) in ordered)
    wrong = [sum(observed) * with_replacement[pair] / with_replacement.total() for pair in ordered]
    assert scipy.stats.chisquare(observed, wrong).pvalue < 1e-4


@pytest.mark.parametrize("k", [1, 3, 4, 5, 50])
def test_in_batch_gives_each_allowed_position_at_most_once_and_zero_after_the_last(k, batch_of, rng):
    batch = batch_of([[3, 4, 4, 5, 6], [1, 2]], V)
    row = batch.users_B.tolist().index(1)
    one = rng(1)
    for _ in range(200):
        ids = InBatch(k).draw(batch, rng=one)[row].tolist()
        present = [i for i in ids if i]
        assert len(present) == min(k, 4)
        assert not Counter(present) - Counter([4, 4, 5, 6])
        assert ids[len(present) :] == [0] * (k - len(present))
        if k >= 4:
            assert sorted(present) == [4, 4, 5, 6]


def test_a_mixture_gives_all_targets_to_those_who_do_not_have_them(batch, rng):
    ids = Mixture(InBatch("all"), Uniform(V, 3)).draw(batch, rng=rng(0))
    targets = batch.targets_T.tolist()
    assert ids.shape == (batch.sequences, len(targets) + 3)
    for row, user in enumerate(batch.users_B.tolist()):
        assert ids[row, : len(targets)].tolist() == [0 if i in HISTORIES[user] else i for i in targets]


@pytest.mark.parametrize(
    "inner",
    [
        5,
        "all",
    ],
)
def test_a_mixture_of_a_mixture_has_the_law_of_the_flat_one(inner, batch):
    ids = torch.arange(V + 1).repeat(batch.sequences, 1)
    parts = InBatch(inner), Uniform(V, 30), Popularity(COUNTS, 10)
    nested, flat = Mixture(Mixture(*parts[:2]), parts[2]), Mixture(*parts)
    assert nested.k == flat.k == ("all" if inner == "all" else 45)
    torch.testing.assert_close(nested.log_prob(ids, batch).exp(), flat.log_prob(ids, batch).exp())


@pytest.mark.parametrize("name", PER_SEQUENCE)
def test_a_large_batch_with_one_huge_history(name, batch_of, rng):
    items, users = 2_000, 1_000
    chance = torch.Generator().manual_seed(0)
    huge = [i % 1_990 + 1 for i in range(20_000)]  # all but the last ten, ten times over
    small = torch.randint(1, items + 1, (users, 6), generator=chance).tolist()
    counts = torch.bincount(torch.tensor([*huge, *(item for user in small for item in user)]), minlength=items + 1)
    sampler = {
        "uniform": Uniform(items, 50),
        "in-batch": InBatch(50),
        "in-batch + uniform": Mixture(InBatch(10), Uniform(items, 40)),
        "popularity + uniform": Mixture(Popularity(counts, 30), Uniform(items, 20)),
        "all three": Mixture(InBatch(10), Popularity(counts, 20), Uniform(items, 20)),
    }.get(name) or Popularity(counts, 50, exponent=float(name.removeprefix("popularity") or 1))
    batch = batch_of([huge, *small], items)
    ids, log_q = sampler.sample(batch, rng=rng(0))
    histories = [huge, *small]
    had = [set(histories[user]) for user in batch.users_B.tolist()]
    assert all(not had[row] & set(drawn) for row, drawn in enumerate(ids.tolist()))
    assert set(ids[0].tolist()) - {0} <= set(range(1_991, 2_001))
    assert torch.equal(ids > 0, torch.isfinite(log_q))
    assert (ids[1:] > 0).all()
    if name in CATALOGUE:
        assert len(set(ids[0].tolist())) > 5


def test_every_batch_of_an_epoch_is_drawn_for(rng):
    import numpy as np

    offsets = np.cumsum([0, *map(len, HISTORIES)])
    flat = np.array([item for history in HISTORIES for item in history], np.int32)
    batches = epoch_batches(flat, offsets, offsets[1:], batch_size=2, max_length=3, catalogue_size=V, rng=rng(0))
    for batch in batches:
        for case in SAMPLERS.values():
            ids = case.make(4).draw(batch, rng=rng(1))
            for row, user in enumerate(batch.users_B.tolist() if ids.dim() == 2 else []):
                assert not set(HISTORIES[user]) & set(ids[row].tolist())


def test_uniform_reaches_every_bit_of_two_billion_items(batch_of, rng):
    items = 2**31 - 2
    batch = batch_of([[1, 2], [items, items - 1]], items)
    ids = Uniform(items, 50_000).draw(batch, rng=rng(0))
    assert int(ids.min()) >= 1
    assert int(ids.max()) <= items
    assert len(torch.unique(ids)) > 99_990  # about 2.3 repeats are expected
    shares = torch.stack([(ids >> bit & 1).double().mean() for bit in range(30)])
    assert (shares - 0.5).abs().max() < 5 * 0.5 / math.sqrt(ids.numel())
    assert (torch.histc(ids.double(), 16, 1, items) - ids.numel() / 16).abs().max() < 5 * math.sqrt(ids.numel() / 16)


def test_popularity_has_no_limit_at_2_to_the_24_items(batch_of, rng):
    items = 2**24 + 1_000
    counts = torch.ones(items + 1, dtype=torch.int64)
    counts[0] = 0
    counts[-1] = items  # half of the weight on the last item
    batch = batch_of([[1, 2], [5, 3]], items)
    ids = Popularity(counts, 20_000).draw(batch, rng=rng(0))
    assert abs(float((ids == items).double().mean()) - 0.5) < 5 * 0.5 / math.sqrt(ids.numel())
    rest = ids[ids < items].double()
    assert rest.max() > 2**24 * 0.99
    assert abs(float((rest % 2).mean()) - 0.5) < 5 * 0.5 / math.sqrt(len(rest))  # no rounding to even ids


@pytest.mark.parametrize(
    ("exponent", "counts"), [(1.0, [2**50, 3 * 2**50, 2**50]), (-3.0, [1, 10**6, 10**3]), (9, [1, 9, 3])]
)
def test_extreme_weights_keep_their_law(exponent, counts, batch_of, rng):
    batch = batch_of([[4, 5], [5, 4]], 5)
    sampler = Popularity(torch.tensor([0, *counts, 1, 1]), 20_000, exponent=exponent)
    ids, _ = sampler.sample(batch, rng=rng(0))
    weights = [float(count) ** exponent for count in counts]
    stated = dict(zip((1, 2, 3), (weight / sum(weights) for weight in weights), strict=True))
    found = sampler.log_prob(torch.tensor([[1, 2, 3], [1, 2, 3]]), batch).exp()
    torch.testing.assert_close(found[0], torch.tensor(list(stated.values())), rtol=1e-5, atol=2**-40)
    assert set(ids.flatten().tolist()) <= {1, 2, 3}
    for item, share in stated.items():
        drawn = float((ids == item).double().mean())
        assert abs(drawn - share) < 5 * math.sqrt(share * (1 - share) / ids.numel()) + 1e-3


def test_the_last_rows_of_the_largest_batch_follow_the_law(batch_of, rng):
    users = 2**14
    batch = batch_of([[1, 2]] * users, 4)
    sampler = Popularity(torch.tensor([0, 5, 5, 3, 1]), 20, exponent=0.5)  # total 2^48: the largest keys
    ids = sampler.draw(batch, rng=rng(0))[-2_000:]
    weights = {3: math.sqrt(3), 4: 1.0}
    assert p_value(ids, {i: w / sum(weights.values()) for i, w in weights.items()}) > 1e-4
    with pytest.raises(ValueError, match=r"at most 16384 sequences a batch, got 16385"):
        sampler.draw(batch_of([[1, 2]] * (users + 1), 4), rng=rng(0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Uniform(0, 5), "got items 0"),
        (lambda: Uniform(5, 0), "k 0"),
        (lambda: Popularity(COUNTS, 0), "k must be >= 1, got 0"),
        (lambda: Popularity(COUNTS, 5, exponent=math.nan), "finite number, got nan"),
        (lambda: Popularity(COUNTS, 5, exponent=math.inf), "finite number, got inf"),
        (lambda: Popularity(torch.tensor([1, 2]), 5), r"counts\[0\] == 0"),
        (lambda: Popularity(torch.tensor([0, 2, -1]), 5), "numbers >= 0"),
        (lambda: Popularity(torch.tensor([0, 0, 0]), 5), "at least one event"),
        (lambda: Popularity(torch.tensor([0]), 5), r"\(V \+ 1,\)"),
        (lambda: InBatch(0), "k must be >= 1 or 'all', got 0"),
        (lambda: Mixture(), "at least two parts, got 0"),
        (lambda: Mixture(Uniform(5, 5)), "at least two parts, got 1"),
    ],
)
def test_senseless_settings_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
