"""The users whom two methods serve most differently, with what each of both answered them by its saved model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.analysis.advice import Advice
from negsample.analysis.measures import K
from negsample.analysis.one_user import Answered, Log
from negsample.analysis.per_user import ranks_of
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow
from negsample.analysis.user_cases import LAST, UserPair
from negsample.errors import InputError, check_word, whole
from negsample.evaluation.metrics import ndcg
from negsample.files.checksums import LIST, read_list
from negsample.runs.answers import answers_of
from negsample.runs.folder import Run
from negsample.runs.kept import dataset_of
from negsample.settings import fingerprint

MOST = 4
"""Users each way that a page shows."""


class Side(NamedTuple):
    """A method by one of its runs, at a setting of the dial."""

    run: Run
    dial: float

    @property
    def key(self) -> tuple[Any, ...]:
        """The run, its ranks and the dial."""
        ranks = read_list(self.run.folder / LIST, "run").files["ranks.npz"].sha256
        return self.run.folder.name, ranks, self.dial


Pair = tuple[Side, Side]


def side_of(study: Study, dataset: str, method: str, dial: float | None = None) -> Side | None:
    """The first finished run of ``method`` on the last fold of ``dataset``; ``dial``: None: its own. None where there
    is no such run."""
    last = study.fold_names(dataset)[-1]
    run = next((run for run in study.runs_of(dataset, method) if run.config["dataset"] == last), None)
    return run and Side(run, run.metrics["dial"] if dial is None else dial)


def pairs_of(study: Study, dataset: str, advice: Advice) -> list[Pair]:
    """What the verdict takes for accuracy beside the usual default, and beside the best baseline."""

    def side(row: TableRow | None) -> Side | None:
        return side_of(study, dataset, row["method"], row["dial"] or 0.0) if row is not None else None

    taken, found = side(advice.accuracy.chosen), dict[Any, Pair]()
    for other in (side(advice.default), side(advice.accuracy.rule)):
        if taken and other and taken.key != other.key:
            found.setdefault(other.key, (taken, other))
    return list(found.values())


def key_of(pairs: Sequence[Pair]) -> str:
    """What their users follow from."""
    return fingerprint([MOST, LAST, [[side.key for side in pair] for pair in pairs]])


def users_of(study: Study, dataset: str, pairs: Sequence[Pair], most: int = MOST) -> list[UserPair]:
    """Of each pair the ``most`` users with the most more NDCG@10 each way, on the last fold of ``dataset``.

    Raises:
        InputError: the dataset or a model is not at hand or damaged, or needs a plugin.
    """
    user_E, sides = study.events[dataset][-1]["user_E"], {side.key: side for pair in pairs for side in pair}
    if not pairs or not len(user_E):
        return []
    log = Log(dataset_of(pairs[0][0].run))
    ranks = {key: ranks_of(study, side.run, [side.dial])[0] for key, side in sides.items()}
    sums: dict[Any, NDArray[np.float64]] = {
        key: np.bincount(user_E, ndcg(each, K)).astype(float) for key, each in ranks.items()
    }
    picked = [_picked(sums[one.key], sums[other.key], most) for one, other in pairs]
    answered = {}
    for key, side in sides.items():
        of = [two for pair, two in zip(pairs, picked, strict=True) if key in (pair[0].key, pair[1].key)]
        users = log.users[np.unique(np.concatenate([users for two in of for users in two]))]
        if len(users):
            answered[key] = Answered(answers_of(side.run.folder, log.data, users, side.dial, K), ranks[key])
    found = []
    for pair, two in zip(pairs, picked, strict=True):
        apart = sums[pair[0].key] - sums[pair[1].key]
        cases = [
            [log.case(int(user), *(answered[side.key] for side in pair), sign=sign) for user in users]
            for users, sign in zip(two, (1, -1), strict=True)
        ]
        found.append(
            UserPair(
                methods=[side.run.config["method"] for side in pair],
                dials=[side.dial for side in pair],
                seeds=[side.run.config["seed"] for side in pair],
                users=len(apart),
                more=[int((apart > 0).sum()), int((apart < 0).sum())],
                cases=[[case for case in some if case is not None] for some in cases],
                differing=sum(case is None for some in cases for case in some),
            )
        )
    return found


def _picked(
    sums_U: NDArray[np.float64], other_U: NDArray[np.float64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The users with the most more of the first, and of the second; of equals the first."""
    apart = sums_U - other_U
    first, second = (np.argsort(-sign * apart, kind="stable")[:most] for sign in (1, -1))
    return first[apart[first] > 0], second[apart[second] < 0]


def users_frame(
    study: Study, dataset: str, methods: tuple[str, str], dials: Sequence[float] | None, most: int
) -> pl.DataFrame:
    """See :meth:`negsample.Study.users`."""
    whole("most", most, 1, 10_000)
    if dials is not None and len(dials) != 2:
        raise InputError(f"dials must be two numbers, of {methods[0]} and of {methods[1]}; got {len(dials)}")
    sides = []
    for at, name in enumerate(methods):
        check_word("method" if at == 0 else "other", name, study.methods_of(dataset))
        side = side_of(study, dataset, name, None if dials is None else dials[at])
        if side is None:
            raise InputError(f"no run of {name} is finished on the last test window of {dataset}")
        if side.dial not in study.grids[side.run.folder].betas:
            known = ", ".join(f"{beta:g}" for beta in study.grids[side.run.folder].betas)
            raise InputError(f"{name} was measured at the dials {known}; got {side.dial:g}")
        sides.append(side)
    if sides[0].key == sides[1].key:
        raise InputError(f"{methods[0]} differs from itself at no user; name two methods, or two dials of one")
    if not len(study.events[dataset][-1]["user_E"]):
        raise InputError(f"{dataset} has no test events, so no user was measured")
    return users_of(study, dataset, [(sides[0], sides[1])], most)[0].frame()
