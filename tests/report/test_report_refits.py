"""What the report says of the models' age and of a refit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from make_study import make_study

from negsample.analysis.reading import read_study
from negsample.report.page import write_report
from negsample.report.refits import age_words, refit_table, terms_table, terms_words
from negsample.runs.folder import Run

ROWS = {"random": (0.01, 0.012), "mixed": (0.02, 0.019)}


def refitted(config: dict[str, Any], metrics: dict[str, Any]) -> None:
    if config["method"] in ROWS:
        before, after = ROWS[config["method"]]
        seed = 0.001 * config["seed"]
        metrics["age_days"] = 5.25
        metrics["refit"] = {"epochs": 3, "seconds": 1.5}
        metrics["test_before_refit"] = metrics["test"] | {"ndcg@10": before + seed}
        metrics["test"] = metrics["test"] | {"ndcg@10": after + 3 * seed}


def plain(config: dict[str, Any], metrics: dict[str, Any]) -> None:
    metrics["age_days"] = 36.125 if config["method"] != "PopRec" else None


def test_before_and_after_a_refit(tmp_path):
    study = read_study(make_study(tmp_path / "study", ["beauty"], ("random", "mixed", "PopRec"), 3, refitted))
    words = age_words(study, "beauty")
    assert words.startswith(
        "Models were trained anew on train and validation (refit): 5.25\u00a0days old at test (median"
    )
    assert refit_table(study, "beauty").lines == [
        ("random", "1.10 ± 0.10\u00a0%", "1.50 ± 0.30\u00a0%", "0.40 ± 0.20\u00a0%"),
        ("mixed", "2.10 ± 0.10\u00a0%", "2.20 ± 0.30\u00a0%", "0.10 ± 0.20\u00a0%"),
    ]
    assert study.table().filter(method="random")["age_days"].to_list() == [5.25]
    page = write_report(study).read_text()
    assert words in page
    assert "NDCG@10 before the refit" in page


def test_over_folds_the_deviation_is_over_the_seeds_with_their_means(tmp_path):
    """Two folds that differ by 1 % in everything: their means over the folds differ by seed alone."""
    runs = []
    for fold in (1, 2):
        for seed in (0, 1):
            config = {"method": "random", "dataset": f"beauty.fold-{fold}-of-2", "seed": seed}
            metrics = {"test": {"ndcg@10": 0.0}}
            refitted(config, metrics)
            for part in ("test_before_refit", "test"):
                metrics[part]["ndcg@10"] += 0.01 * fold
            runs.append(Run(tmp_path, config, metrics, [], []))
    study: Any = SimpleNamespace(methods_of=lambda dataset: ["random"], runs_of=lambda dataset, method: runs)
    assert refit_table(study, "beauty").lines == [
        ("random", "2.55 ± 0.07\u00a0%", "2.85 ± 0.21\u00a0%", "0.30 ± 0.14\u00a0%")
    ]


def test_without_a_refit_the_age_alone(tmp_path):
    study = read_study(make_study(tmp_path / "study", ["beauty"], ("random", "PopRec"), 1, plain))
    assert age_words(study, "beauty").startswith("Models were trained on train alone: 36.1\u00a0days old at test")
    assert refit_table(study, "beauty").lines == []


def test_runs_of_earlier_versions_say_nothing(tmp_path):
    study = read_study(make_study(tmp_path / "study", ["beauty"], ("random", "PopRec"), 1))
    assert age_words(study, "beauty") == ""


def fitted(config: dict[str, Any], metrics: dict[str, Any]) -> None:
    if config["method"] in ROWS:
        without, chosen = ROWS[config["method"]][0], "share 0.2" if config["method"] == "random" else "as trained"
        tried = {"as trained": 0.03, "share 0.2": 0.05 if config["method"] == "random" else 0.01}
        metrics["terms"] = {"chosen": chosen, "tried": tried, "weights": {}, "seconds": 2.0}
        metrics["without_terms"] = {
            "valid": metrics["valid"] | {"ndcg@10": 0.03},
            "test": metrics["test"] | {"ndcg@10": without},
        }
        metrics["valid"] = metrics["valid"] | {"ndcg@10": tried[chosen]}
        metrics["test"] = metrics["test"] | {"ndcg@10": 2 * without}


def test_with_and_without_fitted_terms(tmp_path):
    study = read_study(make_study(tmp_path / "study", ["beauty"], ("random", "mixed", "PopRec"), 2, fitted))
    percents = [("3.00", "5.00", "1.00", "2.00"), ("3.00", "3.00", "2.00", "4.00")]
    assert terms_table(study, "beauty").lines == [
        (method, chosen, *(f"{each} ± 0.00\u00a0%" for each in of))
        for (method, chosen), of in zip((("random", "share 0.2"), ("mixed", "as trained")), percents, strict=True)
    ]
    of = {run.config["method"]: terms_words(run.metrics) for run in study.runs}
    assert of["random"] == "terms, share 0.2 of the model (NDCG@10 on validation 3.00\u00a0% without, 5.00\u00a0% with)"
    assert of["mixed"].startswith("terms do not help on validation")
    assert of["PopRec"] == ""
    assert "share 0.2" in write_report(study).read_text()
