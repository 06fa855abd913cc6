"""The house rules, checked: who imports whom, what the facade says, how quickly it starts, how small things are."""

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imports import PACKAGE, ROOMS, ROOT, Import, imports_of

FACADE = PACKAGE / "__init__.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Rooms that see less than the list would let them.
GROUND = {"errors", "keys", "plugins"}
SEES = {
    "heads": GROUND,  # estimators on plain arrays: nothing of networks or files
    "evaluation": GROUND | {"heads"},  # likewise
    "serving": set(ROOMS[: ROOMS.index("artifact") + 1]),
    "cli": {"errors", "api", "cluster", "serving"},
    "testing": set(ROOMS) - {"api", "cli", "testing"},
}
# Distributions whose name is not the one that is imported.
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}
PEERS = {"embetter", "setfit", "sentence-transformers"}  # a benchmark leaves them out where they are not installed
SLOW_TO_IMPORT = {
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
    "transformers",
}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    """Every file of the package but the facade and the door of `python -m icecore`."""
    return [file for file in sorted(PACKAGE.rglob("*.py")) if file not in {FACADE, PACKAGE / "__main__.py"}]


def inner_imports() -> Iterator[tuple[str, Import]]:
    for file in sources():
        for found in imports_of(file):
            if found.top == "icecore":
                yield room_of(file), found


def third_party(folder: Path) -> Iterator[Import]:
    for file in sorted(folder.rglob("*.py")):
        for found in imports_of(file):
            if found.top not in sys.stdlib_module_names | {"icecore", "tests", "benchmarks"}:
                yield found


def distributions(requirements: list[str]) -> set[str]:
    """Names of the distributions in a list of requirements, our own extras followed."""
    names = set[str]()
    for requirement in requirements:
        name, extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", requirement).groups()
        if name == "icecore":
            names |= distributions([r for extra in extras.split(",") for r in PROJECT["optional-dependencies"][extra]])
        else:
            names.add(re.sub(r"[-_.]+", "-", name).lower())
    return names


def distribution(found: Import) -> str:
    return DISTRIBUTIONS.get(found.top, re.sub(r"[-_.]+", "-", found.top).lower())


def core() -> set[str]:
    return distributions(PROJECT["dependencies"])


def extra(name: str) -> set[str]:
    return distributions(PROJECT["optional-dependencies"].get(name, []))


def every_extra() -> set[str]:
    return set().union(*(extra(name) for name in PROJECT["optional-dependencies"] if name != "dev"))


def told(breaches: list[Import]) -> str:
    return "\n" + "\n".join(map(str, breaches))


