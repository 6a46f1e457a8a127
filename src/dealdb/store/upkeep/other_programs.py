"""What one store has to do with hashes of other programs: shows them, asks before it adopts them, and repairs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from dealdb.connection import Link
from dealdb.connection.fork import renew_in_child
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.keys import Keys
from dealdb.store.upkeep.adoption import Adoption

if TYPE_CHECKING:
    import polars as pl

    from dealdb.store.deal import Deal
    from dealdb.store.foreign.reading import ReadHashes
    from dealdb.store.foreign.view import ForeignDeals
    from dealdb.store.hashes import Hash
    from dealdb.store.live.columns import LiveColumns
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.upkeep.adopter import Adopter
    from dealdb.store.upkeep.check import CheckReport
    from dealdb.store.upkeep.rename import Reshape
    from dealdb.store.upkeep.repair import Audit, RepairReport


class OtherPrograms:
    """
    Hashes of other programs in one collection.

    Parameters
    ----------
    link, keys, definitions, writers
        The collection.
    live
        Gives its columns.
    read
        Gives what knows what hashes say; None for texts as they are.
    adopt
        Whether a change may adopt them without being asked.
    tell
        Called once with what to say of hashes that are shown and not adopted.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        definitions: Definitions,
        writers: Writers,
        live: Callable[[], LiveColumns],
        read: Callable[[], ReadHashes] | None,
        *,
        adopt: bool,
        tell: Callable[[str], None] | None,
    ) -> None:
        self._link = link
        self._keys = keys
        self._definitions = definitions
        self._writers = writers
        self._live = live
        self._read = read
        self._tell = tell
        self._lock = threading.Lock()
        self._shown: ForeignDeals | None = None
        self.adoption = Adoption(link, keys, is_allowed=adopt)
        definitions.on_begin = self.adoption.note_begun
        renew_in_child(self)

    def renew(self) -> None:
        """Begin with a new lock in a forked child."""
        self._lock = threading.Lock()

    def shown(self, *, adopted: bool | None = None) -> ForeignDeals | None:
        """
        What shows the hashes that nobody has adopted; None where there are none, as in most collections.

        Parameters
        ----------
        adopted
            Whether somebody has adopted them, where the caller has just seen it.

        Cost
        ----
        As of ``Adoption.is_due``; where there are such hashes, a read of all of them after each pause.
        """
        if self.adoption.is_done or adopted:
            self.adoption.is_done = True
            return None
        is_fresh = self._shown is not None and self._shown.is_fresh
        if adopted is None:
            is_there = self.adoption.is_due(looks=not is_fresh)
        else:
            is_there = is_fresh or self.adoption.finds_strays()
        shown = self._begun() if is_there else None
        if shown is None or shown.snapshot() is None:
            return None
        self._live().may_publish = False
        self._say(shown)
        return shown

    def _begun(self) -> ForeignDeals:
        # not at the top: Polars takes longer to import than a single deal takes to read or save
        from dealdb.store.foreign.view import ForeignDeals

        with self._lock:
            if self._shown is None:
                self._shown = ForeignDeals(self._link, self._keys, self._reader())
            return self._shown

    def _reader(self) -> ReadHashes:
        from dealdb.store.foreign.reading import read_plainly

        return self._read() if self._read else read_plainly

    def _say(self, shown: ForeignDeals) -> None:
        tell, self._tell = self._tell, None
        notice = shown.notice() if tell else None
        if tell and notice:
            tell(notice)

    def snapshot(self, *, adopted: bool | None = None) -> Snapshot | None:
        """The deals that ``shown`` shows; None where there are none. Costs as ``shown`` does."""
        shown = self.shown(adopted=adopted)
        return shown.snapshot() if shown else None

    def deals(self, hashes: Mapping[str, Hash]) -> dict[str, Deal]:
        """Deals of those of these hashes that nobody has adopted. Costs as ``shown`` does, if there are any."""
        wanted = {deal: fields for deal, fields in hashes.items() if b"_row" not in fields}
        shown = self.shown() if wanted else None
        return dict(zip(wanted, shown.deals(wanted), strict=True)) if shown else {}

    def ensure(self) -> None:
        """See to it that there are none before a change; see ``Adoption.ensure``."""
        if not self.adoption.is_done:
            self.adoption.ensure(lambda: self.audit().adopt_all())
            self._live_again()

    def _live_again(self) -> None:
        if self._shown is not None and self.adoption.is_done:
            self._shown = None
            self._live().may_publish = True

    def adopter(self, all_raw: Callable[[], pl.DataFrame] | None = None) -> Adopter:
        """Commits hashes as they are; ``all_raw`` as for ``Adopter``."""
        from dealdb.store.upkeep.adopter import Adopter

        parts = (self._link, self._keys, self._definitions, self._writers)
        return Adopter(*parts, self._reader(), all_raw)

    def audit(self) -> Audit:
        """Compares hashes with the log."""
        from dealdb.store.upkeep.repair import Audit

        parts = (self._link, self._keys, self._definitions, self._writers, self._live())
        return Audit(*parts, self.adopter())

    def adopt_one(self, deal_id: str) -> bool:
        """Have the log see a hash that another program wrote; always True."""
        # what breaks here is not the caller's change, which has not been sent yet
        with self._writers.beforehand():
            self.adopter().one(deal_id)
        return True

    def check(self) -> CheckReport:
        """Compare every hash with the log, and change nothing; see ``Audit.check`` and ``lost_pieces``."""
        from dealdb.store.facts.rebuild import lost_pieces

        self.shown()
        report = self.audit().check()
        return replace(report, lost_facts=tuple(lost_pieces(self._link, self._keys)))

    def repair(
        self, *, adopt: bool = False, mapping: Mapping[str, str | None] | None = None
    ) -> RepairReport:
        """
        Adopt what other programs did to the hashes; see ``Audit.repair``.

        Parameters
        ----------
        adopt
            Whether to adopt a collection that nobody has adopted.
        mapping
            Fields that hash fields become, in every deal.

        Raises
        ------
        NotAdopted
            If nobody has adopted it, and ``adopt`` is not given.
        """
        from dealdb.store.upkeep.repair import with_adopted

        self.mend_state()
        audit = self.audit()
        if not self.adoption.is_due():
            return audit.repair(mapping)
        if not adopt:
            # which refuses it, unless the store was opened to adopt
            self.adoption.refuse()
        first = audit.adopt_all(mapping)
        self.adoption.finish()
        self._live_again()
        return with_adopted(audit.repair(), first)

    def mend_state(self) -> None:
        """First of all: until then every commit is refused, those of a repair too."""
        from dealdb.store.history.state import mend
        from dealdb.store.upkeep.ahead import catch_up

        mend(self._link, self._keys)
        catch_up(self._link, self._keys)

    def put_back(self) -> RepairReport:
        """
        Give the hashes what the history has; see ``Audit.put_back``.

        Raises
        ------
        NotAdopted
            If nobody has adopted them: no history says anything of them.
        """
        self.mend_state()
        if self.adoption.is_due():
            self.adoption.refuse()
        return self.audit().put_back()

    def repair_facts(self) -> RepairReport:
        """Keep the facts of the newest checkpoint once more; see ``rebuild_facts``."""
        from dealdb.store.facts.rebuild import rebuild_facts
        from dealdb.store.upkeep.repair import RepairReport

        n_changes = rebuild_facts(self._link, self._keys, self._live().replica)
        return RepairReport(adopted=0, removed=0, remaining=(), facts=n_changes)

    def reshape(self) -> Reshape:
        """Renames, retypes and drops columns."""
        from dealdb.store.upkeep.rename import Reshape

        self.ensure()
        return Reshape(self._definitions, self.audit(), self.adopter(), self._live(), self._writers)
