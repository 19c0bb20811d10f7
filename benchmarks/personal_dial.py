"""`python -m benchmarks.personal_dial STUDY...`: does a popularity dial of each user's own pay beyond one for all?

The plain dial ranks by ``s(u, i) + b0 log p(i)``, the personal one by ``s(u, i) + (b0 + b1 z_u) log p(i)``: ``z_u`` is
how popular the user's history is, so who likes niche items gets more of them. Both are fitted on validation, by
NDCG@10, for each run of a study, and measured on test. Writes `benchmarks/results/personal-dial.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.common import RESULTS, of_machine
from negsample import RunSettings, run_settings
from negsample.analysis.resampling import REPLICATES, draws, groups_of, interval, sums_of
from negsample.batches.windows import Ints
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset, open_dataset
from negsample.data.popularity import COHORTS
from negsample.evaluation.encode import Model, encode
from negsample.evaluation.figures import balances
from negsample.evaluation.metrics import hit, ndcg
from negsample.evaluation.queries import Queries, queries
from negsample.evaluation.ranks import RankedItems, Ranking, rank
from negsample.evaluation.seen import Seen
from negsample.files.folders import write_json
from negsample.methods import catalogue_of
from negsample.random import resampling
from negsample.runs.folder import Run, read_run
from negsample.runs.job import Job, build_model
from negsample.runs.machine import machine
from negsample.scoring.dial import BETAS, log_shares

Floats = NDArray[np.float64]
Part = Literal["valid", "test"]
Difference = Mapping[str, float] | None
"""``mean``, ``low`` and ``high``; None where it is undefined."""

K = 10
METHODS = ("random", "adaptive-mixed", "mixed-log-q")
SLOPES = (-0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5)
FIGURES = ("ndcg@10", "hr@10", "balance@10")
NAMES = ("NDCG@10", "HR@10", "Balance@10")
DIFFERENT = (*FIGURES, "ndcg@10 at equal balance")
_CPU = torch.device("cpu")


class Setting(NamedTuple):
    """``beta_u = level + slope z_u``; without slope it is the plain dial."""

    level: float
    slope: float = 0.0


PLAIN = tuple(Setting(level) for level in BETAS)
PERSONAL = tuple(Setting(level, slope) for level in BETAS for slope in SLOPES)
PROTOTYPE = (Setting(0.5), Setting(0.5, 0.3))
"""The settings of the prototype, which were not fitted."""


class WithPopularity(NamedTuple):
    """A table whose items have ``log p`` as one more coordinate: the states' own is what it counts."""

    table: RankedItems
    log_p_V: Tensor

    @property
    def items(self) -> int:
        """V."""
        return self.table.items

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """Rows of ids."""
        rows = self.table.lookup(*ids)
        return [_with_column(row, self.log_p_V[each]) for row, each in zip(rows, ids, strict=True)]

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of a stretch of ids."""
        return _with_column(self.table.block(start, stop), self.log_p_V[start:stop])


def _with_column(rows: Tensor, column: Tensor) -> Tensor:
    return torch.cat([rows, column.to(rows.dtype).unsqueeze(-1)], dim=-1)


class Cut(NamedTuple):
    """What is asked at a cut and what the histories before it (Q, whole) are like.

    ``known``: (query, item) of all events of the histories. ``taste_Q``: their mean ``log p``; ``z_Q``: the same,
    standardised. ``cohorts_QC``: their shares of the cohorts.
    """

    asked: Queries
    known: tuple[Ints, Ints]
    taste_Q: Floats
    z_Q: Floats
    cohorts_QC: Floats


def cut(data: Dataset, part: Part, log_p_V: Floats, settings: RunSettings) -> Cut:
    """The queries of ``part`` and what may be known of their users."""
    asked = queries(data, part, history=settings.evaluation.history, max_length=settings.model.max_length)
    starts = np.asarray(data.offsets[:-1])[asked.windows.users]
    lengths = asked.known_until - starts
    query = np.repeat(np.arange(len(starts)), lengths)
    items = data.items[spans(starts, lengths)].astype(np.int64)
    taste_Q = np.bincount(query, log_p_V[items], len(starts)) / lengths
    counts_CQ = [np.bincount(query, data.cohorts[items] == number, len(starts)) for number in range(len(COHORTS))]
    return Cut(asked, (query, items), taste_Q, standardised(taste_Q), np.stack(counts_CQ, 1) / lengths[:, None])


def standardised(values: Floats) -> Floats:
    """With mean 0 and variance 1; all 0 where all are equal."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)


