"""Files that appear whole or not at all, however many write into a folder at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from negsample.files.atomic import replacing_files, settle


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
