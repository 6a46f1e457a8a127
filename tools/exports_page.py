"""Writes ``docs/exports.md``, the reports of loads: ``python tools/exports_page.py [--check] docs/exports.md``."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from dealdb import DealDatabase
from dealdb.cli.main import main

_FILES = Path(__file__).parents[1] / "tests" / "data" / "crm"
_HEAD = """\
# What a load says of an export

Made by `make docs`: one export of each CRM in `tests/data/crm`, and what `dealdb load` prints of it, but for the time
that it took. A test compares the figures of all these files with those that were counted by hand. The headers are those
of the programs, the deals are made up. [Loading](loading.md) says what the notes mean.

Compare your own report with the one here: `figures` says which column each figure rests on, `stages` what counts as won
and lost.
"""
_SHOWN = {
    "HubSpot": "hubspot.csv",
    "Salesforce, a report": "salesforce-report.csv",
    "Salesforce, Data Loader": "salesforce-data-loader.csv",
    "Salesforce, REST": "salesforce-rest.json",
    "Dynamics 365": "dynamics.csv",
    "Pipedrive": "pipedrive.csv",
    "Zoho": "zoho.csv",
    "Close": "close.csv",
    "Copper": "copper.csv",
    "Freshsales": "freshsales.csv",
    "Bitrix24": "bitrix24.csv",
    "Odoo": "odoo.csv",
    "ERPNext": "erpnext.csv",
    "Frappe CRM": "frappe.csv",
    "SuiteCRM": "suitecrm.csv",
    "EspoCRM": "espocrm.csv",
    "Twenty": "twenty.csv",
    "Krayin": "krayin.csv",
    "monday": "monday.csv",
    "Airtable": "airtable.csv",
    "Notion": "notion.csv",
    "Affinity": "affinity.csv",
    "Crunchbase": "crunchbase.csv",
}
# figures of a machine, not of a file
_TIME = re.compile(r"^time .*\n", re.MULTILINE)


def page() -> str:
    """Text of the page."""
    with _folder():
        return _HEAD + "".join(_section(title, name) for title, name in _SHOWN.items())


@contextmanager
def _folder() -> Iterator[None]:
    """A folder with the files, and a server whose data is there as well."""
    with TemporaryDirectory(prefix="dealdb") as folder, chdir(folder):
        os.environ |= {"XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_CACHE_HOME": folder}
        for name in _SHOWN.values():
            shutil.copy(_FILES / name, folder)
        # the server stays between the loads, and ends with the last of its users
        with DealDatabase.embedded(Path(folder, "dealdb"), collection="open", linger_s=0):
            yield


def _section(title: str, name: str) -> str:
    said = io.StringIO()
    os.environ["DEALDB_COLLECTION"] = re.sub(r"\W", "_", name)
    with redirect_stdout(said), redirect_stderr(said):
        main(["load", name])
    report = _TIME.sub("", said.getvalue()).rstrip()
    return f"\n## {title}\n\n```text\n$ dealdb load {name}\n{report}\n```\n"


def _run(arguments: list[str]) -> int:
    # the report is as wide as its words
    os.environ["COLUMNS"] = "120"
    path = Path(arguments[-1]).absolute()
    if "--check" not in arguments:
        path.write_text(page(), encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != page():
        print(f"{path.name} does not match what loads say: run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
