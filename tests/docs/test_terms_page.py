"""The page of terms: figures by hand, settings of the dial chosen on validation, ingredients in their order."""

from __future__ import annotations

import json
import statistics
import sys

import pytest

from negsample import InputError
from scripts import terms_page
from scripts.figures_in_docs import FIGURE, ROOT
from scripts.terms_chart import best_baseline, rows_of, steps, waterfall
from scripts.terms_differences import differences_of, differences_table
from scripts.terms_folds import windows_of, windows_table
from scripts.terms_lines import by_log, lines_of
from scripts.terms_tables import against, figures_table, rivals_table

FOLDER = ROOT / "docs/studies/terms"
PLAIN = {"valid": (0.02, 0.4), "test_before_refit": (0.01, 0.5), "test": (0.03, 0.6)}
TERMS = ["popularity", "recency", "repeats"]


def of_dial(*middle, low=(0.03, 0.9), high=(0.02, 0.3)):
    return [low, middle, high]


def write_fitted(run_folder, study, method, test=(0.05, 0.7), valid=(0.06, 0.65), seed=0, **more):
    """A run as `--terms auto` leaves it; at dial -0.5 it has lower NDCG@10 and higher Balance@10."""
    at = {"valid": of_dial(*valid), "test": of_dial(*test), "before": of_dial(0.04, 0.7), "without": PLAIN} | more
    run_folder(study, method, seed, **at)


@pytest.fixture
def found(run_folder, tmp_path):
    """The means of a study with everything: two seeds, and baselines."""
    for seed, ndcg in ((0, 0.05), (1, 0.07)):
        write_fitted(run_folder, tmp_path, "mixed-log-q", (ndcg, 0.7), seed=seed, epochs=10)
        write_fitted(run_folder, tmp_path, "random", (0.04, 0.75), seed=seed, epochs=10)
    write_fitted(run_folder, tmp_path, "mixed-log-q", (0.08, 0.72), targets="moments", epochs=10)
    along = {"targets": "moments", "terms": TERMS, "epochs": 6}
    write_fitted(run_folder, tmp_path, "mixed-log-q", (0.09, 0.72), **along)
    for name, valid, test in (("EASE", 0.03, 0.01), ("Repeat", 0.02, 0.04), ("Terms", 0.05, 0.045)):
        run_folder(tmp_path, name, valid=[(valid, 0.5)], test=[(test, 0.5)])
    return by_log(lines_of(tmp_path))["beauty"]


def ways(study):
    return {(line["targets"], line["way"]): line for line in lines_of(study)}


def test_a_fitted_run_is_three_lines_at_dial_0_whatever_its_dial(run_folder, tmp_path):
    write_fitted(run_folder, tmp_path, "random", dial=0.5)
    found = {way: (line["test_ndcg@10"], line["test_balance@10"]) for (_, way), line in ways(tmp_path).items()}
    assert found == {"as trained": (0.01, 0.5), "refit": (0.03, 0.6), "refit, terms after training": (0.05, 0.7)}
    valid = [line["valid_ndcg@10"] for line in ways(tmp_path).values()]
    assert valid == [0.02, 0.02, 0.06]


def test_a_run_without_fitted_terms_has_none(run_folder, tmp_path):
    write_fitted(run_folder, tmp_path, "mixed-log-q", without=None, dial=-0.5)
    found = {way: line["test_ndcg@10"] for (_, way), line in ways(tmp_path).items()}
    assert found == {"as trained": 0.04, "refit": 0.05}


def test_terms_trained_along_have_ways_of_their_own(run_folder, tmp_path):
    write_fitted(run_folder, tmp_path, "mixed-log-q", terms=TERMS, targets="moments")
    found = {where: line["test_ndcg@10"] for where, line in ways(tmp_path).items()}
    along = "terms trained along, refit"
    assert found == {("moments", along): 0.03, ("moments", f"{along}, and after training"): 0.05}


def test_a_trained_run_without_a_refit_is_refused(run_folder, tmp_path):
    run_folder(tmp_path, "random", valid=[(0.1, 0.5)], test=[(0.1, 0.5)], refit=False)
    with pytest.raises(InputError, match=r"has no refit.*make the study with --refit"):
        list(lines_of(tmp_path))


