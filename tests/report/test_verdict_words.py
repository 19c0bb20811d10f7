"""The sentences of a verdict, each against the numbers that it is made of; and the command to run next."""

from __future__ import annotations

import pytest
from made import LEVEL, SIGNIFICANT, comparisons, popular, row

from negsample.analysis.advice import Alike, advise
from negsample.analysis.trust import MATTERS, Reason
from negsample.analysis.verdict import Gain
from negsample.report.cards import gain_words, why_words
from negsample.report.next_command import next_command
from negsample.report.reasons import _WORDS, reason_words

ROWS = [row("mixed", 0.020), row("random", 0.016, 0.001, 0.5), popular()]


def gain(p: float | None, *, of: int = 0, over: int = 1, measure: str = "ndcg@10") -> str:
    tests = comparisons(ROWS, lambda *key: p)
    a, b = ROWS[of], ROWS[over]
    points = None if None in (a[measure], b[measure]) else a[measure] - b[measure]
    return gain_words(Gain(measure, a, b, points, tests.between(measure, a, b)), "than `x`").replace("\xa0", " ")


def test_gains_are_said_with_their_test():
    assert gain(SIGNIFICANT) == "0.40 points more NDCG@10 than `x` (+25 %): significant (p 0.001)."
    assert gain(1.0, of=1, over=0).endswith("not significant (p above 0.99).")
    assert gain(LEVEL, of=1, over=0) == "0.40 points less NDCG@10 than `x` (-20 %): not significant (p 0.5)."
    assert gain(None) == "0.40 points more NDCG@10 than `x` (+25 %): not tested (one run of a method)."
    assert gain(LEVEL, measure="balance@10") == "10.00 points more Balance than `x`: not significant (p 0.5)."
    assert gain(SIGNIFICANT, over=2) == "1.70 points more NDCG@10 than `x` (6.7 times): significant (p 0.001)."
    assert gain(LEVEL, over=0).startswith("As much NDCG@10 as `x`: not tested")


def test_why_a_method_is_taken():
    def said(alike):
        return why_words(advise(ROWS, ROWS, {"ndcg@10": alike}).accuracy)

    highest = (
        "Highest NDCG@10 on validation; none of the others is within a tenth of it without being significantly lower."
    )
    assert said(Alike("mixed", (), 0)) == highest
    assert said(Alike("mixed", (), 1)) == (
        "Highest NDCG@10 on validation; none of the others that were tested is within a tenth of it without"
        " being significantly lower (1 not tested)."
    )
    assert said(Alike("mixed", (), 2)) == "Highest NDCG@10 on validation; nothing was tested there."
    assert said(Alike("mixed", ("random",), 0)) == (
        "It has the highest NDCG@10 on validation; near it, within a tenth and not significantly lower: `random`. This"
        " one is the simplest of them, the best of those that train fastest."
    )
    assert said(Alike("mixed", ("random", "PopRec"), 0)) == (
        "`mixed` has the highest NDCG@10 on validation; near it, within a tenth and not significantly lower: `random`"
        " and `PopRec`. This one is the simplest of them, a rule."
    )
    alone = advise(ROWS[:1], ROWS[:1]).accuracy
    assert why_words(alone) == "On validation no other method has a hit."


@pytest.mark.parametrize(
    ("what", "facts", "words"),
    [
        (
            "nothing hit",
            {"methods": 1},
            "The trained method hits no test event, at any setting of the dial: something may be wrong with the ids,"
            " the split or the training.",
        ),
        ("repeats", {"repeats": 1}, "A trained method has one run: nothing is known of other seeds."),
        ("repeats", {"repeats": 2}, "A trained method has two runs only: little is known of other seeds."),
        ("repeats", {"repeats": 3}, "Every trained method has 3 runs or more."),
        (
            "cut off",
            {"late": 16, "runs": 18, "last": 3, "epochs": 15, "stops": False},
            "Training was cut off: in 16 of 18 runs the best epoch on validation is among the last 3 of 15.",
        ),
        (
            "cut off",
            {"late": 16, "runs": 18, "last": 5, "epochs": 100, "stops": True},
            "Training was cut off: in 16 of 18 runs validation was still improving at the limit of 100 epochs.",
        ),
        (
            "hits",
            {"hits": 29.4, "events": 1200, "chosen": ROWS[0]},
            "`mixed` hits 29 of 1,200 test events, in the mean of its runs.",
        ),
        ("windows", {"windows": 1}, "Tested on one window of time; others may differ."),
        (
            "by user",
            {"by_user": "mixed", "by_event": "random"},
            "If every user counted alike, `mixed` would be taken for accuracy, not `random`.",
        ),
        (
            "blind",
            {"detectable": 0.03, "chosen": ROWS[0]},
            "Even a difference as large as the NDCG@10 of `mixed` (2.00 %) is easily missed.",
        ),
        (
            "detectable",
            {"detectable": 0.004, "chosen": ROWS[0]},
            "Differences in NDCG@10 below 0.40 points are easily missed (larger ones are found with a probability of"
            " 80 % or more); `mixed` has 2.00 %.",
        ),
    ],
)
def test_reasons_are_said_by_their_facts(what, facts, words):
    assert reason_words(Reason("amber", what, facts)).replace("\xa0", " ") == words


def command(text: str, **options: str) -> str:
    return next_command({"command": text}, {f"--{name.replace('_', '-')}": value for name, value in options.items()})


def test_the_next_command_changes_what_it_has_to():
    own = "negsample compare shop.csv --epochs 15 --out out/shop"
    assert command(own, repeats="3") == "negsample compare shop.csv --epochs 15 --out out/shop --repeats 3"
    assert command(own, epochs="30") == "negsample compare shop.csv --epochs 30 --out out/shop-epochs"
    assert command(f"{own} --replace --repeats=1", repeats="3") == f"{own} --repeats 3"
    assert command(f"{own} --no-refit", refit="") == f"{own[: own.index('--out')]}--out out/shop-refit --refit"
    assert command("negsample compare 'my log.csv' --out o", tune_trials="20") == (
        "negsample compare 'my log.csv' --out o-tune-trials --tune-trials 20"
    )
    assert command("python study.py", repeats="3") == ""
    assert next_command({}, {}) == ""


def test_every_reason_has_words_and_a_rank():
    assert sorted(MATTERS) == sorted(_WORDS)
