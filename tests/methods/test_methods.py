"""Every method computes what its name says: distribution, selection and loss against a slow version written here."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from negsample.batches.epochs import epoch_batches
from negsample.data.popularity import cohorts
from negsample.errors import InputError
from negsample.methods import (
    METHODS,
    PAPER_SIX,
    POPREC,
    Catalogue,
    build_method,
    catalogue_of,
    cost,
    method_names,
    negative_settings,
)
from negsample.models import GRU4Rec, SASRec
from negsample.samplers import InBatch, MemoryBank, Mixture
from negsample.training.inputs import propose
from negsample.training.step import step

V = 60
SMALL = {
    "random_negatives": 12,
    "popularity_negatives": 9,
    "log_uniform_negatives": 11,
    "in_batch_negatives": 7,
    "cohort_negatives": 8,
    "bank_size": 20,
    "warm_up": 1,
    "cache_negatives": 6,
    "cache_size": 30,
    "kept_hardest": 3,
    "picked_from": 1,  # so that nothing is random
    "resampled": 4,
    "mixed_negatives": 5,
    "regularization": 0.3,
    "calibration": 0.4,
    "recent_negatives": 10,
    "half_life": 1e-9,  # days: the world is 1200 microseconds long
}
per_method = pytest.mark.parametrize("name", METHODS)


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=V, name="by hand")


def built(name, data, changes=SMALL):
    return build_method(name, catalogue_of(data, 20), negative_settings(name, changes))


def pers_of(name):
    """Who may share its draws; nobody where it has no such setting."""
    fields = METHODS[name].settings.model_fields
    return get_args(fields["draws_per"].annotation) if "draws_per" in fields else ()


def batches_of(data, method, rng, number=3):
    sizes = {"batch_size": 4, "max_length": 20, "exclude": method.exclude}
    batches = epoch_batches(data, **sizes, rng=rng)
    return [batch for batch, _ in zip(batches, range(number), strict=False)]


# The distribution of one draw before exclusion, item by item: counts c, target shares p, popularity ranks r, cohorts.


def uniform(c, p, of):
    return np.full(V, 1 / V)


def power(exponent):
    return lambda c, p, of: np.where(c > 0, c**exponent, 0) / (c**exponent).sum()


def in_batch(c, p, of):
    return p


def log_uniform(c, p, of):
    rank = np.empty(V)
    rank[np.argsort(-c, kind="stable")] = np.arange(V)
    return np.log((rank + 2) / (rank + 1)) / np.log(V + 1)


def thirds(c, p, of):
    return np.array([1 / 3 / (of == cohort).sum() for cohort in of])


def together(*parts):
    total = sum(k for k, _ in parts)
    return lambda c, p, of: sum(k * distribution(c, p, of) for k, distribution in parts) / total


MIXED = together((7, in_batch), (12, uniform))
DISTRIBUTIONS = {
    "random": uniform,
    "popularity": power(1.0),
    "in-batch": in_batch,
    "mixed": MIXED,
    "adaptive": uniform,
    "adaptive-mixed": MIXED,
    "adaptive-in-batch": in_batch,
    "inverse-popularity": power(-1.0),
    "cohort": thirds,
    "bpr": uniform,
    "dns": uniform,
    "dns-mn": uniform,
    "bpr-max": together((7, in_batch), (9, power(0.75))),
    "gsasrec": uniform,
    "sampled-softmax": uniform,
    "sampled-softmax-log-q": uniform,
    "log-uniform": log_uniform,
    "in-batch-softmax": in_batch,
    "in-batch-log-q": in_batch,
    "corrected-log-q": in_batch,
    "mixed-log-q": MIXED,
    "cross-batch": in_batch,
    "batch-mix": in_batch,
    "xir": together((7, in_batch), (6, uniform)),  # its cache is empty: the catalogue
    "tron": MIXED,
    "full-ce": uniform,
}


def popularity_of(data):
    counts = np.asarray(data.train_counts)[1:].astype(float)
    targets = np.zeros(V)
    for user in range(data.users):
        for item in data.items[data.offsets[user] + 1 : data.train_ends[user]]:  # none is cut: L = 20 holds all
            targets[item - 1] += 1
    return counts, targets / targets.sum(), cohorts(np.asarray(data.train_counts))[1:]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_method_proposes_by_its_distribution(name, data, rng):
    method = built(name, data)
    batch = batches_of(data, method, rng(0), 1)[0]
    found = method.sampler.log_prob(torch.arange(1, V + 1), batch, per="batch").exp()
    np.testing.assert_allclose(found.numpy(), DISTRIBUTIONS[name](*popularity_of(data)), rtol=1e-5)


def test_own_cohort_proposes_from_the_targets_cohort(data, rng):
    method = built("own-cohort", data, SMALL | {"own_cohort_share": 0.7})
    batch = replace(batches_of(data, method, rng(0), 1)[0], exclude="none")
    _, _, of = popularity_of(data)
    ids = torch.arange(1, V + 1).expand(len(batch.targets_T), -1)
    found = method.sampler.log_prob(ids, batch, per="position").exp().numpy()
    for share_V, target in zip(found, batch.targets_T.tolist(), strict=True):
        stated = [(0.7 if o == of[target - 1] else 0.15) / (of == o).sum() for o in of]
        np.testing.assert_allclose(share_V, stated, rtol=1e-5)


@pytest.mark.parametrize("per", ["sequence", "position"])
@pytest.mark.parametrize(("name", "uniform_share"), [("recent", 0.0), ("recent-mixed-log-q", 12 / 22)])
def test_recent_methods_propose_by_shares_as_of_the_targets_time(name, uniform_share, per, data, rng):
    method = built(name, data, SMALL | {"draws_per": per})
    batch = replace(batches_of(data, method, rng(0), 1)[0], exclude="none")
    times = np.asarray(data.times)
    order = np.sort([t for u in range(data.users) for t in times[data.offsets[u] : data.train_ends[u]]])
    cuts = np.unique(order[np.arange(400) * len(order) // 400])
    method.sampler.draw(batch, rng=rng(1))
    ids = torch.arange(1, V + 1).expand(len(batch.targets_T), -1)
    found = method.sampler.log_prob(ids, batch, per=per).exp() if per == "position" else None
    if per == "sequence":
        found = method.sampler.log_prob(ids[: batch.sequences], batch, per=per).exp()[batch.target_rows]
    firsts = batch.target_offsets[batch.target_rows] if per == "sequence" else np.arange(len(batch.targets_T))
    for share_V, at in zip(found.numpy(), firsts, strict=True):
        cut = cuts[cuts <= int(batch.times_T[at])][-1]
        recent = data.known.shares(np.arange(1, V + 1), np.full(V, cut), SMALL["half_life"] * 86_400e6)
        np.testing.assert_allclose(share_V, uniform_share / V + (1 - uniform_share) * recent, rtol=1e-4)


# The loss of a batch, position by position: pos a number, neg those that are present, log_q of each, m draws that are
# there, and the probability of what is masked.


def softplus(x):
    return np.logaddexp(0, x)


def mean_of(of_position):
    return lambda rows: np.mean([of_position(*row) for row in rows])


def bce(keep=None):
    def loss(rows):
        kept = [np.sort(neg)[::-1][:keep] for _, neg, *_ in rows]
        return np.mean([softplus(-pos) for pos, *_ in rows]) + np.mean(softplus(np.concatenate(kept)))

    return loss


def bpr(keep=None):
    return lambda rows: np.mean(np.concatenate([softplus(np.sort(neg)[::-1][:keep] - pos) for pos, neg, *_ in rows]))


def bpr_max(pos, neg, log_q, m, masked):
    w = np.exp(neg) / np.exp(neg).sum()
    return -np.log((w / (1 + np.exp(neg - pos))).sum()) + 0.3 * (w * neg**2).sum()


def gbce(pos, neg, log_q, m, masked):
    a = m / (V - 1)
    beta = a * (0.4 * (1 - 1 / a) + 1 / a)
    return -beta * np.log(1 / (1 + np.exp(-pos))) - np.log(1 - 1 / (1 + np.exp(-neg))).sum()


def softmax(pos, neg, log_q, m, masked):
    return -pos + np.log(np.exp(pos) + np.exp(neg).sum())


def softmax_log_q(pos, neg, log_q, m, masked):
    return -pos + np.log(np.exp(pos) + (np.exp(neg) / np.exp(log_q)).sum() / m)


def softmax_hardest(pos, neg, log_q, m, masked):
    return softmax(pos, np.sort(neg)[::-1][:3], None, m, None)


def corrected(pos, neg, log_q, m, masked):
    total = (np.exp(neg) * (1 - masked) / np.exp(log_q)).sum() / len(neg)
    return (1 - np.exp(pos) / (np.exp(pos) + total)) * (-pos + np.log(total))


LOSSES = {
    **dict.fromkeys(["random", "popularity", "in-batch", "mixed", "inverse-popularity", "cohort", "own-cohort"], bce()),
    "recent": bce(),
    **dict.fromkeys(["adaptive", "adaptive-mixed", "adaptive-in-batch"], bce(3)),
    "bpr": bpr(),
    "dns": bpr(1),
    "dns-mn": bpr(1),
    "bpr-max": mean_of(bpr_max),
    "gsasrec": mean_of(gbce),
    **dict.fromkeys(["sampled-softmax", "in-batch-softmax"], mean_of(softmax)),
    **dict.fromkeys(
        ["sampled-softmax-log-q", "log-uniform", "mixed-log-q", "cross-batch", "xir"], mean_of(softmax_log_q)
    ),
    "corrected-log-q": mean_of(corrected),
    "tron": mean_of(softmax_hardest),
    "full-ce": mean_of(softmax_log_q),
}


def distribution_for(method, data, batch, row, drawn):
    """(V,) distribution of a shared draw for a sequence, without what is the user's own, and how many are there."""
    parts = method.sampler.parts if isinstance(method.sampler, Mixture) else [method.sampler]
    owners = [*([] if drawn.owner is None else drawn.owner.tolist()), *[-1] * len(drawn.ids)][: len(drawn.ids)]
    user, start, mixed, there = int(batch.users_B[row]), 0, np.zeros(V), 0
    for part in parts:
        stop = start + int(part.k)
        m = sum(1 for i, o in zip(drawn.ids.tolist()[start:stop], owners[start:stop], strict=True) if i and o != user)
        distribution = np.exp(part.log_prob(torch.arange(1, V + 1), batch, per="batch").double().numpy())
        if isinstance(part, InBatch | MemoryBank):  # targets of others: all there are, less those of the sequence
            distribution = np.zeros(V)
            for other in range(data.users):
                if other != user:
                    np.add.at(distribution, data.items[data.offsets[other] + 1 : data.train_ends[other]] - 1, 1)
            distribution /= distribution.sum()
        mixed, there, start = mixed + m * distribution, there + m, stop
    return (
        mixed / max(there, 1),
        there,
        [i if o != user else 0 for i, o in zip(drawn.ids.tolist(), owners, strict=True)],
    )


