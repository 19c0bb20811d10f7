"""`python -m benchmarks.gradient`: does sampled softmax with log-q have the gradient of full cross-entropy?

A world small enough to know the exact gradient, with respect to the item table and the states. Of each proposal the
gradient of sampled softmax is averaged over many draws of ``m`` shared negatives, and compared: the relative error is
``|mean - exact| / |exact|``. It is of the order ``1 / m`` with the correction, and does not vanish without.

Writes `benchmarks/results/gradient.json` and `docs/images/log-q.svg`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt
import torch
from torch import Tensor
from torch.nn import functional as F

from negsample.batches.packed import Batch
from negsample.batches.padded import padded_batch
from negsample.losses import corrected_log_q, sampled_softmax
from negsample.miners import Chain, KeepAll, LogQ, Miner
from negsample.report.palette import PAPER
from negsample.runs.machine import machine
from negsample.samplers import InBatch, Mixture, Negatives, Popularity, Sampler, Uniform
from negsample.training.score import score

HERE = Path(__file__).parent
RESULTS, IMAGE = HERE / "results" / "gradient.json", HERE.parent / "docs" / "images" / "log-q.svg"
ITEMS, DIM, QUERIES = 300, 12, 32
SPREAD = 1.6  # of a query's scores: about their standard deviation
LEAN = 1.5  # of a state towards its target, as in a trained model: softmax gives targets a probability that counts
REPEATS = {16: 2500, 64: 2500, 256: 2500, 1024: 2500, 4096: 1600}  # by m: the noise is far below the error there
GROUPS = 10  # of repeats, from whose spread the noise is known
LIMIT = 0.02


class World(NamedTuple):
    """``table_VD``: (V + 1, D), row 0 for padding. ``states_QD``: one a query; ``queries``: their targets.

    ``counts``: (V + 1,) how often each item is a target: the popularity ``p`` that targets are drawn from.
    """

    table_VD: Tensor
    states_QD: Tensor
    queries: Batch
    counts: Tensor


class Proposal(NamedTuple):
    """``build``: the sampler of ``m`` shared draws. ``in_batch``: which share of them are a batch's targets."""

    build: Callable[[World, int], Sampler]
    in_batch: float
    colour: str


class Form(NamedTuple):
    """What is made of the scores: the second seat and the third."""

    miner: Miner
    loss: Callable[[Tensor, Tensor], Tensor]


class Measured(NamedTuple):
    """Relative error of a mean gradient, and the part of it that chance alone would leave."""

    error: float
    noise: float