def run(*command: str) -> str:
    """What a fresh process prints. It is not measured for coverage, which would slow its start."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages that a fresh process holds after importing these modules."""
    code = (
        f"import json, sys, {', '.join(modules)}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    )
    return set(json.loads(run(sys.executable, "-c", code)))


def cli_modules() -> list[str]:
    files = sorted((PACKAGE / "cli").rglob("*.py"))
    return [
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for file in files
    ]


def facade() -> ast.Module:
    return ast.parse(FACADE.read_text(encoding="utf-8"))


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Names and values that a module assigns at its top level."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_file_belongs_to_a_room():
    """A file or folder of the package that the list of rooms does not name has no place in the order."""
    assert {room_of(file) for file in sources()} <= set(ROOMS)


def test_a_room_imports_only_rooms_before_it():
    """Imports go one way, those inside functions and those for the type checker included."""
    order = {room: place for place, room in enumerate(ROOMS)}
    breaches = [i for room, i in inner_imports() if i.room and i.room != room and order[i.room] > order[room]]
    assert not breaches, told(breaches)


def test_some_rooms_see_less():
    """Heads and evaluation know arrays alone; serving sees finished models, the command line only public verbs."""
    breaches = [i for room, i in inner_imports() if i.room and i.room != room and i.room not in SEES.get(room, ROOMS)]
    assert not breaches, told(breaches)


def test_nobody_inside_imports_the_facade():
    """`icecore` itself joins what the rooms offer; a room that imported it would close a circle."""
    breaches = [i for _, i in inner_imports() if i.room is None]
    assert not breaches, told(breaches)


def test_every_third_party_import_of_the_package_is_declared():
    """What the package imports, anywhere, is a core dependency or in an extra, not a guest of another library."""
    breaches = [i for i in third_party(PACKAGE) if distribution(i) not in core() | every_extra()]
    assert not breaches, told(breaches)


def test_every_third_party_import_beside_the_package_is_declared():
    """What the tests, benchmarks and examples import is declared too: they may use what `dev` brings, and recipes."""
    known = core() | extra("dev") | {"pretraining"} | PEERS
    places = (ROOT / "tests", ROOT / "benchmarks", ROOT / "examples")
    breaches = [i for place in places for i in third_party(place) if distribution(i) not in known]
    assert not breaches, told(breaches)


def test_extras_are_imported_only_when_used():
    """A library that is an extra is imported inside a function, so that its absence can be told in a sentence."""
    breaches = [i for i in third_party(PACKAGE) if i.eager and distribution(i) not in core()]
    assert not breaches, told(breaches)


def test_the_extra_that_an_error_names_brings_the_library():
    """`require("timm", "timm")` promises that installing the extra helps."""
    breaches = [i for i in third_party(PACKAGE) if i.extra is not None and distribution(i) not in extra(i.extra)]
    assert not breaches, told(breaches)


def test_every_dependency_is_pinned():
    """`constraints.txt` has an exact version, without a local part, of whatever the extras ask for."""
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    pins = dict(line.split("==") for line in lines)
    assert not [f"{name}=={version}" for name, version in pins.items() if not re.fullmatch(r"[\w.]+", version)]
    assert core() | every_extra() | extra("dev") <= {re.sub(r"[-_.]+", "-", name).lower() for name in pins}


def test_every_test_says_what_it_shows():
    """Each test has a docstring that states the behaviour."""
    silent = [
        f"{file.relative_to(ROOT)}:{function.lineno} {function.name}"
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        for function in functions(ast.parse(file.read_text(encoding="utf-8")))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent, "\n" + "\n".join(silent)


def test_files_and_functions_are_small():
    """No file of the package has more than 400 lines, and no function more than 40."""
    long = [str(f.relative_to(ROOT)) for f in sources() if len(f.read_text(encoding="utf-8").splitlines()) > 400]
    for file in sources():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        long += [f"{file.relative_to(ROOT)}:{f.lineno} {f.name}" for f in functions(tree) if length(f) > 40]
    assert not long, "\n" + "\n".join(long)


def test_the_facade_is_a_table_of_contents():
    """`__all__` is sorted and literal, and names exactly what the facade's one table says where to find."""
    values = dict(assigned(facade()))
    tables = [ast.literal_eval(value) for value in values.values() if isinstance(value, ast.Dict)]
    assert "__all__" in values, "icecore/__init__.py has no __all__"
    assert len(tables) == 1, "icecore/__init__.py should have one dict from public names to modules"
    names = ast.literal_eval(values["__all__"])
    assert names == sorted(names)
    assert set(names) - {"__version__"} == set(tables[0])


def test_every_name_of_the_facade_can_be_had():
    """Each public name resolves, is listed by `dir`, and another name is an AttributeError."""
    import icecore  # here, so that a broken facade fails one test and not all

    assert {name: getattr(icecore, name) for name in icecore.__all__}
    assert set(icecore.__all__) <= set(dir(icecore))
    with pytest.raises(AttributeError, match="no_such_name"):
        icecore.no_such_name  # noqa: B018  # the access is what is tested


def test_importing_icecore_brings_nothing_heavy():
    """`import icecore` loads neither torch nor scikit-learn nor pyarrow: the names are lazy."""
    heavy = loaded_by("icecore") & SLOW_TO_IMPORT
    assert not heavy


def test_the_command_line_brings_nothing_heavy():
    """All modules of the command line together load no heavy library: commands import what they need when run."""
    heavy = loaded_by(*cli_modules()) & SLOW_TO_IMPORT
    assert not heavy


def best(seconds: Iterator[float], limit: float) -> float:
    """The least of some measurements; no more are taken once one is under the limit."""
    least = float("inf")
    for one in seconds:
        least = min(least, one)
        if least < limit:
            break
    return least


def seconds_of(*command: str) -> float:
    start = time.perf_counter()
    run(*command)
    return time.perf_counter() - start


def test_import_takes_less_than_a_fifth_of_a_second():
    """`import icecore` in a fresh process takes under 0.2 s. The best of several: other work only ever adds."""
    code = "import time; t = time.perf_counter(); import icecore; print(time.perf_counter() - t)"
    assert best((float(run(sys.executable, "-c", code)) for _ in range(10)), 0.2) < 0.2


def test_help_takes_less_than_half_a_second():
    """`icecore --help`, start of Python included, takes under 0.5 s."""
    command = str(Path(sysconfig.get_path("scripts")) / "icecore")
    assert best((seconds_of(command, "--help") for _ in range(10)), 0.5) < 0.5
