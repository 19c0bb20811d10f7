"""What families share: the form of an entry, and parts made from the catalogue ``c`` and the settings ``n``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from negsample.losses import sampled_softmax
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.miners import Chain, LogQ, Temperature
from negsample.samplers import InBatch, Mixture, Popularity, Recent, Uniform
from negsample.settings import Settings


def entry(
    settings: type[Settings],
    build: Callable[[Catalogue, Any], Method],
    *,
    parts: tuple[str, str, str],
    source: tuple[str, int],
    formula: str,
    take: str,
    serves: str,
    as_of_a_time: bool = False,
) -> MethodDefinition[Any]:
    """A method of ours, all of it said. ``parts``: sampler, miner and loss; ``source``: the paper and its year."""
    return MethodDefinition(settings, build, *parts, *source, formula, take, serves, as_of_a_time)


def uniform(c: Catalogue, n: Any) -> Uniform:
    """Uniform over the catalogue."""
    return Uniform(c.items, n.random_negatives, per=n.draws_per)


def popularity(c: Catalogue, n: Any) -> Popularity:
    """By a power of the train count."""
    return Popularity(c.counts, n.popularity_negatives, exponent=n.popularity_exponent, per=n.draws_per)


def recent(c: Catalogue, n: Any) -> Recent:
    """By popularity with a half-life, as of the time of the target."""
    known = c.known() if c.known else None
    events = int((c.events.ends - c.events.offsets[:-1]).sum())
    return Recent(known, events, n.recent_negatives, half_life=n.half_life, per=n.draws_per)


def in_batch(c: Catalogue, n: Any) -> InBatch:
    """Targets of the batch; a ``ValueError`` where all of them would be for each sequence or position."""
    if n.in_batch_negatives == "all" and n.draws_per != "batch":
        raise ValueError(
            f"in_batch_negatives=all are shared by the batch, got draws_per={n.draws_per}, which would do nothing; "
            "set draws_per=batch too, or give a number of in_batch_negatives"
        )
    return InBatch(n.in_batch_negatives, counts=c.target_counts, per=n.draws_per)


def mixed(c: Catalogue, n: Any) -> Mixture:
    """Targets of the batch and uniform draws."""
    return Mixture(in_batch(c, n), uniform(c, n))


def corrected(n: Any, *, positives: bool = False, without_masked: bool = False) -> Chain:
    """Scores divided by the temperature, then the log-q correction."""
    return Chain(Temperature(n.temperature), LogQ(n.log_q_strength, positives=positives, without_masked=without_masked))


def softmax(n: Any) -> Callable[..., Tensor]:
    """Sampled softmax of scores divided by the temperature."""
    return partial(sampled_softmax, temperature=n.temperature)
