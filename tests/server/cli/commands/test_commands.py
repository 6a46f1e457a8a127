"""The commands against a real server: what they print, where, and their exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runs import Fill, Run, db_fixture, run_fixture  # noqa: F401 fixtures
from commits import at_each_commit
from dealdb import DealDatabase
from dealdb.answers.labels import label_of
from dealdb.cli.commands.trial import bench, demo
from dealdb.cli.main import main
from dealdb.cli.registry import COMMANDS
from dealdb.formats.cells import to_text
from dealdb.sample import deals
from servers import Server

PROGRAM = (sys.executable, "-m", "dealdb")


@pytest.fixture
def loaded(db: DealDatabase, filled: Fill) -> DealDatabase:
    filled(lambda: db.loader.load(deals(200)))
    return db


def test_a_deal_is_saved_changed_read_and_deleted(run: Run, db: DealDatabase) -> None:
    assert run("save", "id=42", "name=Acme", "stage=Won", "amount=125000.00").out.startswith(
        "42: inserted, "
    )
    assert run("save", "id=42", "amount=125000").out.startswith("42: unchanged, ")
    assert run("save", "id=42", "amount=99.5", "name=").out.startswith("42: updated, ")
    saved = run("get", "42", "--json").json
    assert (saved["amount"], saved["stage"], "name" in saved) == (Decimal("99.50"), "Won", False)
    assert "amount   99.50" in run("get", "42").out
    assert run("delete", "42", "--yes").out == "42: deleted\n"
    assert len(db) == 0


def test_several_deals_are_an_array_and_a_missing_one_is_told(run: Run, db: DealDatabase) -> None:
    db.save_deal({"id": "a", "name": "A"})
    db.save_deal({"id": "b", "name": "B", "amount": 1})
    ran = run("get", "a", "zz", "b", "--json")
    assert [deal["id"] for deal in ran.json] == ["a", "b"]
    assert (ran.code, ran.err) == (1, "error: no deal with id 'zz'\n")
    alone = run("get", "zz")
    assert (alone.code, alone.out) == (1, "")
    gone = run("delete", "a", "zz", "--yes", "--csv")
    assert (gone.code, gone.out) == (1, "id,outcome\na,deleted\n")


def test_save_reads_json(run: Run, db: DealDatabase, tmp_path: Path) -> None:
    file = tmp_path / "deals.json"
    file.write_text('[{"id": 1, "amount": 0.10}, {"id": 2, "amount": 12345678901234567890.12}]')
    ran = run("save", "--json-input", str(file), "--json")
    assert [row["outcome"] for row in ran.json] == ["inserted", "inserted"]
    deal = db.get_deal(2)
    assert deal is not None
    assert deal["amount"] == Decimal("12345678901234567890.12")
    file.write_text("[1]")
    assert run("save", "--json-input", str(file)).err.endswith("item 1 is not an object\n")
    for text, reason in (
        ('{"id": "1", "amount": 1e99999999999999999999}', "a number that nobody can have meant"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
    ):
        file.write_text(text)
        refused = run("save", "--json-input", str(file))
        assert (refused.code, reason in refused.err) == (2, True), refused.err


def test_save_refuses_a_stale_revision(run: Run, db: DealDatabase) -> None:
    rev = db.save_deal({"id": "1", "name": "A"}).rev
    assert run("save", "id=1", "name=B", "--expect-rev", str(rev)).code == 0
    stale = run("save", "id=1", "name=C", "--expect-rev", str(rev))
    assert stale.code == 1
    assert f"expected revision {rev}" in stale.err


def test_save_tells_of_new_columns(run: Run) -> None:
    assert run("save", "id=42", "amount=5", "Region=EMEA", "note=").err == "new column 'Region'\n"
    saved = run("save", "id=43", "Amount=5", "Region=US")
    assert (saved.code, saved.err) == (0, "new column 'Amount', next to 'amount'\n")
    close = run("save", "id=44", "close=2026-01-05", "zip=01234").err
    assert close == (
        "new column 'close'; did you mean 'closed'? dealdb schema drop 'close' takes it away\n"
        "new column 'zip'\n"
    )


def test_save_names_what_does_not_fit(run: Run) -> None:
    ran = run("save", "id=42", "amount=much")
    assert ran.code == 2
    assert (
        ran.err == "error: deal '42', field 'amount': expected a decimal number, got other text\n"
    )


def test_delete_asks_at_a_terminal(
    run: Run, db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.save_deal({"id": "42"})
    for answer, left in (("n\n", 1), ("y\n", 0)):
        stdin = io.StringIO(answer)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run("delete", "42").code == left
        assert len(db) == left


def test_load_reports_and_a_second_load_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("Deal ID,Deal Name,Betrag,Deal Stage\n1,Acme,10.50,Closed Won\n2,Bolt,7,Demo\n")
    first = run("load", str(file), "--map", "Betrag=amount")
    assert first.code == 0
    assert "2 read: 2 inserted, 0 updated, 0 unchanged, 0 rejected" in first.out
    assert "Betrag -> amount decimal(2)" in first.out
    second = run("load", str(file), "--map", "Betrag=amount", "--json").json
    assert (second["read"], second["unchanged"], second["stages"]["Closed Won"]) == (2, 2, "won")


def test_rejected_rows_make_the_exit_code_1_unless_allowed(run: Run, tmp_path: Path) -> None:
    file, rejects = tmp_path / "export.csv", tmp_path / "bad.csv"
    good = "".join(f"{number},10.50\n" for number in range(2, 40))
    file.write_text(f"id,amount\n1,ten\n{good}")
    options = ["--type", "amount=decimal", "--rejects", str(rejects)]
    ran = run("load", str(file), *options)
    assert ran.code == 1
    assert "1 rejected" in ran.out
    assert "ten" in rejects.read_text()
    assert run("load", str(file), *options, "--max-errors", "1").code == 0


def test_the_footer_of_a_report_leaves_the_exit_code_0(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    footer = (
        '"Grand Totals (2 records)"',
        '"Confidential Information - Do Not Distribute"',
        '"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."',
        '"Generated By:  Pat O\'Neil  15/06/2026 09:12"',
        '"Initech"',
    )
    rows = ["Opportunity ID,Stage,Amount", "006A1,Won,10", "006A2,Lost,20", "Total,,30", ""]
    file.write_text("\n".join([*rows, *footer, ""]))
    ran = run("load", str(file))
    assert (ran.code, "6 rejected" in ran.out) == (0, True)
    file.write_text("\n".join([*rows, "006A3,Won", *footer, ""]))
    assert run("load", str(file)).code == 1
    assert run("load", str(file), "--max-errors", "1").code == 0


def test_load_resumes(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "export.csv"
    file.write_text("id,amount\n" + "".join(f"{n},{n}.5\n" for n in range(1200)))

    def interrupt(number: int) -> None:
        if number > 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        at_each_commit(patched.setattr, interrupt)
        assert run("load", str(file)).code == 130
    ran = run("load", str(file), "--resume")
    assert "1,200 read: 1,200 inserted" in ran.out
    assert "1,000 of them before it was resumed" in ran.out
    assert run("load", "-", "--resume").code == 2


def test_load_reads_stdin(run: Run, db: DealDatabase, server: Server) -> None:
    done = subprocess.run(
        [*PROGRAM, "load", "-", "--format", "csv"],
        input=b"id,name\n1,Acme\n",
        env=os.environ | {"DEALDB_URL": server.url},
        capture_output=True,
        check=True,
    )
    assert b"1 inserted" in done.stdout
    assert "1" in db


@pytest.mark.parametrize("name", ["nowhere.csv", "picture.png"])
def test_a_source_that_can_not_be_read_is_bad_input(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    ran = run("load", str(tmp_path / name))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert name in ran.err


def test_find_prints_what_the_facade_finds(run: Run, loaded: DealDatabase) -> None:
    where = "stage = 'Won' AND amount > 20000"
    options = [
        "--sort",
        "-amount,id",
        "--limit",
        "4",
        "--offset",
        "1",
        "--columns",
        "id,amount,closed",
    ]
    frame = loaded.query.find(
        where, sort=["-amount", "id"], limit=4, offset=1, columns=["id", "amount", "closed"]
    )
    expected = [{k: to_text(v) for k, v in row.items()} for row in frame.to_dicts()]
    assert list(csv.DictReader(io.StringIO(run("find", where, *options, "--csv").out))) == expected
    assert [row["id"] for row in run("find", where, *options, "--json").json] == frame[
        "id"
    ].to_list()
    table = run("find", where, *options).out.splitlines()
    assert [line.split()[0] for line in table] == ["id", *frame["id"]]


def test_tables_go_to_a_workbook(run: Run, loaded: DealDatabase, tmp_path: Path) -> None:
    file = tmp_path / "deals.xlsx"
    ran = run("find", "stage = 'Won'", "--columns", "id,amount", "--xlsx", str(file))
    won = loaded.query.find("stage = 'Won'", columns=["id", "amount"])
    assert (ran.code, ran.out, ran.err) == (0, "", f"{file}: {won.height} rows\n")
    assert pl.read_excel(file).rows() == [(id_, float(amount)) for id_, amount in won.rows()]
    for command in (
        ["sql", "SELECT sum(amount) AS total FROM deals"],
        ["search", "a"],
        ["stats", "win-rate", "--by", "owner"],
        ["pipeline"],
        ["facets", "stage"],
        ["schema"],
        ["get", "D0001"],
    ):
        ran = run(*command, "--xlsx", str(file))
        assert (ran.code, ran.out) == (0, ""), command
        assert f"{file}: " in ran.err
        assert pl.read_excel(file).height > 0
    sum_of_many = ["sql", "SELECT 12345678901234567890 AS n", "--xlsx", str(file)]
    assert "1 cell is text: XLSX keeps 15 digits" in run(*sum_of_many).err
    assert "exclude each other" in run("find", "--xlsx", str(file), "--parquet", "x").err
    assert "--json and --xlsx exclude" in run("find", "--xlsx", str(file), "--json").err
    assert run("export", str(file)).out.endswith(" of xlsx\n")
    assert run("load", str(file), "--dry-run", "--json").json["unchanged"] == len(loaded)


def test_sql_has_tables_of_files(run: Run, loaded: DealDatabase, tmp_path: Path) -> None:
    [owner] = loaded.query.find("owner IS NOT NULL", limit=1)["owner"]
    quotas = tmp_path / "a=b.csv"
    quotas.write_text(f'Owner,Quota\n{owner},"$1,000.50"\n')
    statement = (
        "SELECT quota AS quota, count(*) AS n FROM deals JOIN quotas USING (owner) GROUP BY quota"
    )
    expected = [{"quota": Decimal("1000.50"), "n": loaded.query.count(owner=owner)}]
    given = ["--with", f"quotas={quotas}"]
    assert run("sql", statement, *given, "--json").json == expected
    exported = run("export", "-", "--sql", statement, "--format", "json", *given)
    assert json.loads(exported.out, parse_float=Decimal) == expected
    for options, message in (
        (["--with", "quotas"], "it takes NAME=FILE"),
        ([*given, *given], "--with names the table quotas twice"),
        (["--with", "deals=x.csv"], "a table can't be named deals"),
        (
            ["--with", "quotas=none.csv"],
            "the table quotas can't be read: there is no file none.csv",
        ),
    ):
        ran = run("sql", statement, *options)
        assert ran.code == 2
        assert message in ran.err
    assert "--with is for --sql" in run("export", "-", *given).err


def test_tables_go_to_a_parquet_file(run: Run, loaded: DealDatabase, tmp_path: Path) -> None:
    file = tmp_path / "deals.parquet"
    ran = run("find", "stage = 'Won'", "--parquet", str(file))
    expected = loaded.query.find("stage = 'Won'")
    assert (ran.code, ran.out, ran.err) == (0, "", f"{file}: {expected.height} rows\n")
    assert pl.read_parquet(file).equals(expected)
    statement = "SELECT sum(amount) AS total FROM deals"
    assert run("sql", statement, "--parquet", str(file)).code == 0
    assert pl.read_parquet(file).equals(loaded.query.sql(statement))
    assert run("history", "D0001", "--parquet", str(file)).code == 0
    assert pl.read_parquet(file).equals(loaded.deal_history("D0001"))
    assert run("stats", "win-rate", "--by", "owner", "--parquet", str(file)).code == 0
    assert pl.read_parquet(file).equals(loaded.analytics.win_rate(by="owner").frame)
    assert run("pipeline", "--parquet", str(file)).code == 0
    assert pl.read_parquet(file).equals(loaded.analytics.pipeline().frame)
    assert run("schema", "--parquet", str(file)).code == 0
    assert pl.read_parquet(file)["column"].to_list() == list(loaded.schema)
    assert run("get", "D0001", "D0002", "--parquet", str(file)).code == 0
    two = pl.read_parquet(file)
    assert two["amount"].to_list() == [
        deal["amount"] for deal in loaded.get_deals(two["id"]) if deal
    ]
    assert run("facets", "stage", "--parquet", str(file)).code == 0
    expected = loaded.query.facets(["stage"])["stage"].table
    assert pl.read_parquet(file).drop("column").equals(expected)
    assert run("facets", "stage", "amount", "created", "--parquet", str(file)).code == 0
    assert set(pl.read_parquet(file)["column"]) == {"stage", "amount", "created"}
    for command in (["find"], ["stats"], ["get", "D0001"], ["facets", "stage"], ["schema"]):
        both = run(*command, "--json", "--parquet", str(file))
        assert (both.code, both.out) == (2, "")
        assert both.err == "error: --json and --parquet exclude each other\n"
    nowhere = tmp_path / "no" / "where.parquet"
    missing = run("find", "--parquet", str(nowhere))
    assert (missing.code, missing.out) == (2, "")
    assert missing.err == f"error: {nowhere} can't be written: No such file or directory\n"


def test_find_without_arguments_prints_all_in_a_pipe(run: Run, loaded: DealDatabase) -> None:
    assert len(run("find").out.splitlines()) == 201


def test_a_table_on_a_terminal_ends_after_a_screenful(
    run: Run, loaded: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setenv("PAGER", "cat")
    screen = run("find", "--offset", "10")
    assert len(screen.out.splitlines()) == 1 + 50
    assert screen.err == "140 more; --limit N shows more, --csv and --json all\n"
    assert len(run("find", "--limit", "60").out.splitlines()) == 1 + 60
    assert len(run("find", "--csv").out.splitlines()) == 1 + 200


def test_a_filter_that_can_not_be_understood_shows_the_place(
    run: Run, loaded: DealDatabase
) -> None:
    ran = run("find", "stag = 'Won'")
    assert (ran.code, ran.out) == (2, "")
    first, text, caret = ran.err.splitlines()
    assert first.startswith("error: no column 'stag'; did you mean 'stage'?")
    assert (text, caret) == ("  stag = 'Won'", "  ^")


def test_sql_runs_one_select(run: Run, loaded: DealDatabase) -> None:
    statement = (
        "SELECT stage, count(*) AS n, sum(amount) AS total FROM deals GROUP BY stage ORDER BY stage"
    )
    rows = run("sql", statement, "--json").json
    expected: dict[str, list[Decimal]] = {}
    for deal in deals(200):
        expected.setdefault(str(deal["stage"]), []).append(Decimal(str(deal["amount"])))
    assert rows == [
        {"stage": stage, "n": len(amounts), "total": sum(amounts)}
        for stage, amounts in sorted(expected.items())
    ]
    refused = run("sql", "SELECT * FROM read_csv('/etc/passwd')")
    assert (refused.code, refused.out) == (2, "")


METRICS = (
    "summary", "pipeline", "win-rate", "deal-size", "sales-cycle", "velocity", "leaderboard",
    "concentration", "trend",
)  # fmt: skip


@pytest.mark.parametrize("metric", METRICS)
def test_stats_prints_each_metric(run: Run, loaded: DealDatabase, metric: str) -> None:
    expected = getattr(loaded.analytics, metric.replace("-", "_"))()
    document = run("stats", metric, "--json").json
    assert document["metric"] == expected.name
    assert document["basis"]["n"] == expected.basis.n
    assert len(document["rows"]) == len(expected)
    assert list(document["rows"][0]) == expected.frame.columns
    table = run("stats", metric)
    assert table.code == 0
    described = expected.basis.describe().replace(
        f"n {expected.basis.n}", f"{expected.basis.n} deals", 1
    )
    assert table.err.startswith(f"basis: {described}\n")
    assert label_of(expected.name, expected.frame.columns[0]) in table.out


def test_stats_in_the_order_and_number_of_rows_that_is_asked_for(
    run: Run, loaded: DealDatabase, tmp_path: Path
) -> None:
    frame = loaded.analytics.win_rate(by="owner").frame.sort("lost", descending=True)
    for spelled in ("-lost,owner", "-Lost"):
        rows = run("stats", "win_rate", "--by", "owner", "--sort", spelled, "--json").json["rows"]
        assert [row["lost"] for row in rows] == frame["lost"].to_list()
    for by_label in ("-won value", "-won_value", "-won-value"):
        ran = run("stats", "leaderboard", "--sort", by_label, "--limit", "2", "--csv")
        first = list(csv.DictReader(io.StringIO(ran.out)))
        assert [row["rank"] for row in first] == ["1", "2"]
    top = run("stats", "leaderboard", "--top", "2")
    assert top.err.endswith(
        f"{len(loaded.analytics.leaderboard()) - 2} more; a larger --limit shows more\n"
    )
    for metric in METRICS:
        assert run("stats", metric, "--limit", "1", "--json").json["rows"] != []
    refused = run("stats", "trend", "--sort", "amount")
    assert (refused.code, "no column 'amount'; the columns are period" in refused.err) == (2, True)
    assert run("stats", "trend", "--limit", "0").code == 2
    assert run("stats", "leaderboard", "--top", "2", "--limit", "2").code == 2


@pytest.mark.parametrize("ending", ["csv", "tsv.gz", "json", "jsonl.zst", "md", "parquet", "arrow"])
def test_stats_to_a_file_of_any_form(
    run: Run, loaded: DealDatabase, tmp_path: Path, ending: str
) -> None:
    file, again = tmp_path / f"stats.{ending}", tmp_path / f"expected.{ending}"
    for metric in ("leaderboard", "concentration"):
        ran = run("stats", metric, "--export", str(file))
        assert (ran.code, ran.out) == (0, "")
        assert ran.err.splitlines()[1].startswith("basis: ")
        loaded.loader.export(again, getattr(loaded.analytics, metric)().frame)
        assert file.read_bytes() == again.read_bytes()
    assert run("stats", "--export", str(file), "--json").code == 2


def test_a_table_has_words_where_programs_have_keys(run: Run, loaded: DealDatabase) -> None:
    figures = loaded.analytics.summary()
    table = run("stats").out
    assert f"closed deals            {figures['n']}" in table
    assert "sized_n" not in table
    assert run("stats", "--csv").out.startswith("deals,open,n,")
    assert run("stats", "--md").out.startswith("| deals | open deals | closed deals |")
    assert run("stats", "leaderboard", "--jsonl").out.startswith('{"owner": ')


def test_stats_takes_groups_filter_and_window(run: Run, loaded: DealDatabase) -> None:
    options = [
        "--by",
        "owner,source",
        "--where",
        "amount > 5000",
        "--since",
        "2000-01-01",
        "--until",
        "2100-01-01",
    ]
    document = run("stats", "win-rate", *options, "--json").json
    expected = loaded.analytics.win_rate(
        by=["owner", "source"], where="amount > 5000", since="2000-01-01", until="2100-01-01"
    )
    assert [row["won"] for row in document["rows"]] == expected.frame["won"].to_list()
    assert document["basis"]["since"] == "2000-01-01"
    assert (
        run("stats", "summary", "--period", "month").err
        == "error: the metric summary takes no --period\n"
    )
    assert run("stats", "--since", "soon").code == 2


def test_the_pipeline_is_shown_and_set(run: Run, loaded: DealDatabase) -> None:
    shown = run("pipeline", "--json").json
    assert {row["stage"] for row in shown["rows"]} == {str(deal["stage"]) for deal in deals(200)}
    stages = "Lead:open:0.05:14,Qualified:open:0.2,Proposal:open,Negotiation:open:0.8:30,Won:won,Lost:lost"
    assert run("pipeline", "--set", stages).code == 0
    lead, _, proposal, *_ = loaded.pipeline
    assert (lead.probability, lead.rot_days, proposal.probability) == (Decimal("0.05"), 14, None)


def test_the_calendar_of_the_pipeline_is_shown_and_set(run: Run, loaded: DealDatabase) -> None:
    before = loaded.pipeline
    assert run("pipeline", "--calendar", "--json").json == {
        "closes": True, "zone": "UTC", "week_start": 1, "fiscal_start": 1, "fiscal_name": "end",
        "fiscal_pattern": None, "fiscal_year_end": None, "renamed": {},
    }  # fmt: skip
    given = ("--zone", "Europe/Berlin", "--week-start", "7", "--fiscal-start", "2")
    assert run("pipeline", *given, "--renamed", "Call=Demo", "--renamed", "x=y").code == 0
    wanted: dict[str, Any] = {"zone": "Europe/Berlin", "week_start": 7, "fiscal_start": 2}
    assert loaded.pipeline == replace(before, **wanted, renamed={"Call": "Demo", "x": "y"})
    pattern = ("--fiscal-pattern", "4-4-5", "--fiscal-year-end", "Last Saturday of January")
    shown = run("pipeline", *pattern, "--renamed", "x=", "--json").json
    assert shown["fiscal_year_end"] == "last saturday of january"
    assert (shown["zone"], shown["renamed"]) == ("Europe/Berlin", {"Call": "Demo"})
    assert "Europe/Berlin" in run("pipeline", "--calendar").out
    # the stages can be set without saying it again
    assert run("pipeline", "--set", "Lead:open:::commit,Won:won", "--force").code == 0
    assert (loaded.pipeline.zone, loaded.pipeline.stages[0].category) == ("Europe/Berlin", "commit")
    assert run("pipeline", "--fiscal-pattern", "none").code == 0
    assert loaded.pipeline.fiscal_year_end is None
    for refused in (("--zone", "Mars/Phobos"), ("--week-start", "8"), ("--renamed", "=x")):
        assert run("pipeline", *refused).code != 0
    assert run("pipeline", "--zone", "UTC", "--by", "owner").code != 0


def test_the_pipeline_says_whether_saves_set_closing_dates(run: Run, loaded: DealDatabase) -> None:
    stages = "Lead:open,Qualified:open,Proposal:open,Negotiation:open,Won:won,Lost:lost"
    before = loaded.pipeline
    assert before.closes
    assert run("pipeline", "--no-closes").code == 0
    assert loaded.pipeline == replace(before, closes=False)
    # defining the stages leaves it as it is
    assert run("pipeline", "--set", stages).code == 0
    assert not loaded.pipeline.closes
    assert run("save", "id=new", "stage=Won").code == 0
    assert "closed" not in (loaded.get_deal("new") or {})
    assert run("pipeline", "--set", stages, "--closes").code == 0
    assert loaded.pipeline.closes
    assert run("save", "id=new", "stage=Lost").code == 0
    assert "closed" in (loaded.get_deal("new") or {})
    refused = run("pipeline", "--closes", "--where", "stage = 'Won'")
    assert refused.code == 2
    assert refused.err.startswith("error: --closes is for all deals: leave out --by, --where")


def test_health_and_info_tell_of_the_server(run: Run, loaded: DealDatabase, server: Server) -> None:
    health = run("health", "--json").json
    assert health["reachable"] is True
    assert (health["deals"], health["pool_size"]) == (200, 10)
    words = run("health").out
    assert f"{health['flavor']} {health['version']}" in words
    info = run("info", "--json").json
    assert (info["deals"], info["collection"]) == (200, "deal")
    assert info["columns"]["amount"] == "decimal(2)"
    assert info["settings_from"]["server"] == "DEALDB_URL"
    assert f"server            {server.url} (DEALDB_URL)" in run("info").out


def test_info_shows_where_each_setting_comes_from(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "team.toml"
    file.write_text('max_connections = 3\npassword_file = "secret"\nurl = "redis://other"\n')
    (tmp_path / "secret").write_text("s3cret")
    monkeypatch.setenv("DEALDB_CONFIG", str(file))
    monkeypatch.setenv("DEALDB_ACTOR", "job")
    table = run("info", "--db", "4").out
    assert f"configuration     {file}\n" in table
    assert "database          4 (--db)\n" in table
    assert f"max_connections   3 ({file})\n" in table
    assert "actor             job (DEALDB_ACTOR)\n" in table
    assert "password          none (default)\n" in table
    document = run("info", "--json").json
    assert document["settings_from"]["server"] == "DEALDB_URL"
    assert document["pool_timeout_s"] == 5
    assert "s3cret" not in table


def test_health_of_a_server_that_is_down(run: Run) -> None:
    ran = run("health", "--url", "redis://localhost:1?retry_deadline_s=0.1")
    assert ran.code == 3
    assert "reachable  no" in ran.out
    assert "Traceback" not in ran.err


def test_databases_and_collections_are_apart(
    run: Run, db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("save", "id=1", "--db", "5")
    run("save", "id=2", "--collection", "lead")
    assert len(db) == 0
    assert run("get", "1", "--db", "5").code == 0
    assert run("get", "2", "--collection", "lead").code == 0
    assert run("get", "1").code == 1
    monkeypatch.setenv("DEALDB_DB", "5")
    assert run("get", "1").code == 0
    assert run("get", "1", "--db", "0").code == 1


def test_bench_counts_sockets_and_leaves_nothing(run: Run, server: Server) -> None:
    ran = run("bench", "-n", "30", "--threads", "16", "--json")
    one_by_one, pooled, bulk = ran.json
    assert one_by_one["sockets"] >= 30
    assert 1 <= pooled["sockets"] <= 10
    assert 1 <= bulk["sockets"] <= 10
    with server.client() as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize(("command", "code"), [("get D0001", 141), ("--help", 1)])
def test_a_closed_pipe_ends_the_program_quietly(
    loaded: DealDatabase, server: Server, command: str, code: int
) -> None:
    # `true` has ended long before the program prints
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(PROGRAM)} {command} | true; echo ${{PIPESTATUS[0]}}"],
        env=os.environ | {"DEALDB_URL": server.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{code}\n", "")


@pytest.mark.parametrize("command", ["find", "sql 'SELECT count(*) FROM deals'", "stats"])
def test_nothing_but_what_is_meant_is_on_standard_error(
    loaded: DealDatabase, server: Server, command: str
) -> None:
    """Least of all what a library says of itself as the program ends."""
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(PROGRAM)} {command}"],
        env=os.environ | {"DEALDB_URL": server.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] in ([], ["basis"])


def test_without_standard_output_there_is_an_error() -> None:
    command = ["bash", "-c", f"{' '.join(PROGRAM)} find >&-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: standard output is closed\n")


def test_an_interrupt_ends_the_program_with_130() -> None:
    # a port that takes connections and never answers
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}?socket_timeout_s=60"
        process = subprocess.Popen(
            [*PROGRAM, "get", "42", "--url", url], stderr=subprocess.PIPE, text=True
        )
        link, _ = silent.accept()
        with link:
            process.send_signal(signal.SIGINT)
            _, message = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in message


def test_without_a_url_the_embedded_server_keeps_the_deals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["save", "id=42", "name=Acme"]) == 0
    assert main(["get", "42"]) == 0
    output = capsys.readouterr()
    assert "name  Acme" in output.out
    assert output.err == ""


def test_the_example_of_each_command_runs(
    run: Run, loaded: DealDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deals.csv").write_text("id,Betrag,stage\nD0001,12.50,Won\n")
    loaded.loader.load("deals.csv", save_mapping="crm", bar=False)
    Path("rates.csv").write_text("date,currency,rate\n2026-01-01,USD,0.9\n")
    Path("quotas.csv").write_text("period,key,amount,currency\n2026-Q4,Grace Kim,5000,EUR\n")
    compare = bench.compare_saving
    monkeypatch.setattr(
        bench, "compare_saving", lambda opener, sample, **kw: compare(opener, sample[:50], **kw)
    )
    examples = {name: shlex.split(entry.example)[1:] for name, entry in COMMANDS.items()}
    # the first three have tests of their own, and seasonality needs two years; delete takes away what the others use
    others = examples.keys() - {"board", "demo", "shell", "seasonality", "delete"}
    for name in [*sorted(others), "delete"]:
        ran = run(*examples[name])
        # a report is a file
        said = ran.out if name != "report" else Path("report.html").read_text()
        assert (ran.code, said != "") == (0, True), (name, ran.err)


def test_demo_runs_and_touches_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # to save all of them in each way takes most of the time of a demo
    compare = bench.compare_saving
    monkeypatch.setattr(
        demo, "compare_saving", lambda opener, sample, **kw: compare(opener, sample[:100], **kw)
    )
    assert main(["demo"]) == 0
    output = capsys.readouterr().out
    for heading in (
        "Health",
        "Saving 1,600 deals",
        "A filter",
        "The pipeline by stage",
        "Win rate by owner",
        "Sales cycle",
    ):
        assert heading in output
    assert not Path(os.environ["XDG_DATA_HOME"], "dealdb").exists()


def test_demo_keeps_its_deals_once_where_it_is_asked_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_saving", lambda *_: None)
    for counts in ("1,600 inserted", "0 inserted, 0 updated, 1,600 unchanged"):
        assert main(["demo", "--keep"]) == 0
        output = capsys.readouterr().out
        assert output.startswith("dealdb ")
        assert counts in output
    commands = re.findall(r"^  dealdb (.+)$", output, re.MULTILINE)
    assert len(commands) >= 3
    for command in commands[:2]:
        assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out.startswith("id ")
    # the collection of one's own deals has none
    assert main(["find"]) == 0
    assert capsys.readouterr().err.endswith(
        "no deals yet: dealdb load FILE.csv or dealdb demo --keep\n"
    )


def test_where_there_are_no_deals_the_next_step_is_told(run: Run, db: DealDatabase) -> None:
    told = "no deals yet: dealdb load FILE.csv or dealdb demo"
    for command in (
        ["find", "amount > 5"],
        ["find", "--json"],
        ["search", "x"],
        ["stats"],
        ["find", "--page", "2"],
    ):
        ran = run(*command)
        assert (ran.code, told in ran.err, told in ran.out) == (0, True, False)
    db.save_deal({"id": "1"})
    assert run("find", "amount > 5").err == ""
    assert told not in run("find", "--at", "2001-01-01").err
