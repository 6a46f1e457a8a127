"""Names of the keys of one collection, and the format of what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dealdb.errors import ConfigError, StoreDamaged

# of a collection; ``commit.lua`` has it too
FORMAT = b"1"
# of one that knows what was so before its commits
FORMAT_OF_FACTS = b"2"
FORMATS = (FORMAT, FORMAT_OF_FACTS)
# of one that is being restored: every program refuses a format that it does not know
FORMAT_OF_RESTORE = b"restore"
# of what stands in the place of the state where the collection is made of partitions: no program may write beside them
FORMAT_OF_PARTITIONS = b"partitions"
# no final s: the collection "deals" would own the hash deals:log, which is the log of the collection "deal"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}(?<!s)")


@dataclass(frozen=True, slots=True)
class Keys:
    """
    Keys that the collection ``collection`` owns, or one partition of it; no two collections or partitions share any.

    ==================== ====== =========================================================
    key                  type   holds
    ==================== ====== =========================================================
    ``deal:{id}``        hash   one deal, field -> text; ``_row`` and ``_rev`` are ours
    ``deals:log``        stream one entry a commit, id ``<seq>-0``
    ``deals:meta``       hash   format, seq, chain hash, next row, schema, pipeline
    ``deals:writers``    hash   last commit of each writer and its answer; how far unfinished loads are
    ``deals:checkpoint`` string manifest: the last two checkpoints and the sealed history
    ``deals:chunk:*``    string 65,536 rows of a column each, or a piece of a table of facts
    ``deals:history:*``  string sealed log entries
    ``deals:index:*``    string where a deal is in these
    ``deals:chunks``     set    names of all chunks, segments and indexes, so that orphans are found
    ``deals:queries``    hash   saved queries, name -> JSON; mappings of loads, mapping:name -> TOML; tables, table:name
    ``deals:lease``      string who writes a checkpoint now, and since when
    ==================== ====== =========================================================

    Those of a partition have its tag in braces: ``deal:{0.1}:42``, ``deals:{0.1}:log``. A cluster keeps all keys with
    the same braces in one place.

    Parameters
    ----------
    collection
        Name of the collection.
    tag
        Of the partition; none for a collection that is not made of partitions.

    Raises
    ------
    ConfigError
        If the name is not 1 to 63 of ``a-z 0-9 _ -``, beginning with a letter and not ending in ``s``.

    Examples
    --------
    >>> Keys("deal").deal("42"), Keys("deal").log
    ('deal:42', 'deals:log')
    >>> Keys("deal", "0.1").deal("42"), Keys("deal", "0.1").log
    ('deal:{0.1}:42', 'deals:{0.1}:log')
    """

    collection: str
    tag: str = ""
    _of_partition: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.collection):
            msg = (
                f"{self.collection!r} can't be a collection: use 1 to 63 of a-z, 0-9, _ and -, "
                "a letter first, and no s at the end (the keys of 'deal' begin with 'deals:')"
            )
            proposed = self.collection.lower().rstrip("s")
            raise ConfigError(f"{msg}; use {proposed!r}" if _NAME.fullmatch(proposed) else msg)
        object.__setattr__(self, "_of_partition", f"{{{self.tag}}}:" if self.tag else "")

    def deal(self, deal_id: str) -> str:
        """Key of one deal's hash."""
        return f"{self.collection}:{self._of_partition}{deal_id}"

    def key_of(self, deal_id: str) -> str:
        """What the key of a deal's hash has behind the name of the collection."""
        return f"{self._of_partition}{deal_id}"

    @property
    def deal_prefix(self) -> str:
        """What the keys of all deals begin with."""
        return self.deal("")

    @property
    def own_prefix(self) -> str:
        """What the keys of all that is not a deal begin with."""
        return self._own("")

    def _own(self, name: str) -> str:
        return f"{self.collection}s:{self._of_partition}{name}"

    @property
    def layout(self) -> str:
        """Key of how many partitions there are; of the collection as a whole."""
        return self._own("layout")

    @property
    def log(self) -> str:
        """Key of the log."""
        return self._own("log")

    @property
    def meta(self) -> str:
        """Key of what is known of the collection as a whole."""
        return self._own("meta")

    @property
    def writers(self) -> str:
        """Key of the writers' last commits."""
        return self._own("writers")

    @staticmethod
    def load(name: str) -> str:
        """Field of the writers' hash with how far a load is."""
        return f"load:{name}"

    @property
    def checkpoint(self) -> str:
        """Key of the newest checkpoint's manifest."""
        return self._own("checkpoint")

    @property
    def queries(self) -> str:
        """Key of the saved queries."""
        return self._own("queries")

    @property
    def lease(self) -> str:
        """Key of the right to write a checkpoint."""
        return self._own("lease")

    def chunk(self, name: str) -> str:
        """Key of one chunk of a column."""
        return self._own(f"chunk:{name}")

    def segment(self, name: str) -> str:
        """Key of one segment of the sealed history."""
        return self._own(f"history:{name}")

    def index(self, name: str) -> str:
        """Key of the index of a segment."""
        return self._own(f"index:{name}")

    @property
    def chunks(self) -> str:
        """Key of the names of all chunks, segments and indexes."""
        return self._own("chunks")


class WrongFormat(StoreDamaged):
    """A collection has a format that can't be read, or not yet."""


class InPartitions(WrongFormat):
    """A collection is made of partitions, and was taken for one that is not."""


def check_format(keys: Keys, found: bytes | None) -> None:
    """Raise StoreDamaged where a collection has another format; None is that of a collection without commits."""
    # of a collection that is being restored, some deals are there already
    if found not in (None, *FORMATS):
        raise wrong_format(keys, found)


def wrong_format(keys: Keys, found: bytes) -> WrongFormat:
    """Error for a collection of another format."""
    if found == FORMAT_OF_RESTORE:
        return WrongFormat(
            f"a restore of collection {keys.collection!r} is under way, or did not finish: "
            "wait for it, or restore again, which starts from the beginning"
        )
    if found == FORMAT_OF_PARTITIONS:
        return InPartitions(
            f"collection {keys.collection!r} has been made anew, of several partitions: open the database again"
        )
    return WrongFormat(
        f"collection {keys.collection!r} has format {found.decode(errors='replace')}; "
        f"this dealdb reads formats up to {FORMAT_OF_FACTS.decode()}: upgrade it"
    )
