"""The greppable laws of the house, by ``ast``: who may do what, and who may import whom."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import negsample

SRC = Path(negsample.__file__).parent
TREES = {path.relative_to(SRC).as_posix(): ast.parse(path.read_text()) for path in sorted(SRC.rglob("*.py"))}
BASES = {
    "Console",
    "TyperCommand",
    "Settings",
    "Module",
    "NamedTuple",
    "Protocol",
    "BaseModel",
    "ValueError",
    "Function",
}
BASES |= {"Exception", "InputError", "ModelSettings", "JournalFileOpenLock", "Mapping[str, V]", "Generic[S]"}
BASES |= {"TyperCommand", "TyperGroup"}
DRAWS = {"rand", "randn", "randint", "randperm", "normal_", "random_", "bernoulli_", "uniform_", "bernoulli"}
DRAWS |= {"multinomial", "exponential_", "geometric_", "log_normal_", "cauchy_", "normal", "trunc_normal_"}
WITHOUT_GENERATOR = {"rand_like", "randn_like", "randint_like", "dropout"}  # PyTorch's take none: never
SIBLINGS = {"models", "losses", "samplers"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the last name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


def rooms_imported(tree: ast.AST) -> set[str]:
    """Rooms of negsample that a file imports, anywhere in it, ``data.log`` as ``data``."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("negsample.")}


def room(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def files(*rooms: str) -> list[str]:
    found = [path for path in TREES if room(path) in rooms]
    assert found, f"no file in {rooms}"
    return found


def where(name: str) -> list[str]:
    return [path for path, tree in TREES.items() for called, _ in calls(tree) if called == name]


def test_there_is_one_backward():
    assert where("backward") == ["training/step.py"]


def test_seeds_are_set_in_one_room():
    assert set(where("manual_seed")) == {"random.py"}
    assert set(where("default_rng")) == {"random.py"}
    assert not {path for name in ("seed", "manual_seed_all") for path in where(name)}


def test_only_the_command_line_prints():
    printing = [
        path for path, tree in TREES.items() for _, call in calls(tree) if getattr(call.func, "id", "") == "print"
    ]
    assert set(printing) <= {"cli/console.py"}


def test_torch_draws_from_a_generator_that_was_given():
    for path, tree in TREES.items():
        for name, call in calls(tree):
            given = {keyword.arg for keyword in call.keywords}
            assert name not in DRAWS or "generator" in given, f"{path}:{call.lineno}: {name} without generator="
            theirs = isinstance(call.func, ast.Attribute) or name != "dropout"  # our own dropout takes an rng
            assert not (name in WITHOUT_GENERATOR and theirs), f"{path}:{call.lineno}: {name} takes no generator"


def test_siblings_never_import_one_another():
    for path in files(*SIBLINGS):
        assert not rooms_imported(TREES[path]) & (SIBLINGS - {room(path)}), path


LAYERS = (
    {"cli"},
    {"tracking", "paper", "serving"},
    {"comparison"},
    {"report"},
    {"studies", "analysis"},
    {"execution"},
    {"runs"},
    {"training"},
    {"evaluation"},
    {"methods", "scoring"},
    {"miners", "optim"},
    {"samplers", "models", "losses"},
    {"rules"},
    {"batches"},
    {"data"},
    {"files", "random"},
    {"settings"},
    {"plugins", "parallel"},
    {"errors"},
)
"""From the top down: a package imports from the layers below its own."""


UP = {("analysis/study.py", "report")}  # `study.plot`: a study draws itself, when it is asked


def test_imports_point_down():
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    assert set(level) == {room(path) for path in TREES} - {"__init__", "__main__"}
    up = [
        f"{path} imports {other}"
        for path, tree in TREES.items()
        if room(path) in level
        for other in rooms_imported(tree) - {room(path)}
        if level[other] <= level[room(path)] and (path, other) not in UP
    ]
    assert not up


def test_what_shows_a_study_does_not_train():
    for path in files("analysis", "report"):
        assert not rooms_imported(TREES[path]) & {"training", "execution", "studies"}, path


def test_nobody_imports_the_command_line():
    importing = [path for path, tree in TREES.items() if "cli" in rooms_imported(tree)]
    assert {path for path in importing if room(path) != "cli"} <= {"__init__.py", "__main__.py"}


def test_no_class_is_deeper_than_one():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
                assert bases <= BASES, f"{path}:{node.lineno}: class {node.name}"


def test_no_dropout_of_torch_is_left():
    for path, tree in TREES.items():
        assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {"Dropout"}, path


def test_no_file_has_a_number_that_json_does_not_know():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"json.dumps", "json.dump", "dumps"}:
                assert "allow_nan=False" in [ast.unparse(each) for each in node.keywords], f"{path}:{node.lineno}"


def test_mlflow_is_for_those_who_ask():
    for path, tree in TREES.items():
        if room(path) not in {"tracking", "cli"}:
            assert "tracking" not in rooms_imported(tree), path
        assert "mlflow" not in packages(tree.body), f"{path} imports it when it is read"
        assert room(path) == "tracking" or "mlflow" not in packages(ast.walk(tree)), path


def packages(nodes: Iterable[ast.AST]) -> set[str]:
    """What the statements among ``nodes`` import, by the first name."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found
