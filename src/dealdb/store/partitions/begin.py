"""The beginning of a collection of partitions, which says for good how many there are; and telling whether it has."""

from __future__ import annotations

from dealdb.connection import Link
from dealdb.connection.retry import Pauses
from dealdb.errors import ConfigError, NotOnPartitions, StoreDamaged
from dealdb.store.hashes import scan_names
from dealdb.store.keys import FORMAT_OF_PARTITIONS, Keys
from dealdb.store.partitions.layout import Layout

# how long a program may take between the two steps of a beginning
_BEGINNING_S = 1.0
# the format that the collection has, once it has one; HSETNX is no right that a user of dealdb needs otherwise
_CLAIM = """
local form = redis.call('HGET', KEYS[1], 'format')
if form then return form end
redis.call('HSET', KEYS[1], 'format', ARGV[1])
return ARGV[1]
"""
# removes a layout, as long as it is this one
_UNDO = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"


class Beginning:
    """
    What the server says of how a collection is made.

    Two keys do: ``deals:layout`` has the number, and ``deals:meta`` a format that every program refuses which knows
    nothing of partitions.

    Parameters
    ----------
    link
        Way to the database.
    keys
        Of the collection as a whole.
    partitions
        How many this program takes it to have.
    """

    def __init__(self, link: Link, keys: Keys, partitions: int) -> None:
        self._link = link
        self._keys = keys
        self._partitions = partitions
        self._seen: bytes | None = None
        # what this program would have the layout be, by which it knows its own
        self._own = Layout.new(partitions).to_json()

    @property
    def looks(self) -> list[tuple[str, ...]]:
        """Commands whose replies ``check`` takes."""
        return look_of(self._keys)

    def check(self, layout: bytes | None, form: bytes | None) -> None:
        """
        See to it that the collection is made as this program takes it to be, or not begun yet.

        Raises
        ------
        StoreDamaged
            If it has another number of partitions, or none.
        """
        if layout is not None and layout == self._seen and form == FORMAT_OF_PARTITIONS:
            return
        found = layout_in(self._link, self._keys, layout, form)
        if form is not None and found != self._partitions:
            raise StoreDamaged(
                f"{self._link.settings.where}: collection {self._keys.collection!r} has partitions={found}, and this "
                f"program takes it to have {self._partitions}: open the database again"
            )
        self._seen = layout

    def begin(self) -> None:
        """
        Begin the collection, unless that is done.

        Raises
        ------
        NotOnPartitions
            If the collection holds hashes of another program.
        StoreDamaged
            As ``check`` raises it.

        Cost
        ----
        Two to four round trips; for the first process of all, a scan of the keys of the database too.
        """
        # looked at again: the hashes may be of somebody who has begun it meanwhile
        if self._is_open() and self._has_hashes() and self._is_open():
            raise NotOnPartitions(
                f"{self._link.settings.where}: collection {self._keys.collection!r} holds hashes of another program, "
                "which can't be adopted into partitions; nothing was written; choose another collection"
            )
        # from here on no program begins one without partitions
        claim = ("EVAL", _CLAIM, 1, self._keys.meta, FORMAT_OF_PARTITIONS)
        if self._link.call(*claim, retry=True) == FORMAT_OF_PARTITIONS:
            self._link.call("SET", self._keys.layout, self._own, "NX", retry=True)
        layout, form = self._link.calls(self.looks, retry=True)
        self.check(layout, form)

    def undo(self, *, is_left: bool) -> None:
        """
        Have the collection be one that has not begun, where this program began it and nothing was committed since.

        Parameters
        ----------
        is_left
            Whether it may be another program that began it, and has died: then any layout of this number will do.

        Cost
        ----
        Four round trips; one where there is nothing to do.
        """
        layout, form = self._link.calls(self.looks, retry=True)
        if layout is None:
            return
        is_own = layout == self._own.encode()
        if is_own or (
            is_left and layout_in(self._link, self._keys, layout, form) == self._partitions
        ):
            # in this order, what is cut off in the middle is a beginning that was cut off
            self._link.call("EVAL", _UNDO, 1, self._keys.layout, layout, retry=True)
            # not the script's answer: the first one may have been lost
            if self._link.call("GET", self._keys.layout, retry=True) is None:
                self._link.call("DEL", self._keys.meta, retry=True)

    def _is_open(self) -> bool:
        """Whether nobody has begun it, with partitions or without."""
        return self._link.call("HGET", self._keys.meta, "format", retry=True) is None

    def _has_hashes(self) -> bool:
        return any(map(bool, scan_names(self._link, self._keys)))


def look_of(keys: Keys) -> list[tuple[str, ...]]:
    """Commands that ask how a collection is made."""
    return [("GET", keys.layout), ("HGET", keys.meta, "format")]


def layout_in(link: Link, keys: Keys, layout: bytes | None, form: bytes | None) -> int:
    """
    How many partitions a collection has; 1 for one that is not made of partitions, 0 for none yet.

    Raises
    ------
    StoreDamaged
        If only one of the two keys is there, and that does not change in a second.

    Cost
    ----
    None; while another program is just beginning it, a round trip now and then.
    """
    pauses = Pauses(_BEGINNING_S)
    while form == FORMAT_OF_PARTITIONS and layout is None and not pauses.over:
        pauses.wait()
        layout, form = link.calls(look_of(keys), retry=True)
    if form is None and layout is None:
        return 0
    if form != FORMAT_OF_PARTITIONS and layout is None:
        return 1
    if form != FORMAT_OF_PARTITIONS or layout is None:
        raise StoreDamaged(
            f"{link.settings.where}: {keys.meta!r} and {keys.layout!r} don't say the same of how collection "
            f"{keys.collection!r} is made: its beginning was cut off, and goes on where it is opened with partitions; "
            "or another program removed one of them"
        )
    return Layout.from_json(layout, f"the string {keys.layout!r}").partitions


def check_wanted(found: int, wanted: int | None, collection: str) -> int:
    """
    How many partitions to take a collection to have.

    Parameters
    ----------
    found
        As ``layout_in`` gives it.
    wanted
        How many the caller asks for; None for whatever it has.

    Raises
    ------
    ConfigError
        If it has others.
    """
    if found and wanted not in (None, found):
        raise ConfigError(
            f"collection {collection!r} has partitions={found}, which never changes: got partitions={wanted}; "
            "leave partitions out, or choose another collection"
        )
    return found or wanted or 1
