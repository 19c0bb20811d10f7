"""What is refused before any work, and what is said of a study."""

from __future__ import annotations

from io import StringIO

import pytest
import torch

from negsample import compare, plan
from negsample.cli.console import Output
from negsample.cli.forecast import print_forecast
from negsample.errors import InputError
from negsample.evaluation.queries import queries
from negsample.execution.attempts import run_job
from negsample.execution.processes import threads_of
from negsample.methods import METHODS, POPREC, catalogue_of, negative_settings
from negsample.runs.job import Job
from negsample.settings import run_settings
from negsample.studies import forecast as room
from negsample.studies.forecast import fits, forecast, rules, system
from negsample.studies.forecast.fits import check_fits
from negsample.studies.forecast.needs import PROCESS, needs_of
from negsample.studies.forecast.rules import seconds_of_rule
from negsample.studies.forecast.system import Busy, watch_others
from negsample.studies.forecast.trial import Pace, pace_of
from negsample.studies.forecast.words import in_bytes, in_time
from negsample.studies.study import groups


@pytest.fixture
def with_memory(monkeypatch):
    def have(size):
        monkeypatch.setattr(fits, "available_memory", lambda: size)
        monkeypatch.setattr(fits, "default_device", lambda: torch.device("cpu"))

    return have


@pytest.fixture(scope="module")
def small(world):
    return world(users=70, items=40, name="small")


def jobs_on(data, methods, repeats=2, **settings):
    return plan([data], methods, repeats=repeats, seed=0, settings=run_settings(dim=8, max_length=12, **settings))


@pytest.mark.parametrize(
    ("negatives", "settings", "words"),
    [
        (1, {"dim": 20_000, "blocks": 1, "max_length": 1}, ["the rest of the model", "a smaller dim", "fewer blocks"]),
        (1, {"oversampling_factor": 10**5, "epochs": 10**9}, ["kept batches", "a smaller oversampling_factor"]),
        (10**6, {"dim": 1}, ["a step", "1 MB is available", "a smaller batch_size", "fewer negatives"]),
    ],
)
def test_what_does_not_fit_is_refused_with_a_way_out(job_of, with_memory, negatives, settings, words):
    with_memory(1_000_000)
    with pytest.raises(InputError, match="not enough memory: random on by hand") as refusal:
        check_fits([[job_of("random", {"random_negatives": negatives}, **settings)]])
    for word in words:
        assert word in str(refusal.value)


def test_of_a_large_table_the_smallest_kind_is_named_until_it_is_taken(job_of, with_memory):
    with_memory(1_000_000)
    least = {"table": "rows", "table_optimizer": "adagrad", "table_dtype": "bfloat16"}
    for settings, there in (({}, True), (least, False)):
        job = job_of(**settings)
        job = job._replace(data=Wide(job.data))
        with pytest.raises(InputError, match="the item table with its optimizer state") as refusal:
            check_fits([[job]])
        assert ("table_dtype=bfloat16" in str(refusal.value)) is there


class Wide:
    """A dataset of a hundred million items that only says so."""

    def __init__(self, data, items=10**8):
        self._data = data
        self.catalogue_size = items

    def __getattr__(self, name):
        return getattr(self._data, name)


