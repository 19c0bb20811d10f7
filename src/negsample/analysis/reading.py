"""A study, read back from its folder and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from negsample.analysis.study import Study
from negsample.errors import InputError, guarded
from negsample.files.checksums import LIST, Checksums
from negsample.files.folders import arrays_of
from negsample.files.together import settled
from negsample.runs.failed import read_failed
from negsample.runs.folder import Grid, Run, read_grid, read_run
from negsample.runs.study_file import StudyFile
from negsample.runs.tunings import TuningSummary

_EVENTS = ("user_E", "cohort_E", "percentile_E", "valid_user_E", "valid_cohort_E")
_MAYBE = ("time_E",)  # also without folds, where the split is in time; not of earlier studies
_OF_FOLDS = ("person_E", "time_E", "valid_person_E")


class _DatasetFile(BaseModel):
    """``datasets/*.json``: a dataset's manifest and the popularity of its items."""

    model_config = ConfigDict(strict=True, extra="allow")

    name: str
    fingerprint: str
    cohorts: dict[str, Any]
    popularity_curve: dict[str, Any]
    fold: dict[str, Any] | None = None


@guarded
def read_study(folder: Path) -> Study:
    """The study in ``folder``; runs that are not (yet) finished are left out and counted.

    Raises:
        InputError: there is no study, a file is damaged, the runs do not fit together, or none is finished.
    """
    folder = Path(folder)
    if (folder / "model.json").exists():
        raise InputError(f"{folder} is a MODEL, not a study; give the --out of `negsample compare`")
    if not folder.exists():
        raise InputError(f"{folder} does not exist; give the --out of `negsample compare`")
    if not (folder / "study.json").is_file() and not (folder / LIST).is_file():
        raise InputError(f"{folder} holds no study (study.json); `negsample compare` makes one")
    about, manifests, events = settled(folder / LIST, "study", _of_study)
    folders = [folder / "runs" / name for name in about["runs"]]
    runs = _finished(folders)
    if not runs:
        raise InputError(f"{folder} has no finished run yet: 0 of {len(folders)}; run `negsample compare` again")
    for run in runs:
        _check_listed(run.folder, run.config, about, manifests)
    _check_together(runs)
    grids = {run.folder: _grid(run, events[run.config["dataset"]]) for run in runs}
    tunings = _tunings(folder, about, manifests)
    beside = _oversampling(folder, about, manifests)
    failures = read_failed(folder, list(dict.fromkeys([*about["runs"], *about["oversampling"]])))
    folds = _folds(manifests)
    return Study(
        folder,
        about,
        {name: some[-1] for name, some in folds.items()},
        runs,
        len(folders),
        grids,
        {name: [events[each["name"]] for each in some] for name, some in folds.items()},
        {(_log(manifests[name]), method): tuning for (name, method), tuning in tunings.items()},
        beside,
        failures,
        folds,
    )


def _folds(manifests: Mapping[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The manifests by the name of their log, folds in the order of time."""
    found: dict[str, list[dict[str, Any]]] = {}
    for manifest in manifests.values():
        found.setdefault(_log(manifest), []).append(manifest)
    return {name: sorted(some, key=lambda each: (each["fold"] or {}).get("number", 0)) for name, some in found.items()}


def _log(manifest: Mapping[str, Any]) -> str:
    """The name of the log that a dataset is, or is a fold of."""
    return str((manifest["fold"] or {"log": manifest["name"]})["log"])


def _grid(run: Run, events: Mapping[str, NDArray[Any]]) -> Grid:
    for part, known in (("test", events["user_E"]), ("valid", events["valid_user_E"])):
        words = "validation" if part == "valid" else part
        if (measured := run.metrics[part].get("events")) != len(known):
            raise InputError(
                f"{run.folder} was measured on {measured} {words} events, the study has {len(known)}; delete the run "
                f"and run again"
            )
    return read_grid(run.folder)


def _oversampling(folder: Path, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]) -> list[Run]:
    """The finished runs that were made to compare factors of oversampling; those of one factor fit together."""
    names = dict.fromkeys(about["oversampling"])
    runs = _finished([folder / "runs" / name for name in names if name not in about["runs"]])
    by_factor: dict[Any, list[Run]] = {}
    for run in runs:
        _check_listed(run.folder, run.config, about, manifests)
        by_factor.setdefault(run.config["settings"].get("oversampling_factor"), []).append(run)
    for alike in by_factor.values():
        _check_together(alike)
    return runs


def is_of_study(name: str) -> bool:
    """Whether a file of a study's list is what its report is made of, and not the report."""
    return name == "study.json" or name.startswith("datasets/")


def _finished(folders: Iterable[Path]) -> list[Run]:
    """The runs that are there; one that is not finished has no folder yet."""
    return [read_run(each) for each in folders if each.exists()]


def _of_study(
    listed: Checksums,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, dict[str, NDArray[Any]]]]:
    """``study.json``, and of each dataset its manifest and the measured events.

    The datasets go by the names that stand in their manifests: a file name cannot hold every one.
    """
    about = listed.read_as(StudyFile, "study.json").model_dump()
    found: dict[str, tuple[dict[str, Any], dict[str, NDArray[Any]]]] = {}
    for path in (each for each in listed.files if each.startswith("datasets/") and each.endswith(".json")):
        manifest, events = listed.read_as(_DatasetFile, path).model_dump(), f"{path.removesuffix('.json')}.npz"
        if events not in listed.files:
            raise listed.damaged(events, "it is missing")
        if manifest["name"] in found:
            raise listed.damaged(path, f"it is a second manifest of '{manifest['name']}'")
        names = [*_EVENTS, *(_OF_FOLDS if manifest["fold"] else ())]
        found[manifest["name"]] = manifest, arrays_of(listed, events, names, maybe=_MAYBE)
    for name in about["datasets"]:
        if name not in found:
            raise listed.damaged("study.json", f"it lists the dataset '{name}', which has no manifest")
    manifests = {name: found[name][0] for name in about["datasets"]}
    return about, manifests, {name: found[name][1] for name in manifests}


def _tunings(
    folder: Path, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], TuningSummary]:
    """The searches that a study names, by dataset and method in its order: what another search left is not its own."""
    found: dict[tuple[str, str], TuningSummary] = {}
    for path in (folder / "tuning" / f"{name}.json" for name in about["tunings"]):
        if not path.is_file():
            raise InputError(f"{path} is missing, which study.json lists; run `negsample compare` again")
        read = partial(Checksums.read_as, model=TuningSummary, name=path.name)
        tuning = settled(path.with_name(f"{path.stem}.{LIST}"), "tuning", read)
        key = tuning.dataset, tuning.method
        _check_listed(path, dict(tuning), about, manifests)
        if key in found:
            raise InputError(f"{path}: {tuning.method} on {tuning.dataset} was tuned in another file too; delete one")
        found[key] = tuning
    order = [(dataset, method) for dataset in manifests for method in about["methods"]]
    return {key: found[key] for key in order if key in found}


def _check_listed(
    path: Path, of: Mapping[str, Any], about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]
) -> None:
    """Whether what stands in ``path`` is of a dataset, its version and a method that the study lists."""
    dataset, method, fingerprint = of["dataset"], of["method"], of["dataset_fingerprint"]
    if dataset not in manifests or method not in about["methods"]:
        raise InputError(f"{path} is of {method} on {dataset}, which study.json does not list")
    if fingerprint != (known := manifests[dataset]["fingerprint"]):
        raise InputError(
            f"{path} was made on another version of '{dataset}' (fingerprint {fingerprint}, the study's is {known});"
            " delete it and run `negsample compare` again"
        )


def _check_together(runs: list[Run]) -> None:
    """Runs that are averaged must differ in their seed, and in nothing else."""
    seen: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        peers = seen.setdefault((run.config["dataset"], run.config["method"]), [])
        for peer in peers:
            if peer.config["seed"] == run.config["seed"]:
                raise InputError(f"{peer.folder} and {run.folder} are the same run twice; delete one")
            for key in ("settings", "negatives"):
                if peer.config[key] != run.config[key]:
                    raise InputError(f"{peer.folder} and {run.folder} differ in their {key}: no mean of them")
        peers.append(run)
