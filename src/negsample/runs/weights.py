"""The weights of a run's models, each in a file."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file

from negsample.files.checksums import LIST, read_list
from negsample.models import Backbone

MODEL = "model.safetensors"
"""Of the model that is tested; with a refit, the one trained on train and validation."""

BEFORE_REFIT = "model_before_refit.safetensors"
"""With a refit, of the model that validation chose: trained on train alone."""


def save_weights(model: Backbone, path: Path) -> None:
    """The weights of ``model`` as the file ``path``."""
    save_file(model.state_dict(), path)
    path.chmod(0o644)  # as the other files; safetensors has 0600


def load_weights(model: Backbone, folder: Path, name: str = MODEL, *, kind: str = "run") -> None:
    """Give ``model`` the weights in the file ``name`` of the run, or of what ``kind`` says, in ``folder``.

    Raises:
        InputError: the file is damaged.
    """
    listed = read_list(folder / LIST, kind)
    listed.check(name)
    try:
        model.load_state_dict(load_file(folder / name))
    except Exception as error:  # safetensors and torch each have errors of their own
        raise listed.damaged(name, error) from None
