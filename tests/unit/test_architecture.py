"""The plan of the code holds: folders in their order, no circles, and one meaning for each name of a class."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dealdb"
PACKAGES = sorted(path.parent for path in SOURCE.glob("*/__init__.py"))
# facades, most of which is docstrings
MAY_BE_LONG = {"database.py", "loader/loader.py", "query/engine.py", "analytics/analytics.py"}
MOST_LINES = 400
MOST_FILES = 12
# a file for each command
MOST_COMMANDS = 16
# tests of several files or folders together, or of what is no part of the package
OF_NO_FILE = {
    "server/cli/commands/test_charts.py",
    "server/cli/test_first_steps.py",
    "server/connection/test_acl.py",
    "server/connection/test_demotion.py",
    "server/connection/test_logs.py",
    "server/connection/test_tls.py",
    "server/loader/test_crm_exports.py",
    "server/loader/test_golden_load.py",
    "server/loader/test_odd_sources.py",
    "server/test_bench_hashes.py",
    "server/test_servers.py",
    "unit/analytics/test_golden_sales.py",
    "unit/query/test_fuzz.py",
    "unit/test_architecture.py",
    "unit/test_audit.py",
    "unit/test_benchmarks.py",
    "unit/test_docs.py",
    "unit/test_licences.py",
    "unit/test_mutants.py",
}


def modules() -> dict[str, Path]:
    names = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


MODULES = modules()


# several tests look at each file, and reading it takes most of their time
@cache
def read(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """What a file imports of dealdb, and its public classes."""
    tree = ast.parse(path.read_text())
    # a private word of one file is met nowhere else
    classes = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    return frozenset(imports_in(tree)), frozenset(classes)


def imports_of(path: Path) -> frozenset[str]:
    """Modules of dealdb that a file imports, wherever in it, those for annotations alone among them."""
    return read(path)[0]


def imports_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dealdb"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


def order_of(package: Path) -> list[list[str]]:
    """Folders and files of a package, from the bottom up, as its docstring has them."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    found = re.search(r"nothing imports from a part behind it:\s([^.]*)\.", text)
    assert found, f"{package.name}/__init__.py does not say in which order its folders stand"
    return [re.findall(r"\w+", group) for group in found[1].split("→")]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_folders_of_a_package_stand_in_its_order(package: Path) -> None:
    order = order_of(package)
    place = {name: number for number, group in enumerate(order) for name in group}
    there = {
        path.stem
        for path in package.iterdir()
        if path.stem != "__init__" and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert set(place) == there
    assert len(place) == len(list(chain.from_iterable(order)))
    for path in package.rglob("*.py"):
        own = path.relative_to(package).with_suffix("").parts[0]
        if own == "__init__":
            continue
        for name in imports_of(path):
            inside = name.removeprefix(f"dealdb.{package.name}.").split(".")[0]
            if name.startswith(f"dealdb.{package.name}.") and inside != own:
                assert place[inside] < place[own], f"{path.relative_to(SOURCE)} imports {name}"


def test_no_files_import_one_another_in_a_circle() -> None:
    # what a package exports is imported from its files, and its files go past it
    graph = {
        name: imports_of(path) - {name}
        for name, path in MODULES.items()
        if path.name != "__init__.py"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_a_class_name_is_that_of_one_package() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        package = path.relative_to(SOURCE).parts[0]
        for name in read(path)[1]:
            homes[name].add(package)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_no_folder_is_too_full_and_no_file_too_long() -> None:
    for folder in {path.parent for path in SOURCE.rglob("*.py")}:
        name = str(folder.relative_to(SOURCE))
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        most = MOST_COMMANDS if name == "cli/commands" else MOST_FILES
        assert len(files) <= most, name
    for path in SOURCE.rglob("*.py"):
        name = str(path.relative_to(SOURCE))
        n = len(path.read_text().splitlines())
        assert n <= MOST_LINES or name in MAY_BE_LONG, f"{name}: {n} lines"


def test_the_steps_of_the_architecture_page_are_in_the_code() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    for path in re.findall(r"`([\w/]+\.(?:py|lua))`", text):
        assert (SOURCE / path).exists() or (ROOT / path).exists(), path
    steps = re.findall(r"`([\w/]+\.py)` `([\w.]+)`", text)
    assert len(steps) > 20
    for path, name in steps:
        word = name.split(".")[-1]
        assert re.search(rf"(def|class) {word}\b", (SOURCE / path).read_text()), f"{path} {name}"


def test_the_tree_of_the_architecture_page_is_that_of_the_code() -> None:
    shown: dict[Path, list[str]] = defaultdict(list)
    folder, parents = SOURCE, [SOURCE]
    for line in (ROOT / "docs" / "architecture.md").read_text().split("```")[1].splitlines()[2:]:
        found = re.match(r"( *)(?:(\w+)/)?(.*)", line)
        assert found
        if found[2]:
            # two blanks for each level below the package of all
            depth = len(found[1]) // 2
            parents = [*parents[:depth], parents[depth - 1] / found[2]]
            folder = parents[-1]
        shown[folder] += found[3].split()
    there: dict[Path, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")) + sorted(SOURCE.rglob("*.lua")):
        if not path.stem.startswith("__"):
            there[path.parent].append(path.name.removesuffix(".py"))
    assert shown == there


@cache
def names_in(folder: Path) -> set[str]:
    return {name for path in folder.iterdir() for name in (path.stem, path.name)}


def is_of_a_source(path: Path, folder: Path) -> bool:
    """Whether a test has the path of a file, or of a folder as a whole; ``_`` and an aspect of it may follow."""
    beside = SOURCE / path.relative_to(folder).parent
    homes = names_in(beside)
    words = path.stem.removeprefix("test_").split("_")
    names = {"_".join(words[:n]) for n in range(1, len(words) + 1)}
    return bool(names & (homes | {beside.name}))


@pytest.mark.parametrize("kind", ["unit", "server"])
def test_a_test_has_the_path_of_what_it_tests(kind: str) -> None:
    folder = ROOT / "tests" / kind
    for path in folder.rglob("test_*.py"):
        name = str(path.relative_to(ROOT / "tests"))
        assert name in OF_NO_FILE or is_of_a_source(path, folder), name
    assert all((ROOT / "tests" / name).exists() for name in OF_NO_FILE)
