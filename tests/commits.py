"""Something that happens at a given commit of a load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dealdb.model.schema import Schema
from dealdb.store import Store
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark


def at_each_commit(
    replace: Callable[[type, str, Any], object],
    before: Callable[[int], object],
    after: Callable[[int], object] = lambda number: None,
    *,
    deletes: bool = False,
) -> None:
    """
    Have functions called around each commit that sets or adds deals, or that deletes some, with its number, from 1.

    Commits that a store would send at once are sent one by one then; one that adds nothing, because some of its
    deals are known, has the number of the one that is sent in its place.

    Parameters
    ----------
    replace
        As ``setattr``.
    before, after
        What to call.
    deletes
        Whether the commits that delete are meant.
    """
    write, add, delete = Store.write, Store.add, Store.delete_many
    n_done = 0

    def stepped(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        nonlocal n_done
        before(n_done + 1)
        answer = call(*arguments, **more)
        if call is not add or answer:
            n_done += 1
            after(n_done)
        return answer

    def stepped_write(self: Store, *arguments: Any, **more: Any) -> Any:
        return stepped(write, self, *arguments, **more)

    def stepped_add(
        self: Store, schema: Schema, batches: Sequence[Batch], marks: Sequence[Mark | None]
    ) -> int:
        for place, (batch, mark) in enumerate(zip(batches, marks, strict=True)):
            if not stepped(add, self, schema, [batch], [mark]):
                return place
        return len(batches)

    def stepped_delete(self: Store, *arguments: Any, **more: Any) -> Any:
        return stepped(delete, self, *arguments, **more)

    if deletes:
        replace(Store, "delete_many", stepped_delete)
    else:
        replace(Store, "write", stepped_write)
        replace(Store, "add", stepped_add)