def positions(model, method, data, batch, rng):
    """Each position's numbers, from ids drawn as the step will draw them, and a distribution written here."""
    drawn = method.sampler.draw(batch, rng=rng)
    ids = drawn.ids
    shared = (
        [distribution_for(method, data, batch, row, drawn) for row in range(batch.sequences)]
        if ids.dim() == 1
        else None
    )
    states = model(model.table.lookup(batch.inputs.items_T)[0], batch.inputs).detach().double().numpy()
    table = model.table.weight.detach().double().numpy()
    keys = set(batch.history_keys.tolist())
    rows = []
    for t, row in enumerate(batch.inputs.rows_T.tolist()):
        distribution, m, own = (
            shared[row] if shared else (None, ids.shape[1], ids[row if len(ids) == batch.sequences else t].tolist())
        )
        target = int(batch.targets_T[t])
        had = {"history": {i for i in range(1, V + 1) if row * (V + 1) + i in keys}, "target": {target}}
        kept = np.array([i for i in own if i and i not in had[method.exclude]], dtype=int)
        log_q = np.log(distribution[kept - 1]) if shared else None
        masked = sum(distribution[i - 1] for i in had[method.exclude]) if shared else None
        rows.append((states[t] @ table[target], table[kept] @ states[t], log_q, m, masked))
    return rows


