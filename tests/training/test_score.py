"""Scores against slow, obvious loops; who is masked; what is merged; gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from negsample.batches.padded import padded_batch
from negsample.losses import corrected_log_q, sampled_softmax
from negsample.models.item_table import ItemTable
from negsample.samplers import InBatch, Mixture, Negatives, Popularity, Uniform
from negsample.samplers.exclusion import rows_of
from negsample.training import products
from negsample.training import score as score_module
from negsample.training.score import merge_negatives, score, score_negatives, score_targets

V, D, INF = 40, 6, math.inf
LENGTHS = {
    "one": [2],
    "equal": [5, 5, 5],
    "near": [10, 9, 8, 8],
    "far": [30, 29, 21, 20, 9, 9, 8, 3, 2, 2, 2],
    "shortest first": [2, 2, 3, 9, 9, 30],
    "any order": [3, 30, 2, 9, 29, 9, 2, 21],
}
of_lengths = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
of_policy = pytest.mark.parametrize("exclude", ["none", "target", "history"])
of_granularity = pytest.mark.parametrize("per", ["batch", "sequence", "position"])


def padded(rows):
    width = max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def setting(lengths, rng, exclude="history"):
    """Each row's items, their batch in that order, states, and a table, in double precision."""
    draws = rng(1)
    histories = [torch.randint(1, V + 1, (length,), generator=draws).tolist() for length in lengths]
    inputs, targets = padded([had[:-1] for had in histories]), padded([had[1:] for had in histories])
    batch = padded_batch(inputs, targets, catalogue_size=V, exclude=exclude)
    states = torch.randn(len(batch.targets_T), D, generator=draws, dtype=torch.float64)
    return histories, batch, states, ItemTable(V, D, rng=draws).double()


def ids_per(per, k, batch, rng):
    """Some absent."""
    rows = [] if per == "batch" else [len(rows_of(batch, per))]
    ids = torch.randint(0, V + 1, [*rows, k], generator=rng(2))
    ids[..., 1] = 0
    return ids


def slow_negatives(states, table, ids, per, batch, histories):
    """(T, K) one number after another."""
    scores = []
    for t, state in enumerate(states):
        row, target = int(batch.inputs.rows_T[t]), int(batch.targets_T[t])
        own = {"batch": lambda: ids, "sequence": lambda row=row: ids[row], "position": lambda t=t: ids[t]}[per]()
        for i in own.tolist():
            in_history = batch.exclude == "history" and per == "batch" and i in histories[row]
            is_target = batch.exclude == "target" and per != "position" and i == target
            masked = i == 0 or in_history or is_target
            scores.append(state.new_tensor(-INF) if masked else state @ table.weight[i])
    return torch.stack(scores).view(len(states), -1)


def test_targets(rng):
    states = torch.randn(7, D, generator=rng(0), dtype=torch.float64)
    targets = torch.randn(7, D, generator=rng(1), dtype=torch.float64)
    expected = [float(sum(a * b for a, b in zip(s, t, strict=True))) for s, t in zip(states, targets, strict=True)]
    assert score_targets(states, targets).tolist() == pytest.approx(expected, abs=1e-12)


@of_lengths
@of_granularity
@of_policy
def test_negatives_and_their_gradients_are_those_of_the_slow_version(lengths, per, exclude, rng):
    histories, batch, states, table = setting(lengths, rng, exclude)
    ids = ids_per(per, 9, batch, rng)

    def scores_and_gradients(make):
        own = states.clone().requires_grad_()
        scores = make(own)
        weights = torch.cos(torch.arange(scores.numel(), dtype=torch.float64)).view(scores.shape)
        table.zero_grad()
        (scores.masked_fill(scores == -INF, 0) * weights).sum().backward()
        return scores.detach(), own.grad, table.weight.grad.clone()

    fast = scores_and_gradients(lambda own: score_negatives(own, table.lookup(ids)[0], Negatives(ids), batch))
    slow = scores_and_gradients(lambda own: slow_negatives(own, table, ids, per, batch, histories))
    torch.testing.assert_close(fast, slow)
    assert not fast[2][0].any(), "the row of id 0 is trained"


@of_granularity
def test_gradcheck(per, rng):
    _, batch, states, table = setting([4, 2, 6], rng, "none")
    ids = ids_per(per, 3, batch, rng).clamp(min=1)
    vectors = table.lookup(ids)[0].detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s, v: score_negatives(s, v, Negatives(ids), batch), (states.requires_grad_(), vectors)
    )


