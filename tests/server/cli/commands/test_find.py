"""Pages, parameters, facets, saved queries and exports from the command line, against a real server."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from cli_runs import Fill, Run, db_fixture, run_fixture  # noqa: F401 fixtures
from dealdb import DealDatabase
from dealdb.sample import deals
from servers import Server


@pytest.fixture
def loaded(db: DealDatabase, filled: Fill) -> DealDatabase:
    filled(lambda: db.loader.load(deals(60), bar=False))
    return db


def test_pages_joined_are_the_whole(run: Run, loaded: DealDatabase) -> None:
    ids: list[str] = []
    options = ["--sort", "-amount", "--page", "25", "--json"]
    page = run("find", *options).json
    while True:
        assert page["total"] == 60
        ids += [row["id"] for row in page["rows"]]
        if page["next"] is None:
            break
        page = run("find", *options, "--cursor", page["next"]).json
    expected = loaded.query.find(sort=["-amount", "id"])["id"].to_list()
    assert ids == expected
    first = run("find", "--page", "25", "--csv")
    assert len(first.out.splitlines()) == 26
    told, following = first.err.splitlines()
    assert told == "25 of 60 deals"
    rest = run("find", "--page", "99", *following.removeprefix("next page: ").split(), "--csv")
    assert len(rest.out.splitlines()) == 36
    assert rest.err == "35 of 60 deals\nlast page\n"


def test_parameters_have_the_type_that_they_look_like(run: Run, loaded: DealDatabase) -> None:
    where = "amount > :least AND stage IN :stages AND created >= :day"
    options = ["least=5000.50", "stages=Won", "stages=Lost", "day=2026-01-01"]
    given = [word for option in options for word in ("--param", option)]
    ran = run("find", where, *given, "--json")
    plain = "amount > 5000.50 AND stage IN ('Won', 'Lost') AND created >= '2026-01-01'"
    assert ran.json == run("find", plain, "--json").json
    assert len(ran.json) > 5
    total = run(
        "sql", "SELECT count(*) AS n FROM deals WHERE amount > :least", *given[:2], "--json"
    )
    assert total.json == [{"n": loaded.query.count("amount > 5000.50")}]


def test_explain_tells_what_find_does(run: Run, loaded: DealDatabase) -> None:
    facts = run("find", "Amount>5000", "--sort", "-amount", "--explain", "--json").json
    assert (facts["filter"], facts["scanned"]) == ("amount > 5000", 60)
    assert facts["total_ms"] == pytest.approx(sum(facts["steps_ms"].values()))
    assert "deals        60 scanned" in run("find", "--explain").out


def test_facets_count_as_the_facade_does(run: Run, loaded: DealDatabase) -> None:
    where = "amount > 5000"
    options = ["--where", where, "--by", "amount=20000", "--by", "created=year"]
    found = run("facets", "stage", "amount", "created", *options, "--json").json
    expected = loaded.query.facets(
        ["stage", "amount", "created"], where, by={"amount": 20_000, "created": "year"}
    )
    assert [(f["column"], f["by"], f["total"]) for f in found] == [
        (f.column, f.by, f.total) for f in expected.values()
    ]
    for facet in found:
        for bucket in facet["buckets"]:
            assert loaded.query.count(f"({where}) AND {bucket['where']}") == bucket["deals"]
    table = run("facets", "stage", "created").out
    assert table.startswith("stage by value: 60 deals\nvalue")
    assert "\n\ncreated by " in table
    rows = list(csv.DictReader(io.StringIO(run("facets", "stage", "amount", "--csv").out)))
    assert {row["column"] for row in rows} == {"stage", "amount"}
    assert run("facets", "stag").code == 2


def test_search_finds_words(run: Run, loaded: DealDatabase) -> None:
    rows = run("search", "health", "--where", "stage = 'Won'", "--limit", "3", "--json").json
    expected = loaded.query.search("health", where="stage = 'Won'", limit=3)
    assert [row["id"] for row in rows] == expected["id"].to_list() != []
    header, first, *_ = run("search", "health", "--columns", "name").out.splitlines()
    assert header.split()[:4] == ["id", "_score", "_in", "_highlight"]
    assert "**Health**" in first
    assert run("search", "health", "--columns", "amount").code == 2


def test_queries_are_saved_run_and_deleted(run: Run, loaded: DealDatabase) -> None:
    assert run("query").out == "name  where  sort  columns\n"
    saving = ["amount >= :least", "--sort", "-amount,id", "--columns", "id,amount"]
    assert run("query", "save", "hot", *saving).out == "hot: saved\n"
    assert run("query", "list").out.splitlines()[1].split(maxsplit=1)[1] == (
        "amount >= :least  -amount, id  id, amount"
    )
    rows = run("query", "run", "hot", "--param", "least=10000", "--limit", "3", "--json").json
    expected = loaded.query.find(
        "amount >= 10000", sort=["-amount", "id"], limit=3, columns=["id", "amount"]
    )
    assert [(row["id"], Decimal(row["amount"])) for row in rows] == expected.rows()
    assert run("query", "delete", "hot").out == "hot: deleted\n"
    gone = run("query", "delete", "hot")
    assert (gone.code, gone.err) == (1, "error: no saved query 'hot'\n")
    assert run("query", "run", "hot").code == 2


def test_export_writes_what_find_finds(run: Run, loaded: DealDatabase, tmp_path: Path) -> None:
    file = tmp_path / "won.parquet"
    where, expected = "stage = 'Won'", loaded.query.find("stage = 'Won'")
    ran = run("export", str(file), where)
    assert ran.out.startswith(f"{file}: {expected.height} rows, ")
    assert pl.read_parquet(file).equals(expected)
    packed = tmp_path / "won.csv.gz"
    report = run("export", str(packed), where, "--columns", "id", "--json").json
    assert report["rows"] == expected.height
    assert gzip.decompress(packed.read_bytes()).decode().split() == ["id", *expected["id"]]
    statement = "SELECT count(*) AS n FROM deals WHERE amount > :least"
    options = ["--sql", statement, "--param", "least=5000", "--format", "jsonl"]
    streamed = run("export", "-", *options)
    assert json.loads(streamed.out) == {"n": loaded.query.count("amount > 5000")}
    assert streamed.err.startswith("stdout: 1 row, ")
    past = run("export", str(tmp_path / "past.csv"), "--at", "2020-01-01", "--json").json
    assert past["rows"] == 0


def test_export_tells_of_texts_that_a_spreadsheet_would_run(
    run: Run, db: DealDatabase, tmp_path: Path
) -> None:
    db.save_deal({"id": "1", "name": "=1+1"})
    file = tmp_path / "deals.csv"
    assert run("export", str(file)).err.startswith("1 text got a leading apostrophe")
    assert run("export", str(file), "--raw").err == ""
    assert "=1+1" in file.read_text()
    assert run("load", str(file), "--json").json["unchanged"] == 1


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "md"])
def test_find_and_export_write_the_same_bytes(run: Run, db: DealDatabase, form: str) -> None:
    db.save_deal({"id": "1", "name": "=1+1", "amount": "5", "owner": "<b>A|B</b>\nC"})
    db.save_deal({"id": "2", "name": "é", "amount": "-0.5", "created": "2026-01-31"})
    for raw in ([], ["--raw"]):
        found = run("find", f"--{form}", "--sort", "id", *raw)
        exported = run("export", "-", "--format", form, "--sort", "id", *raw)
        assert found.out == exported.out
        guarded = form == "csv" and not raw
        assert ("'=1+1" in found.out) == guarded
        assert found.err == ("".join(exported.err.splitlines(keepends=True)[1:]))
        assert found.err.startswith("1 text got") == guarded
        assert "5.00" in found.out


def test_load_rehearses_skips_and_makes_ids(run: Run, db: DealDatabase, tmp_path: Path) -> None:
    file = tmp_path / "deals.csv"
    file.write_text("name,amount\nAcme,10\nBolt,20\n")
    ids = ["--id-from", "name"]
    rehearsal = run("load", str(file), *ids, "--dry-run")
    assert (
        "2 read: 2 inserted, 0 updated, 0 unchanged, 0 rejected; nothing was written"
        in rehearsal.out
    )
    assert len(db) == 0
    assert run("load", str(file), *ids, "--json").json["inserted"] == 2
    file.write_text("name,amount\nAcme,11\nCorp,30\n")
    again = run("load", str(file), *ids, "--on-conflict", "skip")
    assert "2 read: 1 inserted, 0 updated, 0 unchanged, 1 skipped, 0 rejected" in again.out
    assert run("load", str(file), "--id-from", "row", "--json").json["inserted"] == 2
    refused = run("load", str(file), *ids, "--on-conflict", "error")
    assert (refused.code, refused.out) == (2, "")


def test_load_deletes_what_the_file_lacks_after_asking(
    run: Run, db: DealDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "deals.csv"
    file.write_text("id,name\n1,Acme\n2,Bolt\n3,Corp\n")
    run("load", str(file))
    file.write_text("id,name\n1,Acme\n2,Bolt\n")
    for answer, code, left in (("n\n", 1, 3), ("y\n", 0, 2)):
        stdin = io.StringIO(answer)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
        ran = run("load", str(file), "--delete-missing")
        assert "does not have: 1. Delete them?" in ran.err
        assert (ran.code, len(db)) == (code, left)
    assert "; 1 others deleted" in ran.out
    file.write_text("id,name\n2,Bolt\n")
    kept = run("load", str(file), "--missing-where", "name = 'Bolt'", "--yes", "--json")
    assert (kept.json["deleted"], len(db)) == (0, 2)


def test_load_takes_a_table_of_stages(run: Run, db: DealDatabase, tmp_path: Path) -> None:
    stages, file = tmp_path / "stages.csv", tmp_path / "deals.csv"
    stages.write_text("id,name,probability,outcome\ns1,Lead,0.1,open\ns2,Signed,1,won\n")
    file.write_text("id,stage\n1,s2\n")
    assert run("load", str(file), "--stages", str(stages)).code == 0
    assert run("get", "1", "--json").json["stage"] == "Signed"


def test_a_load_of_many_stages_names_the_first_ones(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "deals.csv"
    source.write_text("id,stage\n" + "".join(f"{n},Step {n:02}\n" for n in range(30)))
    loaded = run("load", str(source))
    assert loaded.code == 0
    assert "Step 07 and 22 more" in loaded.out
    assert "Step 08" not in loaded.out


def test_find_imports_neither_rich_nor_numpy_in_a_pipe_and_no_parser_for_a_plain_filter(
    loaded: DealDatabase, server: Server
) -> None:
    code = (
        "import sys; from dealdb.cli.main import main; main(sys.argv[1:]); sys.stdout.flush();"
        "sys.exit(' '.join({name.partition('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", code, "find", "amount > 50000", "--url", server.url]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "amount" in run.stdout
    imported = set(run.stderr.split())
    assert "polars" in imported
    assert not {"rich", "numpy", "pydantic", "duckdb", "pyarrow", "sqlglot"} & imported
