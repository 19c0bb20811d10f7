"""Divergence: where the numbers of a training stopped being finite."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.evaluation.finite import NotFiniteError
from negsample.settings import RunSettings
from negsample.training.state import TrainingState


class DivergedError(InputError):
    """A training diverged: its loss, or its model after an epoch, is not finite.

    Attributes:
        what: the sentence that says so, without a remedy.
        trainings: which of the trainings that are computed together diverged, by position.
        epoch, step: where, from 1; ``step`` within the epoch.
        users: index of each user in the batch of that step.
        begun: whether an earlier step had changed the weights.
    """

    def __init__(
        self, what: str, *, trainings: Sequence[int], epoch: int, step: int, users: Sequence[int], begun: bool
    ) -> None:
        super().__init__(f"training diverged: {what}; take a smaller learning_rate, or a larger temperature")
        self.what, self.trainings, self.users = what, list(trainings), list(users)
        self.epoch, self.step, self.begun = epoch, step, begun


class EpochLosses:
    """The losses of an epoch of S trainings and the users of their batches, which say where one diverged.

    Every loss is checked: on a CPU at once, on a GPU, which would have to be waited for, at the end of the epoch; but
    for those of the trainings that are ``over`` already.
    """

    def __init__(self, trainings: Sequence[TrainingState], epoch: int, over: Sequence[bool]) -> None:
        self._losses: list[Tensor] = []
        self._users: list[Sequence[Tensor]] = []
        self._trainings, self._epoch, self._over = trainings, epoch, torch.tensor(over)
        self._name = f"epoch {epoch}" + (" of the refit" if trainings[0].refit is not None else "")

    def add(self, loss_S: Tensor, users: Sequence[Tensor]) -> None:
        """A step is done, on a batch of ``users`` for each training.

        Raises:
            DivergedError: on a CPU, where a loss is not finite.
        """
        self._losses.append(loss_S)
        self._users.append(users)
        if loss_S.device.type == "cpu":
            self._check(loss_S.unsqueeze(0), len(self._losses))

    def __len__(self) -> int:
        """Steps so far."""
        return len(self._losses)

    def means(self) -> list[float]:
        """The mean loss of each training.

        Raises:
            DivergedError: a loss is not finite.
        """
        loss_NS = torch.stack(self._losses)
        self._check(loss_NS, 1)
        means: list[float] = loss_NS.double().mean(0).tolist()
        return means

    def validate(self, training: TrainingState, data: Dataset, settings: RunSettings) -> dict[str, float | int] | None:
        """:meth:`negsample.training.state.TrainingState.validate` after the epoch.

        Raises:
            DivergedError: the model's scores are not finite.
        """
        try:
            return training.validate(self._epoch, data, settings)
        except NotFiniteError:
            where = f"the scores were not finite after {self._name}"
            raise self._error(where, [self._trainings.index(training)], len(self._losses), begun=True) from None

    def _check(self, loss_NS: Tensor, first: int) -> None:
        finite = torch.isfinite(loss_NS) | self._over.to(loss_NS.device)
        if bool(finite.all()):
            return
        at = int(finite.all(1).int().argmin())  # the first step with a loss that is not
        trainings = [number for number, fine in enumerate(finite[at].tolist()) if not fine]
        step, loss = first + at, float(loss_NS[at, trainings[0]])
        where = f"the loss became {loss} in {self._name}, step {step}"
        if loss_NS.device.type == "cpu":  # there such a loss changes no weight
            weights = self._trainings[trainings[0]].model.state_dict().values()
            where += (
                f", with {'finite' if all(bool(each.isfinite().all()) for each in weights) else 'infinite'} weights"
            )
        raise self._error(where, trainings, step, begun=self._epoch > 1 or step > 1)

    def _error(self, what: str, trainings: Sequence[int], step: int, *, begun: bool) -> DivergedError:
        users = self._users[step - 1][trainings[0]].tolist()
        return DivergedError(what, trainings=trainings, epoch=self._epoch, step=step, users=users, begun=begun)