SAMPLERS = {
    "all shared": InBatch("all"),
    "in-batch": InBatch(5),
    "uniform": Uniform(V, 9),
    "uniform, shared": Uniform(V, 9, per="batch"),
    "uniform, position": Uniform(V, 9, per="position"),
    "all + uniform": Mixture(InBatch("all"), Uniform(V, 3)),
    "all + uniform, position": Mixture(InBatch("all"), Uniform(V, 3, per="position")),
    "in-batch + uniform": Mixture(InBatch(4), Uniform(V, 4)),
}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@of_policy
def test_what_may_not_be_a_negative_has_no_score_and_all_else_has(sampler, exclude, rng):
    histories, batch, states, table = setting([2, 9, 6, 2], rng, exclude)
    ids = sampler.draw(batch, rng=rng(5)).ids
    scores = score_negatives(states, table.lookup(ids)[0], Negatives(ids), batch)
    for t in range(len(states)):
        row, target = int(batch.inputs.rows_T[t]), int(batch.targets_T[t])
        own = ids if ids.dim() == 1 else ids[row if len(ids) == batch.sequences else t]
        never = {"none": {0}, "target": {0, target}, "history": {0, *histories[row]}}[exclude]
        allowed = torch.tensor([i not in never for i in own.tolist()])
        assert torch.equal(torch.isfinite(scores[t]), allowed)
        torch.testing.assert_close(scores[t][allowed], table.weight[own[allowed]] @ states[t])


def test_who_has_everything_has_no_score_and_no_gradient(batch_of, rng):
    batch = batch_of([list(range(1, V + 1)), [1, 2]], V)
    table = ItemTable(V, D, rng=rng(0))
    counts = torch.tensor([0] + [1] * V)
    ids = Popularity(counts, 4).draw(batch, rng=rng(0)).ids
    states = torch.ones(len(batch.targets_T), D, requires_grad=True)
    scores = score_negatives(states, table.lookup(ids)[0], Negatives(ids), batch)
    whole = batch.inputs.rows_T == 0
    assert (scores[whole] == -INF).all()
    torch.nn.functional.softplus(scores).sum().backward()
    assert not states.grad[whole].any()
    assert torch.isfinite(table.weight.grad).all()
    assert not table.weight.grad[0].any()


@of_granularity
def test_score_hands_over_what_is_needed_for_each_position(per, rng):
    _, batch, states, table = setting([3, 9, 2], rng)
    ids = ids_per(per, 4, batch, rng)
    pos_log_q = torch.randn(len(states), generator=rng(3))
    proposed = Negatives(ids, -ids.float())
    targets, vectors = table.lookup(batch.targets_T, ids)
    bare = score(states, targets, vectors, proposed, batch)
    assert bare[2:] == (None,) * 5
    assert torch.equal(bare.pos_T, score_targets(states, targets))
    assert torch.equal(bare.neg_TK, score_negatives(states, vectors, Negatives(ids), batch))
    needs = frozenset(("log_q", "ids", "pos_log_q"))
    full = score(states, targets, vectors, proposed._replace(pos_log_q_T=pos_log_q), batch, needs=needs)
    rows = batch.inputs.rows_T.tolist()
    expected = {"batch": lambda: ids.repeat(len(states), 1), "sequence": lambda: ids[rows], "position": lambda: ids}
    assert torch.equal(full.ids_TK, expected[per]())
    assert torch.equal(full.log_q_TK, -full.ids_TK.float())
    assert full.pos_log_q_T is pos_log_q
    assert full.m_T.tolist() == [4] * len(states)
    gone = Negatives(ids, (-ids.float()).index_fill_(-1, torch.tensor([1, 3]), -INF))
    assert score(states, targets, vectors, gone, batch, needs=needs).m_T.tolist() == [2] * len(states)
    assert score(states, targets, vectors, proposed, batch, needs=frozenset(("ids",))).log_q_TK is None
    if per == "batch":  # seen by every position, copied for none
        assert full.ids_TK.data_ptr() == ids.data_ptr()
        assert full.log_q_TK.data_ptr() == proposed.log_q.data_ptr()


def merged_setting(lengths, k, rng, exclude):
    """Shared negatives of which some are absent, and some what a user has and where it is his target."""
    _, batch, states, table = setting(lengths, rng, exclude)
    ids = torch.randint(1, V + 1, (k,), generator=rng(2))
    ids[3], ids[5:15] = 0, batch.targets_T[:10]
    return batch, ids, states.requires_grad_(), table.lookup(ids)[0].detach().requires_grad_()


