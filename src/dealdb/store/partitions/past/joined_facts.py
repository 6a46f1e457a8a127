"""The history of all partitions, kept in this process and brought up to date by their commits since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.manifest import Generation
from dealdb.store.facts.following.follower import FactsLog
from dealdb.store.facts.following.stage_entries import entries_in
from dealdb.store.facts.kept_tables import whole_ledger
from dealdb.store.history.reading import follows, is_known, read_history
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.log.entry import Position, RawEntry
from dealdb.store.log.reader import HistoryReset, news_command, read_since
from dealdb.store.partitions.joined import fields_ahead
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.past.joined_ledger import JoinedLedger, KeptPart, stages_in
from dealdb.store.partitions.past.kept_tables import KeptOfParts, generations_of

# each failed try means that a history was reset, or a checkpoint moved it, while it was read
_MAX_TRIES = 2


class JoinedFacts(FactsLog):
    """
    The history of a collection of partitions as columns, for as long as the process lives; else as ``FactsLog``.

    What is decided by a look at all deals is decided of those of all partitions.

    Parameters
    ----------
    partitions
        All of them, the head first.
    newest
        Gives the last commit of each partition, in one round trip.
    cache
        Where the pieces of tables are looked for first; None for the server alone.

    Notes
    -----
    What costs a round trip in a ``FactsLog`` costs one here, however many partitions there are, and in a cluster two,
    however many nodes there are. Nothing new: one; up to 100 new commits in each partition: two; the first time one
    more than there; and one where a partition has got stages other than those that the head was seen with. A partition
    that has more, or whose log begins later and without kept tables, is read by itself.
    """

    def __init__(
        self,
        partitions: Sequence[Partition],
        newest: Callable[[], Sequence[Position]],
        cache: ChunkCache | None = None,
    ) -> None:
        head = partitions[0]
        super().__init__(head.link, head.keys, cache)
        self._parts = partitions
        self._newest = newest

    def entries_of(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """
        Stage of some deals, as the head names it, and the moment since when; see ``FactsLog.stage_entries``.

        Cost
        ----
        As of ``recorded``, and a scan of the tables.
        """
        with self._lock:
            return entries_in(self._current(), ids)

    def _outdate(self, ledger: Ledger) -> None:
        super()._outdate(ledger)
        if self._events and not _follows_in_time(ledger, self._ledger.position.seq):
            # the clock of another node is behind: an earlier moment has more commits than it had
            self._events = {}

    def _continued(self, ledger: Ledger) -> Ledger | None:
        if not isinstance(ledger, JoinedLedger):
            return None
        newest = self._newest()
        moved = [n for n, now in enumerate(newest) if ledger.read[n] != now]
        if not moved:
            return ledger
        try:
            news = self._news(ledger.read, moved, [now.seq for now in newest])
            if news is None:
                return None
            news = self._not_ahead(ledger.read, ledger.versions, ledger.stages, news)
        except HistoryReset:
            return None
        # facts that were handed out go on reading the one before
        found = ledger.copy()
        return found if found.follow(news) else None

    def _news(
        self, read: Sequence[Position], moved: Sequence[int], least: Sequence[int]
    ) -> dict[int, Ledger] | None:
        """
        What is new in some partitions; None where one has another history by now.

        ``least`` are numbers of commits that all of them have.
        """
        news = {}
        for number, asked in self._asked(read, moved).items():
            part, since = self._parts[number], read[number]
            found, pages = (
                Ledger(),
                read_since(part.link, part.keys.log, since, asked, least[number]),
            )
            if pages is not None:
                for page in pages:
                    found.take(page)
            elif is_known(part.link, part.keys, since):
                found.take(read_history(part.link, part.keys, since=since, as_frames=True))
            else:
                return None
            if found.position.seq:
                news[number] = found
        return news

    def _asked(
        self, read: Sequence[Position], moved: Sequence[int]
    ) -> Mapping[int, list[RawEntry]]:
        """The first entries of logs after some commits, those of the head last. One round trip."""
        # whatever the others have of fields, the head has had before
        order = sorted(moved, reverse=True)
        commands = [news_command(self._parts[n].keys.log, read[n]) for n in order]
        replies = self._link.calls(commands, retry=True)
        return dict(zip(order, replies, strict=True))

    def _not_ahead(
        self,
        read: Sequence[Position],
        versions: Sequence[int],
        stages: str | None,
        news: dict[int, Ledger],
    ) -> dict[int, Ledger]:
        """
        The news, with fields and stages of the head that others have.

        Raises
        ------
        StoreDamaged
            If the head has not had these fields.
        """
        if not (_are_ahead(versions, news) or _have_other_stages(stages, news)):
            return news
        # they have come since the head was read
        more = self._news(read, [0], [0])
        if more is None:
            raise HistoryReset
        if _are_ahead(versions, news | more):
            raise fields_ahead(self._parts[0])
        return news | more

    # the beginning ---------------------------------------------------------------------------------

    def _begun(self) -> Ledger:
        for _ in range(_MAX_TRIES):
            with suppress(HistoryReset):
                return self._begun_once()
        return self._begun_once()

    def _begun_once(self) -> Ledger:
        least = [position.seq for position in self._newest()]
        if not any(least):
            return JoinedLedger([KeptPart()] * len(self._parts), lambda _: {})
        kept: dict[int, Generation] = {}
        tails: dict[int, Ledger] = {}
        generations = generations_of(self._link, [part.keys for part in self._parts])
        newest = {n: found[0] for n, found in enumerate(generations) if found}
        for number, asked in self._asked(
            self._positions_of(newest), range(len(generations))
        ).items():
            part, generation = self._parts[number], newest.get(number)
            tail = _tail(part, generation, least[number], asked)
            if tail is None:
                generation, tail = _begun_alone(part, least[number])
            if generation:
                kept[number] = generation
            if tail.position.seq:
                tails[number] = tail
        return self._joined(kept, tails)

    def _joined(self, kept: Mapping[int, Generation], tails: dict[int, Ledger]) -> Ledger:
        numbers = range(len(self._parts))
        versions = [kept[n].schema.version if n in kept else 0 for n in numbers]
        news = self._not_ahead(self._positions_of(kept), versions, None, tails)
        keys = {n: (self._parts[n].keys, generation) for n, generation in kept.items()}
        load = KeptOfParts(self._link, keys, self._cache).load
        found = JoinedLedger([_part_of(kept.get(n), news.get(n)) for n in numbers], load)
        found.follow(news)
        return found

    def _positions_of(self, kept: Mapping[int, Generation]) -> list[Position]:
        return [_position_of(kept.get(n)) for n in range(len(self._parts))]


def _follows_in_time(ledger: Ledger, n_before: int) -> bool:
    """Whether no commit counts from an earlier moment on than any of those before it that were known first."""
    at = ledger.commits()["at"]
    before, since = at[:n_before].max(), at[n_before:].min()
    return not (isinstance(before, int) and isinstance(since, int) and since < before)


def _are_ahead(versions: Sequence[int], news: Mapping[int, Ledger]) -> bool:
    """Whether a partition has fields that the head has not."""
    head, *others = [
        max(v, news[n].schema.version if n in news else 0) for n, v in enumerate(versions)
    ]
    return any(version > head for version in others)


def _have_other_stages(stages: str | None, news: Mapping[int, Ledger]) -> bool:
    """Whether a partition got stages that are not those of the head, which may be older ones, or newer."""
    head = stages_in(news[0]) if 0 in news else None
    others = {stages_in(ledger) for number, ledger in news.items() if number}
    return not others <= {None, head or stages}


def _position_of(generation: Generation | None) -> Position:
    return generation.position if generation else Position()


def _part_of(generation: Generation | None, since: Ledger | None) -> KeptPart:
    if generation is None:
        return KeptPart()
    first = since.table("commits")["time_ms"].min() if since else None
    return KeptPart(
        position=generation.position,
        time_ms=generation.time_ms,
        schema=generation.schema,
        tables=tuple(generation.facts.tables) if generation.facts else (),
        at_most=first if isinstance(first, int) else None,
    )


def _tail(
    part: Partition, generation: Generation | None, least: int, asked: list[RawEntry] | None = None
) -> Ledger | None:
    """
    What the log of a partition says after a checkpoint, or at all; None where it does not continue that.

    Nor where it does not have the commit ``least``.
    """
    last = _position_of(generation)
    try:
        pages = read_since(part.link, part.keys.log, last, asked, least)
        if pages is None:
            return None
        found = Ledger()
        for page in pages:
            for entry in page:
                if not follows(last, entry):
                    return None
                last = entry.position
            found.take(page)
    except HistoryReset:
        return None
    return found


def _begun_alone(part: Partition, least: int) -> tuple[Generation | None, Ledger]:
    """What one partition begins with, and what its log says after that."""
    # a checkpoint of the meantime may have trimmed the log
    for generation in generations_of(part.link, [part.keys])[0]:
        tail = _tail(part, generation, least)
        if tail is not None:
            return generation, tail
    return None, whole_ledger(part.link, part.keys)
