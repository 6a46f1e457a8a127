"""What was so before is written down: facts of the past, which change no deal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dealdb.errors import StoreError
from dealdb.model.schema import Field
from dealdb.store.commit.change import Change
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.encoding import FACT_COLUMNS, checked_facts, packed

# facts of a commit: some 50 kB, as those of a load
_FACTS = 2_500
# commits that are sent together
_AT_ONCE = 32
_MAX_TRIES = 20


def facts_in(frame: pl.DataFrame) -> pl.DataFrame:
    """
    Facts as they are written, with the columns of ``FACT_COLUMNS``.

    Raises
    ------
    ValueError
        If a row is no fact.
    """
    return checked_facts(frame.select(pl.col(n).cast(t) for n, t in FACT_COLUMNS.items()))


class FactWriter:
    """Writes facts of one collection."""

    def __init__(self, writers: Writers, definitions: Definitions) -> None:
        self._writers = writers
        self._definitions = definitions

    def record(self, facts: pl.DataFrame, fields: Iterable[Field], stages: Iterable[str]) -> int:
        """
        Write facts, in commits of some thousands; returns how many commits.

        Parameters
        ----------
        facts
            A row each, with the columns of ``FACT_COLUMNS``; their order decides between those of one moment.
        fields
            Fields that they are of, as the texts need them; what the collection lacks is added.
        stages
            Stages that they name; those that are new get a proposed meaning.

        Raises
        ------
        ValueError
            If a row is no fact.
        SchemaError
            If a field would have to narrow.

        Cost
        ----
        One round trip for 80,000 facts; some more where fields or stages are new.
        """
        table = facts_in(facts)
        if table.is_empty():
            return 0
        wanted = list(fields)
        self._definitions.declare(wanted)
        self._definitions.cover_stages(stages)
        return self.write(table, wanted)

    def write(self, table: pl.DataFrame, fields: Sequence[Field]) -> int:
        """
        Write the facts of ``facts_in``, of fields that the collection has, in commits of some thousands; how many.

        Cost
        ----
        One round trip for 80,000 facts.
        """
        payloads = [packed(piece) for piece in table.iter_slices(_FACTS)]
        for first in range(0, len(payloads), _AT_ONCE):
            self._send(payloads[first : first + _AT_ONCE], fields)
        return len(payloads)

    def _send(self, payloads: Sequence[bytes], fields: Sequence[Field]) -> None:
        n_sent = 0
        for _ in range(_MAX_TRIES):
            version = self._definitions.version_of(self._definitions.schema)
            replies = self._writers.commit_all(
                [Change(kind="facts", version=version, payload=each) for each in payloads[n_sent:]]
            )
            n_sent += sum(reply.is_done for reply in replies)
            if n_sent == len(payloads):
                return
            # the schema changed meanwhile
            self._definitions.refresh()
            self._definitions.declare(fields)
        msg = "the schema changed on every try; try again, which continues where this ended"
        raise StoreError(msg)
