"""The page of a deal over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from boards import Browser
from dealdb import DealDatabase
from dealdb.board.pages.deal import near_ids
from dealdb.board.parts.paths import deal_path

ODD_IDS = ("a/b", "new", "by-id", "x.json", "..", "D 42", "ü%2F?&#", '"><b>', "\u202ex", "é" * 300)


def test_fields_have_inputs_of_their_types(signed_in: Browser, db: DealDatabase) -> None:
    db.save_deal(
        {
            "id": "9",
            "stage": "Lead",
            "closed": "2026-01-31",
            "hot": True,
            "tags": ["a", "b"],
            "seats": 3,
        }
    )
    text = signed_in.ask("/deals/9")[1]
    assert 'value="2026-01-31" autocomplete="off" aria-describedby' in text
    assert 'type="date"' in text
    assert '<option value="Lead" selected>Lead</option>' in text
    assert '<option value="true" selected>yes</option>' in text
    assert ">\na\nb</textarea>" in text
    assert 'inputmode="decimal"' in text
    assert f'data-rev="{db.get_deal("9").rev}"' in text  # type: ignore[union-attr]
    assert "with a point" not in text
    assert "with a point, such as 1234.50" in signed_in.ask("/deals/9", accept_language="de")[1]


def test_history_has_an_entry_a_commit_the_newest_first(
    signed_in: Browser, db: DealDatabase
) -> None:
    with db.acting_as("zoe"):
        db.update_deal("7", stage="Won", amount="1500")
    text = signed_in.ask("/deals/7", accept_language="de")[1]
    assert text.count('<li>\n      <p class="who">') == 2
    assert text.index("<bdi>zoe</bdi></strong> changed it") < text.index(
        "<bdi>ann</bdi></strong> created it"
    )
    assert "<del><bdi>12,50</bdi></del>" in text
    assert "<ins><bdi>1.500,00</bdi></ins>" in text
    found = signed_in.data("/deals/7.json")
    assert [each["who"] for each in found["history"] if each["field"] == "stage"] == ["ann", "zoe"]


def test_the_past_of_a_deal_is_read_only(signed_in: Browser) -> None:
    at = signed_in.ask("/deals/7?as_of=2999-12-31T10:00:00Z")[1]
    assert "as it was at 2999-12-31T10:00:00Z." in at
    text = signed_in.ask("/deals/7?as_of=2999-12-31")[1]
    assert "as it was at the end of 2999-12-31." in text
    assert "as it was at the end of 2999-12-31" in text
    assert '<form class="panel form"' not in text
    assert "There was no such deal then" in signed_in.ask("/deals/7?as_of=2020-01-01")[1]
    assert signed_in.ask("/deals/7?as_of=soon")[0] == 400


def test_a_deleted_deal_has_a_history_and_no_form(signed_in: Browser, db: DealDatabase) -> None:
    db.delete_deal("7")
    text = signed_in.ask("/deals/7")[1]
    assert "This deal was deleted" in text
    assert '<form class="panel form"' not in text


def test_an_unknown_deal_names_those_that_are_near(signed_in: Browser, db: DealDatabase) -> None:
    db.save_deal({"id": "D0042"})
    status, text, _ = signed_in.ask("/deals/D0024")
    assert status == 404
    assert '<a href="/deals/D0042">' in text
    assert '<a href="/deals/D0042">' in signed_in.ask("/deals/d0042")[1]
    assert signed_in.ask("/deals/nothing-of-this-kind.json")[0] == 404


def test_of_many_ids_that_are_near_the_first_by_id_are_named(db: DealDatabase) -> None:
    """In whatever order they were saved: those that differ in case alone, then longer ones, then those like it."""
    alike, longer = ["ABCDE", "ABCDe", "ABCdE", "ABcDE", "AbCDE", "aBCDE"], ["abcde1", "abcde2"]
    db.loader.load([{"id": deal} for deal in [*longer[::-1], *alike[3:], *alike[:3]]], bar=False)
    assert near_ids(db, "abcde") == alike[:5]
    for deal in alike[2:]:
        db.delete_deal(deal)
    assert near_ids(db, "abcde") == [*alike[:2], *longer]
    db.loader.load([{"id": f"abcde{n}"} for n in range(9, 2, -1)], bar=False)
    assert near_ids(db, "abcde") == [*alike[:2], "abcde1", "abcde2", "abcde3"]
    # each is named once, though it is also a longer form
    assert near_ids(db, "ABCDE") == [*alike[:2]]
    # of an empty id all would be longer forms
    assert near_ids(db, "") == []
    assert near_ids(db, "abcd\u00e9") != []


def test_every_id_has_an_address(signed_in: Browser, db: DealDatabase) -> None:
    for deal in ODD_IDS:
        db.save_deal({"id": deal, "stage": "Lead"})
        address = deal_path(deal)
        assert address.replace("&", "&amp;") in signed_in.ask("/deals")[1]
        status, text, _ = signed_in.ask(address)
        assert status == 200
        assert "This deal was deleted" not in text
        assert 'id="deal" data-path="' in text
        rev = db.get_deal(deal).rev  # type: ignore[union-attr]
        path, _, query = address.partition("?")
        for word, body in (("", {"changes": {"stage": "Won"}}), ("/delete", {})):
            status, told = signed_in.change(
                f"{path}{word}" + (f"?{query}" if query else ""), {"expect_rev": rev, **body}
            )
            assert status == 200, told
            rev = told.get("rev")
        assert deal not in db


def test_hostile_values_are_texts(signed_in: Browser, db: DealDatabase) -> None:
    hostile = '</textarea><script>alert(1)</script>"onload="'
    db.save_deal(
        {"id": "h", "name": hostile, "owner": hostile, "tags": [hostile], "note": "W" * 10_000}
    )
    db.update_deal("h", name=hostile * 2)
    for path in ("/deals/h", "/deals/h?as_of=2999-01-01", f"/deals/{quote(hostile, safe='')}"):
        text = signed_in.ask(path)[1]
        assert "<script>" not in text
        assert "</textarea><" not in text.replace("</textarea>\n", "")


def test_a_read_only_board_has_no_form(carry: Callable[..., Browser], db: DealDatabase) -> None:
    db.save_deal({"id": "7", "stage": "Lead"})
    browser = carry(db, read_only=True)
    assert '<form class="panel form"' not in browser.ask("/deals/7")[1]
    assert "New deal" not in browser.ask("/deals")[1]
    assert "read-only: nothing" in browser.ask("/deals/new")[1]


def test_a_long_history_says_how_much_is_not_shown(signed_in: Browser, db: DealDatabase) -> None:
    for number in range(104):
        db.update_deal("7", amount=number)
    text = signed_in.ask("/deals/7")[1]
    assert text.count('<p class="who">') == 100
    assert '5 earlier changes: <a href="/deals/7.json">' in text
    assert len({each["seq"] for each in signed_in.data("/deals/7.json")["history"]}) == 105
