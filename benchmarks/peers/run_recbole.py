"""RecBole's SASRec with BPR, trained for some steps; run by the interpreter of `.venv-recbole`, prints one JSON line.

Its own augmentation (each prefix of a sequence is a row with one target), collation, sampler and trainer; no progress
bar, no checkpoints, no validation. With more than one negative it repeats the row once a negative.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
import time
from contextlib import chdir
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.utils import create_samplers, get_dataloader
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer


class Clock:
    """An epoch's first batches; times each step as it goes by."""

    def __init__(self, loader, steps, negatives):
        self.loader, self.steps, self.negatives = loader, steps, negatives
        self.whole_ms, self.bare_ms, self.targets = [], [], []

    def __iter__(self):
        ended = time.perf_counter()
        for batch in islice(self.loader, self.steps):
            loaded = time.perf_counter()
            yield batch
            now = time.perf_counter()  # the trainer asks for the next batch: it has made its update
            self.whole_ms.append(1000 * (now - ended))
            self.bare_ms.append(1000 * (now - loaded))
            self.targets.append(len(batch) // self.negatives)
            ended = time.perf_counter()


def config_of(asked, folder):
    """Its settings, by its names."""
    return Config(
        model="SASRec",
        dataset="log",
        config_dict={
            "data_path": folder,
            "checkpoint_dir": folder,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "group_by": "user", "order": "TO", "mode": "full"},
            "MAX_ITEM_LIST_LENGTH": asked["max_length"],
            "n_layers": asked["blocks"],
            "n_heads": asked["heads"],
            "hidden_size": asked["dim"],
            "inner_size": asked["dim"],
            "hidden_act": "relu",
            "hidden_dropout_prob": asked["dropout"],
            "attn_dropout_prob": asked["dropout"],
            "loss_type": "BPR",
            "train_neg_sample_args": {"distribution": "uniform", "sample_num": asked["negatives"]},
            "train_batch_size": asked["batch_size"],
            "learning_rate": asked["learning_rate"],
            "use_gpu": False,
            "show_progress": False,
        },
    )


def main(asked):
    """Train, and say what each step took."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):  # it logs for TensorBoard where it stands
        sequences = np.load(asked["sequences"])
        (Path(folder) / "log").mkdir()
        pd.DataFrame(
            {
                "user_id:token": sequences["users"],
                "item_id:token": sequences["items"],
                "timestamp:float": np.arange(len(sequences["items"])),
            }
        ).to_csv(Path(folder) / "log" / "log.inter", sep="\t", index=False)
        config = config_of(asked, folder)
        logging.disable()
        torch.set_num_threads(asked["threads"])
        dataset = create_dataset(config)
        built = dataset.build()
        sampler = create_samplers(config, dataset, built)[0]
        loader = get_dataloader(config, "train")(config, built[0], sampler, shuffle=True)
        model = SASRec(config, loader._dataset)
        clock = Clock(loader, asked["steps"], asked["negatives"])
        Trainer(config, model)._train_epoch(clock, 0)
    peak_kb = int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
    print(
        json.dumps(
            {
                "whole_ms": clock.whole_ms,
                "bare_ms": clock.bare_ms,
                "targets": clock.targets,
                "peak_mb": peak_kb / 1024,
                "torch": torch.__version__,
                "version": version("recbole"),
                "items": dataset.item_num - 1,
            }
        )
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