@pytest.mark.parametrize("name", LOSSES)
def test_a_method_has_the_loss_of_its_formula(name, data, rng):
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    with torch.no_grad():
        model.table.weight[1:].normal_(0, 0.7, generator=rng(9))
    method, twin = built(name, data), built(name, data)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    one, same = rng(5), rng(5)
    for batch in batches_of(data, method, rng(1)):
        same.set_state(one.get_state())
        # A bank moves on with each draw, so a twin draws; a cache with each choice, so the method itself does.
        rows = positions(model, method if name == "xir" else twin, data, batch, same)
        loss = step(model, method, batch, optimizer, negatives_rng=one, dropout_rng=rng(7))
        assert float(loss) == pytest.approx(LOSSES[name](rows), rel=2e-4)


def test_yis_form_corrects_the_target_by_its_share_of_all_targets(data, rng):
    """Its own occurrence included, though its negatives' distribution is without the user's own."""
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    method = built("in-batch-log-q", data)
    batch = batches_of(data, method, rng(1), 1)[0]
    _, p, _ = popularity_of(data)
    rows = positions(model, method, data, batch, rng(5))
    expected = []
    for (pos, neg, log_q, *_), target in zip(rows, batch.targets_T.tolist(), strict=True):
        shifted = pos - math.log(p[target - 1])
        expected.append(-shifted + np.log(np.exp(shifted) + np.exp(neg - log_q).sum()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loss = step(model, method, batch, optimizer, negatives_rng=rng(5), dropout_rng=rng(7))
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-4)


def test_batch_mix_adds_mixtures_of_two_corrected_scores(data, rng):
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    method = built("batch-mix", data)
    batch = batches_of(data, method, rng(1), 1)[0]
    one = rng(5)
    rows = positions(model, method, data, batch, one)
    first, second = torch.randint(7, (2, 5), generator=one).numpy()
    gammas = torch._standard_gamma(torch.ones(2, 5, dtype=torch.float64), one).numpy()
    share = gammas[0] / gammas.sum(0)
    ids, _, owner, *_ = method.sampler.draw(batch, rng=rng(5))
    expected = []
    of_positions = zip(rows, batch.targets_T.tolist(), batch.position_users.tolist(), strict=True)
    for (pos, neg, log_q, m, _), target, user in of_positions:
        present = iter(neg - log_q - np.log(m))
        pairs = zip(ids.tolist(), owner.tolist(), strict=True)
        scores = np.array([-np.inf if i == target or o == user else next(present) for i, o in pairs])
        mixed = share * scores[first] + (1 - share) * scores[second]
        expected.append(softmax(pos, np.concatenate([scores, mixed]), None, m, None))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loss = step(model, method, batch, optimizer, negatives_rng=rng(5), dropout_rng=rng(7))
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_bank_of_cross_batch_takes_no_gradient(data, rng):
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    method = built("cross-batch", data, SMALL | {"warm_up": 0, "bank_size": 500})
    first, second = batches_of(data, method, rng(1), 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    step(model, method, first, optimizer, negatives_rng=rng(2), dropout_rng=rng(3))
    before = model.table.weight.detach().clone()
    step(model, method, second, optimizer, negatives_rng=rng(2), dropout_rng=rng(3))
    moved = set(torch.nonzero((model.table.weight != before).any(1)).flatten().tolist())
    own = set(second.inputs.items_T.tolist()) | set(second.targets_T.tolist())
    assert moved <= own
    assert set(first.targets_T.tolist()) - own, "no item of the bank alone: the test would be weak"


@per_method
@pytest.mark.parametrize("backbone", [SASRec, GRU4Rec])
def test_a_step_of_every_method_moves_every_backbone(name, backbone, data, rng):
    model = backbone(V, dim=8, max_length=20, blocks=1, dropout=0.1, rng=rng(0))
    method, negatives, drops = built(name, data), rng(2), rng(3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for batch in batches_of(data, method, rng(1)):
        loss = step(model, method, batch, optimizer, negatives_rng=negatives, dropout_rng=drops)
        assert torch.isfinite(loss)
    unmoved = [key for key, value in model.state_dict().items() if torch.equal(value, before[key])]
    assert unmoved == []
    assert not model.table.weight[0].any()


@per_method
@pytest.mark.parametrize("exclude", ["none", "target", "history"])
def test_every_method_takes_every_policy_and_granularity(name, exclude, data, rng):
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for per in pers_of(name) or (None,):
        changes = SMALL | {"exclude": exclude} | ({} if per is None else {"draws_per": per})
        method = built(name, data, changes)
        assert method.exclude == exclude
        for batch in batches_of(data, method, rng(1), 2):
            loss = step(model, method, batch, optimizer, negatives_rng=rng(2), dropout_rng=rng(3))
            assert torch.isfinite(loss)


@per_method
def test_who_has_everything_does_no_harm(name, dataset_of, rng):
    users = [([1, 2, 3, 4, 5, 6], [1], [2]), ([1, 2, 3], [4], [5]), ([2, 1, 3, 4], [5], [1])]
    few = dataset_of(users, 6)
    model = SASRec(6, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for exclude in ("history", "target"):
        method = built(name, few, SMALL | {"exclude": exclude})
        sizes = {"batch_size": 3, "max_length": 20, "exclude": exclude}
        for _ in range(2):
            batch = next(epoch_batches(few, **sizes, rng=rng(1)))
            loss = step(model, method, batch, optimizer, negatives_rng=rng(2), dropout_rng=rng(3))
            assert torch.isfinite(loss)
    assert all(torch.isfinite(each).all() for each in model.state_dict().values())


@per_method
def test_settings_are_known_words_are_there_and_costs_are_said(name):
    method = METHODS[name]
    assert all(field.description for field in method.settings.model_fields.values())
    assert all(len(message) > 20 for message in (method.formula, method.take, method.serves))
    assert "scores" in cost(name)
    assert negative_settings(name, {}) == negative_settings(name, negative_settings(name, {}))


def test_costs_by_hand():
    assert cost("random") == "100 scores; 100 ids a sequence"
    assert cost("adaptive-mixed") == "110 scores, 5 in the loss; 110 ids a sequence"
    assert cost("tron") == "16,511 scores, 100 in the loss; 16,511 ids a batch"
    assert cost("batch-mix") == "512 scores, 1,024 in the loss; 512 ids a batch"
    assert cost("cross-batch") == "2,560 scores; 2,560 ids a batch"


def test_the_table_has_the_papers_six_both_adaptive_pools_and_eighteen_more_or_less():
    assert list(METHODS)[:6] == list(PAPER_SIX)
    assert len(METHODS) >= 18
    assert type(built_of("adaptive").sampler).__name__ == "Uniform"
    assert type(built_of("adaptive-in-batch").sampler).__name__ == "InBatch"
    parts = built_of("cross-batch").sampler
    assert isinstance(parts, Mixture)
    assert isinstance(parts.parts[-1], MemoryBank)


def built_of(name):
    counts = torch.tensor([0, 3, 1, 2])
    return build_method(name, Catalogue(3, counts, counts), negative_settings(name, {}))


def test_all_is_every_method_once():
    assert method_names("all") == list(METHODS)
    assert method_names("mixed, all,poprec") == ["mixed", *(each for each in METHODS if each != "mixed"), POPREC]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log_q_strength": 1.5}, "log_q_strength"),
        ({"cohort_shares": [0, 0, 0]}, "sum above 0"),
        ({"cohort_shares": [1, 2]}, "three numbers"),
        ({"cohort_shares": [1, 2, -1]}, "three numbers"),
        ({"cohort_shares": "abc"}, "cohort_shares"),
        ({"draws_per": "user"}, "draws_per"),
        ({"exclude": "all"}, "exclude"),
        ({"temperature": 0}, "temperature"),
    ],
)
def test_senseless_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        negative_settings("random", changes)


def test_all_targets_are_shared_by_the_batch(data):
    changes = {"in_batch_negatives": "all", "draws_per": "batch"}
    assert built("in-batch", data, changes).sampler.per == "batch"
    for name in ("in-batch", "mixed", "in-batch-log-q", "xir"):
        for per in ("sequence", "position"):
            with pytest.raises(InputError, match=f"got draws_per={per}, which would do nothing; set draws_per=batch"):
                built(name, data, changes | {"draws_per": per})


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("adaptive", {"kept_hardest": 12}, "kept_hardest=12 keeps all of 12 negatives and selects nothing; take fewer"),
        ("adaptive-mixed", {"kept_hardest": 19}, "keeps all of 19 negatives"),
        ("adaptive-in-batch", {"kept_hardest": 8, "not_kept": "zero"}, "keeps all of 7 negatives"),
        ("tron", {"kept_hardest": 400}, "keeps all of 19 negatives"),
        ("dns-mn", {"picked_from": 13}, "picked_from=13 of random_negatives=12: there are not so many"),
    ],
)
def test_a_selection_of_all_is_refused(name, changes, message, data):
    with pytest.raises(InputError, match=message):
        built(name, data, SMALL | changes)