@of_policy
@pytest.mark.parametrize("chunk", [1, 5, 23, 4096])
def test_merged_is_the_logsumexp_of_all_with_its_gradient(exclude, chunk, rng, monkeypatch):
    monkeypatch.setattr(products, "MERGED", chunk)
    batch, ids, states, vectors = merged_setting([3, 9, 2, 30], 23, rng, exclude)
    pos = torch.randn(len(states), generator=rng(4), dtype=torch.float64)
    merged, full = (make(states, vectors, Negatives(ids), batch) for make in (merge_negatives, score_negatives))
    assert merged.shape == (len(states), 1)
    torch.testing.assert_close(merged, torch.logsumexp(full, 1, keepdim=True))
    weights = torch.cos(torch.arange(len(states), dtype=torch.float64))
    for lose in (lambda _, neg: torch.logsumexp(neg, 1) @ weights, sampled_softmax, corrected_log_q):
        one, other = lose(pos, merged), lose(pos, full)
        torch.testing.assert_close(one, other)
        first, second = (torch.autograd.grad(value, (states, vectors), retain_graph=True) for value in (one, other))
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize("chunk", [2, 4096])
@pytest.mark.parametrize("loss", [sampled_softmax, corrected_log_q])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_merged_rows_without_a_negative_are_absent_and_have_no_gradient(chunk, loss, dtype, rng, monkeypatch):
    monkeypatch.setattr(products, "MERGED", chunk)
    histories, batch, states, table = setting([6, 3], rng)
    for ids in (torch.tensor([*histories[0][:5], 0, 0]), torch.zeros(3, dtype=torch.int64), torch.tensor([]).long()):
        own, vectors = (each.detach().to(dtype).requires_grad_() for each in (states, table.lookup(ids)[0]))
        merged = merge_negatives(own, vectors, Negatives(ids), batch)
        empty = (score_negatives(own, vectors, Negatives(ids), batch) == -INF).all(1)
        assert empty[:5].all()
        assert torch.equal(merged[:, 0] == -INF, empty)
        value = loss(torch.zeros(len(own), dtype=dtype), merged)
        value.backward()
        assert torch.isfinite(value)
        assert not own.grad[empty].any()
        assert torch.isfinite(own.grad).all()
        assert torch.isfinite(vectors.grad).all()


class Held(TorchDispatchMode):
    """The most numbers that are alive at once of what is made inside, and in one tensor."""

    def __init__(self):
        super().__init__()
        self._alive, self.most, self.largest = {}, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes() // 8
                self.largest = max(self.largest, storage.nbytes() // 8)
        self._alive = {key: each for key, each in self._alive.items() if not each[0].expired()}
        self.most = max(self.most, sum(size for _, size in self._alive.values()))
        return made


@of_policy
def test_merged_never_holds_more_than_some_chunks_of_scores(exclude, rng, monkeypatch):
    monkeypatch.setattr(products, "MERGED", 50)
    batch, ids, states, vectors = merged_setting([30] * 12, 2000, rng, exclude)
    chunk = len(states) * 50

    def held(make):
        with Held() as seen:
            sampled_softmax(torch.zeros(len(states)), make(states, vectors, Negatives(ids), batch)).backward()
        return seen

    assert held(score_negatives).most >= 2000 / 50 * chunk, "the measure does not see what is held"
    merged = held(merge_negatives)
    assert merged.largest <= chunk
    assert merged.most < 10 * chunk  # temporaries of one chunk, the gradient of the vectors, and (T,) for each chunk


@pytest.mark.parametrize("chunk", [3, 7, 40, 4096])
def test_full_cross_entropy_is_that_of_all_the_scores(chunk, rng, monkeypatch):
    monkeypatch.setattr(products, "MERGED", chunk)
    draws = rng(4)
    states = torch.randn(9, D, generator=draws, dtype=torch.float64, requires_grad=True)
    items = (3 * torch.randn(V, D, generator=draws, dtype=torch.float64)).requires_grad_()
    targets = torch.randint(V, (9,), generator=draws)

    def value_and_gradients(loss):
        return loss, *torch.autograd.grad(loss, (states, items))

    expected = value_and_gradients(torch.nn.functional.cross_entropy(states @ items.T, targets))
    found = value_and_gradients(score_module.full_cross_entropy(states, items, targets))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("held", [1, 100, 1 << 23])
def test_vectors_of_single_positions_need_not_be_held(monkeypatch, rng, held):
    monkeypatch.setattr(products, "LOOKED_UP", held)
    _, batch, states, table = setting(LENGTHS["far"], rng)
    ids = ids_per("position", 7, batch, rng)
    weights = torch.randn(len(states), 7, generator=rng(4), dtype=torch.float64)
    gradients = []
    for how in (lambda: table.lookup(ids)[0], lambda: table.rows(ids)[0]):
        leaf = states.clone().requires_grad_()
        scores = score_negatives(leaf, how(), Negatives(ids), batch)
        loss = (scores.masked_fill(scores == -INF, 0) * weights).sum()
        gradients.append((scores, *torch.autograd.grad(loss, (leaf, table.weight))))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
