"""The words for one dataset, from rows and tests made by hand."""

from __future__ import annotations

from typing import Any

from made import LEVEL, SIGNIFICANT, comparisons, once, popular, row

from negsample.analysis.cutoff import CutOff
from negsample.analysis.offers import chosen_on
from negsample.analysis.significance import Comparisons
from negsample.report.cells import COLUMNS, lines
from negsample.report.palette import looks
from negsample.report.words import Words, dataset_words

EVENTS = {"events": 1000, "cold_events": 263, "left_out_events": 0}
ROWS = (row("mixed", 0.020), row("random", 0.019, 0.001, 0.5), row("adaptive", 0.010, 0.009, 0.8), popular())


def words(
    *rows: dict[str, Any],
    p: Any = lambda *key: SIGNIFICANT,
    events: dict[str, int] = EVENTS,
    valid: Any = None,
    cut: CutOff | None = None,
) -> tuple[str, dict[str, str]]:
    tests = Comparisons() if p is None else comparisons(rows, p)
    found: Words = dataset_words(rows, events, chosen_on(valid or rows, rows), tests, cut)
    return found.headline.replace("\xa0", " "), {key: text.replace("\xa0", " ") for key, text in found.grounds}


def whole(said: tuple[str, dict[str, str]]) -> str:
    return " ".join([said[0], *said[1].values()])


def test_each_use_has_its_method_and_its_price():
    headline, said = words(*ROWS)
    assert headline == (
        "By validation, take `mixed` for total accuracy and Balance at 90 % or more of the best NDCG@10; `adaptive` for"
        " tail items. On test, that `mixed` has the highest NDCG@10 holds: significantly higher than `random`,"
        " `adaptive` and `PopRec` (p 0.001 or less)."
    )
    assert said["Accuracy"].startswith(
        "`mixed` has the highest NDCG@10 on test, 2.00 %, HR@10 4.00 %, Balance 60.0 %. The next, `random`, has NDCG@10"
        " 1.90 %, 5.0 % below `mixed`."
    )
    assert (
        "`adaptive` compared with `mixed`, advised for accuracy: HR@10 on tail items 0.90 % against 0.20 %"
        " (significant), total NDCG@10 1.00 % against 2.00 % (significant)." in said["Tail"]
    )
    assert (
        "of the 2 methods that keep 90 % of the best NDCG@10 on validation, has Balance 60.0 % on test"
        in (said["Balance"])
    )
    assert "`adaptive` has more Balance, 80.0 %, with NDCG@10 1.00 %." in said["Balance"]
    assert "Significant differences, by family: 6 of 6 in NDCG@10 in total" in said["Significance"]
    assert "26.3 % of the test events are on items never seen in training." in said["Ceiling"]
    assert "no method can" not in said["Ceiling"]


def test_where_nothing_is_significant_the_claim_cannot_be_told():
    headline, said = words(*ROWS, p=lambda *key: LEVEL)
    assert headline.endswith(
        "On test, that `mixed` has the highest NDCG@10 cannot be told here: no significant difference from `random`,"
        " `adaptive` and `PopRec` (p 0.5 or more, smallest detectable difference 0.4 percentage points)."
    )
    assert "(not significant)" in said["Tail"]
    assert "0 of 6 in NDCG@10 in total" in said["Significance"]


def test_what_some_tests_say():
    def p(measure: str, scope: str, a: str, b: str) -> float:
        return LEVEL if {a, b} == {"mixed", "random"} else 0.048 if {a, b} == {"mixed", "adaptive"} else SIGNIFICANT

    headline, said = words(*ROWS, p=p)
    assert "higher than `adaptive` and `PopRec` (p 0.048 or less, borderline: `adaptive`); no sig" in headline
    near = "Borderline, within a fifth of the 5 % line: `mixed` and `adaptive` in NDCG@10 (p 0.048)"
    assert near in said["Significance"]


def test_what_the_test_contradicts_does_not_hold():
    """Validation prefers `mixed`, and the test has another above it: both are said, each for what it is."""
    valid = [each | {"ndcg@10": 0.05} if each["method"] == "mixed" else each for each in ROWS]
    rows = [each | {"ndcg@10": 0.008} if each["method"] == "mixed" else each for each in ROWS]
    headline, said = words(*rows, valid=valid)
    assert "take `mixed` for total accuracy" in headline
    why = "significantly higher than `PopRec` (p 0.001); significantly lower than `random` and `adaptive` (p 0.001"
    assert f"does not hold: {why}" in headline
    assert said["Accuracy"].startswith("`random` has the highest NDCG@10 on test")
    assert "The advised `mixed` has NDCG@10 0.80 %, 58 % below `random`." in said["Accuracy"]


def test_with_one_run_a_method_nothing_is_tested_and_the_way_out_is_said():
    said = words(*(once(each) for each in ROWS), p=lambda *key: None)
    assert "cannot be told here: not tested against `random`, `adaptive` and `PopRec` (one run of a method)" in said[0]
    assert "repeat with `--repeats 3` or more" in said[0]
    assert "No difference was tested" in said[1]["Significance"]
    for forbidden in ("no significant difference", "significantly", "may be chance", "told apart"):
        assert forbidden not in whole(said)


def test_without_ranks_nothing_is_tested():
    said = words(*ROWS, p=None)
    assert "not tested against `random`, `adaptive` and `PopRec` (no ranks by event)" in said[0]
    assert "these runs have no ranks by event" in said[1]["Significance"]
    assert "significantly" not in whole(said)


