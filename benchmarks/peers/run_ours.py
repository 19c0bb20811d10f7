"""Our SASRec with uniform negatives and BCE, trained for some steps; prints one JSON line."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from benchmarks.timed import time_steps
from negsample import SASRec, build_method, catalogue_of, generator, load_dataset, negative_settings
from negsample.batches.epochs import epoch_batches
from negsample.optim import DenseAdam
from negsample.training.step import step


def main(asked: dict[str, Any]) -> None:
    """Train, and say what each step took."""
    torch.set_num_threads(asked["threads"])
    data = load_dataset(asked["log"])
    changes = {"random_negatives": asked["negatives"], "draws_per": asked["draws_per"]}
    catalogue = catalogue_of(data, asked["max_length"], torch.device("cpu"))
    method = build_method("random", catalogue, negative_settings("random", changes))
    model = SASRec(
        data.catalogue_size,
        dim=asked["dim"],
        max_length=asked["max_length"],
        blocks=asked["blocks"],
        heads=asked["heads"],
        dropout=asked["dropout"],
        rng=generator(0, "init"),
    )
    optimizer = DenseAdam(model.parameters(), lr=asked["learning_rate"])
    draws, drops = generator(0, "negatives"), generator(0, "dropout")
    batches = epoch_batches(
        data,
        batch_size=asked["batch_size"],
        max_length=asked["max_length"],
        exclude=method.exclude,
        rng=generator(0, "order"),
    )
    found = time_steps(
        lambda batch: step(model, method, batch, optimizer, negatives_rng=draws, dropout_rng=drops),
        batches,
        asked["steps"],
    )
    print(json.dumps(found | {"items": data.catalogue_size}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
