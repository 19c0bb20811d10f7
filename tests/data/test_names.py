"""A dataset's name comes from a file's name, and goes into files, pages and pictures: it is made safe at the door."""

import pytest

from negsample.data.load import load_dataset
from negsample.data.log.read import read_log
from negsample.data.names import printable, safe_name
from negsample.data.prepare.pipeline import prepare
from negsample.settings import PrepareSettings

LOG = "user,item,time\n" + "".join(f"{n % 3},{n % 4},{10**9 + n}\n" for n in range(100))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("retail", "retail"),
        ("Zoë 商品", "Zoë 商品"),
        ("a b [bold]<script>&amp;", "a b [bold]<script>&amp;"),
        ("a\x07b", "a_b"),
        ("a\x1b[31mb\n", "a_[31mb_"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("a\u200bb\u2028c\ufeff", "a_b_c_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        (" .- x ", "x"),
        ("a\\b", "a_b"),
        ("", "log"),
        ("...", "log"),
        ("x" * 300, "x" * 100),
        ("😀" * 100, "😀" * 50),
        ("a\ud800b", "a_b"),
    ],
)
def test_names(name, safe):
    assert safe_name(name) == safe
    assert safe_name(safe) == safe
    assert safe.isprintable()


def test_what_is_not_seen_is_shown():
    assert printable("a\x07\nb é") == "a\\x07\\nb é"


@pytest.mark.parametrize("name", ["a\x07b", "-rf", "\u202ex", "a\nb", "x" * 200])
def test_a_log_of_that_name(tmp_path, monkeypatch, name):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / f"{name}.csv"
    path.write_text(LOG)
    data = load_dataset(path)
    assert data.name == safe_name(name)
    assert data.folder.name.startswith(safe_name(name))
    assert data.manifest.source == printable(path.name)
    assert all(note.isprintable() for note in data.manifest.notes)


def test_a_log_made_by_hand(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    log = read_log(path)._replace(name="a\x00/b", source="x\ny", notes=["of a\x00/b"])
    data = prepare(log, PrepareSettings(), tmp_path / "data")
    assert (data.name, data.manifest.source) == ("a__b", "x\\ny")
    assert "of a\\x00/b" in data.manifest.notes
