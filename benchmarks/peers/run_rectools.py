"""RecTools' SASRec with BCE, trained for some steps; run by the interpreter of `.venv-rectools`, prints one JSON line.

Its own model, collation and Lightning module, with what slows it down turned off: no progress bar, no logger, no
checkpoints, no validation (Lightning's `barebones`), no network over item features (there are none).
"""

from __future__ import annotations

import json
import re
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.item_net import IdEmbeddingsItemNet
from rectools.models.nn.transformers.sasrec import SASRecDataPreparator


class WholeCatalogue(SASRecDataPreparator):
    """Knows all items ``1..V``, not only those that occur: every contestant has a table of the same size."""

    def __init__(self, *args, catalogue_size, **kwargs):
        super().__init__(*args, **kwargs)
        self.catalogue_size = catalogue_size

    def process_dataset_train(self, dataset):
        """As SASRec's, and then with the rest of the catalogue."""
        super().process_dataset_train(dataset)
        known = self.train_dataset
        items = known.item_id_map.add_ids(np.arange(1, self.catalogue_size + 1))
        self.train_dataset = Dataset(known.user_id_map, items, known.interactions)
        self.item_id_map = items


class Clock(Callback):
    """Times each step: the whole of it, from the end of the one before, and from when its batch is there."""

    def __init__(self):
        self.whole_ms, self.bare_ms, self.targets = [], [], []

    def on_train_epoch_start(self, trainer, module):
        """Nothing was loaded yet."""
        self.ended = time.perf_counter()

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        """The batch is there."""
        self.loaded = time.perf_counter()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        """The update is made."""
        now = time.perf_counter()
        self.whole_ms.append(1000 * (now - self.ended))
        self.bare_ms.append(1000 * (now - self.loaded))
        self.targets.append(int((batch["y"] != 0).sum()))
        self.ended = time.perf_counter()


def main(asked):
    """Train, and say what each step took."""
    torch.set_num_threads(asked["threads"])
    model = SASRecModel(
        n_blocks=asked["blocks"],
        n_heads=asked["heads"],
        n_factors=asked["dim"],
        dropout_rate=asked["dropout"],
        session_max_len=asked["max_length"],
        loss="BCE",
        n_negatives=asked["negatives"],
        lr=asked["learning_rate"],
        batch_size=asked["batch_size"],
        item_net_block_types=(IdEmbeddingsItemNet,),
        data_preparator_type=WholeCatalogue,
        data_preparator_kwargs={"catalogue_size": asked["catalogue_size"]},
        get_trainer_func=lambda: Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=1,
            limit_train_batches=asked["steps"],
            callbacks=[Clock()],
            barebones=True,
        ),
    )
    sequences = np.load(asked["sequences"])
    events = pd.DataFrame(
        {
            Columns.User: sequences["users"],
            Columns.Item: sequences["items"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(np.arange(len(sequences["items"])), unit="s"),
        }
    )
    model.fit(Dataset.construct(events))
    clock = next(each for each in model.fit_trainer.callbacks if isinstance(each, Clock))  # fit() copies its trainer
    peak_kb = int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
    print(
        json.dumps(
            {
                "whole_ms": clock.whole_ms,
                "bare_ms": clock.bare_ms,
                "targets": clock.targets,
                "peak_mb": peak_kb / 1024,
                "torch": torch.__version__,
                "version": version("rectools"),
                "items": model.data_preparator.item_id_map.size - 1,
            }
        )
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
