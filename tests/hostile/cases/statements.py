"""What somebody writes into ``query.sql``: it ends, in its time and memory, and the next statement works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from hostile.case import World, case
from hostile.watched import python, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dealdb import QueryError
    from dealdb.query import QueryEngine

# of SQL
_MB = 1500


def _doubled(times: int, more: str) -> str:
    """A text of 16 characters, doubled so many times, as s of the table x."""
    return (
        "WITH RECURSIVE t(i, s) AS (SELECT 0, 'aaaaaaaaaaaaaaaa' UNION ALL SELECT i + 1, s || s FROM t "
        f"WHERE i < {times}), x AS (SELECT max_by(s, i) s FROM t) {more}"
    )


@contextmanager
def _asking(world: World, *, timeout_s: float = 4, isolated: bool = True) -> Iterator[QueryEngine]:
    with world.database(sql_timeout_s=timeout_s, sql_isolated=isolated) as db:
        db.save_deal({"id": "1", "amount": "5", "n": 1})
        db.save_deal({"id": "2", "amount": "7", "n": 2})
        yield db.query
        # whatever came before
        assert db.query.sql("SELECT sum(n) FROM deals").item() == 3


def _refusal(ask: Callable[[], object]) -> QueryError:
    from dealdb import QueryError

    try:
        answer = ask()
    except QueryError as problem:
        return problem
    raise AssertionError(f"answered with {answer!r:.80}")


def _ends(query: QueryEngine, statement: str, within_s: float = 5.0) -> str:
    """How a statement ends: the text of its error, or nothing."""
    from dealdb import QueryError

    # what imports and the start of a process take is none of the statement's time
    query.sql("SELECT 1 AS n")
    began = time.monotonic()
    try:
        query.sql(statement)
        said = ""
    except QueryError as problem:
        said = str(problem)
    took = time.monotonic() - began
    assert took < within_s, f"{took:.1f} s: {said}"
    return said


HUGE = {
    "a text replaced by itself in every place": _doubled(
        11, "SELECT length(replace(s, 'a', s)) FROM x"
    ),
    "twice as many replacements": _doubled(12, "SELECT length(replace(s, 'a', s)) FROM x"),
    "six times hex() of 16 million characters": _doubled(
        20, "SELECT length(hex(hex(hex(hex(hex(hex(s))))))) FROM x"
    ),
    "a list in every element of itself": (
        "SELECT len(list_transform([x for x in l], lambda e: l)) FROM (SELECT list(range) l FROM range(15000))"
    ),
    "a regular expression that replaces each character by all": _doubled(
        12, "SELECT length(regexp_replace(s, 'a', s, 'g')) FROM x"
    ),
    "one text of 40 million": (
        "SELECT length(string_agg(s, '')) FROM (SELECT repeat_of s FROM (SELECT "
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' repeat_of), range(40000000))"
    ),
    "a list of 200 million": "SELECT len(list(range)) FROM range(200000000)",
    "a text doubled 24 times": _doubled(24, "SELECT length(s) FROM x"),
    "lists that double in every step": (
        f"SELECT list_reduce([['a'], {', '.join(['[]'] * 40)}], lambda a, b: a || a) AS x"
    ),
    "35 levels of two each": (
        "WITH a0 AS (SELECT [1] x)"
        + "".join(f", a{i} AS (SELECT [x, x] x FROM a{i - 1})" for i in range(1, 31))
        + " SELECT len(x) FROM a30"
    ),
}


@case("a statement that makes a huge text", memory_mb=_MB, seconds=60)
def one_huge_statement(world: World) -> None:
    # on a busy machine the statement would be stopped for its time before it has taken so much memory
    with _asking(world, timeout_s=30) as query:
        said = _ends(query, HUGE["a text replaced by itself in every place"], within_s=40)
        assert "needs more than 1024 MB of memory" in said


@case("every way to make a huge value", memory_mb=_MB, seconds=120, slow=True)
def huge_statements(world: World) -> None:
    with _asking(world) as query:
        for name, statement in HUGE.items():
            said = _ends(query, statement)
            assert not said or "MB of memory" in said or "was stopped" in said, f"{name}: {said}"


@case("damerau_levenshtein() of two long texts", memory_mb=_MB)
def quadratic_memory(world: World) -> None:
    statement = _doubled(13, "SELECT damerau_levenshtein(s, s || 'b') FROM x")
    with _asking(world, isolated=False) as query:
        assert "can't be called here" in str(_refusal(lambda: query.sql(statement)))


@case("a result of gigabytes", memory_mb=_MB, seconds=20, slow=True)
def huge_result(world: World) -> None:
    with _asking(world, timeout_s=10) as query:
        said = _ends(query, "SELECT range, range + 1 AS b, range + 2 AS c FROM range(40000000)", 11)
        assert "the result has more than 512 MB" in said or "MB of memory" in said


def _levenshtein() -> str:
    return _doubled(14, "SELECT levenshtein(s, s || 'b') FROM x")


@case("levenshtein() of 262,144 characters", memory_mb=_MB, seconds=15)
def stuck_and_ended(world: World) -> None:
    with _asking(world, timeout_s=0.3) as query:
        query.sql("SELECT 1 AS n")
        before, children = threading.active_count(), _children()
        assert "was stopped" in _ends(query, _levenshtein(), 1.3)
        query.sql("SELECT 1 AS n")
        assert threading.active_count() == before
        assert len(_children()) == len(children)


@case("statements that can't be stopped, in this process", memory_mb=_MB, seconds=40, slow=True)
def stuck_and_counted(world: World) -> None:
    from dealdb import QueryError

    with world.database(sql_timeout_s=0.3, sql_isolated=False) as db:
        db.save_deal({"id": "1", "n": 1})
        said = [str(_refusal(lambda: db.query.sql(_levenshtein()))) for _ in range(4)]
        assert ["was stopped" in each for each in said] == [True, True, False, False]
        assert "2 statements that were stopped are still running" in said[2]
        # whether these two have ended meanwhile is their own affair
        with suppress(QueryError):
            db.query.sql("SELECT 1")
        # DuckDB's threads would be waited for
        os._exit(0)


LARGE = {
    "a join of 300 tables": "SELECT count(*) FROM deals d0 "
    + " ".join(f"JOIN deals d{i} ON d{i}.id = d{i - 1}.id" for i in range(1, 300)),
    "a list of 9,500": f"SELECT [{','.join(['1'] * 9500)}]",
    "a name of 6,000 parts": f"SELECT {'.'.join(['a'] * 6000)} FROM deals",
    "PIVOT by 2,400 values": f"PIVOT deals ON n IN ({','.join(map(str, range(2400)))}) USING count(*)",
    "a cube of 12 columns": f"SELECT 1 FROM deals GROUP BY CUBE({','.join(f'n + {i}' for i in range(12))})",
    "a union of 500": " UNION ALL ".join(["SELECT n FROM deals"] * 500),
    "500 tables that are functions": "SELECT 1 FROM " + ", ".join(["range(2)"] * 500),
    "20,000 characters of parentheses": "SELECT " + "(" * 9000 + "1" + ")" * 9000,
    "a sum of 9,000": "SELECT 1" + "+1" * 9000,
    "AND of 2,500": f"SELECT 1 FROM deals WHERE {' AND '.join(['n<>1'] * 2500)}",
}


@case("statements of too many parts", memory_mb=_MB, seconds=25)
def large_statements(world: World) -> None:
    for isolated in (True, False):
        with _asking(world, isolated=isolated) as query:
            for name, statement in LARGE.items():
                # each takes some hundredths of a second; a busy machine may take a hundred times that
                said = _ends(query, statement)
                assert said or name == "AND of 2,500", name


BEYOND = {
    **dict.fromkeys(
        (
            "DATE '290000-01-01'",
            "DATE '-5000-01-01'",
            "TIMESTAMP '290000-01-01'",
            "TIMESTAMPTZ '290000-01-01'",
            "'infinity'::DATE",
            "'-infinity'::TIMESTAMP",
            "'infinity'::TIMESTAMP_NS",
            "[DATE '290000-01-01']",
            "{'a': [TIMESTAMP '290000-01-01']}",
            "map(['a'], ['infinity'::DATE])",
        ),
        "column 'd' of the result has a date or time outside the years 1 to 9999",
    ),
    **dict.fromkeys(
        (
            "340282366920938463463374607431768211455::UHUGEINT",
            "170141183460469231731687303715884105727::HUGEINT",
            "(-170141183460469231731687303715884105727)::HUGEINT",
            "100000000000000000000000000000000000000::HUGEINT",
            "[340282366920938463463374607431768211455::UHUGEINT]",
        ),
        "column 'd' of the result has an integer of more than 38 digits; cast it to VARCHAR",
    ),
    **dict.fromkeys(
        (
            "INTERVAL 1 DAY",
            "[INTERVAL 1 DAY]",
            "{'a': INTERVAL 1 DAY}",
            "union_value(a := 1)",
            "{'a': union_value(b := 1)}",
            "['101'::BIT]",
            "12345678901234567890123::BIGNUM",
        ),
        "column 'd' of the result has the type",
    ),
    "TIME '24:00:00'": "column 'd' of the result has the time 24:00:00",
    "[" * 60 + "1" + "]" * 60: "column 'd' of the result is nested more than 32 levels deep",
}


@case("values that no data frame can hold", memory_mb=_MB, seconds=15)
def values_beyond(world: World) -> None:
    for isolated in (True, False):
        with _asking(world, isolated=isolated) as query:
            for value, expected in BEYOND.items():
                said = str(_refusal(lambda value=value: query.sql(f"SELECT {value} AS d")))  # type: ignore[misc]
                assert expected in said, f"{value}: {said}"
            most = query.sql(f"SELECT {'9' * 38}::HUGEINT AS a, -{'9' * 38}::HUGEINT AS b")
            assert most.row(0) == (Decimal("9" * 38), Decimal(f"-{'9' * 38}"))


@case("a date of the year 290000 in the program", memory_mb=_MB, seconds=25, slow=True)
def date_in_the_program(world: World) -> None:
    statement = "SELECT DATE '290000-01-01' AS d"
    lines = f"{statement}\nSELECT 1 AS still_alive\n"
    outcome = watched(
        python("-m", "dealdb", "--url", world.url, "shell"),
        memory_mb=_MB,
        seconds=20,
        folder=world.folder,
        stdin=lines.encode(),
    )
    assert "still_alive" in outcome.output
    assert "panicked" not in outcome.output
    assert "outside the years 1 to 9999" in outcome.output


@case("parameters of too many values and characters", memory_mb=_MB, seconds=15)
def large_parameters(world: World) -> None:
    with _asking(world, isolated=False) as query:
        for params, expected in (
            ({"p": list(range(300_000))}, "more than 50,000 values"),
            ({"p": "x" * 50_000_000}, "more than 10,000,000 characters"),
            ({"p": 10**1_000_000}, "more than 38 digits"),
            ({"p": Decimal("1E999999999")}, "more than 38 digits"),
            ({"p": "a\ud800"}, "half of a surrogate pair"),
        ):
            began = time.monotonic()
            said = str(_refusal(lambda params=params: query.sql("SELECT :p AS p", params=params)))  # type: ignore[misc]
            assert expected in said
            assert time.monotonic() - began < 2
        held = query.sql("SELECT count(*) FROM deals WHERE n IN :p", params={"p": [*range(50_000)]})
        assert held.item() == 2


@case("texts that are none, and pages of 2**65", memory_mb=_MB)
def no_texts(world: World) -> None:
    with _asking(world, isolated=False) as query:
        for statement in ("SELECT 'a\ud800'", 'SELECT 1 AS "\udfff"', "SELECT 'a\0b'"):
            assert _refusal(lambda statement=statement: query.sql(statement)).position is not None  # type: ignore[misc]
        assert query.page(size=2**65).items.height == 2
        assert query.find(sort="n", limit=2**65, offset=2**65).height == 0


@case("the process of DuckDB is ended by somebody", memory_mb=_MB, seconds=15, slow=True)
def killed(world: World) -> None:
    with _asking(world) as query:
        query.sql("SELECT 1 AS n")
        _kill_children()
        time.sleep(0.1)
        assert query.sql("SELECT 2 AS n").item() == 2
        timer = threading.Timer(0.3, _kill_children)
        timer.start()
        endless = "SELECT count(*) FROM range(100000000000000) t(x) WHERE x % 7 = 9"
        assert "memory" in str(_refusal(lambda: query.sql(endless)))


def _kill_children() -> None:
    for pid in _children():
        os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    """Processes of DuckDB; the server is none of this one's."""
    return [
        int(child)
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
