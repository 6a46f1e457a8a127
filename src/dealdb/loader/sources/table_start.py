"""What the first lines of a table show: where it begins below titles or comments, and what separates its cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from dealdb.errors import LoadError, SchemaError
from dealdb.loader.columns.aliases import WEAK
from dealdb.loader.columns.headers import candidates_of, find_header, map_headers
from dealdb.loader.sources.csv_strict import Dialect
from dealdb.model.schema import Schema

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
# records that are looked at: no report has more lines above its table
MOST_ABOVE = 20
# fields that two headers of a line have to be, so that it can't be a row
_SURE = 2


def header_place(rows: Sequence[Sequence[str]], id_names: Collection[str] | None) -> int:
    """
    Which of the first records has the names of the columns: the one with an id, else the first that is no title.

    Parameters
    ----------
    rows
        Cells of the first records.
    id_names
        Headers that are ids besides the usual ones, or None.

    Examples
    --------
    >>> header_place([["Deals report"], ["Deal ID", "Amount"], ["7", "5"]], ())
    1
    """
    named = [row for row in rows if any(cell.strip() for cell in row)]
    if not named or has_id(rows[0], id_names):
        return 0
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    for place, row in enumerate(rows):
        if has_id(row, id_names) and _is_header(rows, filled, place):
            return place
    # titles of groups may be as many as their rows
    several = [n for n in filled if n > 1] or filled
    usual = max(Counter(several).items(), key=lambda item: (item[1], item[0]))[0]
    titles = (_is_title(row, n, usual) for row, n in zip(rows, filled, strict=True))
    return next((place for place, is_title in enumerate(titles) if not is_title), 0)


def has_id(row: Sequence[str], id_names: Collection[str] | None) -> bool:
    """Whether one of these cells is the header of an id."""
    named = any(
        one.field == "id" and one.place < WEAK
        for cell in row
        for one in candidates_of(cell.strip())
    )
    return named or any(
        find_header(name, [cell.strip() for cell in row]) for name in id_names or ()
    )


def known_fields(row: Sequence[str]) -> set[str]:
    """Fields that the cells of a row would be, if they were headers."""
    fields = set()
    schema = Schema.standard()
    for cell in row:
        header = cell.strip()
        try:
            field = map_headers([header], None, schema)[header] if header else None
        except (LoadError, SchemaError):
            continue
        if field is not None and (field in schema or field == "id"):
            fields.add(field)
    return fields


def _is_header(rows: Sequence[Sequence[str]], filled: Sequence[int], place: int) -> bool:
    """Whether a record with an id is the header, and not a row below another one."""
    above = [n for row, n in zip(rows[:place], filled[:place], strict=True) if not _is_comment(row)]
    if all(n < filled[place] for n in above):
        return True
    return len(known_fields(rows[place])) >= _SURE and not any(map(known_fields, rows[:place]))


def _is_title(row: Sequence[str], filled: int, usual: int) -> bool:
    return filled * 2 <= usual or (_is_comment(row) and filled != usual)


def _is_comment(row: Sequence[str]) -> bool:
    first = row[0].lstrip()
    return len(first) > 1 and first.startswith("#")


def extra_cells(header: list[str], rows: Sequence[Sequence[str]]) -> int:
    """1 if all rows have one empty cell more than the header, -1 if the header has it."""
    widths = {len(row) for row in rows}
    is_extra = not any(row[-1].strip() for row in rows) and any(map(any, rows))
    if widths == {len(header) + 1} and is_extra:
        return 1
    return -1 if widths == {len(header) - 1} and len(header) > 1 and not header[-1].strip() else 0


def sniff_delimiter(sample: bytes) -> str:
    r"""
    Delimiter with which most records of a sample have the same number of cells, and more than one.

    Examples
    --------
    >>> sniff_delimiter(b"id;name;amount\n1;Acme, Inc;17,50\n")
    ';'
    """
    complete = sample[: sample.rfind(b"\n") + 1] or sample
    records = {each: Dialect(each.encode()).split(complete, width=None).rows for each in DELIMITERS}

    def score(delimiter: str) -> tuple[int, int]:
        rows = records[delimiter]
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows), width) if width > 1 else (0, 0)

    def score_below(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in records[delimiter] if len(row) > 1)
        return max(((n, width) for width, n in widths.items()), default=(0, 0))

    best, below = max(DELIMITERS, key=score), max(DELIMITERS, key=score_below)
    if not any(has_id(row, ()) for row in records[best][:MOST_ABOVE]):
        shown = [each for each in DELIMITERS if any(map(_names_id, records[each][:MOST_ABOVE]))]
        if len(shown) == 1:
            return shown[0]
    # where few rows are like the first one, that is a title
    if score(best)[0] * 2 <= score_below(below)[0]:
        best = below
    return best if score_below(best) > (0, 0) else ","


def _names_id(row: Sequence[str]) -> bool:
    return len(row) > 1 and has_id(row, ())
