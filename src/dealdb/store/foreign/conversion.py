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
    stale: Mapping[str, Collection[str]],
    *,
    clears: bool,
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
        Fields that are to be made, by deal; all for a deal that is not in it.
    clears
        Whether these are cleared where what they are made of is not there any more. Elsewhere a field that a hash has
        without it is another program's.
    """
    if not reading.depends:
        return None
    sources = sorted(set().union(*reading.depends.values()))
    made = {
        name: column.to_list() for name, column in reading.derived(frame_of(hashes)).texts.items()
    }
    place = {deal: n for n, deal in enumerate(hashes)}

    def text_of(deal: str, name: str) -> str | bool | None:
        if deal not in place or name not in stale.get(deal, made):
            return None
        text = made[name][place[deal]]
        if text is not None:
            return str(text)
        has_source = any(of.encode() in hashes[deal] for of in reading.depends[name])
        return False if has_source or (clears and deal in stale) else None

    return Converted(
        sources=sources,
        olds=[[hashes.get(deal, {}).get(name.encode()) for deal in ids] for name in sources],
        texts={name: [text_of(deal, name) for deal in ids] for name in made},
    )