PROPOSALS = {
    "uniform": Proposal(lambda world, m: Uniform(ITEMS, m, per="batch"), 0, "#0072b2"),
    "popularity ** 0.75": Proposal(
        lambda world, m: Popularity(world.counts, m, exponent=0.75, per="batch"), 0, "#e69f00"
    ),
    "in-batch": Proposal(lambda world, m: InBatch("all", counts=world.counts), 1, "#009e73"),
    "in-batch + uniform": Proposal(
        lambda world, m: Mixture(InBatch("all", counts=world.counts), Uniform(ITEMS, m // 2, per="batch")),
        0.5,
        "#d55e00",
    ),
}
CORRECTED, UNCORRECTED, ON_TARGETS = "log-q", "no correction", "log-q on targets too"
FORMS = {
    CORRECTED: Form(Chain(LogQ()), sampled_softmax),
    UNCORRECTED: Form(KeepAll(), sampled_softmax),
    ON_TARGETS: Form(LogQ(positives=True), sampled_softmax),
    "corrected log-q": Form(LogQ(without_masked=True), corrected_log_q),
}
LINES = [(proposal, form) for form in (CORRECTED, UNCORRECTED) for proposal in PROPOSALS] + [
    ("in-batch", ON_TARGETS),
    ("in-batch", "corrected log-q"),
]


@cache
def small_world() -> World:
    """The fixed world: random vectors, counts by Zipf's law, targets by their counts."""
    rng = torch.Generator().manual_seed(7)
    shares = 1 / torch.arange(1, ITEMS + 1).double()
    counts = torch.zeros(ITEMS + 1, dtype=torch.int64)
    counts[1 + torch.randperm(ITEMS, generator=rng)] = torch.round(10 * shares / shares[-1]).long()
    table_VD = torch.randn(ITEMS + 1, DIM, generator=rng)
    table_VD[0] = 0
    targets_Q = targets(counts, QUERIES, rng)
    states_QD = F.normalize(torch.randn(QUERIES, DIM, generator=rng), dim=1)
    states_QD = SPREAD * F.normalize(states_QD + LEAN * F.normalize(table_VD[targets_Q], dim=1), dim=1)
    return World(table_VD, states_QD, single(targets_Q), counts)


def targets(counts: Tensor, number: int, rng: torch.Generator) -> Tensor:
    """``number`` items, each by its count."""
    return torch.multinomial(counts.double(), number, replacement=True, generator=rng)


def single(targets_T: Tensor) -> Batch:
    """A batch of sequences of one position, with these targets; no target is its own negative."""
    targets_T1 = targets_T.unsqueeze(1)
    return padded_batch(torch.ones_like(targets_T1), targets_T1, catalogue_size=ITEMS, exclude="target")


def exact_gradient(world: World) -> Tensor:
    """Of full cross-entropy with respect to the table and the states, end to end."""
    table_VD, states_QD = _leaves(world)
    loss = F.cross_entropy(states_QD @ table_VD[1:].T, world.queries.targets_T - 1)
    return _flat(torch.autograd.grad(loss, (table_VD, states_QD)))


def mean_gradients(
    world: World, sampler: Sampler, form: Form, *, in_batch: int, repeats: int, rng: torch.Generator
) -> Tensor:
    """(GROUPS, P) of sampled softmax, each the mean over ``repeats / GROUPS`` draws.

    Negatives are drawn anew each time, where ``in_batch`` is not 0 from a new batch with so many targets; scored
    against the same queries.
    """
    leaves = table_VD, states_QD = _leaves(world)
    totals = torch.zeros(GROUPS, table_VD.numel() + states_QD.numel(), dtype=torch.float64)
    targets_Q = world.queries.targets_T
    # Queries are in no batch that is drawn from: nothing there is their own, and the law is that of the batch.
    pos_log_q_Q = sampler.log_prob(targets_Q, world.queries, per="batch")
    for repeat in range(repeats):
        source = single(targets(world.counts, in_batch, rng)) if in_batch else world.queries
        ids = sampler.draw(source, rng=rng).ids
        log_q = sampler.log_prob(ids, source, per="batch")
        proposed = Negatives(ids, log_q, pos_log_q_T=pos_log_q_Q, masked_T=pos_log_q_Q.exp())
        vectors_KD, targets_QD = table_VD.index_select(0, proposed.ids), table_VD.index_select(0, targets_Q)
        scored = score(
            states_QD,
            targets_QD,
            vectors_KD,
            proposed,
            world.queries,
            needs=form.miner.needs,
        )
        scored = form.miner(scored, rng=rng)
        totals[repeat % GROUPS] += _flat(torch.autograd.grad(form.loss(scored.pos_T, scored.neg_TK), leaves))
    return totals * (GROUPS / repeats)


def compared(means: Tensor, exact: Tensor) -> Measured:
    """The mean of ``means`` beside the exact gradient; the noise from how far they lie apart."""
    noise = (means.var(0).sum() / len(means)).sqrt()
    return Measured(float((means.mean(0) - exact).norm() / exact.norm()), float(noise / exact.norm()))


def measure(proposal: str, m: int, form: str, *, repeats: int, seed: int) -> Measured:
    """A proposal of ``m`` draws under a form of the correction, over ``repeats`` (a multiple of GROUPS)."""
    assert repeats % GROUPS == 0
    world, chosen = small_world(), PROPOSALS[proposal]
    rng = torch.Generator().manual_seed(seed)
    in_batch = int(m * chosen.in_batch)
    sampler = chosen.build(world, m)
    means = mean_gradients(world, sampler, FORMS[form], in_batch=in_batch, repeats=repeats, rng=rng)
    return compared(means, exact_gradient(world))


def relative_error(proposal: str, m: int, *, corrected: bool, repeats: int, seed: int) -> float:
    """Of the mean gradient, with the correction or without it."""
    return measure(proposal, m, CORRECTED if corrected else UNCORRECTED, repeats=repeats, seed=seed).error


def measured_lines() -> list[dict[str, Any]]:
    """A row for each line and ``m``."""
    rows = []
    for proposal, form in LINES:
        for m, repeats in REPEATS.items():
            error, noise = measure(proposal, m, form, repeats=repeats, seed=m)
            rows.append(
                {"proposal": proposal, "form": form, "m": m, "repeats": repeats, "error": error, "noise": noise}
            )
    return rows


def table_of(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line a row, ``m`` in columns, errors and noise in %."""
    cells = {(r["proposal"], r["form"], r["m"]): f"{100 * r['error']:.1f} ± {100 * r['noise']:.1f}" for r in rows}
    return "\n".join(
        [
            f"| proposal | scores | {' | '.join(f'm = {m:,}' for m in REPEATS)} |",
            f"|---|---|{'---|' * len(REPEATS)}",
            *(f"| {p} | {form} | {' | '.join(cells[p, form, m] for m in REPEATS)} |" for p, form in LINES),
        ]
    )


def chart_of(rows: list[dict[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    """Error against ``m``: a colour a proposal, solid with the correction, dashed without, dotted for Yi's form."""
    drawn = {CORRECTED: "log-q", UNCORRECTED: "no correction", ON_TARGETS: "log-q on targets too (Yi et al.)"}
    shown = [row | {"words": drawn[row["form"]]} for row in rows if row["form"] in drawn]
    colours = alt.Scale(domain=list(PROPOSALS), range=[each.colour for each in PROPOSALS.values()])
    dashes = alt.Scale(domain=list(drawn.values()), range=[[1, 0], [7, 4], [2, 3]])
    base = alt.Chart(alt.InlineData(values=shown)).encode(
        x=alt.X(
            "m:Q",
            title="negatives drawn, m",
            scale=alt.Scale(type="log", base=4, domain=[min(REPEATS), max(REPEATS)], nice=False),
            axis=alt.Axis(values=list(REPEATS), format=",d", labelFlush=False),
        ),
        y=alt.Y(
            "error:Q",
            title="distance of the mean gradient from the exact one",
            scale=alt.Scale(type="log", domain=[0.001, 1], nice=False),
            axis=alt.Axis(values=[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], format="~%"),
        ),
        color=alt.Color(
            "proposal:N", scale=colours, legend=alt.Legend(title="proposal", symbolType="stroke", symbolSize=500)
        ),
    )
    dash = alt.StrokeDash(
        "words:N", scale=dashes, legend=alt.Legend(title="scores", symbolType="stroke", symbolSize=500)
    )
    lines = base.mark_line(strokeWidth=2).encode(strokeDash=dash)
    points = base.mark_circle(size=36, opacity=1)
    limit = alt.Chart(alt.InlineData(values=[{"error": LIMIT}])).mark_rule(strokeWidth=1).encode(y="error:Q")
    return alt.layer(limit, lines, points).properties(
        width=520,
        height=340,
        title=alt.TitleParams(
            "With log-q, sampled softmax tends to the gradient of full cross-entropy",
            subtitle=[
                f"{ITEMS} items, skewed popularity; the rule is at {LIMIT:.0%}.",
                f"For uniform draws the missing log(m q) is 0 where m = {ITEMS}: hence the dip.",
            ],
            anchor="start",
        ),
    )


def main() -> None:
    """Measure, draw, write, print."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    rows = measured_lines()
    seconds = time.perf_counter() - began
    world = {"items": ITEMS, "dim": DIM, "queries": QUERIES, "spread": SPREAD, "lean": LEAN}
    RESULTS.parent.mkdir(exist_ok=True)
    found = {"machine": machine(), "world": world, "seconds": round(seconds), "rows": rows}
    logs = json.loads(RESULTS.read_text("utf-8")).get("logs", {}) if RESULTS.exists() else {}  # of benchmarks.partition
    RESULTS.write_text(json.dumps(found | {"logs": logs}, indent=1) + "\n")
    chart = chart_of(rows)
    chart.config = PAPER
    chart.save(str(IMAGE))
    print(f"Relative error of the mean gradient ± its noise, %. {seconds:.0f} s.\n\n{table_of(rows)}")


def _leaves(world: World) -> tuple[Tensor, Tensor]:
    return world.table_VD.clone().requires_grad_(), world.states_QD.clone().requires_grad_()


def _flat(gradients: Iterable[Tensor]) -> Tensor:
    return torch.cat([each.flatten() for each in gradients]).double()


if __name__ == "__main__":
    main()
