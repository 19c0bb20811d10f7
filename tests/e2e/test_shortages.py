"""What a machine lacks is said in one line: a full disk, and memory that the imports already need."""

from __future__ import annotations

import bz2
import errno

import pytest
import typer

from negsample import InputError, read_log
from negsample.cli.console import exit_code
from negsample.execution.worker import started


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space is left on a disk (of --out, $TMPDIR or"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a.npy"),
            "no space is left on out/a.npy; free some",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "a/study/..replacing.x1.writing"),
            "cannot write to a/study: Read-only file system; work on a copy where you can write",
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


def test_no_space_to_unpack_is_not_the_fault_of_the_file(monkeypatch, tmp_path):
    packed = tmp_path / "log.csv.bz2"
    packed.write_bytes(bz2.compress(b"user,item,time\n1,2,3\n"))

    def copy(source, file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("negsample.data.log.unpack._copy", copy)
    with pytest.raises(InputError, match=r"^no space is left in .* to unpack log\.csv; free some, or name another"):
        read_log(packed)


def test_a_long_path_for_temporary_files_is_told(monkeypatch):
    def start(process):
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", start)
    with pytest.raises(InputError, match=r"is too long a path for the sockets of worker processes; name a shorter one"):
        started(b"", [])
