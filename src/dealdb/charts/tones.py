"""Which colour a part of a bar has: outcomes and categories have one of their own, the same in all charts."""

from __future__ import annotations

from collections.abc import Sequence

# how many colours there are for names that have none of their own: "1", "2" and so on
SERIES = 7
# what is as it should be, or far away, is pale; the colour of alarm is for what is lost or left alone
CALM, FAINT = "calm", "faint"
_OWN = {
    "won": "3",
    "lost": "2",
    "open": "1",
    "commit": "1",
    "best case": "6",
    "pipeline": CALM,
    "omitted": FAINT,
    "rotting": "2",
    "in time": CALM,
    "moved out": "5",
    "overdue in place": "4",
    "deleted": "7",
}


def tones_of(names: Sequence[str | None], *, are_parts: bool = False) -> dict[str | None, str]:
    """
    The colour of each name; names without one of their own get those that are left, in order.

    Parameters
    ----------
    names
        In the order of the marks.
    are_parts
        Whether they are parts of bars, of which some have a colour of their own.

    Examples
    --------
    >>> tones_of(["rotting", "in time", "young", "old"], are_parts=True)
    {'rotting': '2', 'in time': 'calm', 'young': '1', 'old': '3'}
    >>> tones_of(["won", "Ann"])
    {'won': '1', 'Ann': '2'}
    """
    own: dict[str | None, str] = {
        name: _OWN[name] for name in names if are_parts and name is not None and name in _OWN
    }
    numbers = [str(number) for number in range(1, SERIES + 1)]
    free = [number for number in numbers if number not in own.values()] or numbers
    others = [name for name in names if name not in own]
    return {
        **own,
        **{name: free[place % len(free)] for place, name in enumerate(others)},
    }
