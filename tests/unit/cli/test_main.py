"""The shared options, settings from the environment, and exit codes; none of it needs a server."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from importlib.metadata import version

import pytest

from dealdb import errors
from dealdb.cli.adopting import telling
from dealdb.cli.main import _show_unhandled, exit_code, main
from dealdb.cli.option_names import in_options
from dealdb.cli.registry import COMMANDS
from dealdb.cli.session import session_from

URL = "redis://db.example/2"


def test_the_password_of_the_environment_completes_a_url_without_one() -> None:
    session = session_from({"url": URL}, {"DEALDB_PASSWORD": "s3cret"})
    with session.open() as db:
        assert db.connection.settings.password == "s3cret"
        assert db.connection.settings.db == 2


def test_the_password_of_the_url_wins() -> None:
    environment = {"DEALDB_URL": "redis://:in-url@db.example", "DEALDB_PASSWORD": "other"}
    with session_from({}, environment).open() as db:
        assert db.connection.settings.password == "in-url"


def test_a_password_on_the_command_line_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    session_from({"url": "redis://:s3cret@db.example"}, {})
    warning = capsys.readouterr().err
    assert warning.startswith("warning: ")
    assert "s3cret" not in warning


def test_options_may_stand_before_and_after_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--json", "find", "--csv"],
        ["find", "--json", "--csv"],
        ["--json", "--csv", "sql", "x"],
    ):
        assert main(arguments) == 2
        assert capsys.readouterr().err == "error: --json and --csv exclude each other\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), 2),
        (errors.SchemaError("x"), 2),
        (errors.QueryError("x"), 2),
        (errors.LoadError("x"), 2),
        (errors.MissingExtra("x"), 1),
        (errors.DealNotFound("x"), 1),
        (errors.ConflictError("x", expected_rev=1, actual_rev=2), 1),
        (errors.AccessDenied("x"), 3),
        (errors.ServerUnavailable("x"), 3),
        (errors.PoolTimeout(size=1, in_use=1, waited_s=1), 3),
        (errors.ServerRefused("x", reply="OOM"), 1),
        (errors.OutcomeUnknown("x", lambda: True), 1),
        (errors.StoreDamaged("x"), 1),
    ],
    ids=lambda value: getattr(value, "code", str(value)),
)
def test_each_error_has_its_exit_code(error: errors.DealDBError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fnd"], "no such command 'fnd'. Did you mean 'find'?; see dealdb --help"),
        (["find", "--limits", "3"], "no such option: --limits"),
        (
            ["find", "--limit", "many"],
            "error: --limit takes a whole number, not 'many'; see dealdb",
        ),
        (
            ["bench", "-n", "1.5"],
            "error: -n takes a whole number, not '1.5'; see dealdb bench --help",
        ),
        (["save", "id=1", "--expect-rev", ""], "--expect-rev takes a whole number, not ''"),
        (
            ["completion", "tcsh"],
            "there is no completion for 'tcsh'; the shells are bash, zsh, fish",
        ),
        (["get"], "missing argument 'ID"),
        (["health", "--db", "16"], "Redis database must be between 0 and 15"),
        (["health", "--url", "http://x"], "the URL must begin with redis://"),
        (["find", "--collection", "Deals"], "can't be a collection"),
        (["stats", "win"], "there is no metric 'win'"),
        (["save", "Acme"], "'Acme' is not FIELD=VALUE"),
        (["save", "id=1", "id=2"], "field 'id' is given twice"),
        (["save"], "nothing to save"),
        (["save", "id=1", "--json-input", "-"], "exclude each other"),
        (["save", "--json-input", "/nowhere.json"], "--json-input /nowhere.json: "),
        (["pipeline", "--set", "Lead:maybe"], "'Lead:maybe' is not NAME:KIND"),
        (["pipeline", "--set", "Lead:open:x"], "PROBABILITY is a number"),
        (["pipeline", "--set", "Won:won", "--by", "owner"], "--set defines the stages for all"),
        (["pipeline", "--set", "Won:won", "--at", "2026-01-01"], "--as-of and --at"),
        (["pipeline", "--force"], "--force belongs to --set"),
        (["schema", "rename", "a"], "schema takes nothing, or rename OLD NEW, or retype NAME TYPE"),
        (["schema", "--yes"], "--yes is for drop"),
        (["schema", "drop", "a", "--at", "2026-01-01"], "--at, --parquet and --xlsx for printing"),
        (["bench", "-n", "0"], "from 1 up"),
        (["find", "--param", "least"], "--param 'least': it takes NAME=VALUE"),
        (["find", "--page", "3", "--limit", "3"], "--page and --cursor exclude --limit"),
        (["find", "--explain", "--parquet", "x"], "--explain excludes --parquet"),
        (["facets", "stage", "--by", "stage"], "--by 'stage': it takes COLUMN=HOW"),
        (["query", "keep", "x"], "query takes list, save NAME [WHERE], run NAME, or delete NAME"),
        (
            ["query", "list", "--limit", "3"],
            "--limit, --offset, --param, --parquet and --xlsx for run",
        ),
        (["query", "run", "x", "--sort", "id"], "--sort and --columns are for save"),
        (["export", "x.csv", "id = '1'", "--sql", "SELECT 1"], "--sql excludes a filter"),
        (["export", "-", "--json"], "to stdout only the file is written"),
        (["load", "x.csv", "y.csv", "--delete-missing"], "--delete-missing takes one file"),
        (["load", "x.csv", "--map", "amount"], "--map 'amount': it takes HEADER=FIELD"),
        (["demo", "--json"], "demo prints text only"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main([*arguments, *([] if "--url" in arguments else ["--url", "redis://localhost:1"])]) == 2
    )
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert message in output.err
    assert output.err.count("\n") == 1


def test_a_dead_server_is_one_line_and_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "42", "--url", "redis://localhost:1?retry_deadline_s=0.1"]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert "localhost:1" in output.err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--db", "99", "--url", URL, "--debug"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.splitlines()[-1].startswith("error: ")


def test_every_command_has_help_that_ends_with_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, entry in COMMANDS.items():
        assert main([name, "--help"]) == 0
        text = capsys.readouterr().out
        assert text.rstrip().endswith(entry.example.rsplit(maxsplit=1)[-1])
        assert entry.example.startswith(f"dealdb {name}")


def test_without_arguments_the_program_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    first, second = capsys.readouterr().out.split("Usage: ")[1:]
    assert first == second
    for name in COMMANDS:
        assert f"\n  {name} " in first
        # a summary that doesn't fit would be cut
        assert "..." not in first.split("Commands:")[1]


def imported_by(*arguments: str) -> set[str]:
    """Packages outside the standard library that a run of the program imports."""
    code = (
        # some systems have a module of their own that every run imports
        "import sys; before = {*sys.modules}; from dealdb.cli.main import main; main(sys.argv[1:]);"
        "print('\\n' + ' '.join({name.split('.')[0] for name in {*sys.modules} - before}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    names = set(run.stdout.splitlines()[-1].split()) - sys.stdlib_module_names
    return {name for name in names if not name.startswith(("_", "cython"))}


DEAD = ("--url", "redis://localhost:1?retry_deadline_s=0.1")
# typer's own are among them, but neither pydantic nor rich
FOR_HELP = {"dealdb", "typer", "annotated_doc", "shellingham"}
FOR_DEALS = FOR_HELP | {"redis", "hiredis", "msgpack"}
if sys.version_info < (3, 11, 3):
    # redis needs it there
    FOR_DEALS.add("async_timeout")


@pytest.mark.parametrize(
    ("arguments", "packages"),
    [
        (["--help"], FOR_HELP),
        (["get", "--help"], FOR_HELP),
        (["find", "--help"], FOR_HELP),
        (["get", "42", *DEAD], FOR_DEALS),
        (["save", "id=42", *DEAD], FOR_DEALS),
        (["delete", "42", *DEAD], FOR_DEALS),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_command_imports_what_it_needs(arguments: list[str], packages: set[str]) -> None:
    imported = imported_by(*arguments)
    assert "dealdb" in imported
    assert imported - packages == set()


def test_a_run_imports_the_module_of_its_own_command() -> None:
    code = (
        "import sys; from dealdb.cli.main import main; main(['get', '--help']);"
        "sys.exit(' '.join(name for name in sys.modules if name.startswith('dealdb.')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "dealdb.cli.commands.deals" in run.stderr.split()
    assert not {"dealdb.cli.commands.find", "dealdb.cli.commands.stats", "dealdb.database"} & {
        *run.stderr.split()
    }


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("say dates='us' or dates='eu'", "say --dates 'us' or --dates 'eu'"),
        ("name it with mapping={'<column>': 'id'}, or what makes one with id_from; the columns are 'a'",
         "name it with --map '<column>=id', or what makes one with --id-from; the columns are 'a'"),
        ("on_conflict='merge', 'replace' or 'skip' says", "--on-conflict 'merge', 'replace' or 'skip' says"),
        ("everything=True deletes them", "--everything deletes them"),
        ("if you trust it, raise max_expansion", "if you trust it, raise --max-expansion"),
        ("on_conflict is one of merge, not 'x'", "--on-conflict is one of merge, not 'x'"),
        ("the parameter :a has no value; give it in params\n  name = 'dates=''us'' in params'",
         "the parameter :a has no value; give it with --param NAME=VALUE\n  name = 'dates=''us'' in params'"),
        ("no column 'format'; did you mean 'force'?", "no column 'format'; did you mean 'force'?"),
        ("without resume it is loaded", "without --resume it is loaded"),
    ],
)  # fmt: skip
def test_messages_name_options_where_the_library_has_arguments(message: str, told: str) -> None:
    assert in_options(message) == told


def test_a_password_is_only_asked_for_where_somebody_can_answer() -> None:
    # a session of its own has no terminal
    done = subprocess.run(
        [sys.executable, "-m", "dealdb", "find", "--ask-password", "--url", URL],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --ask-password asks at a terminal; elsewhere use")


def test_its_version_is_that_of_the_package(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"dealdb {version('dealdb')}\n"
    done = subprocess.run(
        [sys.executable, "-m", "dealdb", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"dealdb {version('dealdb')}\n"


@pytest.mark.parametrize(
    ("name", "proposed"), [("deals", "'deal'"), ("Acquisitions", "'acquisition'"), ("boss", "'bo'")]
)
def test_a_plural_is_refused_with_the_singular(
    capfd: pytest.CaptureFixture[str], name: str, proposed: str
) -> None:
    assert main(["find", "--collection", name, "--url", "redis://127.0.0.1:1"]) == 2
    assert capfd.readouterr().err.rstrip().endswith(f"; use {proposed}")


def test_what_nobody_handled_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise RuntimeError("a\x1b[31mb\x9b")
    except RuntimeError as error:
        _show_unhandled(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("RuntimeError: a\\x1b[31mb\\x9b\n")


def test_what_a_thread_or_a_log_says_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise RuntimeError("a\x1b[31mb")

    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        with telling():
            thread = threading.Thread(target=fails)
            thread.start()
            thread.join()
            logging.getLogger("elsewhere").warning("said %s", "c\x1b[31md")
    finally:
        root.handlers = handlers
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "a\\x1b[31mb" in said
    assert "said c\\x1b" in said
