"""The question box on a real socket."""

from __future__ import annotations

import gc
from urllib.parse import urlencode
from weakref import ref

from boards import Browser
from changed_deals import MARKUP
from dealdb import DealDatabase
from dealdb.board.page_request import PageRequest
from dealdb.board.pages.sql import show
from servers import Server


def test_a_question_has_a_table_and_a_chart(changed_board: Browser) -> None:
    asked = urlencode({"q": "SELECT name, sum(amount) AS total FROM deals GROUP BY name"})
    status, text, _ = changed_board.ask(f"/sql?{asked}")
    assert (status, "<svg" in text, MARKUP.search(text)) == (200, True, None)
    counted = urlencode({"q": "SELECT count(*) AS n FROM deals"})
    assert changed_board.data(f"/sql.json?{counted}") == {"rows": [{"n": 8}], "total": 1}
    assert changed_board.ask(f"/sql.csv?{counted}")[1] == "n\n8\n"
    formula = urlencode({"q": "SELECT '=1+1' AS x"})
    assert changed_board.ask(f"/sql.csv?{formula}")[1].splitlines()[1] == "'=1+1"


def test_a_question_reaches_nothing_else(changed_board: Browser) -> None:
    for statement in (
        "SELECT * FROM read_csv('/etc/passwd')",
        "DELETE FROM deals",
        "SELECT 1; SELECT 2",
        "SELECT stag FROM deals",
        "ATTACH '/tmp/x.db'",
    ):
        status, text, _ = changed_board.ask(f"/sql?{urlencode({'q': statement})}")
        assert (status, "root:" in text, 'role="alert"' in text) == (400, False, True), statement
        assert changed_board.ask(f"/sql.json?{urlencode({'q': statement})}")[0] == 400
    text = changed_board.ask(f"/sql?{urlencode({'q': 'SELECT stag FROM deals'})}")[1]
    assert "<mark>stag</mark>" in text


def test_what_runs_statements_keeps_no_database(server: Server) -> None:
    db = DealDatabase.from_url(f"unix://{server.socket}", sql_isolated=False)
    with db:
        db.save_deal({"id": "1"})
        asked = PageRequest(db=db, names={}, options=[("q", "SELECT count(*) AS n FROM deals")])
        assert show(asked).data()["rows"] == [{"n": 1}]
    kept = ref(db)
    del db, asked
    gc.collect()
    assert kept() is None
