"""Public functions with arguments that are none: one sentence that names the argument, and no error from inside."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from make_study import METHODS as MADE
from make_study import make_study

import negsample
from negsample import InputError, PrepareSettings, plan, run_settings
from negsample.errors import guarded
from negsample.evaluation.metrics import METRICS
from negsample.methods import negative_settings
from negsample.models.baselines import BASELINES
from negsample.models.build import build_backbone
from negsample.settings import BACKBONES, TERMS

pytestmark = pytest.mark.usefixtures("no_report")

HOSTILE = [None, "", "x", "é\0", b"x", -1, 0, 1.5, 2**64, 1e20, math.nan, True, [], [None], {}, {"x": 1}, object(), int]
SETTINGS = run_settings(epochs=1, dim=4, blocks=1, max_length=4)
RANDOM = {"random_negatives": 2, "draws_per": "sequence", "exclude": "history"}


class OwnBackbone(negsample.ModelSettings):
    """The settings of a backbone of one's own."""

    backbone: str = "of-this-test"

    def build(self, table, *, rng):
        raise AssertionError("nobody asks for it")


@pytest.fixture(scope="module")
def good(world, tmp_path_factory):
    """A call of each public function that is right, by name."""
    data = world(users=40, items=20, name="small")
    out = tmp_path_factory.mktemp("out")
    catalogue = negsample.catalogue_of(data, 4)
    model = negsample.SASRec(20, dim=4, blocks=1, max_length=4, rng=negsample.generator(0, "init"))
    of_terms = run_settings(terms="recency,repeats", dim=4, blocks=1).model
    with_terms = build_backbone(of_terms, 20, rng=negsample.generator(0, "init"), device=torch.device("cpu"))
    method = negsample.build_method("random", catalogue, RANDOM)
    jobs = plan([data], ["PopRec"], repeats=1, seed=0, settings=SETTINGS)
    counts, vectors = torch.arange(21), torch.ones(3, 4)
    text = out / "log.csv"
    text.write_text("user,item,time,qty\n" + "".join(f"{i % 3},{i % 4},{13 * 10**8 + i},2\n" for i in range(60)))
    of_plan = {"datasets": [data], "methods": ["random"], "seed": 0, "settings": SETTINGS, "changes": {}}
    shares = negsample.log_shares(counts)
    return {
        "plan": of_plan | {"repeats": 1, "tuned": {}},
        "plan_tunings": of_plan | {"trials": 1, "given": [], "folder": out / "tuning", "tuned": {}},
        "tune_all": {"tunings": [], "at_once": 1},
        "compare": {"data": jobs, "out": out / "study", "at_once": 1, "together": 1, "dial": "none", "note": {}},
        "write_report": {"study": out / "study"},
        "write_joint_report": {"studies": [out / "study", out / "other"], "out": out / "joint"},
        "build_method": {"method": "random", "catalogue": catalogue, "negatives": RANDOM},
        "negative_settings": {"method": "random", "changes": {}},
        "register_method": {"name": "of-this-test", "method": negsample.METHODS["random"], "replace": True},
        "register_backbone": {"name": "of-this-test", "settings": OwnBackbone, "replace": True},
        "register_metric": {"name": "own", "metric": lambda ranks, k: ranks < k, "higher_is_better": True}
        | {"unit": "%", "replace": True},
        "register_baseline": {"name": "own-rule", "build": lambda data: None, "replace": True},
        "register_term": {"name": "own-term", "features": lambda data, times: [], "columns": 2, "replace": True},
        "run_settings": {},
        "read_study": {"folder": out / "study"},
        "load_run": {"folder": out / "study" / "runs" / jobs[0].name, "data": data},
        "load_model": {"folder": out / "study" / "runs" / jobs[0].name, "data": data},
        "load_plugins": {"names": []},
        "catalogue_of": {"data": data, "max_length": 4, "windows": "last"},
        "generator": {"seed": 0, "purpose": "init"},
        "load_dataset": {"dataset": data.folder, "settings": None, "split": None},
        "load_folds": {"dataset": text, "folds": 2, "settings": None, "split": None},
        "open_dataset": {"folder": data.folder},
        "prepare": {"log": negsample.read_log(text), "settings": PrepareSettings(), "folder": out / "prepared"}
        | {"on": "local"},
        "inspect": {"log": text, "settings": None},
        "read_log": {"log": text, "user": "user", "item": "item", "time": "time", "weight": "qty"},
        "split_by_time": {"times": np.arange(60), "rule": "timestamp", "valid_fraction": 0.1, "test_fraction": 0.1},
        "fit": {"model": model, "data": data, "method": method, "settings": SETTINGS, "seed": 0},
        "evaluate": {"model": model, "data": data, "part": "valid", "settings": SETTINGS},
        "evaluate_by_dial": {
            "model": model,
            "data": data,
            "part": "valid",
            "settings": SETTINGS,
            "dials": negsample.dials(counts),
        },
        "dials": {"target_counts": counts, "betas": [0.0, 1.0]},
        "item_vectors": {"items_ND": torch.ones(21, 4), "log_p_N": shares, "term_N": shares},
        "log_shares": {"target_counts": counts},
        "query_vectors": {"states_QD": vectors, "beta": 0.5, "terms": True},
        "term_column": {"model": with_terms, "data": data, "time": 5},
        "own_terms": {"model": with_terms, "items": [1, 2], "times": [3, 4], "time": 5},
        "neighbour_terms": {"model": with_terms, "data": data, "items": [1, 2]},
        "encode_histories": {"model": model, "histories": [[1, 2]]},
        "padded_batch": {
            "inputs_BL": torch.tensor([[0, 1, 2]]),
            "targets_BL": torch.tensor([[0, 2, 3]]),
            "catalogue_size": 20,
        },
    }


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    for registry in (negsample.METHODS, BACKBONES, METRICS, BASELINES, TERMS):
        for name in ("_parts", "_from"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))


