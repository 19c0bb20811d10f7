"""The memory that a run needs, in bytes, from its shapes alone: nothing of it is built."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch

from negsample.batches.epochs import steps_an_epoch
from negsample.batches.windows import training_windows
from negsample.evaluation.evaluate import ENCODE_BLOCK, QUERIES_AT_ONCE
from negsample.evaluation.ranks import ITEM_BLOCK, QUERY_BLOCK
from negsample.evaluation.seen import PAIRS
from negsample.losses import bpr_max
from negsample.methods import POPREC, Catalogue, Method, build_method
from negsample.miners import BatchMix, Chain, Hardest, OneOfHardest, Resample
from negsample.miners.base import Needs as MinerNeeds
from negsample.runs.job import Job
from negsample.samplers import InBatch, MemoryBank, Mixture, Sampler
from negsample.samplers.in_batch import MARKS
from negsample.scoring.dial import BETAS
from negsample.settings import TrainSettings
from negsample.training.score import BYTES_A_SCORE, LOOKED_UP, MERGED, MIB

PROCESS = 390_000_000
"""Bytes of a process that does nothing large: libraries, and what is left over as it works (measured)."""

_FLOAT, _ID = 4, 8
_SPREAD = 4  # standard deviations above the mean that a batch's positions are taken to reach
_PROBE = 1000  # items of the catalogue that a method is built for to see its shapes


class Needs(NamedTuple):
    """Bytes of one run, or of several that are trained together.

    Attributes:
        table: the item embeddings and what they learn by.
        rest: the rest of the model with its gradient and moments.
        step: activations, vectors and scores of the largest likely step.
        evaluation: states, ranks and blocks of scores of the larger of validation and test.
        kept: batches that are kept for later epochs.
        proposals: what is known of every item and user: counts, sums of weights, windows.
        peak: the most at any one time, without the process itself.
    """

    table: int
    rest: int
    step: int
    evaluation: int
    kept: int
    proposals: int
    peak: int

    def largest(self) -> str:
        """The part that takes most."""
        parts = self._asdict()
        return max((name for name in parts if name not in ("proposals", "peak")), key=lambda name: int(parts[name]))


def needs_of(job: Job, together: int = 1) -> Needs:
    """What ``job`` will need, or so many jobs that differ in their seeds alone.

    ``peak = proposals + rest + max(table + kept, 2 weights) + max(step, evaluation)``: when the weights of the best
    epoch are read back they are there twice, and what the steps took is not given back before. PopRec has no table.

    Raises:
        InputError: settings of the method do not go together.
    """
    data, settings = job.data, job.settings
    proposals = 40 * (data.catalogue_size + 1) + 100 * data.users
    evaluation = evaluation_bytes(job)
    if job.method == POPREC:
        return Needs(0, 0, 0, evaluation, 0, proposals, proposals + evaluation)
    sizes = positions_of(job)
    proposals += 50 * max(sizes.windows - data.users, 0)
    drawn = drawn_by(job, sizes.likely)
    weights, state = table_bytes(settings, data.catalogue_size)
    rest = together * rest_bytes(settings)
    table, step, kept = together * (weights + state), together * step_bytes(job, sizes, drawn), 0
    if settings.oversampling_factor is not None:
        kept = together * kept_bytes(settings, sizes, drawn)
    # What several of them know of items is shared between those of one process but for their sums of weights.
    peak = proposals + rest + max(table + kept, (together + 1) * weights) + max(step, evaluation)
    return Needs(table, rest, step, evaluation, kept, proposals, peak)


class Positions(NamedTuple):
    """Of a batch: ``likely`` at most, ``typical``; ``longest``: of one sequence; ``history``: events of the users of
    the likely batch; ``sequences``: B; ``windows`` and ``steps``: sequences and batches an epoch."""

    likely: int
    typical: int
    longest: int
    history: int
    sequences: int
    windows: int
    steps: int


def positions_of(job: Job) -> Positions:
    """How large the batches of ``job`` are.

    The most is the sum of the B longest sequences (with ``with_replacement``, B times the longest). Hardly one comes
    near
    it: the likely most is ``B mean + 4 sqrt(B) sd``, where that is less.
    """
    data, settings = job.data, job.settings
    offsets, ends = np.asarray(data.offsets), np.asarray(data.train_ends)
    windows = training_windows(offsets, ends, settings.max_length, settings.windows)
    lengths = windows.stops - windows.starts - 1
    if not len(lengths):
        return Positions(0, 0, 0, 0, 0, 0, 0)
    events = ends[windows.users] - offsets[windows.users]
    b = min(settings.batch_size, len(lengths)) if not settings.with_replacement else settings.batch_size
    return Positions(
        likely=_likely(lengths, b),
        typical=round(b * float(lengths.mean())),
        longest=int(lengths.max()),
        history=_likely(events, b),
        sequences=b,
        windows=len(lengths),
        steps=steps_an_epoch(
            len(lengths), int((ends - offsets[:-1] < 2).sum()), settings.batch_size, settings.with_replacement
        ),
    )


def _likely(sizes: np.ndarray, b: int) -> int:
    most = int(np.partition(sizes, len(sizes) - b)[len(sizes) - b :].sum()) if b <= len(sizes) else b * int(sizes.max())
    return min(most, math.ceil(b * float(sizes.mean()) + _SPREAD * math.sqrt(b) * float(sizes.std())))


class Drawn(NamedTuple):
    """Negatives of a method: ``k`` for each ``per``; ``merged``: never all scored at once; what its selector needs;
    bytes that a score takes at the peak, its gradient and what its loss keeps included; ``owned``: some are targets of
    users, so that ``log_q`` of shared ones differs by sequence; ``made``: bytes a position of scores that its selector
    makes of the proposed."""

    k: int
    per: Literal["batch", "sequence", "position"]
    merged: bool
    needs: MinerNeeds
    a_score: int
    owned: bool
    made: int

    def ids(self, positions: int, sequences: int) -> int:
        """Of a batch."""
        return self.k * self.rows(positions, sequences)

    def rows(self, positions: int, sequences: int) -> int:
        """Of draws."""
        return {"batch": 1, "sequence": sequences, "position": positions}[self.per]

    def log_qs(self, positions: int, sequences: int) -> int:
        """Of a batch, and whose each is."""
        if "log_q" not in self.needs:
            return 0
        return self.k * (sequences + 1) if self.owned and self.per == "batch" else self.ids(positions, sequences)


def drawn_by(job: Job, positions: int) -> Drawn:
    """What the method of ``job`` draws for a batch of so many positions.

    The method is built for a catalogue of a thousand items with head, mid and tail, which costs no memory: how many
    it draws and for whom does not depend on V. All but full cross-entropy, whose K is V.

    Raises:
        InputError: its settings do not go together.
    """
    counts = torch.arange(_PROBE, -1, -1)
    counts[0] = 0
    method = build_method(job.method, Catalogue(_PROBE, counts, counts), job.negatives)
    k = job.data.catalogue_size if method.merged else _k(method, positions)
    owned = any(isinstance(part, InBatch | MemoryBank) for part in _parts(method))
    a_score = _a_score(method, owned)
    return Drawn(k, method.sampler.per, method.merged, method.miner.needs, a_score, owned, _made(method))


def _parts(method: Method) -> list[Sampler]:
    return method.sampler.parts if isinstance(method.sampler, Mixture) else [method.sampler]


def _a_score(method: Method, owned: bool) -> int:
    """Measured. What is left out before the loss costs it nothing."""
    if isinstance(method.miner, Hardest | OneOfHardest):
        return 10
    extra = sum(size for name, size in (("log_q", 10 if owned else 6), ("ids", 16)) if name in method.miner.needs)
    loss = getattr(method.loss, "func", method.loss)
    return BYTES_A_SCORE + extra + (35 if loss is bpr_max else 0)


def _made(method: Method) -> int:
    """20 bytes a mixture of two, 48 one drawn again."""
    steps = method.miner.steps if isinstance(method.miner, Chain) else [method.miner]
    mixed = sum(each.n for each in steps if isinstance(each, BatchMix))
    return 20 * mixed + 48 * sum(each.k for each in steps if isinstance(each, Resample))


def _k(method: Method, positions: int) -> int:
    sizes = (part.size if isinstance(part, MemoryBank) else part.k for part in _parts(method))
    return sum(positions if size == "all" else int(size) for size in sizes)


def table_bytes(settings: TrainSettings, items: int) -> tuple[int, int]:
    """Weights of the item table, and what is kept of them to learn: ``(V + 1) D`` values.

    Weights: 4 bytes a value, 2 in bfloat16. Dense: a gradient and two moments, 12 bytes a value. Rows by Adam: two
    moments, 8 bytes a value, and 4 a row; by Adagrad 4 a row.
    """
    values = (items + 1) * settings.dim
    if settings.table_at(items) == "dense":
        return _FLOAT * values, 3 * _FLOAT * values
    weights = (2 if settings.table_dtype == "bfloat16" else _FLOAT) * values
    return weights, 4 * (items + 1) + (2 * _FLOAT * values if settings.table_optimizer == "adam" else 0)


def rest_bytes(settings: TrainSettings) -> int:
    """All of the model but its table, 16 bytes a value (itself, gradient, two moments).

    SASRec: ``L D`` slots, ``5 D (D + 1) + 4 D`` a block, ``2 D`` of the last norm. GRU4Rec: ``6 D (D + 1)`` a layer.
    """
    d, blocks = settings.dim, settings.blocks
    if settings.model == "gru4rec":
        return 4 * _FLOAT * blocks * 6 * d * (d + 1)
    return 4 * _FLOAT * (settings.max_length * d + blocks * (5 * d * (d + 1) + 4 * d) + 2 * d)


def activation_bytes(settings: TrainSettings, positions: int, longest: int) -> int:
    """What the backbone keeps for the gradient of T positions.

    ``4 T D`` values of what goes in and out; a block of SASRec keeps ``20 T D``, and of attention in bins as wide as
    the longest sequence W (at least 32) ``4 heads T W``; a layer of GRU4Rec ``18 T D``.
    """
    d, blocks = settings.dim, settings.blocks
    if settings.model == "gru4rec":
        return _FLOAT * positions * d * (4 + 18 * blocks)
    width = max(longest, 32)
    return _FLOAT * positions * (d * (4 + 20 * blocks) + 4 * settings.heads * width * blocks)


def step_bytes(job: Job, sizes: Positions, drawn: Drawn) -> int:
    """The most that a step takes beside the table, the model and their state.

    Of R = 2 T + ids looked-up rows, n distinct (at most V): to draw, 64 bytes an id, and for targets
    of the batch 16 for each row and target up to 4 million; to look up a table of rows,
    48 bytes an id and 6 n D values; then, until the gradient is there, 16 bytes an id, the activations, the vectors
    and their gradients, of a table of rows 4 n D values more, and the scores. Vectors: 4 R D values; of negatives for
    each position no more than 8 million twice. Scores above ``score_memory`` are computed in parts: then vectors are
    there for one part, and 3 n D values for all. Full cross-entropy holds scores of 4,096 items, five times, and
    3 R D. Of what drawing took half is still there (measured).
    """
    settings, v, d = job.settings, job.data.catalogue_size, job.settings.dim
    t, ids = sizes.likely, drawn.ids(sizes.likely, sizes.sequences)
    looked_up = 2 * t + ids
    rows = settings.table_at(v) == "rows"
    distinct = min(looked_up, v)
    own = drawn.per == "position"
    at_once = settings.score_memory * MIB // BYTES_A_SCORE
    parts = t * drawn.k > at_once and not drawn.merged
    if drawn.merged:
        scores = 5 * _FLOAT * t * min(drawn.k, MERGED)
        vectors = 3 * looked_up * d
    else:
        scored = t if settings.padding == "omit" else sizes.sequences * settings.max_length
        scores = drawn.a_score * min(scored * drawn.k, at_once)
        scores += drawn.made * min(scored, max(at_once // max(drawn.k, 1), sizes.longest))
        vectors = (3 * distinct if parts else 8 * t) * d
        vectors += 2 * min(ids * d, LOOKED_UP) if own else 0 if parts else 4 * ids * d
    marks = 2 * _ID * min(MARKS, drawn.rows(t, sizes.sequences) * t) if drawn.owned and drawn.per != "batch" else 0
    draw = marks + 64 * ids + (5 if settings.windows == "last" else 8) * _ID * sizes.history
    look_up = (48 * looked_up if rows or parts else 0) + (6 * _FLOAT * distinct * d if rows else 0)
    learn = 2 * _ID * looked_up + _FLOAT * (vectors + (4 * distinct * d if rows else 0)) + scores
    return max(draw, look_up, learn + activation_bytes(settings, t, sizes.longest) + draw // 2)


def evaluation_bytes(job: Job) -> int:
    """The larger of validation and test: Q queries of which E events ask.

    Of 16,384 queries at once: states twice, ``2 D`` values a query, and with ``filter_seen`` 72 bytes an event of their
    users' histories (once, however many queries a user has), and 42 for each of 278,528 pairs of a query and an item
    that is left out, or as many as there are for 128 queries. Of all, at each setting of the dial: 40 bytes an event
    and 170 a query (its first items), and once 60 and 130 more. Blocks of 128 queries by 16,384 items, 7 of them and 3
    D rows; before them histories are encoded, 256 at a time.
    """
    settings = job.settings
    dials, most = 1 if job.method == POPREC else len(BETAS) + 1, 0
    width = min(ITEM_BLOCK, job.data.catalogue_size)
    blocks = _FLOAT * width * (7 * QUERY_BLOCK + 3 * settings.dim)
    for asked in asked_of(job):
        at_once, seen = min(QUERIES_AT_ONCE, asked.queries), 0
        if settings.filter_seen:
            seen = 72 * max(asked.seen * at_once // max(asked.queries, 1), asked.longest)
            seen += 42 * min(PAIRS + width, QUERY_BLOCK * min(width, asked.longest))
        of_all = (60 + 40 * dials) * asked.events + (130 + 170 * dials) * asked.queries
        encoded = encoding_bytes(settings, min(ENCODE_BLOCK, asked.queries), min(asked.longest, settings.max_length))
        most = max(most, 2 * _FLOAT * at_once * settings.dim + of_all + max(encoded, blocks + seen))
    return most


def encoding_bytes(settings: TrainSettings, histories: int, longest: int) -> int:
    """What encoding so many histories takes where no gradient is kept, all being as long as the longest.

    A position has 50 bytes of places, and of SASRec ``12 D`` values and in attention's bins, W wide (at least 32),
    ``(2 heads + 1) W``; of GRU4Rec ``8 D`` (measured).
    """
    a_position = 8 * settings.dim
    if settings.model == "sasrec":
        a_position = 12 * settings.dim + (2 * settings.heads + 1) * max(longest, 32)
    return histories * longest * (50 + _FLOAT * a_position)


class Asked(NamedTuple):
    """Of validation or test: events that are ranked, for how many queries; events of their users' histories, and of the
    longest of these."""

    queries: int
    events: int
    seen: int
    longest: int


def asked_of(job: Job) -> list[Asked]:
    """Of validation and of test."""
    data = job.data
    first, train, valid = (np.asarray(each) for each in (data.offsets[:-1], data.train_ends, data.valid_ends))
    found = []
    for begin, end in ((train, valid), (valid, np.asarray(data.offsets[1:]))):
        asked = (end > begin) & (begin > first)
        events, frozen = int((end - begin)[asked].sum()), job.settings.history == "frozen"
        histories = ((begin if frozen else end) - first)[asked]
        queries = int(asked.sum()) if frozen else events
        found.append(Asked(queries, events, int(histories.sum()), int(histories.max(initial=0))))
    return found


def kept_bytes(settings: TrainSettings, sizes: Positions, drawn: Drawn) -> int:
    """Steps kept by ``oversampling_factor``: where windows end, 8 bytes each, and ids of negatives, 4 bytes each (and 4
    of each ``log_q``), of a typical batch, times steps, times the epochs that are kept; and half as much again, for the
    epoch that is not laid together yet."""
    ids = drawn.ids(sizes.typical, sizes.sequences)
    a_batch = _FLOAT * (2 * sizes.sequences + ids + drawn.log_qs(sizes.typical, sizes.sequences))
    a_batch += _FLOAT * sizes.typical if drawn.needs & {"pos_log_q", "masked"} else 0
    return 3 * a_batch * sizes.steps * min(settings.oversampling_factor or 0, settings.epochs) // 2
