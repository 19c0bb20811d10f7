"""All settings of a run, made from flat names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic.fields import FieldInfo

from negsample.errors import InputError
from negsample.settings.base import checked
from negsample.settings.groups import EvaluationSettings, MachineSettings, TrainingSettings
from negsample.settings.model import BACKBONES, DEFAULT_BACKBONE, GROUPS, ModelSettings, default_table

ADVISED: Mapping[str, Any] = MappingProxyType({"epochs": 100, "early_stop": 5, "refit": True, "fit_terms": True})
"""What ``compare`` and ``train`` take where nobody says otherwise and :func:`run_settings` has another default.

Defaults stay as they are, since a run's identity is what differs from them."""

AFTER_TRAINING = ("k", "fit_terms")
"""For other values of these a finished run is measured again, and is the same run."""


class RunSettings(NamedTuple):
    """All settings of a run but those of its method; made from flat names by :func:`run_settings`."""

    model: ModelSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    machine: MachineSettings

    def flat(self) -> dict[str, Any]:
        """All of them by name, as JSON has them."""
        return {key: value for group in self for key, value in group.model_dump(mode="json").items()}

    def changed(self, items: int) -> dict[str, Any]:
        """What trains another model than the defaults do, for a catalogue of so many ``items``.

        Settings of the machine do not, nor those of ``AFTER_TRAINING``: epochs are chosen at 10, always one of ``k``.
        """
        resolved = self.resolved()
        if self.model.table == default_table(items):
            resolved = resolved.model_replaced(table=None)
        usual, same = (
            run_settings(backbone=self.model.backbone).flat(),
            {*AFTER_TRAINING, *MachineSettings.model_fields},
        )
        found = {key: value for key, value in resolved.flat().items() if value != usual[key] and key not in same}
        return found if self.model.backbone == DEFAULT_BACKBONE else {"backbone": self.model.backbone} | found

    def resolved(self) -> RunSettings:
        """The same training, with one value of each setting where others would change nothing beside the rest."""
        training = self.training
        changes: dict[str, Any] = {"eval_every": min(training.eval_every, training.epochs)}
        validations = -(-training.epochs // training.eval_every)
        if training.early_stop + 1 >= validations:  # the first is an improvement, and after the last there is no more
            changes["early_stop"] = 0
        if training.table_learning_rate == training.learning_rate:
            changes["table_learning_rate"] = None
        if (training.oversampling_factor or 0) >= training.epochs:  # all batches are kept, and none is used again
            changes["oversampling_factor"] = None
        return self._replace(training=training.model_copy(update=changes))

    def replaced(self, **changes: Any) -> RunSettings:
        """The same with ``changes`` of flat names; another backbone keeps what it has in common with this one.

        Raises:
            InputError: as of :func:`run_settings`.
        """
        fields = setting_fields(changes.get("backbone", self.model.backbone))
        return run_settings(**({key: value for key, value in self.flat().items() if key in fields} | changes))

    def model_replaced(self, **changes: Any) -> RunSettings:
        """The same with other settings of the model."""
        return self._replace(model=self.model.model_copy(update=changes))

    def table(self, items: int) -> Literal["dense", "rows", "sharded"]:
        """The table that is taken for a catalogue of so many items."""
        return self.model.table or default_table(items)


def setting_fields(backbone: str = DEFAULT_BACKBONE) -> dict[str, FieldInfo]:
    """The fields of :func:`run_settings` by name, those of ``backbone`` first.

    Raises:
        InputError: there is no such backbone.
    """
    if not isinstance(backbone, str):
        raise InputError(BACKBONES.unknown(backbone))
    return {key: field for group in (BACKBONES[backbone], *GROUPS) for key, field in group.model_fields.items()}


def is_run_setting(name: str) -> bool:
    """Whether ``name`` is one of :func:`run_settings`, of any backbone."""
    return any(name in group.model_fields for group in (*BACKBONES.values(), *GROUPS))


def run_settings(**flat: Any) -> RunSettings:
    """The settings of a run from their names, each in the group it belongs to; what is left out has its default.

    Example:
        >>> run_settings(backbone="gru4rec", epochs=5).training.epochs
        5

    Raises:
        InputError: a name is unknown, a value breaks its rule, or two do not go together.
    """
    backbone = flat.get("backbone", DEFAULT_BACKBONE)
    fields = setting_fields(backbone)
    if unknown := [key for key in flat if key not in fields]:
        others = [name for name, group in BACKBONES.items() if unknown[0] in group.model_fields]
        if others:
            raise InputError(
                f"setting {unknown[0]} is for backbone {' or '.join(others)}, and {backbone} has none; leave it out"
            )
        raise InputError(f"unknown setting '{unknown[0]}'; the settings are: {', '.join(fields)}")
    groups: Any = (
        checked(group, {key: value for key, value in flat.items() if key in group.model_fields})
        for group in (BACKBONES[backbone], *GROUPS)
    )
    made = RunSettings(*groups)
    _check_together(made, fields)
    return made


def _check_together(settings: RunSettings, fields: dict[str, FieldInfo]) -> None:
    model, training = settings.model, settings.training
    if training.padding == "count" and model.backbone != "sasrec":
        raise InputError(f"setting padding=count is for backbone sasrec, got {model.backbone}; leave it out")
    if training.padding == "count" and training.targets != "rows":
        raise InputError(f"setting padding=count is for targets=rows, got targets={training.targets}; leave one out")
    if training.padding == "count" and training.train_window is not None:
        raise InputError(
            f"setting padding=count is for all events as targets, got train_window={training.train_window:g}; leave "
            "one out"
        )
    if training.horizon != "auto" and training.targets != "horizon":
        raise InputError(f"setting horizon={training.horizon:g} is for targets=horizon; set that too, or leave it out")
    if training.oversampling_factor is not None and training.targets == "horizon":
        raise InputError("setting targets=horizon has other cuts each epoch, so oversampling_factor must be left out")
    if training.padding == "count" and (model.terms or training.own_items == "exact"):
        raise InputError("setting padding=count knows no terms and no exact own_items; leave one out")
    of_rows = {
        "table_optimizer": training.table_optimizer,
        "table_learning_rate": training.table_learning_rate,
        "table_dtype": model.table_dtype,
    }
    for name, value in of_rows.items():
        if model.table not in ("rows", "sharded") and value != fields[name].default:
            raise InputError(f"setting {name}={value} is for table=rows or sharded; set that too, or leave it out")
