"""Fixtures: one private server a session, emptied for each test; ``--server`` chooses its flavor."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from clusters import Cluster
from connected import eventually, sockets
from dealdb.connection import Link, RedisConnection
from examples import DEFAULT
from servers import BINARIES, Server

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

# a busy machine is no failure of the code: what has to be quick has a documented bound and a test of its own
# CI tries the same examples each time, so that a change fails for what it changed; new ones are tried elsewhere
for profile, n_examples in (("dealdb", DEFAULT), ("long", 300)):
    hypothesis.settings.register_profile(
        profile, deadline=None, derandomize="CI" in os.environ, max_examples=n_examples
    )
hypothesis.settings.load_profile("dealdb")


# a shell starts its background jobs with interrupts ignored, and whoever they start inherits that
signal.signal(signal.SIGINT, signal.default_int_handler)
# and nohup has the end of a terminal ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--server",
        choices=sorted(BINARIES),
        default="valkey9",
        help="flavor of server to test against",
    )
    parser.addoption(
        "--filters",
        type=int,
        default=25_000,
        help="random filters that the slow test compares with DuckDB",
    )


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    # workers have to agree on the names of tests: no address may stand in one
    return argname if " at 0x" in repr(val) else None


@pytest.fixture(scope="session")
def flavor(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--server"))


@pytest.fixture(scope="session")
def binary(flavor: str) -> Path:
    found = BINARIES[flavor]()
    if found is None:
        pytest.skip(f"no binary of {flavor} on this machine; .ci/run installs it")
    return found


@contextmanager
def starting(binary: Path) -> Iterator[Callable[..., Server]]:
    """What starts servers, which all stop at the end."""
    # not tmp_path: the path of a unix socket has to stay under 108 bytes
    started: list[Server] = []
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:

        def start(*options: str, env: Mapping[str, str] | None = None) -> Server:
            server = Server(binary, Path(folder) / str(len(started)), *options, env=env)
            started.append(server)
            return server.start()

        yield start
        # a primary that ends waits for replicas that are behind, as long as there are any
        for server in reversed(started):
            server.stop()


@pytest.fixture
def new_server(binary: Path) -> Iterator[Callable[..., Server]]:
    """Start further servers, for tests that kill, freeze or configure one."""
    with starting(binary) as start:
        yield start


@pytest.fixture(scope="module")
def new_servers(binary: Path) -> Iterator[Callable[..., Server]]:
    """The same, for servers that all tests of a module use."""
    with starting(binary) as start:
        yield start


@pytest.fixture(scope="module")
def cluster(new_servers: Callable[..., Server]) -> Cluster:
    """Three primaries without replicas, for tests that leave all of them as they are."""
    return Cluster(new_servers, has_replicas=False)


@pytest.fixture(scope="module")
def _shared_pair(new_servers: Callable[..., Server]) -> Cluster:
    return Cluster(new_servers, 2, has_replicas=False)


@pytest.fixture
def pair(_shared_pair: Cluster) -> Iterator[Cluster]:
    """Two primaries without replicas, of which a slot may move and none may end."""
    yield _shared_pair
    _shared_pair.be_as_at_first()


@pytest.fixture(scope="session")
def shared_server(binary: Path) -> Iterator[Server]:
    with starting(binary) as start:
        yield start()


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """The session's server, empty; a test leaves no socket open, which another would count as its own."""
    shared_server.ask("FLUSHALL", "SCRIPT FLUSH")
    yield shared_server
    assert eventually(lambda: sockets(shared_server) == []), sockets(shared_server)


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    """A way to the session's server."""
    with RedisConnection() as connection:
        connection.connect(unix_socket=server.socket)
        yield connection.link()


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(
            "the real exports in ../shared/data are not part of the project and absent here"
        )
    return SHARED_DATA


class _User:
    """Of DuckDB's processes: to start one for every test would take longer than most tests."""


@pytest.fixture(scope="session", autouse=True)
def _shared_duckdb() -> Iterator[None]:
    from dealdb.query.limits import SQL_LIMITS
    from dealdb.query.sql.isolated.engine import isolated_engine

    user = _User()
    engine = isolated_engine(SQL_LIMITS.sql_memory_mb)
    engine.keep_for(user)
    yield
    engine.close(user)


@pytest.fixture(scope="session")
def _places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths that nothing has used: most tests need none, and to make folders for each takes longer than they do."""
    folder = tmp_path_factory.mktemp("places")
    return (folder / str(n) for n in count())


@pytest.fixture(scope="session")
def _heres(_places: Iterator[Path]) -> Callable[[], Path]:
    """An empty folder to work in; the same one as long as nothing is left in it."""
    last = [next(_places)]

    def here() -> Path:
        if last[0].exists() and any(last[0].iterdir()):
            last[0] = next(_places)
        last[0].mkdir(exist_ok=True)
        return last[0]

    return here


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    _places: Iterator[Path],
    _heres: Callable[[], Path],
) -> None:
    """Nothing of the user's settings or data reaches a test, and no test leaves anything with the user."""
    for name in list(os.environ):
        if name.startswith("DEALDB_"):
            monkeypatch.delenv(name)
    # no server stays behind a test
    monkeypatch.setenv("DEALDB_LINGER_S", "0")
    asked = "tmp_path" in request.fixturenames
    home: Path = request.getfixturevalue("tmp_path") if asked else next(_places)
    for name in ("data", "config", "cache", "state"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(home / name))
    # rejects files go to the working directory
    monkeypatch.chdir(_heres())
