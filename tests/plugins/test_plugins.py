"""Parts from outside: what a registry takes, where its parts come from, and how plugins are loaded and travel."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import negsample
from negsample.errors import InputError
from negsample.plugins import Registry, check_sources, load, load_plugins, loaded, registry, sources_of

SOURCES = Path(negsample.__file__).parents[1]
ADDS = "import test_plugins\ntest_plugins.COLOURS.register({name!r}, {value!r})\n"


def is_number(name, part):
    if not isinstance(part, int):
        raise ValueError(f"a colour is a number, got {part!r}")


@pytest.fixture(autouse=True)
def colours(monkeypatch):
    monkeypatch.setattr(load, "_loaded", {})
    monkeypatch.setattr(registry, "_registries", {})
    made = Registry("colour", {"red": 1, "dark-red": 2}, check=is_number, reserved=["none"])
    monkeypatch.setattr(sys.modules[__name__], "COLOURS", made, raising=False)
    monkeypatch.setitem(sys.modules, "test_plugins", sys.modules[__name__])
    return made


def test_a_registry_is_read_like_a_dictionary_and_written_by_register_alone(colours):
    assert colours.register("green", 3) == 3
    assert dict(colours) == {"red": 1, "dark-red": 2, "green": 3}
    assert (colours.get("blue", 7), colours.get("red"), "blue" in colours, len(colours)) == (7, 1, False, 3)
    with pytest.raises(TypeError):
        colours["red"] = 5
    with pytest.raises(InputError, match=r"unknown colour 'Dark_red'; did you mean 'dark-red'\?.*--plugin FILE"):
        colours["Dark_red"]
    with pytest.raises(InputError, match="the colours are: red, dark-red, green;"):
        colours["xyz"]


@pytest.mark.parametrize(
    ("name", "part", "message"),
    [
        ("red", 3, "the name 'red' is negsample's own; give your colour another one"),
        ("None", 3, "negsample's own"),
        ("a b", 3, "'a b' is no name for a colour: take up to 60 letters"),
        ("a--b", 3, "no name"),
        ("../x", 3, "no name"),
        ("x" * 61, 3, "no name"),
        (7, 3, "no name"),
        ("blue", "3", "colour 'blue': a colour is a number, got '3'"),
    ],
)
def test_what_is_no_part_is_refused(colours, name, part, message):
    with pytest.raises(InputError, match=message):
        colours.register(name, part)


def test_nothing_is_replaced_silently(colours):
    colours.register("green", 3)
    with pytest.raises(InputError, match=r"there is a colour 'green' from .* already; .*replace=True"):
        colours.register("green", 4)
    assert colours["green"] == 3
    colours.register("green", 4, replace=True)
    assert colours["green"] == 4
    with pytest.raises(InputError, match="negsample's own"):
        colours.register("red", 4, replace=True)


def test_a_file_is_loaded_once_and_again_when_it_has_changed(colours, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(ADDS.format(name="green", value=3))
    (plugin,) = load_plugins([str(path)])
    assert (plugin.name, plugin.digest) == ("mine.py", hashlib.sha256(path.read_bytes()).hexdigest())
    assert load_plugins([str(path)]) == [plugin]
    assert colours.plugin_of("green") == plugin
    assert colours.plugin_of("red") is None
    path.write_text(ADDS.format(name="blue", value=4))
    load_plugins([str(path)])
    assert list(colours) == ["red", "dark-red", "blue"]
    assert [each.name for each in loaded()] == ["mine.py"]
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_plugin_travels_with_its_source(colours, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(ADDS.format(name="green", value=3))
    load_plugins([str(path)])
    packed = pickle.dumps(loaded())
    path.unlink()
    load._forget(loaded()[0])
    load._loaded.clear()
    assert "green" not in colours
    assert pickle.loads(packed) == loaded()
    assert colours["green"] == 3


def test_a_module_is_known_by_the_source_of_its_package(colours, tmp_path, monkeypatch):
    package = tmp_path / "paint"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("VALUE = 3\n")
    (package / "parts.py").write_text(
        "import test_plugins\nfrom paint.helper import VALUE\ntest_plugins.COLOURS.register('green', VALUE)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (plugin,) = load_plugins(["paint.parts"])
    assert colours.plugin_of("green") == plugin
    assert plugin.path is None
    (package / "helper.py").write_text("VALUE = 4\n")
    assert load.of_module("paint.parts").digest != plugin.digest
    for name in ("paint", "paint.helper", "paint.parts"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n1 / 0\n", "plugin mine.py, line 2: ZeroDivisionError: division by zero"),
        ("x = (\n", "plugin mine.py, line 1: SyntaxError"),
        ("import sys\nsys.exit(5)\n", "plugin mine.py, line 2: SystemExit: 5"),
        (ADDS.format(name="red", value=3), "plugin mine.py, line 2: the name 'red' is negsample's own"),
        (
            ADDS.format(name="green", value=3) + "1 / 0\n",
            "plugin mine.py, line 3: ZeroDivisionError",
        ),
    ],
)
def test_a_plugin_that_fails_says_where_and_leaves_nothing(colours, tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_plugins([str(path)])
    assert list(colours) == ["red", "dark-red"]
    assert not loaded()


@pytest.mark.parametrize("name", ["nowhere.py", "no_such_module", "no_such.module", "", "a b", "../x"])
def test_a_plugin_that_is_not_there_is_refused(name):
    with pytest.raises(InputError, match="plugin"):
        load_plugins([name])


def test_an_installed_package_offers_parts_by_entry_points(colours, tmp_path, monkeypatch):
    (tmp_path / "paints.py").write_text("GREEN = 3\nWRONG = 'x'\n")
    monkeypatch.syspath_prepend(tmp_path)
    offered = {"green": "paints:GREEN", "wrong": "paints:WRONG", "lost": "nowhere:X", "red": "paints:GREEN"}
    colours._offered = {name: EntryPoint(name, value, "negsample.colours") for name, value in offered.items()}
    assert list(colours) == ["red", "dark-red", "green", "wrong", "lost"]
    assert (colours["green"], colours["red"]) == (3, 1)
    assert colours.plugin_of("green").name == "paints"
    for name in ("wrong", "lost"):
        with pytest.raises(InputError, match=f"colour '{name}' of the installed .*repair or uninstall its package"):
            colours[name]
    monkeypatch.delitem(sys.modules, "paints", raising=False)


def test_what_was_made_with_a_plugin_needs_it(colours, tmp_path, monkeypatch):
    monkeypatch.setitem(registry._registries, "method", colours)
    path = tmp_path / "mine.py"
    path.write_text(ADDS.format(name="green", value=3))
    load_plugins([str(path)])
    sources = sources_of("green", None)
    assert sources == {"mine.py": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert sources_of("red") == sources_of("nobody knows it") == sources_of("red", "neither this") == {}
    monkeypatch.setitem(registry._registries, "term", colours)
    assert sources_of("nobody knows it", None, ["red", "green"]) == sources
    check_sources("the run x", sources, "green", "any")
    check_sources("the run x", sources, "any", "any", ["green"])
    with pytest.raises(InputError, match=r"the run x needs --plugin other.py"):
        check_sources("the run x", {"other.py": "0"}, "green", "any")
    with pytest.raises(InputError, match=r"the run x was trained with another version of mine.py; .*train again"):
        check_sources("the run x", {"mine.py": "0"}, "green", "any")


def test_parts_of_an_installed_package_work_by_their_name(tmp_path):
    (tmp_path / "paints.py").write_text("import negsample\nMINE = negsample.METHODS['bpr']\n")
    about = tmp_path / "paints-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: paints\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[negsample.methods]\nof-a-package = paints:MINE\n")
    program = (
        "from negsample.plugins import check_sources, sources_of\n"
        "from negsample.methods import method_names\n"
        "method_names('of-a-package')\n"
        "found = sources_of('of-a-package')\n"
        "check_sources('it', found, 'of-a-package', 'sasrec')\n"
        "print(*found, *found.values())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCES), str(tmp_path)])},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["paints", hashlib.sha256((tmp_path / "paints.py").read_bytes()).hexdigest()]


def test_a_part_is_known_by_the_script_that_registers_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from negsample.plugins import Registry\n"
        "colours = Registry('colour', {})\n"
        "colours.register('green', 3)\n"
        "print(colours.plugin_of('green').name, colours.plugin_of('green').digest)\n"
    )
    done = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["script.py", hashlib.sha256(script.read_bytes()).hexdigest()]
