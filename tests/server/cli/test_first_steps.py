"""From a CRM's export to a filtered Parquet file, with what the help texts say and nothing else."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dealdb.cli.main import main

# outside the project, which may be without it
HUBSPOT = Path(__file__).parents[4] / "shared" / "data" / "fivetran_hubspot"
EXPORT = """\
Record ID,Deal Name,Deal Stage,Pipeline,Amount,Close Date,Create Date,Deal owner
9001,Acme renewal,Closed won,Sales Pipeline,"62,500.00",2026-03-31 14:05,2026-01-05 09:30,Ann Lee
9002,Birch new business,Closed won,Sales Pipeline,900.00,2026-02-28 10:00,2026-01-07 11:00,Bob Ray
9003,Cedar expansion,Contract sent,Sales Pipeline,"88,000.00",2026-09-30 10:00,2026-02-01 08:15,Ann Lee
9004,Dune migration,Closed lost,Sales Pipeline,"71,000.00",2026-04-15 16:45,2026-02-03 12:00,Bob Ray
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def example(capsys: pytest.CaptureFixture[str], *command: str) -> list[str]:
    """Command lines at the end of a help text."""
    assert main([*command, "--help"]) == 0
    _, _, text = capsys.readouterr().out.partition("Example:\n")
    return re.findall(r"^ +dealdb (.+)$", text, re.MULTILINE)


def test_the_examples_of_the_program_lead_from_an_export_to_a_parquet_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("deals.csv").write_text(EXPORT)
    steps = example(capsys)
    assert [step.split()[0] for step in steps] == ["load", "schema", "find", "export"]
    for step in steps:
        # what the filter has to say of this export's stages is in the report of load
        line = step.replace("'Won'", "'Closed won'")
        assert main(shlex.split(line)) == 0, line
    out = capsys.readouterr().out
    assert "won: Closed won" in out
    assert "Deal Stage -> stage text" in out
    assert "stage           text" in out
    found = pl.read_parquet("won.parquet")
    assert found["name"].to_list() == ["Acme renewal"]
    assert found["amount"].to_list() == [62500]


@pytest.mark.skipif(not HUBSPOT.exists(), reason="the real exports are not beside the project")
def test_a_real_export_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    stages = HUBSPOT / "deal_pipeline_stage_data.csv"
    load = ["load", str(HUBSPOT / "deal_data.csv"), "--stages", str(stages)]
    assert main([*load, "--rejects", "rejects.csv"]) == 0
    assert "property_dealname -> name text" in capsys.readouterr().out
    where = "created >= '2019-12-01' AND amount IS NULL"
    assert main(["export", "recent.parquet", where, "--columns", "id,name,created"]) == 0
    assert main(["find", where, "--columns", "id,name,created", "--parquet", "found.parquet"]) == 0
    exported = pl.read_parquet("recent.parquet")
    assert exported.equals(pl.read_parquet("found.parquet"))
    assert 0 < exported.height < 44
    assert min(exported["created"]) >= date(2019, 12, 1)
