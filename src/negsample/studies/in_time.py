"""What needs a split in time: on a dataset that is split otherwise it is left out, or refused where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.methods import METHODS
from negsample.models.baselines import is_baseline
from negsample.settings import RunSettings

_BASELINES = ("RecentPop", "Terms")


def usable(data: Dataset, names: Sequence[str]) -> list[str]:
    """The methods and baselines that can be had on ``data``.

    Raises:
        InputError: some of them are trained, and none of these can.
    """
    found = [name for name in names if data.in_time or not (name in _BASELINES or _as_of_a_time(name))]
    trained = [name for name in names if not is_baseline(name)]
    if trained and all(name not in found for name in trained):
        raise InputError(
            f"{', '.join(trained)}: draws by what is popular as of a time need a split in time, and {data.name} has "
            f"split={data.split}; take other methods"
        )
    return found


def check_settings(data: Dataset, settings: RunSettings) -> None:
    """Refuses settings that mean nothing on ``data``.

    Raises:
        InputError: names the first of them.
    """
    if data.in_time:
        return
    model, training = settings.model, settings.training
    asked = {
        "terms": ",".join(model.terms) or None,
        "targets": training.targets if training.targets == "horizon" else None,
        "train_window": training.train_window,
        "weight_half_life": training.weight_half_life,
    }
    for name, value in asked.items():
        if value is not None:
            raise InputError(
                f"setting {name}={value} needs a split in time, and {data.name} has split={data.split}; leave it out"
            )
    if training.targets == "moments" and not data.has_times:
        raise InputError(f"setting targets=moments needs times, and {data.name} has none; leave it out")


def _as_of_a_time(name: str) -> bool:
    return not is_baseline(name) and METHODS[name].as_of_a_time
