"""Talking to MLflow: with short waits, and in words for a person when it does not work."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from textwrap import shorten
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from negsample.errors import InputError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds; MLflow's own are 120, with 7 retries
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # a retried request may make a second run: who retries looks first
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # a new database would be reported as it is made
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nobody asked us to report to MLflow's makers
}
_LONGEST = 200
_ATTEMPTS = 2  # a connection that was closed meanwhile is the usual reason of a failure


def connect(uri: str, experiment: str) -> MlflowClient:
    """A client of the MLflow at ``uri`` that has answered, asked for ``experiment``.

    This process's MLflow waits seconds and logs nothing from now on, where the environment does not say otherwise.

    Args:
        uri: ``http(s)://`` of a server, a database as ``sqlite:///mlflow.db``, or what else MLflow takes.
        experiment: where runs are to be logged; it need not exist.

    Raises:
        InputError: MLflow is not installed, does not answer, or has thrown the experiment away.
    """
    scheme = _scheme(uri)
    os.environ.update({key: value for key, value in _DEFAULTS.items() if key not in os.environ})
    for name in ("mlflow", "urllib3", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        from mlflow import MlflowClient

        client = MlflowClient(uri)
        found = client.get_experiment_by_name(experiment)
    except ImportError as error:
        raise InputError(
            f"--mlflow {uri} needs MLflow ({error}); `pip install 'negsample[mlflow]'` has what a server needs, and "
            "`pip install mlflow` what sqlite: needs"
        ) from None
    except Exception as error:  # of MLflow, requests, SQLAlchemy, ... : whatever the reason, it cannot be used
        way_out = "start a server (`mlflow server`), correct the URI, or leave --mlflow out"
        if scheme in ("", "file"):
            way_out = (
                "name a server as http://HOST:PORT or a database as sqlite:///FILE (MLflow takes a folder only where "
                "MLFLOW_ALLOW_FILE_STORE=true is set)"
            )
        raise InputError(f"--mlflow {uri} does not work: {reason(error)}; {way_out}") from None
    if found is not None and found.lifecycle_stage != "active":
        raise InputError(
            f"experiment '{experiment}' was deleted at {uri}; restore it (`mlflow experiments restore -x "
            f"{found.experiment_id}`), or name another in MLFLOW_EXPERIMENT_NAME"
        )
    return client


def _scheme(uri: str) -> str:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise InputError(f"--mlflow {uri} is no URI ({error}); one is http://localhost:5000") from None
    if not uri or parts.password is not None:
        raise InputError(
            "--mlflow takes a URI without a password, such as http://localhost:5000 (the command is written into the "
            "report); give it in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    return parts.scheme


def reason(error: BaseException) -> str:
    """Why it went wrong, in one line: the words of the system where it has any, else those of MLflow."""
    root = error
    while (deeper := root.__cause__ or root.__context__ or _wrapped(root)) is not None:
        root = deeper
    words = (root.strerror or str(root)) if isinstance(root, OSError) else str(error)
    return shorten(words.strip().rstrip(".") or type(error).__name__, _LONGEST, placeholder=" ...")


def _wrapped(error: BaseException) -> BaseException | None:
    """What urllib3 hands on without raising it."""
    return next((each for each in error.args if isinstance(each, BaseException)), None)


def why_not(do: Callable[[], None]) -> str | None:
    """Do it, and where that fails once more; None when it is done, else the reason."""
    why = None
    for _ in range(_ATTEMPTS):
        try:
            do()
        except Exception as error:  # of MLflow, requests, a database, the disk: tracking is never why a study stops
            why = reason(error)
        else:
            return None
    return why
