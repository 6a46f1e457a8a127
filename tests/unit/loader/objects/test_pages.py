"""What answers say of pages that a file lacks."""

from __future__ import annotations

from typing import Any

import pytest

from dealdb.loader.objects.pages import Pages

FOLLOW = "the answer says that more pages follow"
BEFORE = "the answer says that pages come before it"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"paging": {"next": {"after": "7"}}}, FOLLOW),
        ({"done": False, "nextRecordsUrl": "/x", "totalSize": 12}, FOLLOW),
        ({"additional_data": {"pagination": {"start": 0, "more_items_in_collection": True}}}, FOLLOW),
        ({"additional_data": {"next_cursor": "x"}}, FOLLOW),
        ({"info": {"page": 1, "more_records": True}}, FOLLOW),
        ({"@odata.nextLink": "http://x"}, FOLLOW),
        ({"d": {"__next": "http://x"}}, FOLLOW),
        ({"hasMore": True, "offset": 7}, FOLLOW),
        ({"has_more": True}, FOLLOW),
        ({"next_page": 2}, FOLLOW),
        ({"next": 50, "total": 60}, FOLLOW),
        ({"offset": "itr/rec"}, FOLLOW),
        ({"links": {"next": "http://x"}}, FOLLOW),
        ({"meta": {"current_page": 1, "total_pages": 3}}, FOLLOW),
        ({"last": False}, FOLLOW),
        ({"data": {"opportunities": {"pageInfo": {"hasNextPage": True}}}}, FOLLOW),
        ({"previous": "http://x", "next": None}, BEFORE),
        ({"additional_data": {"pagination": {"start": 7, "more_items_in_collection": False}}}, BEFORE),
        ({"info": {"page": 2, "more_records": False}}, BEFORE),
        ({"done": True, "totalSize": 12}, "the answer has 7 of the 12 rows that it counts"),
        ({"done": True, "totalSize": 7}, ""),
        ({"paging": None}, ""),
        ({"links": {"next": None, "prev": None}}, ""),
        ({"additional_data": {"pagination": {"start": 0, "more_items_in_collection": False}}}, ""),
        ({"hasMore": False, "offset": 7}, ""),
        ({"info": {"page": 1, "more_records": False}}, ""),
        ({"meta": {"current_page": 1, "last_page": 1}}, ""),
        ({"data": {"opportunities": {"pageInfo": {"hasNextPage": False, "endCursor": "x"}}}}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_what_one_answer_says(answer: dict[str, Any], why: str) -> None:
    pages = Pages()
    pages.add(answer)
    assert pages.lacking(7) == why


def test_pages_in_one_file_are_all_whatever_their_order() -> None:
    pages = Pages()
    for answer in ({"has_more": False, "previous": "x"}, {"has_more": True}):
        pages.add(answer)
    assert pages.lacking(7) == ""


def test_what_is_no_answer_says_nothing() -> None:
    assert Pages().lacking(0) == ""