def test_only_one_method():
    headline, said = words(row("mixed", 0.02), popular())
    assert headline.startswith("Only `mixed` was trained: there is nothing to choose between yet.")
    assert "On test, that `mixed` has the highest NDCG@10 holds: significantly" in headline
    assert "`mixed` has NDCG@10 2.00 % on test" in said["Accuracy"]


def test_one_method_without_the_baseline():
    headline, said = words(row("mixed", 0.02), p=None)
    assert headline == "Only `mixed` was trained: there is nothing to choose between yet."
    assert "PopRec" in said["Baseline"]


def test_only_the_baseline():
    headline, said = words(popular(), p=None)
    assert headline.startswith("No trained method has finished")
    assert "NDCG@10 0.30 %" in said["Baseline"]


def test_all_zero():
    rows = (row("mixed", 0.0, 0.0, None), row("random", 0.0, 0.0, None), popular())
    headline, said = words(*rows)
    assert headline == "Nothing to choose by: no trained method put a single validation target in its top 10."
    assert "are 0 for every trained method" in said["Accuracy"]
    assert "`mixed` and `random` have a lower NDCG@10" in said["Baseline"]
    assert "None" not in headline + str(said)


def test_undefined_balance_is_said():
    assert (
        "Balance is undefined for `random`"
        in words(row("mixed", 0.02), row("random", 0.0, 0.0, None), popular())[1]["Balance"]
    )
    everyone = whole(words(row("mixed", 0.02, balance=None), row("random", 0.01, balance=None), popular()))
    assert "undefined for `mixed` and `random`" in everyone
    assert "None" not in everyone


def test_ties_share():
    headline, said = words(row("mixed", 0.02), row("random", 0.02), popular(), p=lambda *key: LEVEL)
    assert "`mixed` and `random` share the highest NDCG@10 on test, 2.00 %" in said["Accuracy"]
    assert "share the highest HR@10 on test, 0.20 %" in said["Tail"]
    assert "cannot be told here" in headline


def test_losing_to_the_baseline_is_said_first():
    rows = (row("mixed", 0.02), row("random", 0.01), popular(0.05))
    headline, said = words(*rows)
    assert headline.startswith("On validation no trained method has a higher NDCG@10 than PopRec, `mixed` as the best")
    assert "On test, that `mixed` has a lower NDCG@10 than PopRec holds: significantly lower" in headline
    assert "significantly higher than `mixed` and `random`" in said["Baseline"]
    assert "cannot be told here" in words(*rows, p=lambda *key: LEVEL)[0]


def test_a_study_that_was_cut_off_says_so_before_anything():
    headline, _ = words(*ROWS, cut=CutOff(16, 18, 3, 15, tuned=False))
    assert headline.startswith(
        "Training was cut off: in 16 of 18 runs the best epoch on validation is among the last 3 of 15, so more epochs"
        " could change figures and order. Train longer (`--epochs 30`) or tune each method first (`--tune-trials 20`)."
        " What is said here holds for 15 epochs at most: By validation, take"
    )
    assert "--tune-trials" not in words(*ROWS, cut=CutOff(16, 18, 3, 15, tuned=True))[0]


def test_no_test_events():
    none = row("mixed", 0.0) | {"ndcg@10": None, "hr@10": None, "tail_hr@10": None, "balance@10": None}
    assert words(none, events=EVENTS | {"events": 0}, p=None) == (
        "There are no test events, so nothing was measured.",
        {},
    )


def test_what_is_left_out_of_the_ranking_is_a_ceiling():
    _, said = words(row("mixed", 0.02), popular(), events=EVENTS | {"left_out_events": 520})
    assert "52.0 % of the test events are on items that the user had before." in said["Ceiling"]
    assert "HR@10 has a ceiling of 48.0 %" in said["Ceiling"]


def test_no_tail_events_and_nothing_cold():
    rows = [row("mixed", 0.02) | {"tail_hr@10": None}, row("random", 0.01) | {"tail_hr@10": None}, popular()]
    headline, said = words(*rows, events=EVENTS | {"cold_events": 0})
    assert "No test event is on a tail item" in said["Tail"]
    assert "Every test event is on an item that was seen in training." in said["Ceiling"]
    assert "tail items" not in headline


def test_balance_never_stands_without_accuracy():
    for text in words(*ROWS)[1].values():
        for sentence in text.split(". "):
            if "Balance" in sentence and "%" in sentence and "That `" not in sentence and "family" not in sentence:
                assert "NDCG@10" in sentence, sentence


def marked(tests: Comparisons | None, name: str) -> list[str]:
    shown = lines(ROWS, looks([each["method"] for each in ROWS]), tests)
    place = [column.name for column in COLUMNS].index(name)
    assert not any(cell.best and cell.close for line in shown for cell in line.cells)
    return [line.method for line in shown if line.cells[place].close]


def test_a_dagger_stands_only_where_a_test_found_no_difference_from_the_best():
    def p(measure: str, scope: str, a: str, b: str) -> float | None:
        if measure == "ndcg@10" and scope == "all":
            return LEVEL if {a, b} == {"mixed", "random"} else None if "PopRec" in (a, b) else SIGNIFICANT
        return LEVEL if measure == "balance@10" else SIGNIFICANT

    tests = comparisons(ROWS, p)
    assert marked(tests, "ndcg@10") == ["random"]
    assert marked(tests, "balance@10") == ["mixed", "random", "PopRec"]
    assert marked(tests, "tail_hr@10") == marked(tests, "coverage@10") == marked(None, "ndcg@10") == []
