"""A run of a study that failed: why, kept in the study's folder beside its runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from negsample.errors import InputError
from negsample.files.checksums import first_fault, parsed
from negsample.files.folders import write_json
from negsample.runs.folder import is_run

Kind = Literal["diverged", "memory", "killed", "untuned", "refused", "unexpected"]
"""How: numbers overflowed, memory ran out, its process was killed, its method's tuning found nothing, an input was
wrong, or an error that nobody foresaw."""


class Failed(BaseModel):
    """One failed run.

    ``run``: its name. ``dataset``, ``method``, ``seed``. ``kind`` and ``reason``: a word and a sentence. ``config``:
    what determines the run, as in ``config.json``. ``facts``: what is known of the failure: ``epoch`` and ``step``,
    ``setting`` most likely at fault, ``users`` of the batch, ``traceback``; each only where it is known.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    run: str
    dataset: str
    method: str
    seed: int
    kind: Kind
    reason: str
    config: dict[str, Any]
    facts: dict[str, Any]

    @property
    def line(self) -> str:
        """All of it for a person."""
        return f"{self.dataset} {self.method} seed {self.seed}: {self.reason}"


def write_failed(out: Path, failed: Failed) -> None:
    """Keep ``failed`` in the study in ``out``; the record of an earlier attempt is replaced."""
    path = _path(out, failed.run)
    path.parent.mkdir(exist_ok=True)
    write_json(path, failed.model_dump())


def read_failed(out: Path, names: Sequence[str]) -> list[Failed]:
    """Of the runs ``names`` of the study in ``out`` those that failed when they were last tried, in that order.

    Raises:
        InputError: a record is damaged.
    """
    paths = [_path(out, name) for name in names if not is_run(out / "runs" / name)]
    return [_read(path) for path in paths if path.is_file()]


def forget_failed(out: Path, name: str) -> None:
    """Delete the record of a run that is finished by now."""
    _path(out, name).unlink(missing_ok=True)


def _path(out: Path, name: str) -> Path:
    return out / "failed" / f"{name}.json"


def _read(path: Path) -> Failed:
    def damaged(what: str) -> InputError:
        return InputError(f"{path} is damaged ({what}); delete it")

    try:
        return Failed.model_validate(parsed(path.read_bytes(), damaged))
    except ValidationError as error:
        raise damaged(first_fault(error)) from None
    except OSError as error:
        raise damaged(error.strerror or "it cannot be read") from None
