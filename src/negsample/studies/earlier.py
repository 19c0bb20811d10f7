"""What a study's folder has from earlier commands: whether another one adds to it, or would replace it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.errors import InputError
from negsample.files.checksums import LIST, Checksums
from negsample.files.claims import claimed, clear, place_of
from negsample.files.together import settled
from negsample.methods import POPREC
from negsample.models.baselines import is_baseline
from negsample.runs.failed import read_failed
from negsample.runs.folder import is_run, read_run
from negsample.runs.job import Job
from negsample.runs.kept import KEPT
from negsample.runs.study_file import StudyFile
from negsample.settings import AFTER_TRAINING

_SHOWN = 3
"""Differences that a refusal names."""
_FACTOR = "oversampling_factor"
_OF_NOTE: dict[str, Any] = {"preset": "default", "tune_trials": None, "folds": None}
"""What else makes a study another one, with what it is where nothing is said."""
Run = Mapping[str, Any]
"""The configuration of a finished run."""


class Earlier(NamedTuple):
    """``about``: study.json. ``manifests``: of its datasets, by name. ``runs``, ``oversampling``: configurations of its
    finished runs, by name, ``failed`` of those that failed. ``files``: those that its list has. All empty where there
    is no study yet."""

    about: dict[str, Any]
    manifests: dict[str, dict[str, Any]]
    runs: dict[str, Run]
    oversampling: dict[str, Run]
    failed: dict[str, Run]
    files: list[str]

    def still_failed(self, jobs: Sequence[Job]) -> dict[str, Run]:
        """The failed runs that ``jobs`` do not try by other settings, which is the way out of a failure."""
        of = {(job.data.name, job.method): job for job in jobs}
        found = {}
        for name, config in self.failed.items():
            job = of.get((config["dataset"], config["method"]))
            if job is None or job._replace(seed=config["seed"]).made(config):
                found[name] = config
        return found


def read_earlier(out: Path) -> Earlier:
    """The study in ``out``.

    Raises:
        InputError: a file of it is damaged.
    """
    if not (out / "study.json").exists() and not (out / LIST).exists():
        return Earlier({}, {}, {}, {}, {}, [])
    about, manifests, files = settled(out / LIST, "study", _about)
    runs, beside = (_configs(out, about[key]) for key in ("runs", "oversampling"))
    beside = {name: each for name, each in beside.items() if name not in runs}
    failed: dict[str, Run] = {each.run: each.config for each in read_failed(out, about["runs"])}
    return Earlier(about, manifests, runs, beside, failed, files)


def _about(listed: Checksums) -> tuple[dict[str, Any], dict[str, dict[str, Any]], list[str]]:
    manifests = (
        listed.read_json(name) for name in listed.files if name.startswith("datasets/") and name[-5:] == ".json"
    )
    about = listed.read_as(StudyFile, "study.json").model_dump()
    return about, {each["name"]: each for each in manifests}, list(listed.files)


def _configs(out: Path, names: Sequence[str]) -> dict[str, Run]:
    return {name: read_run(out / "runs" / name).config for name in names if is_run(out / "runs" / name)}


def check_adds(out: Path, earlier: Earlier, jobs: Sequence[Job], note: Mapping[str, Any]) -> None:
    """Refuse ``jobs`` that are of another study than the one in ``out``, where that has something to lose.

    More methods, seeds and datasets are no other study; nor is another dial, or what a command leaves out.

    Args:
        out: the study's folder.
        earlier: what is there.
        jobs: all of them, or the PopRec of every dataset, which has the settings that all have in common.
        note: what else is kept in ``study.json``.

    Raises:
        InputError: names what differs, with both values.
    """
    found = other_settings(earlier, jobs, note)
    if found and has_work(out, earlier):
        raise InputError(
            f"{out} holds a study of other settings ({_listed(found)}); choose another --out, or add --replace, which "
            "deletes its runs"
        )


def other_settings(earlier: Earlier, jobs: Sequence[Job], note: Mapping[str, Any]) -> list[str]:
    """In what ``jobs`` are of another study than the ``earlier`` one, in words; see :func:`check_adds`."""
    return list(dict.fromkeys(_other_settings(earlier, jobs, note)))


def has_work(out: Path, earlier: Earlier) -> bool:
    """Whether the study in ``out`` has anything that took time: a trained run, or a checkpoint of one."""
    trained = any(not is_baseline(each["method"]) for each in (*earlier.runs.values(), *earlier.oversampling.values()))
    return trained or any(out.glob("runs/.*.unfinished/state.pt"))


def _other_settings(earlier: Earlier, jobs: Sequence[Job], note: Mapping[str, Any]) -> Iterator[str]:
    for data in {job.data.name: job.data for job in jobs}.values():
        before = earlier.manifests.get(data.name)
        if before is not None and before["fingerprint"] != data.fingerprint:
            now = data.manifest.settings.model_dump(mode="json")
            changed = [*_unequal(before["settings"], now, f" of {data.name}")]
            fingerprints = f"fingerprint {before['fingerprint']}, now {data.fingerprint}"
            yield from changed or [f"events of {data.name}: {fingerprints}"]
    if not earlier.about:
        return
    for key, default in _OF_NOTE.items():
        yield from _unequal({key: earlier.about.get(key, default)}, {key: note.get(key, default)}, "")
    common = [job for job in jobs if job.method == POPREC]
    if common and note.get("preset", "default") == "default":
        yield from _unequal(earlier.about["settings"], common[0].settings.resolved().flat(), "")
    trained = [(job, job.settings.resolved().flat()) for job in jobs if not is_baseline(job.method)]
    planned = {(job.data.name, job.method, now.get(_FACTOR)): (job, now) for job, now in trained}
    of_all = set(_unequal(earlier.about["settings"], jobs[0].settings.resolved().flat(), ""))
    for config in (*earlier.runs.values(), *earlier.oversampling.values()):
        job, now = planned.get((config["dataset"], config["method"], config["settings"].get(_FACTOR)), (None, {}))
        if job is not None:
            of = f" of {job.method}"
            for each in _unequal(config["settings"], now, ""):
                yield each if each in of_all else each.replace(":", f"{of}:", 1)
            yield from _unequal(config["negatives"], job.negatives, of)
    methods = {(job.data.name, job.method): job for job in jobs}
    for config in (*earlier.runs.values(), *earlier.oversampling.values()):
        if job := methods.get((config["dataset"], config["method"])):
            yield from _unequal(_sources(config), _sources(job.identity()), f" of {job.method}")


def _sources(config: Run) -> dict[str, str]:
    """The plugins of a run, each with what tells versions of its source apart."""
    return {f"source of {name}": digest[:8] for name, digest in config.get("plugins", {}).items()}


def _unequal(before: Mapping[str, Any], now: Mapping[str, Any], of: str) -> Iterator[str]:
    for key in dict.fromkeys([*before, *now]):
        if key not in AFTER_TRAINING and before.get(key) != now.get(key):
            was, is_now = ("none" if each.get(key) is None else str(each[key]) for each in (before, now))
            yield f"{key}{of}: {was}, now {is_now}"


def _listed(found: Sequence[str]) -> str:
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def differs(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In words, what of ``before`` is another in the configuration ``now``; of settings within it each by itself."""
    found: list[str] = []
    for key in now:
        one, other = before.get(key), now[key]
        if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
            one, other = {key: one}, {key: other}
        found += _unequal(one, other, "")
    return _listed(found)


def remove_earlier(out: Path, earlier: Earlier, jobs: Sequence[Job]) -> None:
    """Delete the study in ``out``, but for the runs of ``jobs`` and what was tuned; by the process that has claimed it.

    Raises:
        InputError: another process trains one of the runs.
    """
    planned = {place_of(out / "runs" / job.name): job.name for job in jobs}
    for name in (*earlier.runs, *earlier.oversampling):
        if name not in planned.values():
            shutil.rmtree(out / "runs" / name)
    for place in out.glob("runs/.*.unfinished"):
        folder = place.with_name(place.name[1:].removesuffix(".unfinished"))
        if place not in planned:
            with claimed([folder]) as places:
                if places is None:
                    raise InputError(f"another process is making {folder}; wait for it, or stop it")
                clear(places[0])
    shutil.rmtree(out / "failed", ignore_errors=True)
    for name in earlier.manifests.keys() - {job.data.name for job in jobs}:
        shutil.rmtree(out / KEPT / name, ignore_errors=True)
    for name in (*(each for each in earlier.files if each != "study.json"), "study.json", LIST):
        (out / name).unlink(missing_ok=True)
