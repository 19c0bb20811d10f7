"""What a machine lacks is said in one line: a full disk, and memory that the imports already need."""

from __future__ import annotations

import errno

import pytest
import typer

from negsample.cli.console import exit_code


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space is left on a disk (of --out, $TMPDIR or"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a.npy"),
            "no space is left on out/a.npy; free some",
        ),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "not enough memory; take a smaller"),
        (RuntimeError("can't start new thread"), "not enough memory; take a smaller"),
    ],
)
def test_a_shortage_is_said_in_one_line(error, said, capsys):
    app = typer.Typer()

    @app.command()
    def work() -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["negsample"])
        assert exit_code(app) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {said}")
    assert told.count("\n") == 1


def test_what_is_no_shortage_is_raised(monkeypatch):
    app = typer.Typer()

    @app.command()
    def work() -> None:
        raise ImportError("no module named torch")

    monkeypatch.setattr("sys.argv", ["negsample"])
    with pytest.raises(ImportError, match="torch"):
        exit_code(app)
