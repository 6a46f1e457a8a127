"""A report in a browser: on a phone, and on paper."""

from __future__ import annotations

import io
import unicodedata
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

from dealdb import DealDatabase
from dealdb.report import report_of
from servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# days, months and spans of days that stand on two lines; of commands, which are long, it is no harm
BROKEN = r"""
() => {
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) {
    if (text.parentElement.closest("code, svg, .source, footer")) continue;
    for (const match of text.data.matchAll(/\d{4}-\d\d(-\d\d)?|\d+-\d+/g)) {
      const range = document.createRange();
      range.setStart(text, match.index);
      range.setEnd(text, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
      if (lines.size > 1) found.push(match[0]);
    }
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def page(sample_server: Server) -> str:
    """The report of the sample deals."""
    with DealDatabase.from_url(sample_server.url) as db:
        return report_of(db).html()


def test_days_stay_on_one_line_on_a_phone(browser: Browser, page: str) -> None:
    window = browser.new_page(viewport={"width": 390, "height": 844})
    window.set_content(page)
    assert window.evaluate(BROKEN) == []
    window.set_content("<p style='width:1em'>2026-11-23")
    assert window.evaluate(BROKEN) == ["2026-11-23"]
    window.close()


def test_no_page_ends_within_an_answer(browser: Browser, page: str) -> None:
    window = browser.new_page()
    window.set_content(page)
    answers = [" ".join(each.split()) for each in window.locator(".answer").all_inner_texts()]
    paper = PdfReader(io.BytesIO(window.pdf(format="A4")))
    window.close()
    # letters that are drawn as one are two again
    texts = [unicodedata.normalize("NFKC", each.extract_text()) for each in paper.pages]
    sheets = [" ".join(each.split()) for each in texts]
    assert len(sheets) > 5
    assert [each for each in answers if not any(each in sheet for sheet in sheets)] == []
