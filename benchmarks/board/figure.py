"""Figure ``board``: first paint, commit to page with 50 of them open, bytes and processor time."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.board.browsing import Look, browsing, can_browse, opening
from benchmarks.board.datasette import beside_datasette
from benchmarks.board.live import OURS, live
from benchmarks.board.nicegui import beside_nicegui
from benchmarks.board.saving import Saving
from benchmarks.board.started import Started, started_board
from benchmarks.measure import Figure, Run, Way, in_turn

_PAGES = {
    "board": ("/", OURS),
    "deals": ("/deals", Look(content="#deals tbody tr")),
    "a deal": ("/deals/D1", Look(content="form")),
}
_ROUNDS = 7
# beyond it, the page has twice the time
_MANY = 100_000


def board(bench: Bench, n: int) -> Figure:
    """The board in a browser and 50 open pages while deals are saved, beside Datasette and NiceGUI."""
    figure = Figure("board", n)
    bench.drop_loaded()
    at = bench.loaded(n)
    with started_board(at.server.url) as ours:
        # before anything is saved: Datasette has the deals as they were loaded
        beside_datasette(figure, bench, ours, at)
        if can_browse():
            _paint(figure, ours)
        else:
            figure.notes.append(
                "there is no Chromium or no Playwright here: nothing was measured in a browser"
            )
        _bytes(figure, ours)
        save = Saving(at)
        live(figure, ours, save)
        beside_nicegui(figure, ours, at, save)
    bench.drop_loaded()
    return figure


def _paint(figure: Figure, ours: Started) -> None:
    with browsing() as browser:

        def run(path: str, look: Look) -> Run:
            return lambda: opening(browser, ours, path, look).paint_s

        runs = {f"first paint: {name}": run(*page) for name, page in _PAGES.items()}
        figure.times(in_turn(runs, _ROUNDS, warm=True))
    budget = "board/paint" if figure.n <= _MANY else "board/paint/many"
    figure.value("first paint of the board", "first paint: board", budget)


def _bytes(figure: Figure, ours: Started) -> None:
    for name, (path, _) in _PAGES.items():
        figure.ways.append(Way(f"HTML: {name}", "kB", [len(ours.get(path)) / 1e3]))
        packed = len(ours.get(path, packed=True)) / 1e3
        figure.ways.append(Way(f"HTML: {name}, packed by gzip", "kB", [packed]))
    assets = "scripts and styles of the board"
    figure.ways.append(Way(assets, "kB", [ours.assets("/") / 1e3]))
    figure.value("HTML of the board", "HTML: board", "board/html")
    figure.value("HTML of the board, packed by gzip", "HTML: board, packed by gzip", "board/gzip")
    figure.value(assets, assets, "board/assets")
