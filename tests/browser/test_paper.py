"""Pages on paper: whole, in one scheme, and without what only a screen can use."""

from __future__ import annotations

import io
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest

from browser.conftest import Window
from browser.places import ERRORS, paths
from dealdb.board.figures.catalogue import ENTRIES

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dealdb import DealDatabase

# what is left of a sheet of A4 between the margins, in pixels
SHEET = {"viewport": {"width": 703, "height": 1032}}
STAGES = ("Lead", "Qualified", "Proposal", "Negotiation")
OWNERS = ("Ana Duarte", "Ben Okafor", "Chloe Martin", "Dev Patel", "Eva Lindgren", "Grace Kim")
# words of heads that stand on more than one line
_BROKEN = """() => [...document.querySelectorAll("th")].flatMap((head) => {
  const found = [], walker = document.createTreeWalker(head, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const match of walker.currentNode.data.matchAll(/[^\\s_]+/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, match.index);
      range.setEnd(walker.currentNode, match.index + match[0].length);
      if (new Set([...range.getClientRects()].map((each) => Math.round(each.top))).size > 1) found.push(match[0]);
    }
  }
  return found;
})"""
_CONTROLS = """() => [...document.querySelectorAll("button, .button, select, summary, [type=search], nav")]
  .filter((each) => each.checkVisibility() && !each.closest("#deal, #new"))
  .filter((each) => each.tagName !== "SUMMARY" || getComputedStyle(each).listStyleType !== "none")
  .map((each) => each.outerHTML.slice(0, 90))"""
_COLOURS = """() => [...document.querySelectorAll("main *")].filter((each) => each.checkVisibility()).map((each) => {
  const style = getComputedStyle(each);
  return [each.tagName, style.color, style.backgroundColor, style.fill, style.borderTopColor].join(" ");
})"""


def sheets(page: Page) -> list[list[str]]:
    """The lines of each sheet of paper."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(page.pdf(format="A4", prefer_css_page_size=True)))
    texts = [each.extract_text() for each in reader.pages]
    return [[line.strip() for line in text.splitlines() if line.strip()] for text in texts]


@pytest.mark.parametrize(
    "path", ["/deals", "/deals?columns=id,name,owner,stage,currency,created,expected_close,closed",
             "/figures/simulate?where=owner+%3D+%27Ana+Duarte%27", "/figures/time-to-close"],
)  # fmt: skip
def test_no_head_is_broken_in_a_word_and_none_is_cut(window: Window, path: str) -> None:
    page = window(path, **SHEET).page
    page.emulate_media(media="print")
    assert page.evaluate(_BROKEN) == []
    wide: Any = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= SHEET["viewport"]["width"]


def test_each_figure_fits_its_paper_and_takes_few_sheets(window: Window, db: DealDatabase) -> None:
    # with one currency there are fewer columns
    for currency in ("EUR", "USD"):
        db.save_deal({"id": f"in-{currency}", "stage": "Lead", "currency": currency, "amount": 7})
    visit, wide, n_sheets = window(**SHEET), {}, {}
    visit.page.set_default_timeout(60_000)
    for metric in [*ENTRIES, "summary?by=owner"]:
        page = visit.open(f"/figures/{metric.replace('_', '-')}").page
        page.emulate_media(media="print")
        # not after the sheets, for which the browser lays the page out in another width
        wide[metric] = page.evaluate("document.documentElement.scrollWidth")
        n_sheets[metric] = len(sheets(page))
    # what is wider is made smaller as a whole, its text too
    assert {metric: n for metric, n in wide.items() if n > SHEET["viewport"]["width"]} == {}
    # 216 rows of cohorts are the most
    assert {metric: n for metric, n in n_sheets.items() if n > 5} == {}


def test_rows_without_any_figure_are_not_printed_and_counted(window: Window) -> None:
    page = window("/figures/time-to-close", **SHEET).page
    rows = page.locator(".figures-table tbody tr").count()
    assert rows > 100
    lines = [line for each in sheets(page) for line in each]
    assert not [line for line in lines if line.count("\N{EN DASH}") > 2]
    # paper joins some letters
    text = unicodedata.normalize("NFKC", " ".join(lines))
    assert f"{rows} rows without a figure are not printed." in text


def test_no_sheet_is_empty_and_no_head_ends_one(window: Window) -> None:
    visit = window()
    heads = re.compile(rf"({'|'.join((*STAGES, *OWNERS))})\b|(New|Won|Lost|Moved) \d+$")
    for path in ("/feed", "/?by=owner", "/changes?since=this-quarter", "/deals/D0001"):
        found = sheets(visit.open(path).page)
        assert [len(each) > 3 for each in found[:-1]] == [True] * (len(found) - 1), path
        assert found[-1], path
        # what the head is of begins the next sheet
        assert [each[-1] for each in found if heads.match(each[-1])] == [], path


def test_paper_says_how_many_cards_of_a_column_it_has(window: Window) -> None:
    page = window("/").page
    n = page.locator(".column").first.locator(".column-name .count").inner_text().split()[0]
    page.emulate_media(media="print")
    rest = page.locator(".column").first.locator(".rest")
    # a link to all of them leads nowhere there
    assert rest.inner_text().strip() == f"The first 30 of {n}"


def test_paper_has_no_controls(window: Window) -> None:
    visit = window()
    visit.expected = set(ERRORS.values())
    for path in [*paths("D0001"), *ERRORS, "/figures/coverage"]:
        if path == "/login":
            continue
        page = visit.open(path).page
        page.emulate_media(media="print")
        assert page.evaluate(_CONTROLS) == [], path


def test_paper_is_light_whatever_the_scheme(window: Window) -> None:
    for path in ("/?closed=all", "/deals", "/figures/win-rate?by=owner", "/changes?since=monday"):
        found = []
        for scheme in ("light", "dark"):
            page = window(path, color_scheme=scheme, **SHEET).page
            page.emulate_media(media="print", color_scheme=scheme)
            found.append(page.evaluate(_COLOURS))
        assert found[0] == found[1], path


def test_a_question_is_printed_whole(window: Window) -> None:
    conditions = "+OR+".join(f"owner+%3D+%27nobody+in+particular+{n}%27" for n in range(60))
    page = window(f"/sql?q=SELECT+count(*)+AS+n+FROM+deals+WHERE+{conditions}", **SHEET).page
    page.emulate_media(media="print")
    box: Any = page.evaluate(
        "(() => { const q = document.getElementById('q'); return [q.clientHeight, q.scrollHeight]; })()"
    )
    assert box[0] >= box[1]


def test_questions_without_a_figure_are_not_printed(window: Window) -> None:
    page = window("/figures").page
    page.wait_for_selector("#pipeline .figure")
    page.emulate_media(media="print")
    shown = page.evaluate(
        """[...document.querySelectorAll(".question")].filter((each) => each.checkVisibility())
          .map((each) => each.querySelector(".figure") !== null)"""
    )
    assert set(shown) == {True}