def ranks_at(
    states_QD: Tensor,
    table: RankedItems,
    log_p_V: Tensor,
    at: Cut,
    setting: Setting,
    *,
    top_k: int = 0,
    filter_seen: bool = False,
) -> Ranking:
    """Ranks by ``s(u, i) + (level + slope z_u) log p(i)``."""
    beta_Q = torch.from_numpy(setting.level + setting.slope * at.z_Q)
    (found,) = rank(
        _with_column(states_QD, beta_Q),
        WithPopularity(table, log_p_V),
        at.asked.query_E,
        at.asked.targets_E,
        top_k=top_k,
        seen=Seen.of_pairs(*at.known, queries=len(states_QD), items=table.items) if filter_seen else None,
    )
    return found


def best(ndcg_of: Mapping[Setting, float], among: Sequence[Setting]) -> Setting:
    """The one with the highest NDCG; of equals that with the smallest slope, then level."""
    return max(among, key=lambda each: (ndcg_of[each], -abs(each.slope), -abs(each.level)))


def divergence(left_QC: Floats, right_QC: Floats) -> Floats:
    """(Q,) Jensen-Shannon divergence of distributions, in bits: from 0 to 1."""
    middle_QC = np.where(left_QC + right_QC > 0, (left_QC + right_QC) / 2, 1)
    terms = [each * np.log2(np.where(each > 0, each / middle_QC, 1)) for each in (left_QC, right_QC)]
    return np.asarray(np.mean(terms, axis=0).sum(1))


def shown_against_history(top_QK: Ints, at: Cut, log_p_V: Floats, cohort_V: NDArray[np.int8]) -> Floats:
    """(2, Q) popularity lift, mean ``log p`` of what is shown less that of the history, and divergence of cohorts."""
    shown_QK = top_QK > 0
    number_Q = np.maximum(shown_QK.sum(1), 1)
    lift_Q = np.where(shown_QK, log_p_V[top_QK], 0).sum(1) / number_Q - at.taste_Q
    of_top = [(cohort_V[top_QK] == number).sum(1) / number_Q for number in range(len(COHORTS))]
    return np.stack([lift_Q, divergence(at.cohorts_QC, np.stack(of_top, 1))])


class Resamples:
    """The figures of ranks, and of R resamples of their users: in row 0 all users once, then the resamples."""

    def __init__(self, at: Cut, cohort_V: NDArray[np.int8], name: str) -> None:
        self._group_Q = groups_of(np.unique(at.asked.windows.users, return_inverse=True)[1])
        self._group_E = self._group_Q[at.asked.query_E]
        self._groups = int(self._group_Q.max()) + 1
        drawn_RN = draws(self._groups, REPLICATES, resampling(name))
        self._weights_RN = np.concatenate([np.ones((1, self._groups)), drawn_RN])
        target_E = cohort_V[at.asked.targets_E]
        self._cohort_CE = np.stack([target_E == number for number in range(len(COHORTS))]).astype(np.float64)
        self._events_RC = self._sums(self._cohort_CE, self._group_E)

    def _sums(self, values: Floats, group: Ints) -> Floats:
        return self._weights_RN @ sums_of(values, group, self._groups)

    def means(self, values_FQ: Floats) -> Floats:
        """(1 + R, F) of numbers of each query."""
        sums = self._sums(np.concatenate([values_FQ, np.ones_like(values_FQ[:1])]), self._group_Q)
        return np.asarray(sums[:, :-1] / sums[:, -1:])

    def figures(self, ranks_E: Floats) -> Floats:
        """(1 + R, F) the :data:`FIGURES`."""
        values_FE = np.concatenate([self._cohort_CE * hit(ranks_E, K), ndcg(ranks_E, K)[None]])
        sums = self._sums(values_FE, self._group_E)
        hits_RC, events_R = sums[:, :-1], self._events_RC.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            balance_R = balances(hits_RC / self._events_RC)
        return np.stack([sums[:, -1] / events_R, hits_RC.sum(1) / events_R, balance_R], axis=1)


