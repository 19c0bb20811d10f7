"""How methods were tuned before the study: read back from ``STUDY/tuning/*.json`` and checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from negsample.errors import InputError
from negsample.files.checksums import LIST, Checksums
from negsample.files.together import settled
from negsample.runs.tunings import TuningSummary


def read_tunings(
    folder: Path, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], TuningSummary]:
    """The searches that a study names, in ``folder``, by dataset and method in the study's order.

    A study that was not tuned names none: what another search left in the folder is not its own.

    Raises:
        InputError: a file is missing, damaged, of another study or another version of its dataset, or comes twice.
    """
    found: dict[tuple[str, str], TuningSummary] = {}
    for path in (folder / f"{name}.json" for name in about["tunings"]):
        if not path.is_file():
            raise InputError(f"{path} is missing, which study.json lists; run `negsample compare` again")
        read = partial(Checksums.read_as, model=TuningSummary, name=path.name)
        tuning = settled(path.with_name(f"{path.stem}.{LIST}"), "tuning", read)
        key = tuning.dataset, tuning.method
        if tuning.dataset not in manifests or tuning.method not in about["methods"]:
            raise InputError(f"{path} is of {tuning.method} on {tuning.dataset}, which study.json does not list")
        fingerprint = manifests[tuning.dataset]["fingerprint"]
        if tuning.dataset_fingerprint != fingerprint:
            raise InputError(
                f"{path} was made on another version of '{tuning.dataset}' (fingerprint {tuning.dataset_fingerprint},"
                f" the study's is {fingerprint}); delete it and run `negsample compare` again"
            )
        if key in found:
            raise InputError(f"{path}: {tuning.method} on {tuning.dataset} was tuned in another file too; delete one")
        found[key] = tuning
    order = [(dataset, method) for dataset in manifests for method in about["methods"]]
    return {key: found[key] for key in order if key in found}
