"""A study, read back from its folder and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from negsample.config import InputError
from negsample.report.tunings import Tuning, read_tunings
from negsample.runs import Run, is_run, read_grid, read_run

POPULAR = "PopRec"
"""The baseline that is measured and never trained; the last method of every study."""

_STUDY_KEYS = (
    "format",
    "negsample",
    "created",
    "datasets",
    "methods",
    "repeats",
    "settings",
    "runs",
    "machine",
)
_CONFIG_KEYS = ("dataset", "dataset_fingerprint", "method", "seed", "settings", "negatives")


class Study(NamedTuple):
    """A study and its finished runs.

    ``about``: study.json. ``manifests``: the datasets' manifests by name, in the study's order. ``runs``: the
    finished ones, in the study's order. ``listed``: how many runs the study has, finished or not. ``grids``: what
    each run, by its folder, gave at each setting of the dial, or None (:func:`negsample.runs.read_grid`). ``events``:
    by dataset, of the E measured test events, in the order of the runs' ranks: ``user_E``, ``cohort_E`` and
    ``percentile_E``, the share of the train events that are of less popular items.
    ``tunings``: how methods were tuned, by dataset and method; empty where none was. ``oversampling``: finished runs
    beside the study's, which differ from them in ``oversampling_factor`` and stand in no table.
    """

    folder: Path
    about: dict[str, Any]
    manifests: dict[str, dict[str, Any]]
    runs: list[Run]
    listed: int
    grids: dict[Path, dict[str, Any] | None]
    events: dict[str, dict[str, NDArray[Any]]]
    tunings: dict[tuple[str, str], Tuning]
    oversampling: list[Run]

    def figures(self, run: Run, part: str) -> dict[float, dict[str, Any]]:
        """What ``run`` gave on ``valid`` or ``test``, by setting of the dial: one alone where there is no grid."""
        grid = self.grids[run.folder]
        if grid is None:
            return {run.metrics.get("dial", 0.0): run.metrics[part]}
        return dict(zip(grid["betas"], grid[part], strict=True))

    def unreached(self) -> list[Run]:
        """The runs that no setting of the dial brings to the Balance that was asked for."""
        return [run for run in self.runs if run.metrics.get("dial_reached") is False]

    def runs_of(self, dataset: str, method: str | None = None) -> list[Run]:
        """The finished runs on ``dataset``, of one method or of all."""
        return [run for run in self.runs if run.config["dataset"] == dataset and method in (None, run.config["method"])]

    def methods_of(self, dataset: str) -> list[str]:
        """The methods with a finished run on ``dataset``, in the study's order."""
        finished = {run.config["method"] for run in self.runs_of(dataset)}
        return [method for method in self.about["methods"] if method in finished]

    def tunings_of(self, dataset: str) -> list[Tuning]:
        """How the methods of ``dataset`` were tuned, in the study's order."""
        return [tuning for (name, _), tuning in self.tunings.items() if name == dataset]

    @property
    def published_settings(self) -> bool:
        """Whether its runs have the settings that the paper published."""
        return str(self.about.get("preset", "default")) != "default"

    def datasets(self) -> list[str]:
        """The datasets with a finished run, in the study's order."""
        return [name for name in self.manifests if self.runs_of(name)]


def read_study(folder: Path) -> Study:
    """The study in ``folder``; runs that are not (yet) finished are left out and counted.

    Raises:
        InputError: there is no study, a file is damaged, the runs do not fit together, or none is finished.
    """
    if not (folder / "study.json").is_file():
        raise InputError(f"{folder} holds no study (study.json); `negsample compare` makes one")
    about = _read(folder / "study.json")
    _need(about, _STUDY_KEYS, folder / "study.json")
    if about["format"] != 1:
        raise InputError(f"{folder / 'study.json'}: format {about['format']!r} is not known here, only 1 is")
    manifests, paths = _manifests(folder / "datasets", about["datasets"])
    folders = [folder / "runs" / name for name in about["runs"]]
    runs = [read_run(each) for each in folders if is_run(each)]
    if not runs:
        raise InputError(f"{folder} has no finished run yet: 0 of {len(folders)}; run `negsample compare` again")
    for run in runs:
        _check_run(run, about, manifests)
    _check_together(runs)
    grids = {run.folder: read_grid(run.folder) for run in runs}
    tunings = read_tunings(folder / "tuning", about, manifests)
    beside = _oversampling(folder, about, manifests)
    return Study(folder, about, manifests, runs, len(folders), grids, _events(paths), tunings, beside)