def test_processes_add_up_and_so_do_runs_together(job_of, with_memory):
    job = job_of()
    peak = needs_of(job).peak
    with_memory(2 * PROCESS)
    check_fits([[job]] * 4)
    with pytest.raises(InputError, match=r"\(4 at once\).*fewer --jobs"):
        check_fits([[job]] * 4, at_once=4)
    with_memory(peak + peak // 2)
    check_fits([[job]])
    check_fits([[job]] * 4)
    with pytest.raises(InputError, match=r"\(4 runs together\).*a lower --together"):
        check_fits([[job] * 4])


def test_where_the_system_says_nothing_nothing_is_refused(job_of, with_memory):
    with_memory(None)
    check_fits([[job_of(dim=20_000)]])


def test_nothing_left_is_no_reason_to_refuse(with_memory):
    with_memory(0)
    check_fits([])
    assert forecast([]).lines == []


def test_a_method_that_needs_its_scores_whole_is_refused_before_it_starts(job_of):
    negatives = {"cache_negatives": 10**6, "cache_size": 10**6}
    check_fits([[job_of("xir", negatives)]])
    with pytest.raises(InputError, match=r"score_memory.*as a whole"):
        check_fits([[job_of("xir", negatives, score_memory=1)]])


def test_the_study_itself_refuses(small, with_memory, tmp_path):
    with_memory(1_000_000)
    with pytest.raises(InputError, match="not enough memory"):
        compare(jobs_on(small, ["random"]), tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("table", ["dense", "rows"])
def test_lines_of_a_study(small, table):
    jobs = jobs_on(small, ["random", "full-ce"], table=table, epochs=3, eval_every=2)
    said = forecast(groups(jobs, 1))
    assert [(line.method, line.runs) for line in said.lines] == [("random", 2), ("full-ce", 2)]
    assert said.tables == [f"small: table {'dense' if table == 'dense' else 'rows by adam, float32'} (as set), 0 MB"]
    for line in said.lines:
        assert line.pace.steps == 1
        assert line.seconds == pytest.approx(3 * line.pace.step + 2 * line.pace.validation + line.pace.end)
        assert min(line.pace.step, line.pace.validation, line.pace.end) > 0
    assert said.seconds == pytest.approx(2 * sum(line.seconds for line in said.lines))
    assert said.memory == max(line.memory for line in said.lines)


def test_two_at_a_time_take_half_the_time_and_twice_the_memory(small):
    said = forecast(groups(jobs_on(small, ["random"]), 1), 2)
    (line,) = said.lines
    assert line.seconds < said.seconds < line.seconds + 10
    assert said.memory == 2 * line.memory + PROCESS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("table", ["rows", "dense"])
def test_trying_a_method_changes_nothing(small, method, table, monkeypatch):
    """Of a catalogue that is larger than what is tried, rows stand in."""
    monkeypatch.setattr("negsample.studies.forecast.trial._ITEMS", 16)
    changes = {"warm_up": 1, "bank_size": 20}
    job = Job(small, method, 0, run_settings(dim=8, table=table), negative_settings(method, changes))
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    pace = pace_of(job, catalogue_of(small, 50), threads=1)
    assert pace.step > 0
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("table", "larger"), [("dense", 1.0), ("rows", 40 / 16)])
def test_the_time_is_made_of_its_parts(small, table, larger, monkeypatch):
    """Where everything takes two seconds, ranks of a larger catalogue as much longer as it is larger."""

    def two_seconds(call, device):
        call()
        return 2.0

    monkeypatch.setattr("negsample.studies.forecast.trial._seconds", two_seconds)
    monkeypatch.setattr("negsample.studies.forecast.trial._ITEMS", 16)
    job = jobs_on(small, ["random"], repeats=1, table=table, batch_size=10, epochs=5, eval_every=2)[1]
    valid, test = (len(queries(small, part, history="frozen", max_length=12).windows) for part in ("valid", "test"))
    pace = pace_of(job, catalogue_of(small, 12), threads=1)
    assert (pace.step, pace.steps) == (2.0, 7)
    assert pace.validation == pytest.approx(2.0 + 2.0 * larger)
    assert pace.end == pytest.approx((valid + test) / valid * (2.0 + 2.0 * larger))
    assert pace.run(job.settings) == pytest.approx(5 * 7 * 2.0 + 3 * pace.validation + pace.end)
    job = job._replace(settings=job.settings.replaced(refit=True, fit_terms=True))
    twice = pace_of(job, catalogue_of(small, 12), threads=1)
    assert twice.end == pytest.approx((valid + 2 * test) / valid * 2 * (2.0 + 2.0 * larger))


@pytest.mark.parametrize(
    ("settings", "report", "words"),
    [
        ({}, False, "Not counted: the baselines."),
        ({}, True, "Not counted: the baselines and the report."),
        ({"fit_terms": True}, True, "Not counted: the baselines, the weights of terms after each run and the report."),
    ],
)
def test_what_is_not_in_the_seconds_is_named_and_no_bound_is_given(small, monkeypatch, settings, report, words):
    monkeypatch.setattr(room, "pace_of", lambda *_, threads: Pace(1.0, 1, 0.0, 0.0))
    out = Output(file=StringIO(), width=100)
    print_forecast(out, forecast(groups(jobs_on(small, ["random"], refit=True, **settings), 1)), report=report)
    said = out.file.getvalue()
    assert words in said
    assert "A refit is counted with all epochs; it has as many as validation chose." in said
    assert "at most" not in said


@pytest.mark.parametrize(("early_stop", "bounded"), [(0, False), (5, True), (19, False)])
def test_where_training_may_stop_early_times_are_of_an_epoch_and_at_most(small, monkeypatch, early_stop, bounded):
    monkeypatch.setattr(room, "pace_of", lambda *_, threads: Pace(0.5, 6, 4.0, 0.0))
    out = Output(file=StringIO(), width=100)
    print_forecast(out, forecast(groups(jobs_on(small, ["random"], epochs=20, early_stop=early_stop), 1)))
    words = out.file.getvalue()
    assert ("a run, at most" in words) == ("an epoch" in words) == ("In all at most about 5 min" in words) == bounded
    (line,) = [each.split() for each in words.splitlines() if each.startswith("random")]
    assert line[-7:] == (["500", "ms", "6/epoch", "7", "s", "2", "min"] if bounded else line[-7:])
    assert ("training stops before, when validation no longer improves" in words) == bounded


@pytest.mark.parametrize(
    ("cores", "memory", "at_once", "jobs"),
    [(8, 10**12, 1, 4), (2, 10**12, 1, 2), (8, 3 * PROCESS, 1, 2), (8, PROCESS, 1, 1), (8, 10**12, 2, 1)],
)
def test_more_jobs_are_proposed_where_there_is_room(small, monkeypatch, cores, memory, at_once, jobs):
    monkeypatch.setattr(room, "pace_of", lambda *_, threads: Pace(1.0, 1, 0.0, 0.0, PROCESS))
    monkeypatch.setattr(room, "cores", lambda: cores)
    monkeypatch.setattr(room, "available_memory", lambda: memory)
    monkeypatch.setattr(room, "default_device", lambda: torch.device("cpu"))
    out = Output(file=StringIO(), width=100)
    print_forecast(out, forecast(groups(jobs_on(small, ["random", "bpr"]), 1), at_once))
    assert (f"--jobs {jobs} would train {jobs} runs at a time" in out.file.getvalue()) == (jobs > 1)
    assert ("would train" in out.file.getvalue()) == (jobs > 1)


def test_it_is_tried_with_the_threads_of_the_run(small, monkeypatch):
    tried, jobs = [], jobs_on(small, ["random"])
    monkeypatch.setattr(room, "watch_others", lambda: lambda: None)
    monkeypatch.setattr(room, "pace_of", lambda *_, threads: tried.append(threads) or Pace(1.0, 1, 0.0, 0.0))
    monkeypatch.setattr("negsample.execution.processes.cores", lambda: 8)
    for mine, at_once, expected in ((8, 1, 8), (8, 3, 2), (1, 3, 1), (1, 1, 1), (8, 100, 1)):
        monkeypatch.setattr(torch, "get_num_threads", lambda mine=mine: mine)
        assert forecast(groups(jobs, 1)[-1:], at_once).threads == expected  # one run is left of many
        assert tried.pop() == threads_of(at_once) == expected
    assert not tried


def test_searches_come_first_and_are_counted(small, monkeypatch):
    monkeypatch.setattr(room, "pace_of", lambda *_, threads: Pace(1.0, 1, 0.5, 7.0))
    jobs = [job for job in jobs_on(small, ["random", "bpr"], epochs=2) if job.method != POPREC]
    searches = [(job, 5) for job in jobs if job.seed == 0]
    said = forecast(groups(jobs, 1), searches=searches)
    assert [(line.runs, line.trials, line.seconds, line.trial_seconds) for line in said.lines] == [(2, 5, 10, 3)] * 2
    assert (said.searching, said.seconds) == (30, 70)
    alone = forecast([], searches=searches, searches_at_once=2)
    assert alone.seconds == alone.searching == 15 + room._START
    assert [(line.runs, line.trials) for line in alone.lines] == [(0, 5)] * 2


def test_a_busy_machine_is_told_and_one_thread_is_tried_there(small, monkeypatch):
    monkeypatch.setattr(room, "pace_of", lambda *_, threads: Pace(float(threads), 1, 0.0, 0.0))
    monkeypatch.setattr(room, "threads_of", lambda at_once: 2)
    for others, alone in ((0.1, None), (1.9, 1.0)):
        monkeypatch.setattr(room, "watch_others", lambda others=others: lambda: Busy(others, 2))
        said = forecast(groups(jobs_on(small, ["random", "bpr"]), 1))
        assert (said.busy, said.alone) == (Busy(others, 2), alone)
        out = Output(file=StringIO(), width=100)
        print_forecast(out, said)
        words = out.file.getvalue()
        assert "with 2 threads, as it will run. " in words
        assert f"Other processes used {others} of 2 cores meanwhile." in words
        assert ("On a free machine it takes less time. Set OMP_NUM_THREADS=1" in words) is (alone is not None)


@pytest.mark.parametrize("table", ["dense", "rows"])
def test_a_training_that_diverges_is_forecast_as_any_other(small, table):
    """Its failure is the run's, told when it comes, and ends no study before it begins."""
    jobs = jobs_on(small, ["random"], repeats=1, table=table, learning_rate=1e30)
    (line,) = forecast(groups(jobs, 1)).lines
    assert line.seconds > 0


def test_what_others_use_is_what_all_use_but_this_process(tmp_path, monkeypatch):
    stat, used = tmp_path / "stat", [100, 0]

    def write():
        lines = [f"cpu{core} {ticks} 1 2 {99 * ticks} 5 0 0 0 0 0" for core, ticks in enumerate(used)]
        stat.write_text("\n".join(["cpu  9 9 9 9 9 9 9 9 9 9", *lines, "ctxt 5"]))

    clocks = {"perf_counter": [10.0, 12.0, 13.0, 14.0], "process_time": [3.0, 4.0, 5.0]}
    for name, times in clocks.items():
        monkeypatch.setattr(system.time, name, lambda times=times: times.pop(0))
    monkeypatch.setattr(system.os, "sched_getaffinity", lambda process: {0, 1})
    monkeypatch.setattr(system.os, "sysconf", lambda name: 100)
    write()
    found = watch_others(stat)
    used[:] = [280, 70]  # 2.5 s in 2 s, one of which is ours
    write()
    assert found() == Busy(0.75, 2)
    assert watch_others(tmp_path / "none")() is None


def test_steps_are_counted_as_they_are_made(small, tmp_path):
    (job,) = jobs_on(small, ["random"], repeats=1, batch_size=10, epochs=2)[1:]
    said, seen = forecast([[job]]).lines[0], []
    run_job(job, tmp_path / "run", watch=seen.append)
    assert seen[-1].steps == 2 * said.pace.steps


def test_ease_is_forecast_by_the_third_power_of_its_items(job_of, monkeypatch):
    tried = []
    monkeypatch.setattr(rules, "inverted", lambda matrix: tried.append((len(matrix), torch.get_num_threads())))
    monkeypatch.setattr(rules.time, "perf_counter", iter([0.0, 5.0, 5.0, 7.0, 7.0, 8.0] * 2).__next__)
    monkeypatch.setattr(rules, "_TRIED", 3)
    job = job_of("EASE")
    assert seconds_of_rule(job, threads=1) == 5 * 1.0 * 3**3  # three lambdas, validation and test; the first warms up
    monkeypatch.setattr(rules, "_TRIED", 1000)
    assert seconds_of_rule(job, threads=1) == 5 * 1.0
    assert tried == [(3, 1)] * 3 + [(9, 1)] * 3


def test_a_study_says_what_ease_will_take(small, monkeypatch):
    monkeypatch.setattr(room, "pace_of", lambda *_, threads: Pace(0.5, 2, 0.0, 0.0))
    monkeypatch.setattr(room, "seconds_of_rule", lambda job, threads: 77.0)
    jobs = jobs_on(small, ["random", "EASE", "ItemKNN"], repeats=1, epochs=3)
    said = forecast(groups(jobs, 1))
    line = next(line for line in said.lines if line.method == "EASE")
    assert [line.method for line in said.lines] == ["random", "EASE"]
    assert (line.runs, line.pace, line.seconds) == (1, None, 77.0)
    assert line.memory == PROCESS + 4 * small.catalogue_size**2
    assert said.seconds == 77.0 + 3.0
    out = Output(file=StringIO(), width=100)
    print_forecast(out, said)
    (shown,) = [each.split() for each in out.file.getvalue().splitlines() if "EASE" in each]
    assert shown == ["EASE", "1", *in_bytes(line.memory).split(), "77", "s"]
    alone = forecast(groups([job for job in jobs if job.method == "EASE"], 1))
    print_forecast(out, alone)
    assert alone.seconds == 77.0


def test_one_large_baseline_is_counted_once_however_many_runs_are_done_at_a_time(job_of, with_memory):
    ease, job = job_of("EASE"), job_of()
    ease = ease._replace(data=Wide(ease.data, 20_000))
    square = needs_of(ease).peak
    assert square == 4 * 20_000**2
    with_memory(square + 4 * (PROCESS + needs_of(job).peak))
    check_fits([[ease], [job], [job], [job]], at_once=4)
    with_memory(square)
    with pytest.raises(
        InputError, match=r"EASE on by hand needs about 3.2 GB \(4 at once\).*fewer --jobs, or fewer it"
    ):
        check_fits([[ease], [job], [job], [job]], at_once=4)


def test_numbers_for_a_person():
    assert [in_bytes(size) for size in (999, 1_500_000, 2_340_000_000)] == ["0 MB", "2 MB", "2.3 GB"]
    assert [in_time(each) for each in (0.2, 99.0, 150.0, 7200.0, 360_000.0)] == [
        "1 s",
        "99 s",
        "2 min",
        "2.0 h",
        "100 h",
    ]
