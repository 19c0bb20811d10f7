"""Files that appear whole or not at all, however many write into a folder at a time."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from filelock import FileLock

from negsample.files.atomic import place_beside, replacing, replacing_files, settle, sweep


def test_many_may_replace_files_of_one_folder_at_a_time(tmp_path):
    """As the searches of several methods do, whose files lie in one folder: none is lost, and nobody fails."""
    (tmp_path / "sub").mkdir()

    def write(writer):
        for turn in range(60):
            with replacing_files(tmp_path) as scratch:
                (scratch / "sub").mkdir()
                for name in (f"{writer}.json", f"sub/{writer}.json", f"{writer}.checksums.json"):
                    (scratch / name).write_text(str(turn))
            settle(tmp_path)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    found = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    names = [name for each in range(6) for name in (f"{each}.json", f"sub/{each}.json", f"{each}.checksums.json")]
    assert found == dict.fromkeys(names, "59")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["sub"]


def left(folder):
    """What a process left that was killed before and after it had locked its place."""
    for name in ("before", "after"):
        place = folder / f".{name}.writing"
        place.mkdir()
        if name == "after":
            (place / "lock").touch()
            (place / "half").write_text("half")


def test_what_a_killed_process_left_goes_at_once_and_a_place_that_is_held_stays(tmp_path):
    with place_beside(tmp_path / "mine") as place:
        left(tmp_path)
        sweep(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("moment", ["made", "about to be locked"])
def test_a_place_that_is_swept_before_it_is_locked_is_made_again(tmp_path, monkeypatch, moment):
    swept = []

    def swept_first(function):
        def call(*args, **named):
            made = None if args else function(**named)
            if not swept:
                swept.append(moment)
                sweep(tmp_path)
                assert not list(tmp_path.iterdir())
            return function(*args) if args else made

        return call

    if moment == "made":
        monkeypatch.setattr(tempfile, "mkdtemp", swept_first(tempfile.mkdtemp))
    else:  # FileLock makes the folder of a lock where there is none, and then the lock
        monkeypatch.setattr(FileLock, "_acquire", swept_first(FileLock._acquire))
    with replacing(tmp_path / "file") as scratch:
        sweep(tmp_path)
        scratch.write_text("whole")
    assert swept
    assert (tmp_path / "file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_that_goes_while_its_lock_looks_for_it_is_made_again(tmp_path, monkeypatch):
    """FileLock makes the folder of a lock: ``mkdir`` says it is there, and then it is no longer."""
    swept, is_dir = [], Path.is_dir

    def swept_first(path, **named):
        if path.name.endswith(".writing") and not swept:
            swept.append(path)
            sweep(tmp_path)
        return is_dir(path, **named)

    monkeypatch.setattr(Path, "is_dir", swept_first)
    with replacing(tmp_path / "file") as scratch:
        scratch.write_text("whole")
    assert swept
    assert not swept[0].exists()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def write_while_others_sweep(folder, writer, turns):
    """Replaces a file over and over, beside the places of everybody else, which it sweeps all the time."""
    for turn in range(turns):
        with replacing(folder / writer) as scratch:
            for _ in range(5):
                sweep(folder)
            scratch.write_text(str(turn))
        assert (folder / writer).read_text() == str(turn)


def test_no_process_takes_the_place_of_another_that_lives(tmp_path):
    """Three processes write into a folder and sweep it; two more do until they are killed in the middle of that."""
    context = get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        writers = [pool.submit(write_while_others_sweep, tmp_path, f"writer-{each}", 100) for each in range(3)]
        killed = [tmp_path / "killed-0", tmp_path / "killed-1"]
        for path in killed:
            process = context.Process(target=write_while_others_sweep, args=(tmp_path, path.name, 10**6))
            process.start()
            while not path.exists():
                time.sleep(0.001)
            process.kill()
            process.join()
        for writer in writers:
            writer.result()
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"writer-0", "writer-1", "writer-2", "killed-0", "killed-1"}


def test_an_interruption_while_a_place_is_removed_leaves_nothing(tmp_path, monkeypatch):
    remove, calls = shutil.rmtree, []

    def interrupted(path, **how):
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(path, **how)

    with pytest.raises(KeyboardInterrupt), place_beside(tmp_path / "file"):
        monkeypatch.setattr(shutil, "rmtree", interrupted)
    assert not list(tmp_path.iterdir())
