"""``MadeOfTexts``: the place in the cache of what was made of the texts of a checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dealdb.model.columns import dtype_of, is_text
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.digest import digest_of
from dealdb.store.archive.manifest import Generation


@dataclass(frozen=True, slots=True)
class MadeOfTexts:
    """
    Keeps what was made of the columns of text, as they were in a checkpoint.

    Its name is made of the digests of their chunks, so it is found for the same texts alone, whosever they are.

    Attributes
    ----------
    digest
        Of the names and chunks of these columns.
    height
        Rows of the checkpoint.
    cache
        Where it is kept.
    """

    digest: str
    height: int
    cache: ChunkCache

    def find(self, form: str) -> bytes | None:
        """What was kept in a form; None where nothing is, or it is damaged."""
        return self.cache.find_made(self._name(form))

    def keep(self, form: str, blob: bytes) -> None:
        """Keep it, as far as the cache can be written to."""
        self.cache.keep_made(self._name(form), blob)

    def _name(self, form: str) -> str:
        return digest_of(f"{form} {self.digest}".encode())


def made_of_texts(generation: Generation, cache: ChunkCache | None) -> MadeOfTexts | None:
    """Where things made of the texts of a checkpoint are; None without a cache, or without chunks."""
    if cache is None or generation.columns is None:
        return None
    texts = [field for field in generation.schema.fields if is_text(dtype_of(field))]
    chunks = [(field.name, field.type, generation.columns.digests[field.name]) for field in texts]
    state = json.dumps([generation.height, chunks])
    return MadeOfTexts(digest_of(state.encode()), generation.height, cache)