OTHER = {
    "random_negatives": 13,
    "popularity_negatives": 10,
    "popularity_exponent": 0.5,
    "log_uniform_negatives": 12,
    "in_batch_negatives": 8,
    "cohort_negatives": 9,
    "cohort_shares": (0.2, 0.3, 0.5),
    "own_cohort_share": 0.5,
    "bank_size": 10,
    "warm_up": 2,  # the first batch finds the bank empty in any case
    "cache_negatives": 7,
    "cache_size": 15,
    "kept_hardest": 4,
    "not_kept": "zero",
    "picked_from": 2,
    "resampled": 5,
    "mixed_negatives": 6,
    "mix_concentration": 2.0,
    "log_q_strength": 0.5,
    "temperature": 0.5,
    "calibration": 0.9,
    "regularization": 0.7,
    "recent_negatives": 8,
    "half_life": 1e-10,
}
COLLISIONS = ("none", "target", "history")


def what_it_does(name, data, changes, rng):
    """Draws and losses of three steps that learn nothing."""
    model = SASRec(V, dim=8, max_length=20, blocks=1, dropout=0.0, rng=rng(0))
    with torch.no_grad():
        model.table.weight[1:].normal_(0, 0.7, generator=rng(9))
    method, optimizer, found = built(name, data, SMALL | changes), torch.optim.SGD(model.parameters(), lr=0.0), []
    for batch in batches_of(data, method, rng(1)):
        proposed = propose(method, batch, rng=rng(5))
        rngs = {"negatives_rng": rng(6), "dropout_rng": rng(7)}
        found.append(float(step(model, method, batch, optimizer, negatives=proposed, **rngs)))
        found.append(tuple(proposed.ids.flatten().tolist()))
    return tuple(found)


@per_method
def test_every_setting_does_something(name, data, rng):
    settings = set(METHODS[name].defaults) - {"draws_per", "exclude"}
    assert settings <= set(OTHER), "a setting that this test does not know"
    as_it_is = what_it_does(name, data, {}, rng)
    for key in sorted(settings):
        assert what_it_does(name, data, {key: OTHER[key]}, rng) != as_it_is, key


@per_method
def test_who_shares_a_draw_and_what_is_excluded_do_something_whatever_the_other(name, data, rng):
    pers = [{"draws_per": per} for per in pers_of(name)] or [{}]
    ways = [per | {"exclude": each} for per in pers for each in COLLISIONS]
    found = [what_it_does(name, data, way, rng) for way in ways]
    alike = [(a, b) for i, a in enumerate(ways) for j, b in enumerate(ways[:i]) if found[i] == found[j]]
    assert not alike


def test_what_cannot_be_is_told_before_any_step():
    one = torch.tensor([0, 5])
    with pytest.raises(InputError, match="method gsasrec: items must be >= 2, got 1"):
        build_method("gsasrec", Catalogue(1, one, one), negative_settings("gsasrec", {}))