@pytest.mark.parametrize(
    ("name", "other"), [("settings", {"epochs": 20}), ("dataset_fingerprint", {"dataset": "f" * 12})]
)
def test_one_mean_is_of_the_same_settings_and_data(run_folder, tmp_path, name, other):
    write_fitted(run_folder, tmp_path, "random", epochs=10)
    write_fitted(run_folder, tmp_path, "random", seed=1, **({"epochs": 10} | other))
    with pytest.raises(InputError, match=f"{name} must be the same"):
        by_log(lines_of(tmp_path))


def cells(lines, first, second=None):
    (line,) = [each for each in lines if each.startswith(f"| `{first}` | {second or ''}")]
    return [each.strip() for each in line.split("|")[2:-1]]


def test_the_table_has_means_their_spread_and_other_numbers_of_runs(found):
    table = figures_table(found)
    sd = 100 * statistics.stdev([0.05, 0.07])
    assert cells(table, "mixed-log-q", "rows") == [
        "rows",
        "**1.00 ±0.00**; 50.0 ±0.0",
        "**3.00 ±0.00**; 60.0 ±0.0",
        f"6.00 ±{sd:.2f}; 70.0 ±0.0",
        "",
        "",
    ]
    after = ["**1.00**; 50.0 (1 run)", "**3.00**; 60.0 (1 run)", "**8.00**; 72.0 (1 run)"]
    assert cells(table, "mixed-log-q", "moments") == [
        "moments",
        *after,
        "**3.00**; 60.0 (1 run)",
        "**9.00**; 72.0 (1 run)",
    ]
    assert cells(table, "EASE") == ["baseline", "", "1.00; 50.0", "", "", ""]
    assert cells(table, "Terms") == ["baseline", "", "", "4.50; 50.0", "", ""]
    assert "Runs of a method: 2, where" in table[0]
    assert "; moments, terms trained along, refit: `terms=popularity,recency,repeats epochs=6`." in table[-1]


def setting(beta, valid, test):
    named = {"valid": valid, "test": test}
    return {"beta": beta, "runs": 1} | {
        f"{part}_{name}": value
        for part, of in named.items()
        for name, value in zip(("ndcg@10", "balance@10"), of, strict=True)
    }


DIAL = (
    setting(-0.5, (0.03, 0.9), (0.05, 0.40)),
    setting(-0.25, (0.05, 0.8), (0.04, 0.55)),
    setting(0, (0.06, 0.7), (0.09, 0.95)),
)


def test_the_setting_is_chosen_on_validation_alone():
    rival = setting(0, (0.09, 0.7), (0.03, 0.5))
    met = against(DIAL, rival)
    assert met.setting["beta"] == -0.25  # 0 is not above the rival's Balance, and -0.5 has lower NDCG
    assert met.in_both
    assert met.ahead == pytest.approx({"ndcg@10": 0.01, "balance@10": 0.05})
    garbled = [each | {"test_ndcg@10": each["beta"], "test_balance@10": 0.0} for each in DIAL]
    assert against(garbled, rival | {"test_ndcg@10": 1.0}).setting["beta"] == -0.25


def test_a_rival_with_more_balance_than_every_setting_is_met_by_none():
    met = against(DIAL, setting(0, (0.01, 0.9), (0.01, 0.1)))
    assert met.setting is None
    assert not met.in_both


def test_ahead_in_both_is_ahead_in_both():
    for test in ((0.04, 0.5), (0.03, 0.55), (0.05, 0.5), (0.03, 0.6)):
        assert not against(DIAL, setting(0, (0.09, 0.7), test)).in_both


def test_a_rival_without_a_hit_has_no_balance_to_be_above():
    rival = setting(0, (0.0, None), (0.0, None))
    met = against(DIAL, {name: value for name, value in rival.items() if value is not None})
    assert met.setting["beta"] == 0
    assert met.ahead == {"ndcg@10": 0.09}
    assert met.in_both


