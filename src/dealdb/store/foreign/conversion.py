"""What a commit gives some hashes beside their own fields, on condition that they are still what it was made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from dealdb.store.foreign.frames import frame_of
from dealdb.store.foreign.reading import HashReading
from dealdb.store.hashes import Hash


class Converted(NamedTuple):
    """
    Texts for some deals, in the order of a commit.

    Attributes
    ----------
    sources
        Hash fields that they are made of.
    olds
        What these are, by source, for each deal.
    texts
        Texts by field, for each deal: None leaves the field as it is, False clears it.
    """

    sources: Sequence[str]
    olds: Sequence[Sequence[bytes | None]]
    texts: Mapping[str, Sequence[str | bool | None]]

    @property
    def stages(self) -> list[str]:
        """Stages that the deals get."""
        return sorted({each for each in self.texts.get("stage", ()) if isinstance(each, str)})

    def words(self, fields: Sequence[str]) -> list[object]:
        """What the payload of a ``mend`` of these fields says of it."""
        return [[self.sources, self.olds], [self.texts.get(name) for name in fields]]

    def changed(self, before: Mapping[str, Hash], after: Mapping[str, Hash]) -> Iterator[str]:
        """Deals that another program has changed since these texts were made."""
        names = [name.encode() for name in self.sources]
        for deal, fields in after.items():
            old = before.get(deal, {})
            if any(fields.get(name) != old.get(name) for name in names):
                yield deal


def converted(
    hashes: Mapping[str, Hash],
    ids: Sequence[str],
    reading: HashReading,
    stale: Mapping[str, Collection[str]] | None,
) -> Converted | None:
    """
    What some deals get; None where nothing is made of anything.

    Parameters
    ----------
    hashes
        Of the deals, by id.
    ids
        The deals, in the order of the commit.
    reading
        How hashes are read.
    stale
        Fields by deal that are to be made; None for all.
    """
    if not reading.depends:
        return None
    sources = sorted(set().union(*reading.depends.values()))
    made = {
        name: column.to_list() for name, column in reading.derived(frame_of(hashes)).texts.items()
    }
    place = {deal: n for n, deal in enumerate(hashes)}

    def text_of(deal: str, name: str) -> str | bool | None:
        is_asked = stale is None or name in stale.get(deal, ())
        if deal not in place or not is_asked:
            return None
        text = made[name][place[deal]]
        has_source = any(of.encode() in hashes[deal] for of in reading.depends[name])
        # what was removed there is removed here; what was never there says nothing
        is_given = has_source or stale is not None
        return text if text is not None else (False if is_given else None)

    return Converted(
        sources=sources,
        olds=[[hashes.get(deal, {}).get(name.encode()) for deal in ids] for name in sources],
        texts={name: [text_of(deal, name) for deal in ids] for name in made},
    )
