"""The facade: one object for a collection of deals, composed of the parts that do the work."""

from __future__ import annotations

import getpass
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from weakref import WeakSet

from dealdb.connection import EmbeddedServer, RedisConnection, round_trips
from dealdb.engines import on_engines
from dealdb.errors import ConfigError, QueryError, SchemaError, StoreError
from dealdb.model.moments import MOMENT_EXAMPLE, epoch_ms, from_epoch_ms, read_moment
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema, parse_type
from dealdb.model.values import encode_id
from dealdb.query.limits import SQL_LIMITS, SqlLimits
from dealdb.store import Deal, DealPlace, SaveResult, Store
from dealdb.store.archive.chunk_cache import DEFAULT_MB as DEFAULT_CACHE_MB
from dealdb.store.archive.chunk_cache import ChunkCache, make_cache
from dealdb.store.commit.durability import Durability
from dealdb.store.history.feed_start import parse_since
from dealdb.store.partitions.first_use import AnyStore, FirstUse
from dealdb.store.partitions.layout import check_partitions
from dealdb.view import DealView, compiled, read_side_table

if TYPE_CHECKING:
    import polars as pl

    from dealdb.analytics import Analytics
    from dealdb.connection.embedded.mend import MendReport
    from dealdb.loader import DataLoader
    from dealdb.loader.facts.recorder import DealHistory
    from dealdb.loader.progress import ProgressCallback
    from dealdb.loader.tables.quotas import Quotas
    from dealdb.loader.tables.rates import Rates
    from dealdb.query import QueryEngine
    from dealdb.query.deal_source import QueryTexts
    from dealdb.store.backup.reports import BackupReport, RestoreReport, Tell
    from dealdb.store.facts.assumed import Assume
    from dealdb.store.facts.facts import Facts
    from dealdb.store.facts.following.fixed import FixedFacts
    from dealdb.store.foreign.reading import ReadHashes
    from dealdb.store.history.feed import Feed
    from dealdb.store.log.entry import Position
    from dealdb.store.partitions.partitioned import PartitionedStore
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.tables.table import SmallTable
    from dealdb.store.upkeep.check import CheckReport
    from dealdb.store.upkeep.doctor import Finding
    from dealdb.store.upkeep.health import Health
    from dealdb.store.upkeep.repair import RepairReport

DEFAULT_COLLECTION = "deal"
# what people look for to save many deals
_NOT_METHODS = frozenset(
    f"{verb}_{what}"
    for verb in ("save", "insert", "add", "put", "upsert", "update", "bulk", "bulk_save")
    for what in ("deals", "many", "all")
)
_AS_OPENED = nullcontext()
_MS = timedelta(milliseconds=1)
# how often several reads are tried until no commit comes between them
_PIN_TRIES = 10


class NotAdoptedWarning(UserWarning):
    """Hashes of another program are shown as deals, and not adopted; said once for each ``DealDatabase``."""

    __module__ = "dealdb"


