"""The list of a folder's files: what it notices, and that files are replaced together or not at all."""

from __future__ import annotations

import json

import pytest

from negsample.files.atomic import replacing_files, settle
from negsample.files.checksums import LIST, DamagedError, read_list, sum_of, write_list
from negsample.files.together import settled


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "figures.json").write_text('{"a": 1}')
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 9)
    write_list(tmp_path / LIST, "run", "0123", ["figures.json", "large.bin"])
    return tmp_path


def listed(folder):
    return read_list(folder / LIST, "run")


def test_what_is_as_it_was_written_is_read(folder):
    found = listed(folder)
    assert found.of == "0123"
    assert found.read_json("figures.json") == {"a": 1}
    assert found.files["large.bin"] == sum_of(folder / "large.bin") == (2304, found.files["large.bin"].sha256)
    for name in found.files:
        found.check(name)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_text('{"a": 2}'), "its checksum is another"),
        (lambda path: path.write_text('{"a": 1} '), "9 bytes, 8 were written"),
        (lambda path: path.write_text(""), "0 bytes, 8 were written"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "directory|bytes"),
    ],
)
def test_a_file_that_is_another_is_named_with_the_way_out(damage, words, folder):
    damage(folder / "figures.json")
    for look in (listed(folder).read, listed(folder).check):
        with pytest.raises(DamagedError, match=rf"figures.json is damaged \(.*({words}).*; delete .* and run the same"):
            look("figures.json")


def test_a_file_that_is_not_listed_is_none_of_ours(folder):
    (folder / "dial.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"dial.json is damaged .*does not list it.*`negsample evaluate"):
        listed(folder).read("dial.json")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", '{"list": 1}', "[" * 100_000, "9" * 5000, '{"files": {"a": 1}, "list": ""}', "\x00"],
)
def test_a_damaged_list_is_told(text, folder):
    (folder / LIST).write_text(text)
    with pytest.raises(DamagedError, match=f"{LIST} is damaged"):
        listed(folder)


def test_one_digit_of_the_list_is_noticed(folder):
    text = (folder / LIST).read_text()
    for old, new in (('"size": 8', '"size": 9'), ('"of": "0123"', '"of": "0124"'), ('"run"', '"dataset"')):
        (folder / LIST).write_text(text.replace(old, new))
        with pytest.raises(DamagedError, match="its own checksum is another"):
            listed(folder)
    (folder / LIST).write_text(text)
    with pytest.raises(DamagedError, match="is the list of files of a run, not of a"):
        read_list(folder / LIST, "dataset")


def test_json_that_no_parser_survives_is_told(folder):
    (folder / "figures.json").write_text("[" * 100_000)
    write_list(folder / LIST, "run", "", ["figures.json"])
    with pytest.raises(DamagedError, match=r"figures.json is damaged .nested too deeply"):
        listed(folder).read_json("figures.json")


def replace(folder, stop=None):
    with replacing_files(folder) as scratch:
        (scratch / "in").mkdir()
        (scratch / "figures.json").write_text('{"a": 2}')
        (scratch / "in" / "more.json").write_text("3")
        if stop:
            raise stop
        write_list(scratch / LIST, "run", "", ["figures.json", "in/more.json"])


def test_files_are_replaced_together(folder):
    with pytest.raises(KeyboardInterrupt):
        replace(folder, KeyboardInterrupt())
    assert listed(folder).read_json("figures.json") == {"a": 1}
    replace(folder)
    assert listed(folder).read_json("figures.json") == {"a": 2}
    assert listed(folder).read_json("in/more.json") == 3
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("after", range(3))
def test_a_reader_finishes_what_a_killed_writer_committed(after, folder, monkeypatch):
    """Killed after some of the files: whoever reads next sees all the new ones."""
    from negsample.files import atomic as whole

    placed = []

    def killed(path, target):
        if len(placed) == after:
            raise KeyboardInterrupt
        placed.append(path.name)
        return original(path, target)

    original = whole.Path.replace
    monkeypatch.setattr(whole.Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        replace(folder)
    monkeypatch.undo()
    assert LIST not in placed
    found = settled(folder / LIST, "run", lambda each: (each.read_json("figures.json"), each.read_json("in/more.json")))
    assert found == ({"a": 2}, 3)
    assert not list(folder.rglob(".*"))


def test_a_reader_that_comes_in_between_reads_again(folder):
    """The list was read before the files were replaced, the file after."""
    seen = []

    def read(each):
        if not seen:
            replace(folder)
        seen.append(json.loads((folder / "figures.json").read_text()))
        return each.read_json("figures.json")

    assert settled(folder / LIST, "run", read) == {"a": 2}
    assert len(seen) == 2


def test_nothing_is_settled_where_nothing_was_committed(folder):
    before = sorted(folder.rglob("*"))
    settle(folder)
    assert sorted(folder.rglob("*")) == before
