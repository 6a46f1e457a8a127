"""``serve``: the board on a socket of its own, until it is told to end."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from dealdb.board.app import app
from dealdb.board.guard import TOKEN
from dealdb.board.sessions import Sessions
from dealdb.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from dealdb.database import DealDatabase

HOST, PORT = "127.0.0.1", 8765
# whoever can guess it can change deals
LEAST_TOKEN = 16
_LOCAL = ("localhost", "127.0.0.1", "::1")
# a browser keeps its stream of changes open as long as it can
_GRACE_S = 2


def serve(
    db: DealDatabase | Mapping[str, DealDatabase],
    *,
    host: str = HOST,
    port: int = PORT,
    read_only: bool = False,
    token_file: Path | None = None,
    allow_hosts: Iterable[str] = (),
    embed_origins: Iterable[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """
    Carry the board until Ctrl-C or SIGTERM.

    Parameters
    ----------
    db
        The collection, or several by name.
    host, port
        Where it listens; 0 takes a free port.
    read_only
        Nothing can be changed.
    token_file
        Holds the token that the form for signing in asks for. An address other than this machine's own needs one.
    allow_hosts
        Names besides the own ones under which browsers may call it.
    embed_origins
        Sites that may show pages in a frame.
    ready
        Called with the address to open, which works once, as soon as it listens; and with another one when somebody
        comes who can't get in, and the last one has been used.

    Raises
    ------
    ConfigError
        If the address can't be listened on or needs a token file, or the file can't be read.
    MissingExtra
        If the extra ``board`` is not installed.
    """
    token = None if token_file is None else _token_in(token_file)
    if token is None and not _is_local(host):
        msg = f"a board at {host} can be reached from other machines: --token-file FILE says who may come in"
        raise ConfigError(msg)
    try:
        import uvicorn
    except ImportError as error:
        msg = "the board needs the extra 'board': pip install 'dealdb[board]'"
        raise MissingExtra(msg) from error
    shown = f"[{host}]" if ":" in host else host

    def tell(link: str) -> None:
        if ready is not None:
            ready(f"http://{shown}:{port}/?{TOKEN}={link}")

    sessions = Sessions(token, tell=tell)
    names = {*_LOCAL, host, *allow_hosts}
    application = app(
        db, sessions=sessions, hosts=names, embed_origins=embed_origins, read_only=read_only
    )
    with _listening(host, port) as listening:
        port = listening.getsockname()[1]
        tell(sessions.new_link())
        config = uvicorn.Config(
            application,
            log_level="warning",
            # addresses hold filters, which are data of deals
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = uvicorn.Server(config)
        ended = server.handle_exit

        def end(*signal: Any) -> None:
            # pages that are still being made then are cancelled, which is no fault to tell of
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            # it waits for open streams, which would go on for as long as their pages
            Thread(target=application.close, daemon=True).start()
            ended(*signal)

        server.handle_exit = end  # type: ignore[method-assign, assignment]
        # while the browser opens
        warming = Thread(target=application.warm_up, name="dealdb-board-warming", daemon=True)
        warming.start()
        try:
            server.run(sockets=[listening])
        finally:
            # no longer than pages that are being made: the database is closed next, and the program ends
            warming.join(_GRACE_S)


def _token_in(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the token file {path} can't be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        raise ConfigError(msg) from error
    if len(token) < LEAST_TOKEN:
        msg = f"the token in {path} has {len(token)} characters; it needs {LEAST_TOKEN} or more"
        raise ConfigError(msg)
    return token


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        # who is told the address may come before the first request is answered
        found.listen()
    except (OSError, OverflowError) as error:
        found.close()
        why = getattr(error, "strerror", None) or error
        msg = f"the board can't listen on {host}, port {port}: {why}{_way_out(error, port)}"
        raise ConfigError(msg) from error
    return found


def _way_out(error: Exception, port: int) -> str:
    """What to do about an address that can't be listened on."""
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"; another board may be running there: --port {port + 1}, or --port 0 for a free one"
        case errno.EACCES:
            return "; low ports are for root: take one from 1024 up by --port"
        case errno.EADDRNOTAVAIL:
            return "; --host is an address of this machine"
    return ""