class DealDatabase:
    """
    Deals of a team, in one Redis or Valkey server.

    Constructing it checks the settings and opens nothing; the first use connects. One object serves
    any number of threads. It holds at most ``max_connections`` sockets, and one more
    for each open feed (``changes``).

    Parameters
    ----------
    host, port, db, password
        Where the server is: port 1 to 65535, database 0 to 15 (``databases`` moves the bound).
    collection
        Name of the collection; its deals are the hashes ``{collection}:{id}``.
    actor
        Who changes deals, kept in the history; the user's login name by default.
    cache
        Folder of this machine where the columns that it reads from the server are kept for the next process; True for
        ``dealdb`` in the user's cache directory, False for none.
    cache_mb
        Megabytes that the folder may take.
    durability
        Where a change has to be before it is acknowledged: ``memory`` of the server, its ``disk``, or ``replicated``,
        in the memory of a replica too. Each change may say otherwise.
    allow_eviction
        Whether to change deals on a server that removes them when its memory is full; by default the first change there
        raises ``NotDurable``.
    adopt
        Whether the first change may adopt the hashes of another program that the collection holds; by default it
        raises ``NotAdopted``. Reading never changes them.
    partitions
        Of how many partitions a new collection is to be made: a power of two from 1 to 256, for good. None for one, or
        for as many as a collection has that is there. ``docs/operations.md#partitions`` says what they are for.
    sql_timeout_s, sql_memory_mb
        Seconds and megabytes that one statement of ``query.sql`` may take.
    sql_isolated
        Whether these statements run in a process of their own, which is ended where it takes more.
    **settings
        Further settings of ``dealdb.connection.Settings``: ``username``, ``max_connections``, ``pool_timeout_s``,
        ``socket_timeout_s``, ``tls`` ...

    Attributes
    ----------
    connection
        The server: pool, health, choice of database.
    cache
        The folder of columns of this machine, or None.
    loader
        Reading files and frames into the collection, and writing them.
    query
        Filters, SQL and frames.
    analytics
        Metrics of the deals.

    Raises
    ------
    ConfigError
        If a setting can't be used.

    Examples
    --------
    >>> db = DealDatabase(host="localhost", port=6379, db=0, password=None)
    >>> db.connection.settings.where
    'redis://localhost:6379/0'
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 6379,
        db: int = 0,
        password: str | None = None,
        *,
        collection: str = DEFAULT_COLLECTION,
        actor: str | None = None,
        cache: bool | Path | str = False,
        cache_mb: int = DEFAULT_CACHE_MB,
        durability: str = Durability.MEMORY,
        allow_eviction: bool = False,
        adopt: bool = False,
        partitions: int | None = None,
        sql_timeout_s: float = SQL_LIMITS.sql_timeout_s,
        sql_memory_mb: int = SQL_LIMITS.sql_memory_mb,
        sql_isolated: bool = SQL_LIMITS.sql_isolated,
        **settings: Any,
    ) -> None:
        limits = SqlLimits(
            sql_timeout_s=sql_timeout_s, sql_memory_mb=sql_memory_mb, sql_isolated=sql_isolated
        )
        connection = RedisConnection()
        connection.connect(host, port, db, password, **settings)
        self._compose(
            connection,
            collection,
            actor,
            make_cache(cache, cache_mb),
            durability,
            allow_eviction=allow_eviction,
            adopt=adopt,
            partitions=partitions,
            limits=limits,
        )

    def _compose(
        self,
        connection: RedisConnection,
        collection: str,
        actor: str | None,
        cache: ChunkCache | None,
        durability: str,
        *,
        allow_eviction: bool,
        adopt: bool,
        partitions: int | None,
        limits: SqlLimits,
    ) -> None:
        for name, flag in (("allow_eviction", allow_eviction), ("adopt", adopt)):
            if type(flag) is not bool:
                raise ConfigError(f"{name} must be True or False: got {flag!r}")
        self._durability = Durability.of(durability)
        self._allow_eviction = allow_eviction
        self._adopt = adopt
        self._partitions = None if partitions is None else check_partitions(partitions)
        self._limits = limits
        self.connection = connection
        self.cache = cache
        self._collection = collection
        self._actor = _login_name() if actor is None else actor
        self._server: EmbeddedServer | None = None
        self._store = self._store_of_selected()
        self._feeds: WeakSet[Feed] = WeakSet()

    def _store_of_selected(self) -> Store:
        parts = (
            self.connection.link(), self._collection, self._actor, self.cache, self._durability
        )  # fmt: skip
        single = Store(
            *parts,
            allow_eviction=self._allow_eviction,
            adopt=self._adopt,
            read=_hash_reader,
            tell=_warn,
        )

        def divided(partitions: int) -> PartitionedStore:
            from dealdb.store.partitions.partitioned import PartitionedStore

            return PartitionedStore(
                *parts,
                partitions=partitions,
                allow_eviction=self._allow_eviction,
                read=_hash_reader,
            )

        def use(store: AnyStore) -> None:
            # another database may have been selected meanwhile
            if self._store is first:
                self._store = cast("Store", store)

        # each has the methods of a store, or says of one that it can't be had
        first = cast("Store", FirstUse(single, divided, self._partitions, use))
        return first

    def _opened_store(self, *, to_write: bool = False) -> Store:
        """The store, once it is known which one that is. One round trip at the first use of all."""
        store: object = self._store
        if not isinstance(store, FirstUse):
            return self._store
        return cast("Store", store.store(to_write=to_write))

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        collection: str = DEFAULT_COLLECTION,
        actor: str | None = None,
        cache: bool | Path | str = False,
        cache_mb: int = DEFAULT_CACHE_MB,
        durability: str = Durability.MEMORY,
        allow_eviction: bool = False,
        adopt: bool = False,
        partitions: int | None = None,
        sql_timeout_s: float = SQL_LIMITS.sql_timeout_s,
        sql_memory_mb: int = SQL_LIMITS.sql_memory_mb,
        sql_isolated: bool = SQL_LIMITS.sql_isolated,
        **settings: Any,
    ) -> Self:
        """
        Database at a URL: of a server, of a cluster, or of Sentinels; ``rediss`` for TLS.

        Parameters
        ----------
        url
            Such as ``redis://user:password@host:port/db``, ``redis+sentinel://s1,s2,s3/name/db`` or
            ``redis+cluster://h1,h2/``.
        collection, actor, cache, cache_mb, durability, allow_eviction, adopt, partitions, **settings
            As for the constructor, ``sql_`` ... too; they win over what the URL says.

        Raises
        ------
        ConfigError
            If the URL or a setting can't be used; the message never holds the password.

        Cost
        ----
        No round trip: the first use connects.

        Examples
        --------
        >>> DealDatabase.from_url("redis://:s3cret@db.example/3").connection.settings.where
        'redis://:***@db.example:6379/3'
        """
        limits = SqlLimits(
            sql_timeout_s=sql_timeout_s, sql_memory_mb=sql_memory_mb, sql_isolated=sql_isolated
        )
        connection = RedisConnection()
        connection.connect_url(url, **settings)
        database = cls.__new__(cls)
        database._compose(
            connection,
            collection,
            actor,
            make_cache(cache, cache_mb),
            durability,
            allow_eviction=allow_eviction,
            adopt=adopt,
            partitions=partitions,
            limits=limits,
        )
        return database

    @classmethod
    def embedded(
        cls,
        path: Path | str | None = None,
        *,
        linger_s: float | None = None,
        collection: str = DEFAULT_COLLECTION,
        actor: str | None = None,
        cache: bool | Path | str = False,
        cache_mb: int = DEFAULT_CACHE_MB,
        durability: str = Durability.MEMORY,
        allow_eviction: bool = False,
        adopt: bool = False,
        partitions: int | None = None,
        sql_timeout_s: float = SQL_LIMITS.sql_timeout_s,
        sql_memory_mb: int = SQL_LIMITS.sql_memory_mb,
        sql_isolated: bool = SQL_LIMITS.sql_isolated,
        **settings: Any,
    ) -> Self:
        """
        Database on a private server of this user: started here, or attached to if it already runs.

        Parameters
        ----------
        path
            Folder of its data; by default ``dealdb`` in the user's data directory.
        linger_s
            How long the server stays when its last user has left, in seconds up to a day, so that the next one need
            not start it; 0 ends it immediately. None for ``$DEALDB_LINGER_S``, or 300.

        Raises
        ------
        ConfigError
            If the folder or ``linger_s`` can't be used.
        StoreDamaged
            If the server does not understand its data: ``dealdb repair --data``.
        StoreError
            If the server can't start.

        Cost
        ----
        Starting a server takes some 50 ms, finding one that runs 5 ms.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path, linger_s=0) as db:
        ...     db.is_connected()
        True
        """
        limits = SqlLimits(
            sql_timeout_s=sql_timeout_s, sql_memory_mb=sql_memory_mb, sql_isolated=sql_isolated
        )
        server = EmbeddedServer.start(None if path is None else Path(path), linger_s=linger_s)
        try:
            connection = RedisConnection()
            connection.connect(
                unix_socket=server.socket,
                revive=server.ensure_running,
                trouble=server.trouble,
                **settings,
            )
            database = cls.__new__(cls)
            database._compose(
                connection,
                collection,
                actor,
                make_cache(cache, cache_mb),
                durability,
                allow_eviction=allow_eviction,
                adopt=adopt,
                partitions=partitions,
                limits=limits,
            )
        except BaseException:
            server.close()
            raise
        database._server = server
        return database

    @staticmethod
    def mend(path: Path | str | None = None) -> MendReport:
        """
        Mend the files of an embedded server that can't start on them: ``StoreDamaged``.

        It copies them, and cuts off what comes after the last whole commit. While the server runs it does nothing.

        Parameters
        ----------
        path
            Folder of its data, as for ``embedded``.

        Raises
        ------
        ConfigError
            If there are no data in the folder, or there is no room for the copy; nothing was changed.
        StoreDamaged
            If the list of the files itself is damaged.

        Cost
        ----
        It reads all but the compact part, about a second for 40 MB.
        """
        from dealdb.connection.embedded.mend import mend

        return mend(None if path is None else Path(path))

    # the parts -------------------------------------------------------------------------------------

    @cached_property
    def loader(self) -> DataLoader:
        """Reading files and frames into the collection, and writing them."""
        from dealdb.loader import DataLoader

        return DataLoader(
            lambda: self._opened_store(to_write=True),
            lambda where, **options: self.query.find(where, **options),
            into=LiveDeals(self),
        )

    @cached_property
    def history(self) -> DealHistory:
        """
        History that comes from elsewhere (``load``), and since when anything is known (``span``).

        ``load(rows_or_file, source=None, stages=None, zone="UTC", dry_run=False)`` adds facts with the columns ``id``,
        ``at``, ``field``, ``value`` and, if need be, ``op``, ``who``, ``source``, ``key``; it changes no deal. Rows
        that can't be read go to a file, as in loads (``rejects``).
        """
        from dealdb.loader.facts.recorder import DealHistory

        return DealHistory(self._opened_store)

    @cached_property
    def query(self) -> QueryEngine:
        """Filters, SQL and frames over the live deals."""
        from dealdb.query import QueryEngine

        return QueryEngine(LiveDeals(self), **asdict(self._limits), read_table=read_side_table)

    @cached_property
    def analytics(self) -> Analytics:
        """Metrics of the live deals."""
        from dealdb.analytics import Analytics

        return Analytics(
            lambda where: self.query.select(where),
            of=LiveDeals(self),
            facts=self._facts,
            quotas=lambda: self.quotas.frame(),
            compile=compiled,
            rates=lambda known: self.rates.frame(known),
        )

    def _facts(
        self,
        *,
        time: str,
        assume: str,
        known: datetime | date | None = None,
        upto: datetime | date | None = None,
    ) -> Facts:
        store = self._store
        if time == "recorded" and known is None:
            return store.facts()
        return store.event_facts(upto if known is None else known, cast("Assume", assume))

    @cached_property
    def rates(self) -> Rates:
        """Rates of currencies, by which metrics convert money with ``to=``."""
        from dealdb.loader.tables.rates import Rates

        return Rates(lambda: self._table(Rates.name, Rates.columns()), self._end_ms)

    @cached_property
    def quotas(self) -> Quotas:
        """Quotas of owners or other groups by period."""
        from dealdb.loader.tables.quotas import Quotas

        return Quotas(
            lambda: self._table(Quotas.name, Quotas.columns()),
            self._end_ms,
            self._calendar,
        )

    def _table(self, name: str, columns: list[str]) -> SmallTable:
        """Small table that is kept with the deals of the database that is selected now."""
        return self._opened_store().table(name, columns)

    def _end_ms(self, when: date | datetime | str) -> int:
        """A moment, or the last one of a day in the pipeline's zone, in milliseconds since 1970."""
        from dealdb.analytics.calendar.zone import Zone

        moment = read_moment(when, "as_of") if isinstance(when, str) else when
        if isinstance(moment, datetime):
            return epoch_ms(moment)
        return Zone.of(self.pipeline).end_of_day_ms(moment) - 1

    def _calendar(self) -> Callable[[str], tuple[str, date]]:
        """What says which period a label means, and with which day it begins."""
        from dealdb.analytics.calendar.periods import Periods

        pipeline = self.pipeline
        return lambda label: Periods.called(label, pipeline)[:2]

    # the server ------------------------------------------------------------------------------------

    def is_connected(self) -> bool:
        """
        Whether the server answers; never raises, and answers within a second.

        Cost
        ----
        One round trip, and a connect when the pool is empty; of a cluster, for each node.

        Examples
        --------
        >>> DealDatabase(port=1).is_connected()
        False
        """
        return self.connection.is_connected()

    @property
    def collection(self) -> str:
        """Name of the collection."""
        return self._collection

    @property
    def linger_s(self) -> float | None:
        """Seconds that the embedded server stays after its last user; None where there is none."""
        return self._server.linger_s if self._server is not None else None

    @property
    def sql_limits(self) -> SqlLimits:
        """What one statement of ``query.sql`` may take, and where it runs."""
        return self._limits

    def health(self) -> Health:
        """
        State of server, pool and collection, even when the server can't be reached; of a cluster, that of all nodes.

        Cost
        ----
        Six round trips; some more where something is suspicious. Of a cluster seven for each node.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42})
        ...     health = db.health()
        >>> health.reachable, health.flavor, health.deals
        (True, 'valkey', 1)
        """
        from dealdb.store.upkeep.health import Health

        health = Health.of_server(self.connection.health())
        if not health.reachable:
            return health
        try:
            deals, log_length = self._store.sizes()
            clock, others = self.check_clock(), self._store.not_adopted()
        except StoreError as problem:
            return replace(
                health, warnings=(*health.warnings, f"the collection can't be read: {problem}")
            )
        held = self._store.columns_bytes()
        warnings = (*health.warnings, *filter(None, (clock, others.notice() if others else None)))
        if health.durability and self._durability not in health.durability:
            warnings += (
                f"changes ask for durability={str(self._durability)!r}, which this server can't promise",
            )
        return replace(
            health, deals=deals, log_length=log_length, columns_bytes=held, warnings=warnings
        )

    def examine(self) -> Iterator[Finding]:
        """
        Look at the server, at this user's rights and at the collection; as ``dealdb doctor`` does. It changes nothing.

        Returns
        -------
        Iterator[Finding]
            One for each thing, as soon as it was looked at; the first that can't be reached is the last.

        Raises
        ------
        StoreError
            If the server goes away before it has said what threatens it.

        Cost
        ----
        Some twenty round trips.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     [finding.check for finding in db.examine() if finding.state == "fail"]
        []
        """
        store, health = self._store, self.connection.health()
        yield from store.examine(health, self.connection.trouble())

    def check_clock(self) -> str | None:
        """
        What to say if commits have times in the future; None if none do.

        The server's clock was ahead when they were made. The history shows them with these times; ``as_of`` goes by
        the order of commits, which is right.

        Raises
        ------
        StoreError
            If the server can't be asked.

        Cost
        ----
        One round trip.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     print(db.check_clock())
        None
        """
        return self._store.times_to_come()

    def check_log(self) -> str | None:
        """
        What to say if the log is ahead of the deals, and no commit can follow; None if all is well.

        Older versions left that behind where a right was taken from a running writer; ``repair`` mends it.

        Raises
        ------
        StoreError
            If the server can't be asked.

        Cost
        ----
        Two round trips; another where there are entries behind, since a commit may have come in between.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     print(db.check_log())
        None
        """
        return self._store.log_ahead()

    def select_database(self, db: int) -> None:
        """
        Move to another database of the server: everything that begins from now on happens there.

        Calls that other threads have begun finish where they began; a checkpoint that a query has begun is waited for.

        Parameters
        ----------
        db
            Its number, from 0 up.

        Raises
        ------
        ConfigError
            If the server has no such database.

        Cost
        ----
        No round trip.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42})
        ...     db.select_database(1)
        ...     len(db)
        0
        """
        self.connection.select_db(db)
        left, self._store = self._store, self._store_of_selected()
        left.finish()

    def close(self) -> None:
        """
        Close all sockets, feeds and what ``query.sql`` holds; an embedded server ends ``linger_s`` after its last user.

        A checkpoint that a query has begun is waited for; where the server hangs, for ``socket_timeout_s``.

        Cost
        ----
        No round trip.

        Examples
        --------
        >>> db = DealDatabase.embedded(tmp_path)
        >>> db.close()
        """
        if "query" in self.__dict__:
            self.query.close()
        self._store.finish()
        self.connection.close()
        # last: no further one can be opened now
        for feed in list(self._feeds):
            feed.close()
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<DealDatabase {self.connection.settings.where} collection {self._collection!r}>"

    if not TYPE_CHECKING:
        # a type checker knows that there is no such method
        def __getattr__(self, name: str) -> object:
            many = "; many deals are saved by db.loader.load(deals), from a list of them or a file"
            hint = many if name in _NOT_METHODS else ""
            msg = f"{type(self).__name__!r} object has no attribute {name!r}{hint}"
            raise AttributeError(msg, name=name, obj=self)

    # the deals -------------------------------------------------------------------------------------

    def save_deal(
        self,
        deal: Mapping[str, object],
        *,
        expect_rev: int | None = None,
        durability: str | None = None,
        at: datetime | str | None = None,
    ) -> SaveResult:
        """
        Save one deal: a new one, or the given fields of one that exists; None clears a field.

        A change of a deal that exists sets ``updated``. One that wins or loses a deal sets ``closed`` to the day in the
        pipeline's zone, and
        one that reopens it clears that. Each only unless it is given; ``Pipeline.closes`` turns the latter off.

        Parameters
        ----------
        deal
            Values by field; ``id`` is required, fields without a type yet get the one of their value.
        expect_rev
            Revision that the deal must have, as in ``SaveResult.rev`` or ``Deal.rev``; 0 for a new deal.
        durability
            ``memory``, ``disk`` or ``replicated``: where the change has to be before this returns; by default as the
            database was opened with.
        at
            Since when it has been so, for metrics of the past; a date means its beginning in the pipeline's zone, None
            now. The collection can't be read by versions of dealdb before this one from then on.

        Raises
        ------
        SchemaError
            If a value doesn't fit its field; names deal and field. Or if ``at`` is more than five minutes ahead of the
            server's clock.
        QueryError
            If ``at`` is not a moment.
        ConflictError
            If the deal has another revision; carries both.
        NotDurable
            If the server can't promise that durability or removes deals, or did not confirm it in time.
        OutcomeUnknown
            If the link broke and the server can't be asked whether the save happened.

        Cost
        ----
        One round trip; some more for the first change of a database, and the first deal with a new field or stage.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.save_deal({"id": 42, "name": "Acme renewal", "amount": "125000.00"}).outcome
        'inserted'
        """
        store = self._store
        with _asking(store, durability):
            return store.save(deal, expect_rev=expect_rev, at=_told_ms(at, store.zone_for))

    def update_deal(
        self,
        id: str | int,
        *,
        expect_rev: int | None = None,
        durability: str | None = None,
        at: datetime | str | None = None,
        **changes: object,
    ) -> SaveResult:
        """
        Change fields of a deal that exists; None clears one.

        Parameters
        ----------
        id
            Of the deal.
        expect_rev, durability, at
            As for ``save_deal``; a field of one of these names goes through that, too.
        **changes
            Values by field. A field whose name is no Python name goes through ``save_deal``.

        Raises
        ------
        DealNotFound
            If there is no such deal.
        SchemaError, ConflictError, OutcomeUnknown, NotDurable
            As for ``save_deal``.

        Cost
        ----
        One round trip.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "stage": "Lead", "amount": 100})
        ...     db.update_deal(42, stage="Won").outcome
        'updated'
        """
        store = self._store
        with _asking(store, durability):
            return store.save(
                {**changes, "id": id},
                expect_rev=expect_rev,
                must_exist=expect_rev is None,
                at=_told_ms(at, store.zone_for),
            )

    def get_deal(self, id: str | int) -> Deal | None:
        """
        One deal, or None; read from its hash.

        Parameters
        ----------
        id
            Of the deal.

        Raises
        ------
        SchemaError
            If ``id`` can't be one: an empty text, for example.
        StoreError
            If the server can't be asked.

        Cost
        ----
        One round trip.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": "125000"})
        ...     db.get_deal(42)
        {'id': '42', 'amount': Decimal('125000.00')}
        """
        return self.get_deals([id])[0]

    def get_deals(self, ids: Iterable[str | int]) -> list[Deal | None]:
        """
        Deals in the order asked for, None for each that is missing.

        Parameters
        ----------
        ids
            Of the deals; one may be asked for twice.

        Raises
        ------
        SchemaError
            If an id can't be one: an empty text, for example.
        StoreError
            If the server can't be asked.

        Cost
        ----
        One round trip.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "stage": "Lead"})
        ...     db.get_deals([42, 43])
        [{'id': '42', 'stage': 'Lead'}, None]
        """
        return self._store.get_many([encode_id(deal_id) for deal_id in ids])

    def place_of(self, id: str | int) -> DealPlace:
        """
        Where a deal is kept, or would be: its key, its partition, and in a cluster its slot and node.

        Parameters
        ----------
        id
            Of the deal.

        Raises
        ------
        SchemaError
            If ``id`` can't be one: an empty text, for example.
        StoreError
            If the server can't be asked.

        Cost
        ----
        None, but for the first use: one round trip, and in a cluster another for the map of its slots.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path, partitions=4) as db:
        ...     db.place_of(42)
        DealPlace(key='deal:{0.1}:42', partition=0, partitions=4, slot=None, node=None)
        """
        return self._opened_store().place_of(encode_id(id))

    def delete_deal(
        self, id: str | int, *, expect_rev: int | None = None, durability: str | None = None
    ) -> bool:
        """
        Delete a deal; False when there was none.

        Parameters
        ----------
        id
            Of the deal.
        expect_rev, durability
            As for ``save_deal``.

        Raises
        ------
        ConflictError
            If ``expect_rev`` is given and the deal has another revision.
        OutcomeUnknown, NotDurable
            As for ``save_deal``.

        Cost
        ----
        One round trip.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42})
        ...     db.delete_deal(42), db.delete_deal(42)
        (True, False)
        """
        store = self._store
        with _asking(store, durability):
            return store.delete(encode_id(id), expect_rev=expect_rev)

    @contextmanager
    def acting_as(self, actor: str) -> Iterator[None]:
        """
        Let the changes of this thread be in the name of another meanwhile: for a service that many people use.

        Parameters
        ----------
        actor
            Who changes deals, as the history keeps it.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path, actor="service") as db:
        ...     with db.acting_as("ann"):
        ...         _ = db.save_deal({"id": 42, "stage": "Lead"})
        ...     db.deal_history(42)["who"].to_list()
        ['ann']
        """
        with self._store.acting_as(actor):
            yield

    def __len__(self) -> int:
        return self._store.count()

    def __bool__(self) -> bool:
        # a database without deals is not "no database"
        return True

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str | int) and self._store.contains(encode_id(id))

    # the past, and other programs ------------------------------------------------------------------

    @on_engines
    def deal_history(self, id: str | int) -> pl.DataFrame:
        """
        Every change of one deal, oldest first: when, who, field, before, after.

        Parameters
        ----------
        id
            Of the deal, which may be deleted by now.

        Returns
        -------
        polars.DataFrame
            A row for each field that a commit changed, with the columns ``seq``, ``when``, ``who``, ``change``
            (``inserted``, ``updated``, ``deleted``; of imported facts also ``merged`` and ``retracted``), ``field``,
            ``before`` and ``after`` (texts), ``at`` (since when it was so) and ``source``. Where something was so
            before it was recorded, the rows are in the order of ``at``.

        Raises
        ------
        StoreDamaged
            If a part of the history was removed from the server.

        Cost
        ----
        Three or four round trips, 5 to 7 ms at 1,000,000 deals, and 1 to 2 ms for each bulk commit that has changed the
        deal; the first call of a process, and the first one after a checkpoint, takes two or three more. Where an index
        of the history is damaged: a read of all of it.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": 100})
        ...     _ = db.save_deal({"id": 42, "amount": 250})
        ...     db.deal_history(42).select("change", "field", "before", "after").rows()
        [('inserted', 'amount', None, '100'), ('updated', 'amount', '100', '250')]
        """
        return self._store.history(encode_id(id))

    def changes(
        self,
        since: int | str | datetime | date | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Feed:
        """
        Every commit as it happens: who, when, and the deals with their new values. Iterating waits for the next.

        Parameters
        ----------
        since
            Begin after this: the token of a commit (``Commit.token``), its number, or a moment as for ``as_of``,
            except that a date stands for its beginning (in the pipeline's zone), so that all of that day is included.
            0 for the whole history, None for what happens from this call on. After a reset of the server, a token shows
            that it is not of the present history any more; a number alone can't, unless it is too high. In a collection
            of several partitions, 0 is the only number that names a point.
        timeout_s
            Seconds without a commit that end the iteration; 0 for what there is already, None to wait for ever.

        Returns
        -------
        Feed
            An iterator over ``Commit``; ``close`` it, or use it as a context manager. It stays on the database that
            is selected now. Of several partitions the commits of each are in order; those that are in their logs when
            the feed comes to them are in the order of their times, those that are sealed come before, partition by
            partition.

        Raises
        ------
        QueryError
            If ``since`` or ``timeout_s`` can't be understood.
        FeedReset
            Here or while iterating: the server's history is not the one of ``since``, or was reset meanwhile.
        StoreDamaged
            If a part of the history was removed from the server.
        ServerUnavailable
            If the server is away for longer than ``retry_deadline_s``; iterating again continues without loss.

        Cost
        ----
        One socket besides the pool's, and one round trip per wait. To begin in the past, a read of the history since
        the last checkpoint before; a moment costs two round trips more. On a cluster a socket to each node, and one
        round trip to each every 50 ms while nothing is new.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     feed = db.changes()
        ...     _ = db.save_deal({"id": 42, "stage": "won"})
        ...     [(commit.kind, commit.deals) for commit in db.changes(feed.token, timeout_s=0)][-1]
        ('save', (<DealChange '42' inserted: stage, closed>,))
        """
        number = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool)
        if timeout_s is not None and not (number and timeout_s >= 0):
            msg = f"timeout_s is a number of seconds from 0 up, or None, not {timeout_s!r}"
            raise QueryError(msg)
        store = self._store
        feed = store.feed(parse_since(since, store.zone_for), timeout_s)
        self._feeds.add(feed)
        if store.link.is_closed:
            # by another thread, meanwhile
            feed.close()
        return feed

    @on_engines
    def as_of(
        self,
        when: datetime | date | str,
        *,
        time: str = "recorded",
        known: datetime | date | str | None = None,
    ) -> DealView:
        """
        The collection as it was at a moment, read-only, with the same ``query`` and ``analytics``.

        By default that is what it showed: after the last commit whose time, by the server's clock, is not later. With
        ``time="event"`` it is what was so then, whenever it was recorded: saves with ``at`` and facts of ``history``
        stand at their own moments, and of deals that came with a load what they had then is taken to have been so since
        their ``created``.

        Parameters
        ----------
        when
            A datetime (UTC where it has no zone), a date (the end of that day in the pipeline's zone), or ISO text of
            either.
        time
            ``"recorded"``, or ``"event"``, by which what happens at a moment itself comes after it.
        known
            For ``"event"``: only what was recorded until then counts; None for all.

        Raises
        ------
        QueryError
            If a text is neither, or ``known`` is given without ``time="event"``; with that also if the moment is before
            the first fact.
        StoreDamaged
            If a part of the history was removed from the server.

        Cost
        ----
        A checkpoint where one is old enough, and a read of the history since, or of all of it. A date: one round trip
        more.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": 100})
        ...     len(db.as_of("2020-12-31")), len(db.as_of("2999-12-31"))
        (0, 1)
        """
        moment = read_moment(when, "as_of") if isinstance(when, str) else when
        if time == "event":
            until = read_moment(known, "known") if isinstance(known, str) else known
            snapshot = self._store.event_as_of(moment, until)
            return self._view(moment, snapshot, upto=until)
        if time != "recorded" or known is not None:
            msg = "as_of: time is 'recorded' or 'event', and known is for time='event'"
            raise QueryError(msg)
        return self._view(moment, self._store.as_of(moment), upto=moment)

    def pinned(self, when: datetime | date | str | None = None) -> DealView:
        """
        The collection at its last commit, so that several figures fit together whoever saves meanwhile.

        Parameters
        ----------
        when
            None for the deals as they are now. A date (its end), a datetime or ISO text of either for what was so then,
            as ``as_of`` with ``time="event"`` gives it.

        Returns
        -------
        DealView
            Read-only; its ``query`` and ``analytics`` keep to that commit.

        Raises
        ------
        QueryError
            If a text is no moment, or the moment is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        Two or three round trips where nothing big changed; while others save, a few more.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": 100})
        ...     view = db.pinned()
        ...     _ = db.save_deal({"id": 43, "amount": 100})
        ...     len(view), view.analytics.summary()["deals"]
        (1, 1)
        """
        moment = read_moment(when, "as_of") if isinstance(when, str) else when
        for _ in range(_PIN_TRIES):
            facts = self._store.fixed_facts()
            snapshot = (
                self._store.snapshot() if moment is None else self._store.event_as_of(moment, None)
            )
            if self._store.event_facts() is facts.event():
                return self._pinned(moment, snapshot, facts)
        # commits come too quickly to be read between two of them: what was recorded up to a moment stays
        now = datetime.now(UTC)
        return self.as_of(now) if moment is None else self.as_of(moment, time="event", known=now)

    def _pinned(
        self, moment: datetime | date | None, snapshot: Snapshot, facts: FixedFacts
    ) -> DealView:
        last = facts.event().commits["at"].max()
        # what the server has recorded is past, whatever this clock says
        latest = max(epoch_ms(datetime.now(UTC)), last if isinstance(last, int) else 0) + 1
        when = from_epoch_ms(latest) if moment is None else moment
        view = self._view(when, snapshot, upto=None)

        def known(*, time: str, assume: str, known: datetime | date | None = None) -> Facts:
            if time == "recorded" and known is None:
                return facts.recorded()
            return facts.event(known, cast("Assume", assume))

        return replace(
            view,
            # as metrics of the database do, those of the present go by the end of today
            before=view.day if moment is None else view.before,
            facts=known,
            rates=cache(self.rates.frame),
            quotas=cache(lambda: self.quotas.frame()),
        )

    def _view(
        self, moment: datetime | date, snapshot: Snapshot, *, upto: datetime | date | None
    ) -> DealView:
        """View of deals whose history is known as it was recorded up to a moment, the commit of which is in it."""
        is_recorded = upto is moment and isinstance(moment, datetime)
        return DealView(
            moment,
            snapshot,
            self._limits,
            self.rates.frame,
            partial(self._facts, upto=upto),
            lambda: self.quotas.frame(),
            moment + _MS if is_recorded else None,
        )

    @on_engines
    def check(self) -> CheckReport:
        """
        Compare every deal's hash with the log, deal by deal, and change nothing.

        Raises
        ------
        StoreError
            If the server can't be asked.

        Cost
        ----
        Two round trips for every 1,000 keys of the database, and memory for the ids of all deals.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42})
        ...     db.check().ok
        True
        """
        return self._store.check()

    @on_engines
    def count_foreign(self) -> int:
        """
        Count the hashes of another program that are shown as deals and that nobody has adopted.

        Raises
        ------
        StoreError
            If the server can't be asked.

        Cost
        ----
        None once the collection is known to be adopted; else a scan of the hashes, and a read where there are some.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42})
        ...     db.count_foreign()
        0
        """
        foreign = self._store.not_adopted()
        return foreign.n_strays if foreign else 0

    @on_engines
    def repair(
        self,
        *,
        adopt: bool = False,
        mapping: Mapping[str, str | None] | None = None,
        from_history: bool = False,
        facts: bool = False,
    ) -> RepairReport:
        """
        Adopt what other programs did to the hashes; safe alongside other writers, and safe to repeat.

        Nothing tells a change of another program from damage. ``check`` shows what hash and history have;
        ``from_history`` keeps the history's side.

        Parameters
        ----------
        adopt
            Whether to adopt the hashes of another program that nobody has adopted so far: each gets ``_row`` and
            ``_rev``, and fields such as ``amount`` beside its own that mean the same.
        mapping
            Field by hash field, as for a load, in every deal: the hash gets the one beside the other, and a later
            repair carries changes over. None for a hash field that stays what it is.
        from_history
            Whether to put the hashes back to what the history has instead, deals whose hash is gone too. What the
            history does not know stays as it is, and remains.
        facts
            Whether to make the facts again that checkpoints keep for metrics on history, instead, and leave all deals
            as they are.

        Raises
        ------
        ConfigError
            If ``from_history`` or ``facts`` is given together with one of the others.
        StoreDamaged
            If facts are asked for, and the history is not there from the first commit on.
        NotAdopted
            If there are such hashes, and ``adopt`` is not given.
        LoadError
            If a hash field of ``mapping`` isn't there, or its values can be read in two ways.
        SchemaError
            If hashes have a field already that ``mapping`` would add to them.
        AccessDenied
            If this user lacks a right that it takes.
        StoreError
            If the server can't be asked; what was adopted until then stays.

        Cost
        ----
        A check, and two round trips for every 200 deals that differ; some for each partition. Of the facts: a read of
        the whole history.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": 100})
        ...     _ = db.connection.link().call("HSET", "deal:42", "amount", "250")
        ...     db.repair().adopted, db.query.find("amount = 250").height
        (1, 1)
        """
        if facts:
            if adopt or mapping or from_history:
                msg = (
                    "repair: facts makes again what is kept for metrics, and takes no other option"
                )
                raise ConfigError(msg)
            return self._store.repair_facts()
        if not from_history:
            return self._store.repair(adopt=adopt or self._adopt, mapping=mapping)
        if adopt or mapping:
            msg = "repair: from_history takes back what adopt and mapping would adopt; give one of them"
            raise ConfigError(msg)
        return self._store.put_back()

    # backups ---------------------------------------------------------------------------------------

    def backup(
        self,
        path: Path | str,
        *,
        history: bool = True,
        overwrite: bool = False,
        progress: ProgressCallback | None = None,
        bar: bool = False,
    ) -> BackupReport:
        """
        Write the collection into one file, as it is at one commit: deals, history, schema, pipeline, saved queries.

        Others may keep changing it. What is in the file is the log's: what other programs did to the hashes is in it
        only after a ``repair``. Its owner alone may read it (0600). ``docs/backup.md`` describes it. Of a collection
        of partitions, each is as it is at one commit of its own.

        Parameters
        ----------
        path
            The file; it gets its name when it is whole.
        history
            False for the present deals alone, also where a part of the history is lost.
        overwrite
            Whether to replace a file of that name.
        progress
            Called with a ``Progress`` again and again.
        bar
            Whether to show a progress bar where standard error is a terminal and there is no ``progress``.

        Raises
        ------
        ConfigError
            If there is such a file and it is not to be replaced, or its folder can't be written to.
        BackupError
            If the file can't be written to its end.
        StoreDamaged
            If a part of the history was removed from the server, and ``history`` is not False.

        Cost
        ----
        A read of the columns and of the whole history.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": 100})
        ...     report = db.backup(tmp_path.parent / "deals.backup", overwrite=True)
        >>> report.deals, report.seq, report.commits
        (1, 2, 2)
        """
        path = Path(path)
        with self._telling(path, progress, bar=bar) as tell:
            return self._store.backup(path, history=history, overwrite=overwrite, tell=tell)

    def restore(
        self,
        path: Path | str,
        *,
        progress: ProgressCallback | None = None,
        bar: bool = False,
    ) -> RestoreReport:
        """
        Write the collection from a file of ``backup``, with its whole history; it has to be empty.

        The file is checked first. Until all is written and read back, every use of the collection raises
        ``StoreDamaged``, which says that a restore is under way. What a killed one has left, the next removes.

        The collection gets as many partitions as ``partitions`` says where it was opened; without that, as many as the
        file was taken of, and on a cluster 64 for one that was not made of them. In another number than before,
        revisions are counted anew in each partition.

        Parameters
        ----------
        path
            The file.
        progress, bar
            As for ``backup``.

        Raises
        ------
        BackupError
            If the file is damaged, of a newer format or not a backup; nothing was written.
        RestoreRefused
            If the collection holds anything, or another process restores into it.
        NotOnPartitions
            If it is to have partitions, and holds hashes of another program.

        Cost
        ----
        Three reads of the file, and about the time of a load; twice that into another number of partitions.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "amount": 100})
        ...     _ = db.backup(tmp_path.parent / "deals.backup", overwrite=True)
        >>> with DealDatabase.embedded(tmp_path, collection="copy") as db:
        ...     report = db.restore(tmp_path.parent / "deals.backup")
        ...     report.deals, db.get_deal(42), db.deal_history(42).height
        (1, {'id': '42', 'amount': Decimal('100.00')}, 1)
        """
        path = Path(path)
        with self._telling(path, progress, bar=bar) as tell:
            return self._store.restore(path, tell)

    @classmethod
    def check_backup(
        cls,
        path: Path | str,
        *,
        progress: ProgressCallback | None = None,
        bar: bool = False,
    ) -> BackupReport:
        """
        What a file of ``backup`` holds, after it was found whole; needs no server.

        Parameters
        ----------
        path
            The file.
        progress, bar
            As for ``backup``.

        Raises
        ------
        BackupError
            If the file is damaged, of a newer format or not a backup; ``part`` and ``offset`` say where.

        Cost
        ----
        Two reads of the file; no round trip.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42})
        ...     _ = db.backup(tmp_path.parent / "deals.backup", overwrite=True)
        >>> DealDatabase.check_backup(tmp_path.parent / "deals.backup").deals
        1
        """
        from dealdb.store.backup.checking import check_backup

        path = Path(path)
        with cls._telling(path, progress, bar=bar) as tell:
            return check_backup(path, tell)

    @staticmethod
    @contextmanager
    def _telling(path: Path, progress: ProgressCallback | None, *, bar: bool) -> Iterator[Tell]:
        from dealdb.loader.progress import shown, step_meter

        with shown(path.name, progress, bar=bar) as show:
            yield step_meter(show)

    # what the deals are ----------------------------------------------------------------------------

    @property
    def schema(self) -> Schema:
        """Fields and their types. One round trip."""
        return self._store.shown()[0]

    @on_engines
    def rename_field(self, old: str, new: str) -> None:
        """
        Give a column of your own another name, in every deal; safe alongside other writers, and safe to repeat.

        Parameters
        ----------
        old, new
            Names of the column.

        Raises
        ------
        SchemaError
            If there is no such column, every collection has it, or the new name is taken by one of another type that
            has values. An empty one takes those that fit its type.

        Cost
        ----
        A round trip for every 200 deals that have a value there; of partitions some eight more for each.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "seats": 5})
        ...     db.rename_field("seats", "licences")
        ...     db.get_deal(42)
        {'id': '42', 'licences': 5}
        """
        self._store.reshape().rename(old, new)

    @on_engines
    def retype_field(self, name: str, type: str, *, bad_cells: str | None = None) -> None:
        """
        Give a column of your own another type, in every deal; safe alongside other writers, and safe to repeat.

        A value fits if its text is one of the type: ``7.50`` is a decimal, ``1,000`` is not.

        Parameters
        ----------
        name
            Of the column.
        type
            ``text``, ``int``, ``float``, ``decimal``, ``decimal(4)``, ``bool``, ``date``, ``datetime`` or ``list``.
        bad_cells
            ``null`` to clear the values that don't fit; the history keeps them.

        Raises
        ------
        SchemaError
            If there is no such column or type, every collection has the column, or values don't fit: it counts them
            and names the first deals.

        Cost
        ----
        A round trip for every 200 deals whose text changes; of partitions some eight more for each.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "seats": "5"})
        ...     db.retype_field("seats", "int")
        ...     db.get_deal(42)
        {'id': '42', 'seats': 5}
        """
        if bad_cells not in (None, "null"):
            raise ConfigError(f"bad_cells must be 'null' or None: got {bad_cells!r}")
        self._store.reshape().retype(parse_type(name, type), clears=bad_cells == "null")

    @on_engines
    def drop_field(self, name: str) -> None:
        """
        Remove a column of your own from every deal; the history keeps its values.

        Parameters
        ----------
        name
            Of the column.

        Raises
        ------
        SchemaError
            If there is no such column, or every collection has it.

        Cost
        ----
        A round trip for every 200 deals that have a value there; of partitions some eight more for each.

        Examples
        --------
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 42, "seats": 5})
        ...     db.drop_field("seats")
        ...     db.get_deal(42)
        {'id': '42'}
        """
        self._store.reshape().drop(name)

    @property
    def pipeline(self) -> Pipeline:
        """Stages and what they mean. One round trip."""
        return self._store.shown()[1]

    def set_pipeline(self, pipeline: Pipeline, *, force: bool = False) -> None:
        """
        Define the stages, their order, kinds, probabilities and rotting thresholds.

        Parameters
        ----------
        pipeline
            Stages in their order.
        force
            Also take away stages that deals are in. These deals then count as open, whatever the stage is called.

        Raises
        ------
        SchemaError
            If a stage would be taken away that deals are in; it names the stages and counts the deals.
        OutcomeUnknown, NotDurable
            As for ``save_deal``.

        Cost
        ----
        Three round trips; a query of the stages as well if one is taken away without ``force``.

        Examples
        --------
        >>> from dealdb import Kind, Pipeline, Stage
        >>> talks, signed = Stage("Talks", Kind.OPEN, probability=0.3), Stage("Signed", Kind.WON)
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.set_pipeline(Pipeline([talks, signed]))
        ...     [(stage.name, str(stage.kind)) for stage in db.pipeline.stages]
        [('Talks', 'open'), ('Signed', 'won')]
        """
        if not force and not all(stage.name in pipeline for stage in self._store.pipeline()):
            self._check_left_out(pipeline)
        self._store.set_pipeline(pipeline)

    @on_engines
    def _check_left_out(self, pipeline: Pipeline) -> None:
        used = self._store.snapshot(["stage"]).deals_by_stage()
        left_out = {name: n for name, n in used.items() if name not in pipeline}
        if left_out:
            counts = ", ".join(f"{name!r} ({n})" for name, n in left_out.items())
            msg = (
                f"there are deals in stages that the new pipeline leaves out: {counts}; define these stages too, "
                "or say force=True: such deals then count as open"
            )
            raise SchemaError(msg, field="stage")


