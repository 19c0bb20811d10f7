"""Your own model and training loop in plain PyTorch, with negatives and a loss from negsample."""

import torch
from torch import Tensor, nn

from negsample import InBatch, LogQ, Mixture, Uniform, padded_batch, sampled_softmax, score

V, USERS, LENGTH, D = 1000, 2000, 20, 32  # items are 1..V; 0 is padding
rng = torch.Generator().manual_seed(0)

# Synthetic data: each item has a successor, which comes next 8 times in 10. Short sequences are padded with 0.
successor = torch.cat([torch.tensor([0]), torch.randperm(V, generator=rng) + 1])
sequences = torch.randint(1, V + 1, (USERS, LENGTH), generator=rng)
for t in range(1, LENGTH):
    follows = torch.rand(USERS, generator=rng) < 0.8
    sequences[:, t] = torch.where(follows, successor[sequences[:, t - 1]], sequences[:, t])
sequences[torch.arange(LENGTH) >= torch.randint(5, LENGTH + 1, (USERS, 1), generator=rng)] = 0
test, train = sequences[:200], sequences[200:]

# Your own model.
torch.manual_seed(0)
items, gru = nn.Embedding(V + 1, D, padding_idx=0), nn.GRU(D, D, batch_first=True)
optimizer = torch.optim.Adam([*items.parameters(), *gru.parameters()], lr=0.01)


def encode(inputs: Tensor) -> Tensor:
    """From (B, L) items to (B, L, D) states, one after each item."""
    return gru(items(inputs))[0]


@torch.no_grad()
def hit_rate_at_10() -> float:
    """The share of test events whose item is among the ten with the highest scores."""
    there = test[:, 1:] > 0
    best = (encode(test[:, :-1])[there] @ items.weight[1:].T).topk(10).indices + 1
    return (best == test[:, 1:][there].unsqueeze(1)).any(1).float().mean().item()


counts = torch.bincount(train[:, 1:][train[:, 1:] > 0], minlength=V + 1)  # how often each item is a target
negatives = Mixture(InBatch("all", counts=counts), Uniform(V, 256, per="batch"))  # one draw, shared by the batch
correct = LogQ()  # subtracts from each negative's score the log-probability that it was drawn
before = hit_rate_at_10()
for epoch in range(5):
    total = 0.0
    for rows in torch.randperm(len(train), generator=rng).split(100):
        inputs, targets = train[rows, :-1], train[rows, 1:]
        batch = padded_batch(inputs, targets, catalogue_size=V, exclude="target")  # a target is never its own negative
        proposed, states = negatives.sample(batch, rng=rng), encode(inputs)[targets > 0]
        scored = score(states, items(batch.targets_T), items(proposed.ids), proposed, batch, needs=correct.needs)
        loss = sampled_softmax(*correct(scored, rng=rng)[:2])  # of the targets' scores and the negatives'
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows) / len(train)
    print(f"epoch {epoch + 1}: loss {total:.3f}")
print(f"hit rate at 10: {before:.3f} before, {hit_rate_at_10():.3f} after; by chance {10 / V:.3f}")