class Measured(NamedTuple):
    """A run: what was chosen on validation from the NDCG ``fit``, the resampled figures, and lift and divergence."""

    seed: int
    plain: Setting
    personal: Setting
    fit: dict[Setting, float]
    valid: dict[Setting, Floats]
    test: dict[Setting, Floats]
    shown: dict[Setting, Floats]


class World:
    """What the runs of one dataset share."""

    def __init__(self, data: Dataset, settings: RunSettings, name: str) -> None:
        self.data, self.settings = data, settings
        self.log_p_V = log_shares(catalogue_of(data, settings.model.max_length).target_counts)
        self.valid, self.test = (cut(data, part, self.log_p_V.numpy(), settings) for part in ("valid", "test"))
        self.of_valid = Resamples(self.valid, data.cohorts, f"{name}/valid")
        self.of_test = Resamples(self.test, data.cohorts, f"{name}/test")

    def measured(self, run: Run) -> Measured:
        """Fit both dials on validation, measure them on test."""
        job = Job(self.data, run.config["method"], run.config["seed"], self.settings, run.config["negatives"])
        model = build_model(job, _CPU)
        model.load_state_dict(load_file(run.folder / "model.safetensors"))
        on_valid = {each: found.ranks_E for each, found in self._ranked(model, self.valid, PERSONAL).items()}
        ndcg_of = {each: float(ndcg(ranks_E, K).mean()) for each, ranks_E in on_valid.items()}
        plain, personal = best(ndcg_of, PLAIN), best(ndcg_of, PERSONAL)
        on_test = self._ranked(model, self.test, sorted({*PLAIN, personal, *PROTOTYPE}), top_k=K)
        return Measured(
            job.seed,
            plain,
            personal,
            ndcg_of,
            {each: self.of_valid.figures(on_valid[each]) for each in sorted({*PLAIN, personal, *PROTOTYPE})},
            {each: self.of_test.figures(found.ranks_E) for each, found in on_test.items()},
            {each: self._shown(found) for each, found in on_test.items()},
        )

    def _ranked(self, model: Model, at: Cut, asked: Sequence[Setting], *, top_k: int = 0) -> dict[Setting, Ranking]:
        states_QD = encode(model, self.data.items, at.asked.windows, device=_CPU)
        filter_seen = self.settings.evaluation.filter_seen
        return {
            each: ranks_at(states_QD, model.table, self.log_p_V, at, each, top_k=top_k, filter_seen=filter_seen)
            for each in asked
        }

    def _shown(self, found: Ranking) -> Floats:
        assert found.top_QK is not None
        shown = shown_against_history(found.top_QK, self.test, self.log_p_V.numpy(), self.data.cohorts)
        return self.of_test.means(shown)


