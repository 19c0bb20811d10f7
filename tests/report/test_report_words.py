from __future__ import annotations

import math
from typing import Any

import pytest

from negsample.report.noise import pooled_sd, within_noise
from negsample.report.words import Words, dataset_words

EVENTS = {"events": 1000, "cold_events": 263, "left_out_events": 0}


def row(method: str, ndcg: float, tail: float = 0.002, balance: float | None = 0.6, **more: Any) -> dict[str, Any]:
    found = {"method": method, "runs": 3, "ndcg@10": ndcg, "hr@10": 2 * ndcg, "tail_hr@10": tail}
    found |= {"balance@10": balance, "train_seconds": 100.0, "steps_per_second": 5.0}
    sds = {f"{name}_sd": 0.0005 for name in ("ndcg@10", "hr@10", "tail_hr@10", "balance@10")}
    return found | sds | more


def popular(ndcg: float = 0.003) -> dict[str, Any]:
    return row("PopRec", ndcg, 0.0, 1 / 3, **{"ndcg@10_sd": 0.0}, train_seconds=0.0)


def once(each: dict[str, Any]) -> dict[str, Any]:
    return {key: None if key.endswith("_sd") else value for key, value in each.items()} | {"runs": 1}


def text(words: Words) -> str:
    return " ".join([words.headline, *(part for _, part in words.grounds)]).replace("\xa0", " ")


def told(*rows: dict[str, Any], events: dict[str, int] = EVENTS) -> str:
    return text(dataset_words(rows, events))


def test_pooled_sd_by_hand() -> None:
    a, b = row("a", 0.1) | {"ndcg@10_sd": 0.3, "runs": 3}, row("b", 0.2) | {"ndcg@10_sd": 0.6, "runs": 5}
    assert pooled_sd(a, b, "ndcg@10") == pytest.approx(math.sqrt((2 * 0.09 + 4 * 0.36) / 6))
    assert pooled_sd(a, popular(), "ndcg@10") == pytest.approx(0.3)
    assert pooled_sd(once(a), once(b), "ndcg@10") is None
    assert within_noise(a, b, "ndcg@10")
    assert not within_noise(once(a), once(b), "ndcg@10")


def test_each_use_has_its_method_and_its_price() -> None:
    said = told(row("mixed", 0.02), row("adaptive", 0.01, 0.009, 0.8), row("random", 0.019, 0.001, 0.7), popular())
    assert said.startswith(
        "Take `mixed` for total accuracy; `adaptive` for tail items; "
        "`random` for balance at 90 % or more of the best NDCG@10."
    )
    assert "Most accurate in total is `mixed`: NDCG@10 2.00 %, HR@10 4.00 %, Balance 60.0 %." in said
    assert "0.90 % against 0.20 % for `mixed`. In total it has NDCG@10 1.00 %, 50 % below `mixed`." in said
    assert "More even is `adaptive`, Balance 80.0 %, bought with NDCG@10 1.00 %, 50 % below `mixed`." in said
    assert "26.3 % of the test events are on items never seen in training." in said
    assert "they are hit by chance" in said
    assert "ceiling" not in said
    assert "significan" not in said


def test_a_difference_within_the_repeats_is_called_so() -> None:
    said = told(row("mixed", 0.0200), row("random", 0.0198), row("adaptive", 0.01), popular())
    assert "Take `mixed` or `random` for total accuracy" in said
    assert "The lead over `random` in NDCG@10 is smaller than the pooled sd of the repeats" in said
    assert "The first beyond that, `adaptive`," in said


def test_one_run_cannot_tell_noise() -> None:
    said = told(once(row("mixed", 0.0200)), once(row("random", 0.0198)), once(popular()))
    assert "Every method ran once: one run cannot tell a difference from noise" in said
    assert "pooled sd" not in said


def test_only_one_method() -> None:
    said = told(row("mixed", 0.02), popular())
    assert said.startswith("Only `mixed` was trained: there is nothing to choose between yet.")
    assert "Balance 60.0 %" in said


def test_only_the_baseline() -> None:
    said = told(popular())
    assert said.startswith("No trained method has finished")
    assert "NDCG@10 0.30 %" in said


def test_all_zero() -> None:
    said = told(row("mixed", 0.0, 0.0, None), row("random", 0.0, 0.0, None), popular())
    assert said.startswith("Nothing to choose by: no trained method put a single test target in its top 10.")
    assert "All 2 trained methods lose to PopRec" in said
    assert "None" not in said


def test_undefined_balance_is_said() -> None:
    said = told(row("mixed", 0.02), row("random", 0.0, 0.0, None), popular())
    assert "Balance is undefined for `random`" in said


def test_balance_undefined_for_the_best_and_for_all() -> None:
    best = told(row("mixed", 0.02, balance=None), row("random", 0.01), popular())
    assert "No method with a defined Balance keeps 90 % of the best trained NDCG@10." in best
    everyone = told(row("mixed", 0.02, balance=None), row("random", 0.01, balance=None), popular())
    assert "Balance is undefined for `mixed` and `random`" in everyone
    assert "None" not in best + everyone


def test_ties() -> None:
    said = told(row("mixed", 0.02), row("random", 0.02), popular())
    assert "`mixed` and `random` share the highest NDCG@10, 2.00 %." in said
    assert "Take `mixed` or `random` for total accuracy" in said
    assert "share the highest HR@10, 0.20 %" in said


def test_losing_to_the_baseline_is_said_first() -> None:
    said = told(row("mixed", 0.02), row("random", 0.01), popular(0.05))
    assert said.startswith("No trained method beats PopRec here: NDCG@10 5.00 % for PopRec, 2.00 % for `mixed`")
    assert "All 2 trained methods lose to PopRec on NDCG@10." in said
    some = told(row("mixed", 0.02), row("random", 0.01), popular(0.015))
    assert "`random` loses to PopRec on NDCG@10." in some


def test_a_lead_over_the_baseline_within_the_repeats() -> None:
    said = told(row("mixed", 0.0203), row("random", 0.01), popular(0.02))
    assert "The lead of `mixed` over PopRec is smaller than the sd of the repeats." in said


def test_no_test_events() -> None:
    none = row("mixed", 0.0) | {"ndcg@10": None, "hr@10": None, "tail_hr@10": None, "balance@10": None}
    assert told(none, events={"events": 0, "cold_events": 0, "left_out_events": 0}) == (
        "There are no test events, so nothing was measured."
    )


def test_what_is_left_out_of_the_ranking_is_a_ceiling() -> None:
    said = told(row("mixed", 0.02), popular(), events=EVENTS | {"left_out_events": 520})
    assert "52.0 % of the test events are on items that the user had before." in said
    assert "HR@10 has a ceiling of 48.0 %" in said


def test_no_tail_events_and_nothing_cold() -> None:
    rows = [row("mixed", 0.02) | {"tail_hr@10": None}, row("random", 0.01) | {"tail_hr@10": None}]
    said = told(*rows, popular(), events={"events": 10, "cold_events": 0, "left_out_events": 0})
    assert "No test event is on a tail item" in said
    assert "Every test event is on an item that was seen in training." in said
    assert "tail items" not in said.split(".")[0]


def test_balance_never_stands_without_accuracy() -> None:
    words = dataset_words([row("a", 0.02), row("b", 0.019, 0.009, 0.8), row("c", 0.005, 0.001, 0.9)], EVENTS)
    for _, part in words.grounds:
        for sentence in part.split(". "):
            if "Balance" in sentence and "%" in sentence and "lead over" not in sentence:
                assert "NDCG@10" in sentence