def _oversampling(folder: Path, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]) -> list[Run]:
    """The finished runs that were made to compare factors of oversampling; those of one factor fit together."""
    names = about.get("oversampling", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{folder / 'study.json'} is damaged ('oversampling' is {names!r}); run `negsample compare` again"
        )
    folders = [folder / "runs" / name for name in dict.fromkeys(names) if name not in about["runs"]]
    runs = [read_run(each) for each in folders if is_run(each)]
    by_factor: dict[Any, list[Run]] = {}
    for run in runs:
        _check_run(run, about, manifests)
        by_factor.setdefault(run.config["settings"].get("oversampling_factor"), []).append(run)
    for alike in by_factor.values():
        _check_together(alike)
    return runs


def _events(paths: Mapping[str, Path]) -> dict[str, dict[str, NDArray[Any]]]:
    """The measured events of each dataset that has them beside its manifest."""
    found = {}
    for name, manifest in paths.items():
        path = manifest.with_suffix(".npz")
        if path.is_file():
            try:
                with np.load(path) as stored:
                    found[name] = {key: stored[key] for key in ("user_E", "cohort_E", "percentile_E")}
            except (KeyError, ValueError, OSError, EOFError, BadZipFile) as error:
                raise InputError(f"{path} is damaged ({error}); run `negsample compare` again") from None
    return found


def _manifests(folder: Path, names: list[str]) -> tuple[dict[str, dict[str, Any]], dict[str, Path]]:
    """The manifests and where they lie, by the name that stands in them: a file name cannot hold every one."""
    found: dict[str, dict[str, Any]] = {}
    paths: dict[str, Path] = {}
    for path in sorted(folder.glob("*.json")):
        manifest = _read(path)
        _need(manifest, ("name", "fingerprint", "cohorts", "popularity_curve"), path)
        if manifest["name"] in found:
            raise InputError(f"{folder}: two manifests are named '{manifest['name']}'; delete the wrong one")
        found[manifest["name"]], paths[manifest["name"]] = manifest, path
    for name in names:
        if name not in found:
            raise InputError(f"{folder} has no manifest of dataset '{name}'; run `negsample compare` again")
    return {name: found[name] for name in names}, {name: paths[name] for name in names}


def _check_run(run: Run, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]) -> None:
    _need(run.config, _CONFIG_KEYS, run.folder / "config.json")
    _need(run.metrics, ("valid", "test", "best_epoch", "train_seconds"), run.folder / "metrics.json")
    peak = run.metrics.get("peak_memory_bytes")
    if peak is not None and (isinstance(peak, bool) or not isinstance(peak, int | float) or peak < 0):
        raise InputError(f"{run.folder / 'metrics.json'} is damaged ('peak_memory_bytes' is {peak!r}); run again")
    dataset, method = run.config["dataset"], run.config["method"]
    if dataset not in manifests or method not in about["methods"]:
        raise InputError(f"{run.folder} is {method} on {dataset}, which study.json does not list")
    if run.config["dataset_fingerprint"] != manifests[dataset]["fingerprint"]:
        raise InputError(
            f"{run.folder} was made on another version of '{dataset}' (fingerprint"
            f" {run.config['dataset_fingerprint']}, the study's is {manifests[dataset]['fingerprint']});"
            " delete the run and run again"
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


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged ({error}); run `negsample compare` again") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged (no JSON object); run `negsample compare` again")
    return value


def _need(value: Mapping[str, Any], keys: Iterable[str], path: Path) -> None:
    for key in keys:
        if key not in value:
            raise InputError(f"{path} is damaged ('{key}' is missing); run `negsample compare` again")