def highest_at(x_R: Floats, x_RG: Floats, y_RG: Floats) -> Floats:
    """(R,) y that each row's curve, straight between its settings, has at an x.

    The highest where it passes there several times, NaN where it never does.
    """
    from_, to = x_RG[:, :-1], x_RG[:, 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        way = (x_R[:, None] - from_) / (to - from_)
    inside = (way >= 0) & (way <= 1)
    between = np.where(inside, y_RG[:, :-1] + np.where(inside, way, 0) * np.diff(y_RG, axis=1), -np.inf)
    there = np.concatenate([between, np.where(x_RG == x_R[:, None], y_RG, -np.inf)], axis=1)
    highest = there.max(1)
    return np.where(highest > -np.inf, highest, np.nan)


def _mean(figures: Sequence[Floats]) -> Floats:
    return np.asarray(np.mean(figures, axis=0))


def _interval(values_R: Floats) -> dict[str, float] | None:
    """Of all users, and the 90 % interval of the resamples; None where it is undefined."""
    if np.isnan(values_R[0]):
        return None
    low, high = interval(values_R[1:])
    return {"mean": float(values_R[0]), "low": float(low), "high": float(high)}


def differences(curves: Sequence[Mapping[Setting, Floats]], pairs: Sequence[tuple[Setting, Setting]]) -> dict[str, Any]:
    """The second of each run's pair of settings less the first, means over runs: figures, and NDCG at equal Balance."""
    first, second, matched = [], [], []
    for curve, (plain, personal) in zip(curves, pairs, strict=True):
        first.append(curve[plain])
        second.append(curve[personal])
        grid_RGF = np.stack([curve[setting] for setting in PLAIN], axis=1)
        matched.append(curve[personal][:, 0] - highest_at(curve[personal][:, 2], grid_RGF[..., 2], grid_RGF[..., 0]))
    first_RF, second_RF = _mean(first), _mean(second)
    apart = [*(second_RF - first_RF).T, _mean(matched)]
    return {
        "plain": dict(zip(FIGURES, first_RF[0].tolist(), strict=True)),
        "personal": dict(zip(FIGURES, second_RF[0].tolist(), strict=True)),
        "difference": {name: _interval(each) for name, each in zip(DIFFERENT, apart, strict=True)},
    }


def compared(runs: Sequence[Measured], pairs: Sequence[tuple[Setting, Setting]]) -> dict[str, Any]:
    """:func:`differences` on both parts, and lift and divergence of either setting on test, means over runs.

    And what the personal one's divergence is less the lowest that the plain dial has at its lift.
    """
    means, matched = [], []
    for run, (plain, personal) in zip(runs, pairs, strict=True):
        means.append([run.shown[plain][0], run.shown[personal][0]])
        lift_R, divergence_R = run.shown[personal].T
        grid_RG2 = np.stack([run.shown[setting] for setting in PLAIN], axis=1)
        matched.append(divergence_R + highest_at(lift_R, grid_RG2[..., 0], -grid_RG2[..., 1]))
    lift, divergences = np.mean(means, axis=0).T.tolist()
    return {
        "valid": differences([run.valid for run in runs], pairs),
        "test": differences([run.test for run in runs], pairs),
        "lift": lift,
        "divergence": divergences,
        "divergence_at_equal_lift": _interval(_mean(matched)),
    }


def row_of(study: str, method: str, runs: Sequence[Measured], users: int) -> dict[str, Any]:
    """A method in a study: what was chosen, and how the personal dial differs from the plain one."""
    by_slope = [[max(run.fit[Setting(level, slope)] for level in BETAS) for slope in SLOPES] for run in runs]
    return {
        "study": study,
        "method": method,
        "users": users,
        "seeds": [run.seed for run in runs],
        "chosen_plain": [run.plain.level for run in runs],
        "chosen_personal": [list(run.personal) for run in runs],
        "best_valid_ndcg_by_slope": np.mean(by_slope, axis=0).tolist(),
        "chosen": compared(runs, [(run.plain, run.personal) for run in runs]),
        "prototype": compared(runs, [PROTOTYPE] * len(runs)),
    }


def rows_of(study: Path, methods: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each of the methods that the study has."""
    runs = [read_run(config.parent) for config in sorted((study / "runs").glob("*/config.json"))]
    asked = [run for run in runs if run.config["method"] in methods]
    if not asked:
        raise SystemExit(f"{study} has no run of {', '.join(methods)}")
    data = open_dataset(asked[0].config["dataset_folder"])
    if any(run.config["dataset_fingerprint"] != data.fingerprint for run in asked):
        raise SystemExit(f"the dataset of {study} is not what its runs were trained on")
    world = World(data, run_settings(**(asked[0].config["settings"])), study.name)
    users = len(np.unique(world.test.asked.windows.users))
    found = []
    for method in methods:
        measured = [world.measured(run) for run in asked if run.config["method"] == method]
        if measured:
            in_order = sorted(measured, key=lambda run: run.seed)
            found.append(row_of(study.name, method, in_order, users))
    return found


def _change(found: Mapping[str, Any], name: str) -> str:
    return f"{100 * found['plain'][name]:.2f} → {100 * found['personal'][name]:.2f}"


def _told(difference: Difference) -> str:
    if difference is None:
        return "–"
    mean, low, high = (100 * difference[key] for key in ("mean", "low", "high"))
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [["study", "method", *heads], ["---"] * (len(heads) + 2), *rows]
    return [*(f"| {' | '.join(each)} |" for each in cells), ""]


def _shown(found: Mapping[str, Any]) -> list[str]:
    lift, divergences = found["lift"], found["divergence"]
    changes = [f"{lift[0]:+.2f} → {lift[1]:+.2f}", f"{100 * divergences[0]:.1f} → {100 * divergences[1]:.1f}"]
    return [*changes, _told(found["divergence_at_equal_lift"])]


def _differences(found: Mapping[str, Any]) -> list[str]:
    return [_told(each) for each in found["difference"].values()]


def _beyond(told: Sequence[Difference]) -> str:
    """How many differences lie beyond noise, above 0 and below."""
    known = [each for each in told if each]
    return f"up in {sum(each['low'] > 0 for each in known)}, down in {sum(each['high'] < 0 for each in known)}"


def verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the tables say, counted: which intervals leave 0 out."""
    slopes = [slope for row in rows for _, slope in row["chosen_personal"]]
    counted = {}
    for of in ("chosen", "prototype"):
        told = {
            title: [row[of]["test"]["difference"][name] for row in rows]
            for title, name in zip((*NAMES, f"{NAMES[0]} at equal Balance"), DIFFERENT, strict=True)
        }
        told["divergence at equal lift"] = [row[of]["divergence_at_equal_lift"] for row in rows]
        counted[of] = "; ".join(f"{title} {_beyond(each)}" for title, each in told.items())
    ahead = {
        of: [
            f"{row['study']} {row['method']} ({_told(each)}; on validation, at any Balance, "
            f"{_told(row[of]['valid']['difference'][FIGURES[0]])})"
            for row in rows
            if (each := row[of]["test"]["difference"][DIFFERENT[-1]]) and each["low"] > 0
        ]
        for of in counted
    }
    return (
        f"Of {len(slopes)} runs, {sum(slope > 0 for slope in slopes)} choose b1 > 0 (who likes niche items gets more "
        f"of them), {slopes.count(0)} choose none and {sum(slope < 0 for slope in slopes)} b1 < 0, the opposite of the "
        f"idea. On test, of {len(rows)} rows, beyond noise with what was chosen: {counted['chosen']}. With the "
        f"prototype's settings: {counted['prototype']}. NDCG that is bought with Balance, or the other way, the plain "
        "dial sells too, so only NDCG at equal Balance tells whether the users' own settings add accuracy: as chosen "
        f"on validation, they do beyond noise in {', '.join(ahead['chosen']) or 'no row'}; with the prototype's, "
        f"in {', '.join(ahead['prototype']) or 'no row'}. Of intervals of 90 %, one in twenty lies wholly above 0 by "
        f"chance, which among these {2 * len(rows)} is {2 * len(rows) / 20:.1f}. Divergence that is down at equal lift "
        "is what b1 > 0 does by its making: lists nearer to what each user had, not lists that hit more."
    )


def lines(found: Mapping[str, Any]) -> list[str]:
    """Markdown."""
    rows = found["rows"]
    change = [*(f"Δ{name}" for name in NAMES), "ΔNDCG@10 at equal Balance"]
    shown = ["lift", "calibration", "Δcalibration at equal lift"]
    who = [[row["study"], row["method"]] for row in rows]
    chosen, fixed = ([row[of] for row in rows] for of in ("chosen", "prototype"))
    settings = [
        [
            ", ".join(f"{level:g}" for level in row["chosen_plain"]),
            ", ".join(f"({level:g}, {slope:g})" for level, slope in row["chosen_personal"]),
        ]
        for row in rows
    ]
    return [
        "# A popularity dial of each user's own",
        "",
        of_machine(found["machine"]),
        "",
        "`python -m benchmarks.personal_dial STUDY...`. Plain: `s + b0 log p`; personal: `s + (b0 + b1 z) log p`, `z` "
        "the standardised mean `log p` of the user's history. Chosen on validation by NDCG@10 for each seed; figures "
        "on test, in %, means over seeds, plain → personal. Δ: personal less plain, with the 90 % interval of "
        f"{REPLICATES:,} resamples of users (the seeds and what was chosen stay); at equal Balance: less the highest "
        "NDCG@10 that the plain dial, interpolated between its settings, has at the personal one's Balance (– where "
        "it never gets there). Lift: mean `log p` of the top 10 less that of the history, in nats; calibration: "
        "Jensen-Shannon divergence of the cohorts of both, in % of a bit (0: shown as consumed), means over users; at "
        "equal lift: less the lowest that the plain dial has at the personal one's lift. Test users: "
        + ", ".join(f"{users:,} of {study}" for study, users in {row["study"]: row["users"] for row in rows}.items())
        + ".",
        "",
        "## Chosen on validation",
        "",
        *_table(
            ["plain b0 by seed", "personal (b0, b1) by seed", *NAMES, *shown],
            [
                [*head, *of, *(_change(each["test"], name) for name in FIGURES), *_shown(each)]
                for head, of, each in zip(who, settings, chosen, strict=True)
            ],
        ),
        *_table(
            [*change, "ΔNDCG@10 on validation, where it was chosen"],
            [
                [*head, *_differences(each["test"]), _told(each["valid"]["difference"]["ndcg@10"])]
                for head, each in zip(who, chosen, strict=True)
            ],
        ),
        "NDCG@10 on validation by b1, at the best b0 for it:",
        "",
        *_table(
            [f"{slope:g}" for slope in SLOPES],
            [
                [*head, *(f"{100 * each:.2f}" for each in row["best_valid_ndcg_by_slope"])]
                for head, row in zip(who, rows, strict=True)
            ],
        ),
        f"## The prototype's settings: b0 = {PROTOTYPE[1].level:g}, b1 = {PROTOTYPE[1].slope:g} against b1 = 0",
        "",
        "On test:",
        "",
        *_table(
            [NAMES[0], *change, *shown],
            [
                [*head, _change(each["test"], "ndcg@10"), *_differences(each["test"]), *_shown(each)]
                for head, each in zip(who, fixed, strict=True)
            ],
        ),
        "On validation:",
        "",
        *_table(
            [NAMES[0], *change],
            [
                [*head, _change(each["valid"], "ndcg@10"), *_differences(each["valid"])]
                for head, each in zip(who, fixed, strict=True)
            ],
        ),
        "## Does it pay?",
        "",
        verdict(rows),
    ]


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.personal_dial")
    help_ = "folders of `negsample compare --out`; none: make the page of the results there are"
    parser.add_argument("studies", nargs="*", type=Path, metavar="STUDY", help=help_)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    given = parser.parse_args()
    if given.studies:
        with ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            found = pool.map(partial(rows_of, methods=given.methods), given.studies)
            rows = [row for of_study in found for row in of_study]
        write_json(RESULTS / "personal-dial.json", {"machine": machine(), "rows": rows})
    page = "\n".join(lines(json.loads((RESULTS / "personal-dial.json").read_text("utf-8")))) + "\n"
    (RESULTS / "personal-dial.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
