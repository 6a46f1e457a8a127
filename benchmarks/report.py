"""The page: results as tables, each figure against its budget, with the machine and the command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.budgets import BUDGETS, SIZE, Budget
from benchmarks.growth import exponents
from benchmarks.measure import Figure, Line, Way
from benchmarks.servers import DEFAULT

_HEAD = """# Benchmarks

Written by `{command}`, from its results. Every ratio is between two ways that ran in turn,
round after round, in one process; it is the median over the rounds, with the smallest and the largest. The server runs
on the same machine over loopback TCP and writes nothing to disk. All ways get the same generated deals, which
`benchmarks/deals.py` makes. RediSearch and redis-om need a server with the search module: `DEALDB_BENCH_SEARCH_URL`
names one, which is emptied; without it they are left out.
"""
_READING = """
*Speed* is how many times as fast dealdb is: above 1 it is faster. *Cost* is its time or memory as a multiple of the
other's: below 1 it takes less. The budgets are meant for 1,000,000 deals of 8 fields, some for every size; where there
is none for a size, the figure has no verdict, but says who is ahead.
"""


def write_page(results: Path, page: Path) -> None:
    """Write the page and the pictures next to it."""
    # what draws is installed for the benchmarks alone
    from benchmarks.picture import draw

    figures = read_results(results)
    pictures = draw(figures, page)
    page.write_text(text(figures, [path.name for path in pictures]))


def read_results(folder: Path) -> list[Figure]:
    """All figures that were measured, in the order in which they are run."""
    from benchmarks.__main__ import FIGURES

    figures = [Figure.load(path) for path in folder.glob("*.json")]
    order = list(FIGURES)
    known = [figure for figure in figures if figure.name in order]
    return sorted(known, key=lambda figure: (order.index(figure.name), figure.n))


def verdict(line: Line, n: int) -> str:
    """Whether the budget is met, or who is ahead where there is none."""
    value, budget = median(line.ratios), budget_of(line, n)
    if budget is not None:
        if budget.reaches_aim(value):
            return "aim reached"
        return "met" if budget.holds(value) else "**missed**"
    if line.sense == "value":
        return ""
    ahead = value >= 1 if line.sense == "speed" else value <= 1
    return "ahead" if ahead else "behind"


def budget_of(line: Line, n: int) -> Budget | None:
    budget = BUDGETS.get(line.budget)
    return budget if budget and (budget.any_size or n >= SIZE) else None


def text(figures: Sequence[Figure], pictures: Sequence[str]) -> str:
    """The page, with the pictures of these names."""
    return "\n".join(_lines(figures, pictures)).strip() + "\n"


def _lines(figures: Sequence[Figure], pictures: Sequence[str]) -> Iterator[str]:
    yield _HEAD.format(command=_command(figures))
    yield from machine_lines(figures)
    yield from _run(figures)
    yield _READING
    for name in pictures:
        yield f"![{name.partition('.')[0].replace('-', ' ')}]({name})\n"
    yield "## Budgets\n"
    yield from _budget_table(figures)
    yield "\n## All figures\n"
    for figure in figures:
        if figure.name != "growth":
            yield from _section(figure)
    yield from _growth_section([figure for figure in figures if figure.name == "growth"])


def machine_lines(figures: Sequence[Figure]) -> Iterator[str]:
    """What the figures were measured on; several in a line where results of several runs were merged."""
    for label, key in (
        ("Machine", "machine"),
        ("Servers", "server"),
        ("Packages", "packages"),
        ("When", "when"),
        ("Commit", "commit"),
    ):
        found = sorted({figure.machine[key] for figure in figures if key in figure.machine})
        if key == "when" and len(found) > 1:
            found = [f"{found[0]} to {found[-1]}"]
        yield f"- {label}: {'; '.join(found)}"


def _run(figures: Sequence[Figure]) -> Iterator[str]:
    """How they were measured, and what was not."""
    minutes = sum(figure.took_s for figure in figures) / 60
    took = f"{minutes:.0f} minutes; each section names the command that repeats it alone"
    yield f"- Command: `{_command(figures)}`, {took}"
    if lacking := _lacking(figures):
        yield f"- Not measured yet: {lacking}"


def _lacking(figures: Sequence[Figure]) -> str:
    """Figures of a whole run that have no result: what is not there would not be missed."""
    from benchmarks.__main__ import FIGURES

    if any(figure.machine.get("flavor", DEFAULT) != DEFAULT for figure in figures):
        # on other servers only some are measured
        return ""
    has = {(figure.name, figure.n) for figure in figures}
    wanted = {
        name: [n for n in sizes if (name, n) not in has] for name, (_, sizes) in FIGURES.items()
    }
    return "; ".join(
        f"{name} at {', '.join(f'{n:,}' for n in sizes)}" for name, sizes in wanted.items() if sizes
    )


def _command(figures: Sequence[Figure]) -> str:
    flavors = {figure.machine.get("flavor", DEFAULT) for figure in figures}
    return " and ".join(
        "make bench" if f == DEFAULT else f"make bench-{f}" for f in sorted(flavors)
    )


def _options(figure: Figure) -> str:
    """What has to be said to measure on the same server."""
    flavor = figure.machine.get("flavor", DEFAULT)
    return "" if flavor == DEFAULT else f" --server {flavor}"


def _budget_table(figures: Sequence[Figure]) -> Iterator[str]:
    yield from header("what", "deals", "dealdb", "other", "ratio", "spread", "at least", "aim", "")
    grown = exponents(figures)
    for figure in (*figures, grown) if grown else figures:
        for line in figure.lines:
            budget = budget_of(line, figure.n)
            if budget is not None:
                yield row(*_cells(figure, line), *_bounds(budget), verdict(line, figure.n))


def _section(figure: Figure) -> Iterator[str]:
    yield f"### {figure.name}, {figure.n:,} deals\n"
    yield from header("way", "median", "spread", "")
    for way in figure.ways:
        yield row(way.name, _value(way.median, way.unit), _spread(way.values), way.note)
    yield ""
    compared = [line for line in figure.lines if line.theirs is not None]
    if compared:
        yield from header("what", "ratio", "spread", "")
        for line in compared:
            ratio = f"{line.sense} {number(median(line.ratios))}"
            yield row(line.what, ratio, _spread(line.ratios), verdict(line, figure.n))
        yield ""
    for note in figure.notes:
        yield f"{note}.\n"
    command = f"python -m benchmarks {figure.name} --n {figure.n}{_options(figure)}"
    yield f"`{command}` took {figure.took_s:.0f} s.\n"


def _growth_section(figures: Sequence[Figure]) -> Iterator[str]:
    if not figures:
        return
    yield "### growth\n"
    yield from header("milliseconds at", *(f"{figure.n:,}" for figure in figures))
    for way in figures[-1].ways:
        found = [figure.way(way.name) for figure in figures]
        yield row(way.name, *(number(each.median) if each else "" for each in found))
    yield ""
    sizes = ",".join(str(figure.n) for figure in figures)
    took = sum(figure.took_s for figure in figures)
    yield f"`python -m benchmarks growth --n {sizes}{_options(figures[0])}` took {took:.0f} s.\n"


def _cells(figure: Figure, line: Line) -> Iterable[str]:
    ours = figure.way(line.ours)
    theirs = figure.way(line.theirs) if line.theirs else None
    value = median(line.ratios)
    shown = f"{line.sense} {number(value)}" if theirs else _value(value, line.unit)
    return (
        line.what, f"{figure.n:,}", _of(ours), _of(theirs), shown, _spread(line.ratios)
    )  # fmt: skip


def _of(way: Way | None) -> str:
    return "" if way is None else _value(way.median, way.unit)


def _bounds(budget: Budget) -> Iterable[str]:
    sign = "≤ " if budget.most else ""
    return (f"{sign}{number(budget.least)}", f"{sign}{number(budget.aim)}")


def header(*names: str) -> Iterator[str]:
    yield row(*names)
    yield row(*("---" for _ in names))


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float]) -> str:
    return f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""


def _value(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()


def number(value: float) -> str:
    """Three digits, and no more than are there."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
