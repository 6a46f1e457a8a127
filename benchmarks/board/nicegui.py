"""A board made with NiceGUI on the same deals and commits: first paint, bytes, and processor time a commit and page."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial

from benchmarks.bench import Loaded
from benchmarks.board.browsing import (
    Look,
    Opening,
    browsing,
    can_browse,
    opening,
    seen_after,
    wait_for,
    watch,
    window,
)
from benchmarks.board.live import OURS
from benchmarks.board.saving import Saving
from benchmarks.board.started import Started, started_server
from benchmarks.board.wire import Counted
from benchmarks.measure import Figure, Run, Way, in_turn

_MINE, _WHOLE, _COLUMNS = "dealdb", "NiceGUI", "NiceGUI, only changed columns"
_THEIRS = Look(content=".q-card", commit="document.querySelector('.commit')?.textContent")
_PAGES, _COMMITS, _PAUSE_S = 5, 8, 0.2
_ROUNDS, _PAINTS = 3, 7
_SETTLES_S = 2.0
# what is measured of open pages, with its unit
_CPU, _SENT, _SEEN, _FIRST = (
    (f"processor time a commit and page, {_PAGES} pages", "ms"),
    ("bytes a commit and page", "kB"),
    (f"commit to what {_PAGES} browsers show, median", "ms"),
    ("bytes of the board, opened first", "kB"),
)

Start = Callable[[], AbstractContextManager[Started]]


def beside_nicegui(figure: Figure, ours: Started, at: Loaded, save: Saving) -> None:
    """Our board, and one made with NiceGUI; a note where it is not installed."""
    if not can_browse():
        # it makes its pages in the browser
        return
    if importlib.util.find_spec("nicegui") is None:
        figure.notes.append("NiceGUI is not installed here: it was not measured")
        return
    peers: dict[str, tuple[Start, Look]] = {
        _MINE: (lambda: nullcontext(ours), OURS),
        _WHOLE: (partial(_nicegui, at.server.url, "whole"), _THEIRS),
        _COLUMNS: (partial(_nicegui, at.server.url, "columns"), _THEIRS),
    }
    _paint(figure, peers)
    _followed(figure, peers, save)
    figure.notes += [
        "the board of NiceGUI reads by dealdb, too, once a commit for all pages; its page is made again at each commit,"
        " or only the columns that changed; it can't move cards, and has neither filters nor permalinks",
        f"beside NiceGUI {_PAGES} windows were open, and the next deal was saved when all showed the last one;"
        " processor time is that of the server of the pages; bytes are as they went over the wire, packed where the"
        " server packs them; ours makes a commit once for all windows that show the same, so five cost what one costs",
    ]


def _nicegui(url: str, how: str) -> AbstractContextManager[Started]:
    command = [sys.executable, "-m", "benchmarks.board.nicegui_board", url, "{port}", how]
    return started_server(command, "/")


def _paint(figure: Figure, peers: dict[str, tuple[Start, Look]]) -> None:
    found: dict[str, list[Opening]] = {name: [] for name in (_MINE, _WHOLE)}
    with ExitStack() as opened, browsing() as browser:

        def run(name: str, at: Started, look: Look) -> Run:
            def measured() -> float:
                found[name].append(opening(browser, at, "/", look))
                return found[name][-1].paint_s

            return measured

        runs = {}
        for name in found:
            start, look = peers[name]
            runs[name] = run(name, opened.enter_context(start()), look)
        in_turn(runs, _PAINTS, warm=True)
    for what, part in (
        ("first paint of the board", "paint_s"),
        ("first cards of the board", "content_s"),
    ):
        figure.times(
            {
                f"{what}, {name}": [getattr(each, part) for each in all_[-_PAINTS:]]
                for name, all_ in found.items()
            }
        )
        figure.compare(f"{what}, against NiceGUI", f"{what}, {_MINE}", f"{what}, {_WHOLE}", "speed")


def _followed(figure: Figure, peers: dict[str, tuple[Start, Look]], save: Saving) -> None:
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(_ROUNDS):
        for name, (start, look) in peers.items():
            with start() as at:
                for (what, _), value in _one(at, look, save).items():
                    found.setdefault((what, name), []).append(value)
    for what, unit in (_FIRST, _SENT, _CPU, _SEEN):
        for name in peers:
            figure.ways.append(Way(f"{what}, {name}", unit, found[what, name]))
        for name in (_WHOLE, _COLUMNS):
            figure.compare(f"{what}, against {name}", f"{what}, {_MINE}", f"{what}, {name}", "cost")


def _one(at: Started, look: Look, save: Saving) -> dict[tuple[str, str], float]:
    """Windows that are open at a board while deals are saved."""
    with Counted(at) as wire, browsing() as browser, ExitStack() as opened:
        pages = []
        for _ in range(_PAGES):
            pages.append(opened.enter_context(window(browser, wire.at)))
            watch(pages[-1], wire.at, look)
        time.sleep(_SETTLES_S)
        first, cpu = wire.received, at.cpu_s()
        commits = {}
        for _ in range(_COMMITS):
            begun = time.time()
            last = save()
            commits[last] = begun
            # else a slow one would join commits, and seem to be cheap
            for page in pages:
                wait_for(page, last)
            time.sleep(_PAUSE_S)
        seen = sorted(each for page in pages for each in seen_after(page, commits))
        used, sent = at.cpu_s() - cpu, wire.received - first
    times = _COMMITS * _PAGES
    return {
        _FIRST: first / 1e3 / _PAGES,
        _SENT: sent / 1e3 / times,
        _CPU: 1e3 * used / times,
        _SEEN: 1e3 * seen[len(seen) // 2],
    }
