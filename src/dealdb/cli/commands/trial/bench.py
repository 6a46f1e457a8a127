"""The command ``bench``: saving the same deals in three ways, with the sockets as the server counted them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dealdb.cli.output.printing import busy, print_rows
from dealdb.cli.output.streams import Output
from dealdb.cli.session import Session
from dealdb.errors import ConfigError
from dealdb.formats.cells import Form

if TYPE_CHECKING:
    from dealdb import DealDatabase
    from dealdb.model.values import Value

    Opener = Callable[[str], AbstractContextManager[DealDatabase]]
    Deals = Sequence[Mapping[str, Value]]

THREADS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingRun:
    """
    One way of saving deals, measured.

    Attributes
    ----------
    way
        What was done.
    deals
        How many deals were saved.
    seconds
        Wall time.
    sockets
        Connections that the server accepted meanwhile, by its own count.
    """

    way: str
    deals: int
    seconds: float
    sockets: int


def bench(
    session: Session,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many deals to save.")] = 1600,
    threads: Annotated[
        int, typer.Option(metavar="N", help="Threads that share the pool.")
    ] = THREADS,
) -> None:
    """
    Measure saving deals in three ways.

    A new connection for each save, one pool for many threads, and in bulk. The server counts the sockets.

    Without a server of your own it starts one in a temporary folder. The deals go to collections that are removed
    afterwards.
    """
    if n < 1 or threads < 1:
        msg = f"-n {n} --threads {threads}: both are numbers from 1 up"
        raise ConfigError(msg)
    from dealdb.sample import deals

    with scratch_opener(session) as open_collection, busy(f"saving {n:,} deals in three ways ..."):
        runs = list(compare_saving(open_collection, deals(n), threads=threads))
    print_comparison(runs, session.output)


def compare_saving(
    open_collection: Opener, sample: Deals, *, threads: int = THREADS
) -> Iterator[SavingRun]:
    """
    Save the same deals in three ways, each into a collection of its own.

    Parameters
    ----------
    open_collection
        Opens a new database object on the collection of that name.
    sample
        Deals to save.
    threads
        How many share the pool in the second way.

    Yields
    ------
    SavingRun
        One for each way, as soon as it is done.
    """
    from concurrent.futures import ThreadPoolExecutor

    def one_by_one(collection: str) -> None:
        for deal in sample:
            with open_collection(collection) as db:
                db.save_deal(deal)

    def pooled(collection: str) -> None:
        with open_collection(collection) as db, ThreadPoolExecutor(threads) as pool:
            # list() raises what a save raised
            list(pool.map(db.save_deal, sample))

    def in_bulk(collection: str) -> None:
        with open_collection(collection) as db:
            db.loader.load(sample, bar=False)

    with open_collection("counter") as counter:
        # what is imported at first use is not a cost of saving
        counter.loader.load(sample[:1], bar=False)
        size = counter.connection.settings.max_connections
        ways = {
            "a new connection for each save": one_by_one,
            f"{threads} threads, one pool of {size}": pooled,
            "in bulk": in_bulk,
        }
        for number, (way, save) in enumerate(ways.items()):
            before, start = _sockets_accepted(counter), time.perf_counter()
            save(f"way-{number}")
            seconds = time.perf_counter() - start
            sockets = _sockets_accepted(counter) - before
            yield SavingRun(way=way, deals=len(sample), seconds=seconds, sockets=sockets)


def print_comparison(runs: Sequence[SavingRun], output: Output) -> None:
    """Print the ways of saving, each against the first."""
    rows = [
        {
            "way": run.way,
            "seconds": run.seconds,
            "deals/s": run.deals / run.seconds,
            "sockets": run.sockets,
            "times as fast": runs[0].seconds / run.seconds,
        }
        for run in runs
    ]
    forms = {
        "seconds": Form(digits=3),
        "deals/s": Form(digits=0),
        "sockets": Form(grouped=True),
        "times as fast": Form(digits=1),
    }
    print_rows(rows, list(rows[0]), output, forms=forms)


@contextmanager
def scratch_opener(session: Session) -> Iterator[Opener]:
    """Opener of collections that are gone afterwards: on the session's server, or on a temporary one."""
    from tempfile import TemporaryDirectory
    from uuid import uuid4

    if session.url is None:
        with (
            TemporaryDirectory(prefix="dealdb") as folder,
            temporary_server(Path(folder)) as opener,
        ):
            yield opener
        return
    prefix = f"bench-{uuid4().hex}-"
    try:
        yield lambda name: session.open(prefix + name)
    finally:
        from dealdb.connection.server.measuring import remove_keys

        with session.open(prefix) as db:
            remove_keys(db.connection.link(), prefix)


@contextmanager
def temporary_server(folder: Path) -> Iterator[Opener]:
    """Opener of collections on an embedded server in that folder; it stops at the end."""
    from dealdb import DealDatabase

    with DealDatabase.embedded(folder, linger_s=0) as keeper:
        where = keeper.connection.settings.where
        yield lambda name: DealDatabase.from_url(where, collection=name)


def _sockets_accepted(db: DealDatabase) -> int:
    from dealdb.connection.server.measuring import sockets_accepted

    accepted = sockets_accepted(db.connection.link())
    if accepted is None:
        raise ConfigError("the server does not say how many sockets it accepted: give +info")
    return accepted
