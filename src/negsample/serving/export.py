"""A recommender as files that serve without negsample: a graph, item vectors, or an index of them."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import polars as pl
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from negsample.errors import InputError, guarded
from negsample.files.checksums import LIST, write_list
from negsample.files.folders import atomic_folder, check_place, writable
from negsample.models.build import terms_of
from negsample.serving.indexes import write_indexes
from negsample.serving.padded import vectors_of
from negsample.serving.read_me import read_me
from negsample.serving.recommender import Recommender
from negsample.serving.served import Served

To = Literal["onnx", "torch", "faiss", "vectors"]
EXTRAS = {"onnx": ("onnx", "onnxscript"), "faiss": ("faiss",)}
"""By the extra that has them, which is named as what is exported to."""
_LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir")
_INPUTS = ("items", "times", "time", "dial", "terms")


@guarded
def export(recommender: Recommender, to: To, folder: Path, *, k: int = 10) -> list[Path]:
    """Write ``recommender`` as files that serve without negsample. Returns the files.

    Each has ``README.md``, with a script that uses the others, and ``items.parquet``: the ``item`` that each number
    from 1 on stands for, its ``log_p`` for the dial, and its ``term``, what the terms add for it as of
    ``recommender.about.until``.

    - ``onnx``: ``recommend.onnx``, histories to the best items (see :class:`~negsample.serving.served.Served`), and
      ``encoder.onnx``, histories to states; weights are in ``.data`` files beside them.
    - ``torch``: ``recommend.pt2``, the first as a program of ``torch.export``.
    - ``vectors``: ``vectors.parquet``, (D,) of each item.
    - ``faiss``: indexes by inner product, see :func:`~negsample.serving.indexes.write_indexes`.

    Args:
        recommender: see :func:`negsample.load_model`.
        to: which of these.
        folder: a new one.
        k: items of an answer, fixed with ``onnx`` and ``torch``.

    Raises:
        InputError: the folder exists, a package is missing, or the model cannot be exported so.
    """
    folder = Path(folder)
    _check_installed(to)
    check_place(folder, new=True)
    column_V, terms = column_of(recommender, recommender.about.until), [terms_of(each) for each in recommender.models]
    with writable(folder, "choose another --out"), atomic_folder(folder) as scratch:
        items = {"item": recommender.item_ids, "log_p": recommender.log_p_V[1:].float().numpy()}
        pl.DataFrame(items | {"term": column_V[1:].numpy()}).write_parquet(scratch / "items.parquet")
        facts = _WRITERS[to](recommender, column_V, scratch, k) | {
            "k": k,
            "with_column": any(each is not None and each.items_F is not None for each in terms),
            "sparse": any(each is not None and (each.own_W is not None or each.near_N is not None) for each in terms),
        }
        (scratch / "README.md").write_text(read_me(to, recommender.about, **facts), encoding="utf-8")
        names = [path.name for path in scratch.iterdir()]
        write_list(scratch / LIST, "export", recommender.data.fingerprint, names)
    return sorted(folder.iterdir())


def column_of(recommender: Recommender, time: int) -> Tensor:
    """(V + 1,) what terms add for every item as of ``time``, the mean over the members."""
    column_V = recommender.ranker.shift(recommender.ask(time=time, dial=0.0)).float()
    column_V[0] = 0
    return column_V


def _check_installed(to: str) -> None:
    for package in EXTRAS.get(to, ()):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise InputError(f"an export to {to} needs {package} ({error}); pip install 'negsample[{to}]'") from None


def _onnx(recommender: Recommender, column_V: Tensor, folder: Path, k: int) -> dict[str, Any]:
    served = _served(recommender, k)
    _write_onnx(_program(served, column_V), folder / "recommend.onnx", _INPUTS, ("best", "scores"))
    _write_onnx(_program(served.encoder), folder / "encoder.onnx", _INPUTS[:1], ("states",))
    return {}


def _torch(recommender: Recommender, column_V: Tensor, folder: Path, k: int) -> dict[str, Any]:
    program = _program(_served(recommender, k), column_V)
    program.example_inputs = None  # they would be in the file as a pickle
    torch.export.save(program, folder / "recommend.pt2")
    return {}


def _vectors(recommender: Recommender, column_V: Tensor, folder: Path, k: int) -> dict[str, Any]:
    vectors_VD = torch.cat(vectors_of(recommender.models), 1)[1:].numpy()
    pl.DataFrame({"item": recommender.item_ids, "vector": vectors_VD}).write_parquet(folder / "vectors.parquet")
    return {"width": vectors_VD.shape[1]}


_WRITERS: dict[str, Callable[[Recommender, Tensor, Path, int], dict[str, Any]]] = {
    "onnx": _onnx,
    "torch": _torch,
    "vectors": _vectors,
    "faiss": write_indexes,
}


def _served(recommender: Recommender, k: int) -> Served:
    untrained = recommender.about.untrained
    return Served(recommender.models, recommender.data, recommender.log_p_V, k=k, untrained=untrained)


def _program(module: nn.Module, column_V: Tensor | None = None) -> ExportedProgram:
    """As a graph for any number of histories of any length; without ``column_V`` of the items alone."""
    batch, length = Dim("batch", min=1), Dim("length", min=1)
    items_BH = torch.ones(3, 5, dtype=torch.int64)
    given: tuple[Tensor, ...] = (items_BH,)
    dynamic: tuple[Any, ...] = ({0: batch, 1: length},)
    if column_V is not None:
        given += (items_BH.clone(), items_BH[:, 0] + 1, torch.zeros(3), column_V)  # one tensor twice would be one input
        dynamic += ({0: batch, 1: length}, {0: batch}, {0: batch}, None)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # weights of nn.GRU are attributes too
        program = torch.export.export(module.eval(), given, dynamic_shapes=dynamic, strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def _write_onnx(program: ExportedProgram, path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program, input_names=inputs, output_names=outputs, dynamo=True, verbose=False, external_data=True
        )
    assert made is not None
    made.save(path, external_data=True)