def test_each_rival_has_a_line_and_says_by_how_much_it_is_behind(found):
    table = rivals_table(found)
    heads = [each.strip() for each in table[0].split("|")[3:-1]]
    assert heads == [
        "`mixed-log-q`, rows: refit, terms after training (2 runs)",
        "`mixed-log-q`, moments: refit, terms after training (1 run)",
        "`mixed-log-q`, moments: terms trained along, refit, and after training (1 run)",
    ]
    assert [line.split("|")[1].strip() for line in table[2:]] == [
        "`random`, rows",
        "`EASE`",
        "`Repeat`",
        "`Terms`",
        "ahead in both",
    ]
    random = [each.strip() for each in table[2].split("|")[2:-1]]
    assert random[0] == "4.00 ±0.00; 75.0 ±0.0"
    assert random[1] == "dial -0.5: 3.00 ±0.00; 90.0 ±0.0. NDCG@10 1.00 behind"
    assert cells(table, "Terms")[2] == "dial 0: 8.00; 72.0. **Ahead in both**"
    assert table[-1].endswith("| 3 of 4 rivals | 3 of 4 rivals | 3 of 4 rivals |")


def test_without_a_contender_there_are_no_rivals(run_folder, tmp_path):
    write_fitted(run_folder, tmp_path, "random")
    assert rivals_table(by_log(lines_of(tmp_path))["beauty"]) == []


def test_the_waterfall_adds_one_ingredient_after_the_other(found):
    assert [(each.label, each.method, round(each.ndcg, 6)) for each in steps(found)] == [
        ("random, as trained", "random", 1.0),
        ("+ sampler: mixed-log-q", "mixed-log-q", 1.0),
        ("+ refit", "mixed-log-q", 3.0),
        ("+ terms after training", "mixed-log-q", 6.0),
        ("+ targets by moments", "mixed-log-q", 8.0),
        ("+ terms trained along\n(epochs=6)", "mixed-log-q", 9.0),
    ]
    assert best_baseline(found) == "EASE"  # by validation; Repeat has more on test
    bars = {row["label"]: (row["low"], row["high"], row["kind"]) for row in rows_of(found)}
    assert list(bars)[:2] == ["best simple baseline: EASE", "Terms, no model"]
    assert bars["Terms, no model"] == (0.0, 4.5, "baseline")
    assert bars["+ refit"] == pytest.approx((1.0, 3.0, "gain"))


def test_what_was_not_measured_is_left_out_and_a_loss_is_one(run_folder, tmp_path):
    lower = {"test": (0.02, 0.5)}
    write_fitted(run_folder, tmp_path, "mixed-log-q", (0.015, 0.7), without=PLAIN | lower)
    write_fitted(run_folder, tmp_path, "mixed-log-q", (0.05, 0.7), targets="moments", terms=TERMS)
    rows = rows_of(by_log(lines_of(tmp_path))["beauty"])
    assert [(row["label"], row["kind"], row["text"]) for row in rows] == [
        ("+ sampler: mixed-log-q", "start", "1.00"),
        ("+ refit", "gain", "2.00  (+1.00)"),
        ("+ terms after training", "loss", "1.50  (-0.50)"),
        ("+ terms trained along, targets by moments", "gain", "5.00  (+3.50)"),
    ]


def test_the_chart_has_a_panel_for_each_log_with_its_units(found):
    svg = waterfall({"beauty": found, "movies": found, "empty": {}})
    assert svg.startswith("<svg")
    for text in ("beauty", "movies", "+ refit", "(epochs=6)", "best simple baseline: EASE", "NDCG@10 on test, %"):
        assert f">{text}<" in svg, text
    assert ">empty<" not in svg
    assert svg.count(">NDCG@10 on test, %<") == 2
    with pytest.raises(InputError, match="needs runs of random or mixed-log-q"):
        waterfall({"empty": {}})


SIGNIFICANCE = """\
dataset,family,measure,scope,a,dial_a,b,dial_b,difference,error,freedom,low,high,p,p_holm,detectable,users,runs,verdict
beauty,NDCG@10 in total,ndcg@10,all,random,0,mixed-log-q,0,-0.01,0.1,9,-0.03,0.01,0.1,0.2,0.1,900,2,not significant
beauty,NDCG@10 in total,ndcg@10,all,mixed-log-q,0,Repeat,,0.02,0.1,9,0.01,0.03,0.0001,0.0002,0.1,900,2,significant
beauty,NDCG@10 in total,ndcg@10,all,mixed-log-q,0.5,EASE,,0.03,0.1,9,0.01,0.03,0.0001,0.0002,0.1,900,2,significant
beauty,NDCG@10 in total,ndcg@10,all,random,0,Repeat,,0.04,0.1,9,0.01,0.03,0.0001,0.0002,0.1,900,2,significant
beauty,Balance,balance@10,all,random,0,mixed-log-q,0,0.1,0.1,9,-0.03,0.01,0.1,0.2,0.1,900,2,not significant
beauty,Balance,balance@10,all,mixed-log-q,0,Repeat,"",,,,,,,,,900,2,not tested
beauty,HR@10 in total,hr@10,all,mixed-log-q,0,Repeat,,0.05,0.1,9,0.01,0.03,0.0001,0.0002,0.1,900,2,significant
"""


