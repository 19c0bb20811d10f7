"""The large parts of a run's memory, from its shapes alone: nothing is built. The rest of it is measured (trial.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from negsample.batches.epochs import steps_an_epoch
from negsample.batches.windows import targets_of, training_windows
from negsample.data.moments import TrainWindow, counting_cuts
from negsample.evaluation.cells import ITEMS
from negsample.evaluation.fit_terms import QUERIES
from negsample.methods import Catalogue, build_method
from negsample.miners.base import Needs as MinerNeeds
from negsample.models.baselines import is_baseline
from negsample.models.terms import AFTER
from negsample.parallel.arithmetic import share_of_table
from negsample.rules.item_knn import PAIRS
from negsample.rules.nearest import KEPT, NEAREST
from negsample.runs.job import Job
from negsample.samplers.base import Per
from negsample.scoring.lately import CUTS, MEMORY, bytes_of_a_cut
from negsample.settings import RunSettings, laid_out
from negsample.training.products import LOOKED_UP, MERGED
from negsample.training.score import BYTES_A_SCORE, MIB

PROCESS = 390_000_000
"""Bytes of a process that does nothing large: the libraries."""

_FLOAT, _ID = 4, 8
_SPREAD = 4  # standard deviations above the mean that a batch's positions are taken to reach
_PROBE = 1000  # items of the catalogue that a method is built for to see its shapes


class Needs(NamedTuple):
    """Bytes of one run, or of several that are trained together, without the process itself.

    Attributes:
        table: the item embeddings, their gradient and the optimizer's state.
        rest: the rest of the model, likewise.
        step: activations, vectors and scores of a large step.
        kept: batches that are kept for later epochs.
        terms: what is known of items at times, of neighbours, and while weights of terms are fitted.
        square: a matrix of all items, of EASE.
    """

    table: int
    rest: int
    step: int
    kept: int
    terms: int = 0
    square: int = 0

    @property
    def peak(self) -> int:
        """All of it."""
        return sum(self)

    def largest(self) -> str:
        """The part that takes most."""
        return max(self._fields, key=lambda name: int(getattr(self, name)))


def needs_of(job: Job, together: int = 1, processes: int = 1) -> Needs:
    """What ``job`` will need, or so many jobs that differ in their seeds alone. A baseline trains nothing; EASE has
    a square matrix. ``processes``: over so many the table and the batches are divided, and this is what the largest of
    them needs.

    Raises:
        InputError: settings of the method do not go together.
    """
    if is_baseline(job.method):
        square = job.data.catalogue_size**2 if job.method == "EASE" else 0
        return Needs(0, 0, 0, 0, fit_bytes(job), _FLOAT * square)
    whole = positions_of(job)
    drawn, sizes = drawn_by(job, whole.likely), whole.share(processes)
    model, d, blocks = job.settings.model, job.settings.model.dim, job.settings.flat().get("blocks", 0)
    items = job.data.catalogue_size
    table, rest, step, kept = (
        together * each
        for each in (
            math.ceil(table_bytes(job.settings, items) * share_of_table(items + 1, processes)),
            4 * _FLOAT * d * (model.max_length + blocks * (5 * d + 9) + 2),
            step_bytes(job, sizes, drawn),
            _kept_bytes(job.settings, sizes, drawn),
        )
    )
    return Needs(table, rest, step, kept, fit_bytes(job) + _lately_bytes(job, model.terms))


class Positions(NamedTuple):
    """Positions of a batch: ``likely`` at most, ``typical``, ``longest`` of one sequence. ``sequences``: B. ``steps``:
    batches an epoch."""

    likely: int
    typical: int
    longest: int
    sequences: int
    steps: int

    def share(self, processes: int) -> Positions:
        """Those of one of so many processes, over which batches are divided; where it has most."""
        likely, typical, sequences = (-(-each // processes) for each in (self.likely, self.typical, self.sequences))
        return self._replace(likely=likely, typical=typical, sequences=sequences)


def positions_of(job: Job) -> Positions:
    """How large the batches of ``job`` are.

    The most is the sum of the B longest sequences (with ``with_replacement``, B times the longest). Hardly one comes
    near it: the likely most is ``B mean + 4 sqrt(B) sd``, where that is less.
    """
    data, settings = job.data, job.settings
    cuts = counting_cuts(settings.training.targets)
    within = TrainWindow.of(data, settings.training.train_window)
    windows = training_windows(data, settings.model.max_length, settings.training.windows, cuts, within)
    first, last = targets_of(data, windows, cuts, within)
    lengths = np.maximum(windows.stops - windows.starts, last - first)
    if not len(lengths):
        return Positions(0, 0, 0, 0, 0)
    b = (
        settings.training.batch_size
        if settings.training.with_replacement
        else min(settings.training.batch_size, len(lengths))
    )
    most = int(np.sort(lengths)[-b:].sum()) if b <= len(lengths) else b * int(lengths.max())
    likely = math.ceil(b * float(lengths.mean()) + _SPREAD * math.sqrt(b) * float(lengths.std()))
    untrained = data.users - len(np.unique(windows.users))
    return Positions(
        likely=min(most, likely),
        typical=round(b * float(lengths.mean())),
        longest=int(lengths.max()),
        sequences=b,
        steps=steps_an_epoch(len(lengths), untrained, settings.training.batch_size, settings.training.with_replacement),
    )


class Drawn(NamedTuple):
    """Negatives of a method: ``k`` for each ``per``; ``merged``: never all scored at once; ``needs`` of its miner;
    ``added``: scores a position that its miner makes of the proposed ones."""

    k: int
    per: Per
    merged: bool
    needs: MinerNeeds
    added: int

    def ids(self, positions: int, sequences: int) -> int:
        """Of a batch."""
        return self.k * {"batch": 1, "sequence": sequences, "position": positions}[self.per]


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
    parts = getattr(method.sampler, "parts", [method.sampler])
    sizes = [getattr(part, "most", part.k) for part in parts]
    k = job.data.catalogue_size if method.merged else sum(positions if size == "all" else size for size in sizes)
    return Drawn(k, method.sampler.per, method.merged, method.miner.needs, getattr(method.miner, "adds", 0))


def table_bytes(settings: RunSettings, items: int) -> int:
    """The item table, ``(V + 1) D`` values, and its optimizer state.

    Dense: 16 bytes a value (itself, a gradient, two moments). Rows: 4 bytes a value, or 2 in bfloat16; by Adam two
    moments more, 8 bytes a value, and 4 a row; by Adagrad 4 a row.
    """
    values = (items + 1) * settings.model.dim
    if settings.table(items) == "dense":
        return 4 * _FLOAT * values
    moments = 2 * _FLOAT * values if settings.training.table_optimizer == "adam" else 0
    return (2 if settings.model.table_dtype == "bfloat16" else _FLOAT) * values + moments + _FLOAT * (items + 1)


def step_bytes(job: Job, sizes: Positions, drawn: Drawn) -> int:
    """What a large step takes beside the model: activations, vectors with their gradients, scores and draws.

    Activations of T positions: ``T D (4 + 20 blocks)`` values, and attention's ``4 heads T W`` a block, W the longest
    sequence. Scores above ``score_memory`` are computed in parts, vectors for each position 8 million numbers at a
    time, and full cross-entropy holds 4,096 columns, five times.
    """
    settings, t, d = job.settings, sizes.likely, job.settings.model.dim
    ids = drawn.ids(t, sizes.sequences)
    at_once = settings.machine.score_memory * MIB // BYTES_A_SCORE
    if drawn.merged:
        scores, vectors = 5 * _FLOAT * t * min(drawn.k, MERGED), 3 * (2 * t + ids) * d
    else:
        scored = t if settings.training.padding == "omit" else sizes.sequences * settings.model.max_length
        positions = min(scored, max(at_once // max(drawn.k, 1), sizes.longest))
        scores = BYTES_A_SCORE * positions * (drawn.k + drawn.added)
        vectors = 8 * t * d + (2 * min(ids * d, LOOKED_UP) if drawn.per == "position" else 4 * ids * d)
        if scored > positions:
            vectors = 3 * min(2 * t + ids, job.data.catalogue_size) * d
    blocks, heads = (int(settings.flat().get(name, 0)) for name in ("blocks", "heads"))  # where a backbone has them
    activations = t * (d * (4 + 20 * blocks) + 4 * heads * max(sizes.longest, 32) * blocks)
    return 2 * _ID * (2 * t + 3 * ids) + _FLOAT * (vectors + activations) + scores


def _kept_bytes(settings: RunSettings, sizes: Positions, drawn: Drawn) -> int:
    """Batches kept by ``oversampling_factor``: ids of windows and negatives (and ``log_q``), and half as much again,
    for the epoch that is not laid together yet."""
    epochs = min(settings.training.oversampling_factor or 0, settings.training.epochs)
    ids = drawn.ids(sizes.typical, sizes.sequences) * (2 if "log_q" in drawn.needs else 1)
    return 3 * _FLOAT * (2 * sizes.sequences + ids) * sizes.steps * epochs // 2


def _lately_bytes(job: Job, names: Sequence[str]) -> int:
    """The features of all items as of some times, which runs share."""
    if not (laid := laid_out([each for each in names if each != "neighbours"])):
        return 0
    of_a_cut = bytes_of_a_cut(job.data, laid)
    return min(CUTS, max(MEMORY // of_a_cut, 1)) * of_a_cut


def fit_bytes(job: Job) -> int:
    """Of runs whose weights of terms are fitted, one after another: similarities and neighbours at most, features of
    items, and three times the scores of the queries that they are fitted to."""
    if job.method != "Terms" and not job.fits_terms:
        return 0
    users, rolling = job.data.users, job.settings.evaluation.history == "rolling"
    queries = min(QUERIES, len(job.data.items) if rolling else users)
    cuts = _lately_bytes(job, AFTER) if rolling else bytes_of_a_cut(job.data, laid_out(AFTER[:-1]))
    near, items = _ID + _FLOAT, job.data.catalogue_size
    pairs = near * min(PAIRS, items**2) + 2 * min(KEPT, near * NEAREST * users)
    return pairs + cuts + 3 * _FLOAT * queries * min(ITEMS, items)