OF_TENSORS = {"propose", "score", "step", "optimizer_for", "bce", "bpr", "bpr_max", "corrected_log_q", "gbce"}
OF_TENSORS |= {"full_cross_entropy", "sampled_softmax", "balance", "coverage", "hit", "ndcg", "reciprocal_rank"}
"""Called at every step or for every event, on tensors and arrays: PyTorch and NumPy name what is wrong."""
OF_MODELS = {"final", "refresh", "train_on", "export"}
"""They need a MODEL: tests/serving/test_public.py."""
FUNCTIONS = sorted(
    name for name in set(negsample.__all__) - OF_TENSORS - OF_MODELS if inspect.isfunction(getattr(negsample, name))
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_wrong_is_named(name, good, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where text may be taken for a path
    function, right = getattr(negsample, name), good[name]
    assert set(right) <= set(inspect.signature(function).parameters)
    for key in right:
        for value in HOSTILE:
            error = refusal(function, right | {key: value})
            words = str(error)
            assert error is None or ("\n" not in words and len(words) > 15)
            named = isinstance(error, InputError | None) or key.split("_")[0] in words
            assert named, f"{name}({key}={value!r}): {words}"


@pytest.mark.parametrize("name", ["frontier", "significance"])
def test_what_is_wrong_of_a_plot_is_named(name, tmp_path_factory):
    plot = negsample.read_study(make_study(tmp_path_factory.mktemp("plots") / "s", ["a"], MADE[:2], repeats=1)).plot
    assert getattr(plot, name)("a", dark=True) is not None
    for value in HOSTILE:
        for given in ({"dataset": value}, {"dark": value}):
            error = refusal(getattr(plot, name), given)
            right = (value is None and "dataset" in given) or (value is True and "dark" in given)
            assert right or isinstance(error, InputError), (given, error)


def test_what_is_wrong_of_users_is_named(tmp_path_factory):
    study = negsample.read_study(make_study(tmp_path_factory.mktemp("users") / "s", ["a"], MADE[:2], repeats=1))
    right = {"method": MADE[0], "other": MADE[1], "dataset": "a", "dials": [0, 0], "most": 2}
    for key in right:
        for value in HOSTILE:
            assert isinstance(refusal(study.users, right | {key: value}), InputError), (key, value)


def refusal(function, arguments):
    """The error for people; any other goes on."""
    try:
        function(**arguments)
    except ValueError as error:
        return error
    return None


def test_a_list_of_anything_is_called_a_list():
    with pytest.raises(InputError, match=r"exclude must be a list, got 'p1'"):
        guarded(listing)(exclude="p1")


def listing(exclude: Sequence[Any] = ()) -> None:
    """As an argument of `recommend`."""


def test_the_right_calls_are_right(good):
    for name, right in good.items():
        if name not in {
            "write_report",
            "write_joint_report",
            "read_study",
            "load_run",
        }:  # of a study that is not there yet
            getattr(negsample, name)(**right)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1e20}, "seed must be a whole number, got 1e+20"),
        ({"seed": 2**64}, "seed must be a whole number from 0 to 2,145,483,648, got 18446744073709551616"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"repeats": 0}, "repeats must be a whole number from 1 to 1,000, got 0"),
        ({"methods": []}, "methods must not be empty"),
        ({"methods": "random"}, "methods must be a list, each of it text, got 'random'"),
        ({"methods": ["randon"]}, "unknown method 'randon'; did you mean 'random'"),
        ({"settings": {"epochs": 1}}, "settings must be a RunSettings, got a dict"),
        ({"datasets": "online-retail"}, "datasets must be a list, each of it a Dataset, got 'online-retail'"),
        ({"changes": {"nonsense": 1}}, "unknown setting 'nonsense'"),
    ],
)
def test_words_of_a_plan(change, words, good):
    with pytest.raises(InputError) as refusal:
        plan(**good["plan"] | change)
    assert words in str(refusal.value)


def test_a_method_comes_once_and_a_folder_may_be_text(good, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    jobs = plan(**good["plan"] | {"methods": ["random", "random", "PopRec"]})
    assert [job.method for job in jobs] == ["PopRec", "random"]
    assert negsample.compare(jobs[:1], "study").folder == Path("study")
    assert (tmp_path / "study" / "study.json").exists()


def test_a_method_is_built_from_its_own_settings(good):
    catalogue = good["build_method"]["catalogue"]
    with pytest.raises(InputError, match="method random: unknown setting 'bank_size'; the settings are: random_neg"):
        negsample.build_method("random", catalogue, RANDOM | {"bank_size": 3})
    assert negsample.build_method("random", catalogue, {"random_negatives": 7}).exclude == "history"
    for name in ("PopRec", "all", "random,bpr"):
        with pytest.raises(InputError, match="one method that is trained"):
            negsample.build_method(name, catalogue, negative_settings("random", {}))