def test_differences_are_those_of_the_report_with_the_contender_first(run_folder, tmp_path):
    assert list(differences_of(tmp_path)) == []
    (tmp_path / "significance.csv").write_text(SIGNIFICANCE)
    write_fitted(run_folder, tmp_path, "mixed-log-q", terms=TERMS)
    assert list(differences_of(tmp_path)) == []  # with terms trained along
    write_fitted(run_folder, tmp_path, "mixed-log-q")
    assert differences_table(differences_of(tmp_path))[2:] == [
        "| `random` | +1.00 | -1.00 to +3.00 | 0.200 | -10.0 | -1.0 to +3.0 | 0.200 |",
        "| `Repeat` | +2.00 | +1.00 to +3.00 | < 0.001 | n/a | | not tested |",
    ]


def test_windows_have_a_column_each_and_are_no_logs_of_their_own(run_folder, tmp_path):
    for number, ndcg in ((1, 0.05), (2, 0.07)):
        log = f"beauty.fold-{number}-of-2"
        write_fitted(run_folder, tmp_path, "mixed-log-q", (ndcg, 0.7), log=log)
        run_folder(tmp_path, "Terms", valid=[(0.05, 0.5)], test=[(0.08, 0.5)], log=log)
    (tmp_path / "significance.csv").write_text(SIGNIFICANCE)
    assert list(differences_of(tmp_path)) == []
    lines = list(windows_of(tmp_path))
    assert {line["log"] for line in lines} == {"beauty"}
    assert windows_table(lines)[2:] == [
        "| `Terms` | no model | 8.00; 50.0 | 8.00; 50.0 | 8.00; 50.0 |",
        "| `mixed-log-q` | refit, terms after training | 5.00; 70.0 | 7.00; 70.0 | 6.00; 70.0 |",
        "| `mixed-log-q` | refit | 3.00; 60.0 | 3.00; 60.0 | 3.00; 60.0 |",
    ]


def written(out, *studies, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["terms_page", str(out), *map(str, studies)])
    monkeypatch.setattr(terms_page, "waterfall", lambda logs: f"<svg>{len(logs)}</svg>")  # drawn in a test of its own
    terms_page.main()
    return (out / "README.md").read_text("utf-8")


def test_further_studies_are_added_and_a_run_measured_again_takes_the_place_of_the_older(
    run_folder, tmp_path, monkeypatch
):
    out, first, second, again = (tmp_path / name for name in ("out", "first", "second", "again"))
    out.mkdir()
    (out / "intro.md").write_text("# A page\n\nWords.\n")
    write_fitted(run_folder, first, "mixed-log-q", (0.05, 0.7))
    write_fitted(run_folder, second, "mixed-log-q", (0.07, 0.7), seed=1)
    write_fitted(run_folder, again, "mixed-log-q", (0.09, 0.7))
    page = written(out, first, monkeypatch=monkeypatch)
    assert page.startswith("# A page\n\nWords.\n\n![")
    assert "| **5.00**; 70.0 |" in page
    page = written(out, second, monkeypatch=monkeypatch)
    assert "| **6.00 ±1.41**; 70.0 ±0.0 |" in page
    assert written(out, monkeypatch=monkeypatch) == page
    assert "| **8.00 ±1.41**; 70.0 ±0.0 |" in written(out, again, monkeypatch=monkeypatch)
    assert len((out / "runs.jsonl").read_text().splitlines()) == 6
    assert (out / "waterfall.svg").read_text() == "<svg>1</svg>"


def test_the_head_has_no_figures():
    assert FIGURE.search((FOLDER / "intro.md").read_text("utf-8")) is None


def test_the_page_is_what_its_runs_make_of_it():
    runs, told, windows = (
        [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]
        for name in ("runs.jsonl", "differences.jsonl", "windows.jsonl")
    )
    made = terms_page.page(FOLDER, by_log(runs), told, windows)
    assert (FOLDER / "README.md").read_text("utf-8") == made, "run python -m scripts.terms_page docs/studies/terms"
