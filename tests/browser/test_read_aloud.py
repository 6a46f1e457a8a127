"""The board as a screen reader has it: names, order, and nothing twice."""

from __future__ import annotations

import re
from datetime import date, timedelta

from browser.conftest import Window
from dealdb import DealDatabase

# days are those of the run; the two cards are a deal that is overdue and one that is only a name
COLUMN = """
- region "Lead":
  - heading "Lead" [level=2]
  - link "2 deals in Lead"
  - term: sum
  - definition: 1,234.50 EUR
  - term: weighted
  - definition: 493.80 EUR
  - paragraph:
    - link "1 overdue in Lead"
  - list:
    - listitem:
      - link "Bolts"
      - list:
        - listitem: "company: Acme"
        - listitem: "owner: Ann Lee"
        - listitem: "amount: 1,234.50 EUR"
        - listitem: 0 days here
        - listitem: closes DAY
        - listitem: 1 day overdue
      - button "Move Bolts"
    - listitem:
      - link "Nuts"
      - list:
        - listitem: 0 days here
      - button "Move Nuts"
"""


def test_a_column_is_read_in_its_order_with_whole_names(
    window: Window, db: DealDatabase, today: date
) -> None:
    late = today - timedelta(days=1)
    db.save_deal(
        {
            "id": "aloud-1", "name": "Bolts", "company": "Acme", "owner": "Ann Lee", "amount": "1234.50",
            "currency": "EUR", "stage": "Lead", "source": "aloud", "expected_close": late, "probability": "0.4",
        }
    )  # fmt: skip
    db.save_deal({"id": "aloud-2", "name": "Nuts", "stage": "Lead", "source": "aloud"})
    page = window("/?where=source+%3D+%27aloud%27").page
    read = page.locator(".column[data-stage=Lead]").aria_snapshot()
    # addresses are no names, and the sign on a button is not read where it has a name
    read = re.sub(r":?\n *- /url: [^\n]*|(?<=\"): ⋯|\n *- paragraph(?=\n|$)", "", read)
    read = re.sub(r"closes [\d/]+", "closes DAY", read)
    assert read.strip() == COLUMN.strip()


def test_every_page_has_one_first_heading_and_controls_with_names(window: Window) -> None:
    visit = window()
    for path in ("/", "/deals", "/deals/D0001", "/deals/new", "/figures", "/figures/win-rate", "/changes?since=monday",
                 "/feed", "/sql", "/health", "/login"):  # fmt: skip
        page = visit.open(path).page
        assert page.get_by_role("heading", level=1).count() == 1, path
        read = page.locator("body").aria_snapshot()
        assert not re.findall(r"- (?:button|link|textbox|combobox)(?: \[.*\])?:?$", read, re.M), (
            path
        )
