"""The weights of a training's best epoch so far, in a file, so that they take no memory."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from negsample.files.checksums import sum_of
from negsample.parallel.shards import Shards
from negsample.training.checkpoint import damaged, save, write_whole
from negsample.training.sharded_files import TABLE, read_rows, write_rows

SELECTED_BY = "hr@10"
"""The validation figure by which an epoch, and a tuning's trial, is chosen."""

_OF_EQUALS = "ndcg@10"
_ROWS = ".rows"


def validation_score(valid: Mapping[str, float]) -> tuple[float, float]:
    """What is compared to choose by validation: HR@10 first, and of equal ones NDCG@10; the first of equals is taken.

    HR@10 alone tells little where the catalogue is small: where V is near 10, every epoch hits nearly everything.
    """
    return valid[SELECTED_BY], valid[_OF_EQUALS]


class BestWeights:
    """The best epoch so far, and its weights.

    Args:
        scratch: the folder of the nameless file in which they lie; None: the system's for temporary files.
        keep: the folder where they lie under a name instead, for a training that may be resumed.
        shards: of a table that is divided over processes: its rows lie in a folder beside the file, and the first
            process writes the rest. Without ``keep`` each process has a file of its own.
    """

    def __init__(self, scratch: Path | None, keep: Path | None, shards: Shards | None = None) -> None:
        self.epoch, self._score, self._sum = 0, (-math.inf, -math.inf), ""
        self._scratch, self._keep, self._shards = scratch, keep, shards

    @contextmanager
    def opened(self) -> Iterator[None]:
        """For as long as the training takes: there is a file for them."""
        if self._keep is not None:
            yield
            return
        with tempfile.TemporaryFile(dir=self._scratch) as self._file:
            yield

    def update(self, epoch: int, valid: Mapping[str, float], weights: Mapping[str, Any]) -> None:
        """Set ``weights`` aside if their validation figures are the best so far."""
        score = validation_score(valid)
        if score > self._score:
            self._score = score
            self.take(epoch, weights)

    def take(self, epoch: int, weights: Mapping[str, Any]) -> None:
        """Set ``weights`` aside: they are those of ``epoch``."""
        self.epoch = epoch
        if self._keep is not None:
            path = self._path(self._keep)
            if self._shards is None:
                write_whole(weights, path)
            else:
                rest = {name: each for name, each in weights.items() if name != TABLE}
                write_rows(path.with_suffix(_ROWS), {TABLE: weights[TABLE].cpu()}, self._shards)
                self._shards.processes.by_first(lambda: write_whole(rest, path))
            self._sum = sum_of(self._path(self._keep)).sha256
        else:
            self._file.seek(0)
            save(weights, self._file)

    def load(self, device: torch.device, now: Mapping[str, Any]) -> dict[str, Any]:
        """The weights of the best epoch; rows that are divided over processes in place of those of ``now``.

        Raises:
            InputError: the file is damaged.
        """
        if self._keep is None:
            self._file.seek(0)
            return dict(torch.load(self._file, map_location=device, weights_only=True))
        path = self._checked(self._keep)
        try:
            weights = dict(torch.load(path, map_location=device, weights_only=True))
        except Exception as error:  # torch and its unpickler each have errors of their own
            raise damaged(path, error) from None
        if self._shards is not None:
            rows = read_rows(path.with_suffix(_ROWS), self._shards, now)
            weights |= {name: each.to(device) for name, each in rows.items()}
        return weights

    def state(self) -> list[Any]:
        """All but the weights."""
        return [self.epoch, *self._score, self._sum]

    def restore(self, state: list[Any]) -> None:
        """Go on from ``state``.

        Raises:
            InputError: the file of the weights is damaged.
        """
        self.epoch, first, second, self._sum = state
        self._score = first, second
        if self._keep is not None and self.epoch:
            self._checked(self._keep)

    def forget_earlier(self) -> None:
        """Delete the weights of epochs that were the best for a while: no state needs them any more."""
        first = self._shards is None or self._shards.processes.is_first
        if self._keep is not None and first:
            for path in self._keep.glob("best-*"):
                if path.stem != self._path(self._keep).stem:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _path(self, folder: Path) -> Path:
        return folder / f"best-{self.epoch}.pt"

    def _checked(self, folder: Path) -> Path:
        """The path of the weights, which are those that were written."""
        path = self._path(folder)
        try:
            found = sum_of(path).sha256
        except OSError as error:
            raise damaged(path, error.strerror) from None
        if found != self._sum:
            raise damaged(path, "its checksum is another than when it was written")
        return path
