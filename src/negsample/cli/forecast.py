"""What is said before a training or a study: what it will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from negsample.cli.console import Output
from negsample.cli.tables import show_table, table_of

if TYPE_CHECKING:
    from negsample.studies.forecast import Forecast
    from negsample.studies.forecast.divided import Divided
    from negsample.studies.forecast.trial import Pace

_LONG = 60  # seconds from which on more than one process at a time is worth a word


def print_divided(out: Output, processes: int, ahead: Divided) -> None:
    """What each of so many processes will hold and send."""
    from negsample.studies.forecast.words import in_bytes

    out.plain(
        f"{processes} processes, each with {1 / processes:.1%} of the item table and about {in_bytes(ahead.memory)}. "
        f"In a step each looks up about {ahead.rows:,.0f} items and sends about {ahead.sent.total / 1e6:,.2f} MB; "
        f"{ahead.steps:,} steps an epoch."
    )


def print_forecast(out: Output, ahead: Forecast, *, here: bool = True, report: bool = False) -> None:
    """What the runs and trials that are left will take, and how the item table is kept; nothing, if there are none.
    ``here``: they will be done on this machine, with these threads. ``report``: one is written after them."""
    from negsample.report.formats import listed
    from negsample.studies.forecast.words import in_bytes, in_time

    if not ahead.lines:
        return
    for words in ahead.tables:
        out.print(words, markup=False, highlight=False, soft_wrap=True)
    several = len({line.dataset for line in ahead.lines}) > 1
    runs, trials = any(line.runs for line in ahead.lines), any(line.trials for line in ahead.lines)
    counts = ["runs"] * runs + ["trials"] * trials
    of_epochs = ["an epoch"] * ahead.stops
    times = ("a step", "steps", *of_epochs, "a run, at most" if ahead.stops else "a run")
    table = table_of("estimate", *["dataset"] * several, *counts, "memory", *times)
    for line in ahead.lines:
        table.add_row(
            line.method,
            *[line.dataset] * several,
            *[str(line.runs)] * runs,
            *[str(line.trials)] * trials,
            in_bytes(line.memory),
            *_pace_shown(line.pace, of_epochs),
            in_time(line.seconds if line.runs else line.trial_seconds),
        )
    show_table(out, table)
    searching = f", of which the trials {in_time(ahead.searching)}," if ahead.searching else ""
    threads = "1 thread" if ahead.threads == 1 else f"{ahead.threads} threads"
    how = f"with {threads}, as it will run" if here else "on this machine"
    most = "at most " * ahead.stops
    said = [
        f"In all {most}about {in_time(ahead.seconds)}{searching} and {in_bytes(ahead.memory)} for training and "
        f"evaluation, by steps measured just now {how}."
    ]
    if ahead.stops:
        said.append("All epochs are counted; training stops before, when validation no longer improves.")
    if ahead.refits:
        said.append("A refit is counted with all epochs; it has as many as validation chose.")
    if ahead.searching:
        said.append("A trial is counted with all epochs; poor ones are stopped before.")
    uncounted = {
        "the baselines": ahead.baselines,
        "the weights of terms after each run": ahead.fits,
        "the report": report,
    }
    if any(uncounted.values()):
        said.append(f"Not counted: {listed([each for each, there in uncounted.items() if there])}.")
    if here and ahead.jobs > 1 and ahead.seconds > _LONG:
        said.append(f"--jobs {ahead.jobs} would train {ahead.jobs} runs at a time, usually in less time.")
    if (busy := ahead.busy) is not None:
        said.append(f"Other processes used {busy.others:.1f} of {busy.cores} cores meanwhile.")
        if busy.much:
            said.append("On a free machine it takes less time.")
    pace = ahead.lines[0].pace
    if ahead.alone is not None and pace is not None and ahead.alone < 0.8 * pace.step:
        slow, fast = (f"{1000 * each:,.0f} ms" for each in (pace.step, ahead.alone))
        said.append(f"Set OMP_NUM_THREADS=1 while the machine is busy: a step takes {fast} then, not {slow}.")
    out.plain(" ".join(said))


def _pace_shown(pace: Pace | None, of_epochs: list[str]) -> list[str]:
    from negsample.studies.forecast.words import in_time

    if pace is None:
        return ["", "", *[""] * len(of_epochs)]
    return [f"{1000 * pace.step:,.0f} ms", f"{pace.steps:,}/epoch", *[in_time(pace.epoch) for _ in of_epochs]]