class LiveDeals:
    """
    What queries know of a database; it is asked for its store each time, because ``select_database`` replaces it.

    Parameters
    ----------
    db
        The database.
    """

    def __init__(self, db: DealDatabase) -> None:
        self._db = db

    def __repr__(self) -> str:
        return f"collection {self._db._collection!r} on {self._db.connection.settings.where}"

    @property
    def is_closed(self) -> bool:
        """Whether the database was closed."""
        return self._db._store.link.is_closed

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        """All deals as of now, with these columns at least; None for all columns."""
        return self._db._store.snapshot(names)

    def after(self, position: Position) -> Snapshot:
        """All deals as they were after a commit."""
        return self._db._store.after(position)

    def changes(self, until: Position) -> pl.DataFrame:
        """Every change of every deal up to a commit."""
        return self._db._store.changes(until)

    def stage_entries(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """Stage of some deals by id, and since when they stand in it, milliseconds since 1970."""
        return self._db._store.stage_entries(ids)

    def query_texts(self) -> QueryTexts:
        """Where saved queries are kept."""
        return self._db._store

    def round_trips(self) -> int:
        """Round trips that the calling thread has made so far."""
        return round_trips()


def _hash_reader() -> ReadHashes:
    """What knows what the hashes of another program say."""
    from dealdb.loader.hash_reading import read_hashes

    return read_hashes


def _warn(notice: str) -> None:
    """Warn the caller of this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "dealdb":
        frame, level = frame.f_back, level + 1
    warnings.warn(notice, NotAdoptedWarning, stacklevel=level)


def _told_ms(at: object, zone_for: Callable[[object], tzinfo]) -> int:
    """Since when a save has been so, milliseconds since 1970; 0 for now. A date means its beginning in its zone."""
    if at is None:
        return 0
    moment = read_moment(at, "at") if isinstance(at, str) else at
    ms = epoch_ms(moment, zone_for(moment)) if isinstance(moment, date) else 0
    if ms <= 0:
        msg = f"at: write a moment after 1970, that is {MOMENT_EXAMPLE}"
        raise QueryError(msg)
    return ms


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # a container may run under a number that has no name
        return ""


def _asking(store: Store, durability: str | None) -> AbstractContextManager[None]:
    """Ask for a durability of its own for one change; None for that of the database."""
    return _AS_OPENED if durability is None else store.asking(Durability.of(durability))
