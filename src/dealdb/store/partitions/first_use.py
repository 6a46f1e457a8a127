"""A store of which nobody knows yet whether its collection is made of partitions: its first use shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from dealdb.errors import StoreError
from dealdb.store.keys import FORMAT_OF_PARTITIONS, InPartitions, Keys
from dealdb.store.partitions.begin import check_wanted, layout_in, look_of
from dealdb.store.partitions.layout import ON_CLUSTER
from dealdb.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from dealdb.connection.server.health import ServerHealth
    from dealdb.store.backup.reports import RestoreReport, Tell

    # what most collections don't need
    from dealdb.store.partitions.partitioned import PartitionedStore
    from dealdb.store.upkeep.doctor import Finding

AnyStore: TypeAlias = Union[Store, "PartitionedStore"]

# what asks the server for nothing, and so shows nothing
_AT_REST = frozenset({"link", "finish", "columns_bytes"})
# what begins with a look at the format of the collection, which it refuses before anything else where there are
# partitions
_LOOKING = frozenset(
    {"as_of", "check", "contains", "count", "delete", "get_many", "history", "look", "pipeline", "save", "schema"}
    | {"shown", "sizes", "snapshot"}
)  # fmt: skip


class FirstUse:
    """
    Stands for the store of a collection until it is known which one that is.

    Most collections are of one piece, and to ask first would be a round trip for every process. So what looks at the
    collection anyway is asked of a ``Store``, which refuses a collection of partitions.

    Parameters
    ----------
    single
        The store, if the collection is of one piece.
    divided
        Gives that of so many partitions.
    wanted
        How many partitions the caller asks for; None for those that there are.
    tell
        Told which one it is.
    """

    def __init__(
        self,
        single: Store,
        divided: Callable[[int], PartitionedStore],
        wanted: int | None,
        tell: Callable[[AnyStore], None],
    ) -> None:
        self._single = single
        self._divided = divided
        self._wanted = wanted
        self._tell = tell
        # a cluster keeps only keys with a tag in one place, and so even a single partition has one there
        self._is_on_cluster = bool(single.link.settings.cluster)
        self._known: AnyStore | None = None
        if wanted == 1 and not self._is_on_cluster:
            self._known = single

    def __getattr__(self, name: str) -> Any:
        if self._known is not None or name in _AT_REST:
            return getattr(self._known or self._single, name)
        if name in _LOOKING and self._wanted is None and not self._is_on_cluster:
            return partial(self._try, name)
        if callable(getattr(Store, name, None)):
            # not before it is called
            return partial(self._call, name)
        return getattr(self.store(), name)

    def _call(self, name: str, *given: Any, **named: Any) -> Any:
        return getattr(self.store(), name)(*given, **named)

    def _try(self, name: str, *given: Any, **named: Any) -> Any:
        try:
            found = getattr(self._single, name)(*given, **named)
        except InPartitions:
            return self._call(name, *given, **named)
        if _shows_that_it_has_begun(name, found):
            self._settle(self._single)
        return found

    def examine(self, health: ServerHealth, trouble: str | None) -> Iterator[Finding]:
        """What there is to say of the server and of the collection, even where it can't be told which one it is."""
        store: AnyStore = self._single
        if health.reachable:
            with suppress(StoreError):
                store = self.store()
        return store.examine(health, trouble)

    def restore(self, path: Path, tell: Tell) -> RestoreReport:
        """Restore a collection, of as many partitions as the backup was taken of unless the caller asks for others."""
        store = self.store()
        if self._known is None:
            from dealdb.store.backup.checking import partitions_in

            n = partitions_in(path)
            store = self._divided(n) if n > 1 else store
        return store.restore(path, tell)

    def store(self, *, to_write: bool = False) -> AnyStore:
        """
        The store itself.

        Parameters
        ----------
        to_write
            Whether the caller begins the collection where it has not begun.

        Raises
        ------
        ConfigError
            If the collection has other partitions than the caller asks for.

        Cost
        ----
        One round trip, none once it is known.
        """
        if self._known is not None:
            return self._known
        keys = Keys(self._single.keys.collection)
        layout, form = self._single.link.calls(look_of(keys), retry=True)
        cut_off = layout is None and form == FORMAT_OF_PARTITIONS
        # such a beginning goes on where somebody asks for partitions again
        is_there = not (cut_off and self._wanted)
        found = layout_in(self._single.link, keys, layout, form) if is_there else 0
        n = check_wanted(found, self._wanted, keys.collection)
        if self._is_on_cluster:
            store: AnyStore = self._divided(n if found or self._wanted else ON_CLUSTER)
        else:
            store = self._single if n == 1 else self._divided(n)
        is_open = not (found or self._wanted or to_write)
        # another program may begin it with other partitions yet
        return store if is_open else self._settle(store)

    def _settle(self, store: AnyStore) -> AnyStore:
        if self._known is None:
            self._known = store
            self._tell(store)
        return self._known


def _shows_that_it_has_begun(name: str, found: Any) -> bool:
    """Whether what a method has returned tells that there is a collection: before that it may begin with partitions."""
    match name:
        case "save":
            return True
        case "count" | "contains" | "delete":
            return bool(found)
        case "get_many":
            return any(deal is not None for deal in found)
        case "snapshot":
            return bool(found.seq)
    return False
