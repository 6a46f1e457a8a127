"""Search: the deals that a brute-force oracle finds, in the order of how well they match."""

from __future__ import annotations

import unicodedata
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.query import QueryEngine
from dealdb.query.results import search
from dealdb.query.results.spelling import as_patterns_read
from dealdb.query.results.words import Token, folded, pattern, tokens_of
from query_cases import engine_of

FRAME = pl.DataFrame(
    {
        "id": ["1", "2", "3", "4", "5", "6", "7"],
        "name": [
            "Acme renewal",
            "Renewal for ACME Zürich",
            "Renewals, acmeville",
            "Globex pilot (Straße 5)",
            "Søren café",
            None,
            "Acme-Renwal",
        ],
        "company": ["Acme", "Acme", None, "Globex", "Ørsted", "Initech", "x"],
        "seats": [1, 2, 3, 4, 5, 6, 7],
        "deal2026": ["a", None, None, None, None, None, None],
    }
)
QUERY = engine_of(FRAME)


def ids(text: str, **options: Any) -> str:
    return "".join(QUERY.search(text, **options)["id"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acme", "1273"),
        ("ACME", "1273"),
        ("acme renewal", "1273"),
        ("renewal acme", "2137"),
        ("zurich", "2"),
        ("ZÜR", "2"),
        ("strasse", "4"),
        ("STRAẞE", "4"),
        ("soren", "5"),
        ("orsted", "5"),
        ("cafe\u0301", "5"),
        ("globxe", "4"),
        ("initec", "6"),
        ("inietch", "6"),
        ("intiech", "6"),
        ("intehic", ""),
        ("5", "54"),
        ("piolt 5", "4"),
        ("pil", "4"),
        ("plo", ""),
        ("a'cme", ""),
        ("2025", ""),
        ("acme acme", "1273"),
    ],
)
def test_what_is_found_and_in_which_order(text: str, expected: str) -> None:
    assert ids(text) == expected


def test_options() -> None:
    assert ids("acme", columns="company") == "12"
    assert ids("acme", columns=["company", "name"])[:2] == "12"
    assert ids("acme", where="seats > 1") == "273"
    assert ids("acme", where="seats > :n", params={"n": 2}) == "73"
    assert ids("acme", company="Acme") == "12"
    assert ids("acme", limit=1) == "1"


def test_typos_are_only_looked_for_where_too_few_deals_have_the_words() -> None:
    assert ids("renewal", limit=3) == "123"
    assert ids("renewal", limit=4) == "1237"


def test_highlights_scores_and_whole_deals() -> None:
    found = QUERY.search("renew acm")
    assert found.columns == [*FRAME.columns, "_score", "_in", "_highlight"]
    assert found.drop("_score", "_in", "_highlight").equals(
        FRAME[[int(i) - 1 for i in found["id"]]]
    )
    assert dict(found.select("id", "_highlight").rows())["2"] == "**Renewal** for **ACME** Zürich"
    assert set(found["_in"]) == {"name"}
    assert found["_score"].is_sorted(descending=True)
    assert QUERY.search("acme", columns="company")["_score"].to_list() == [1.0, 1.0]


def distance(a: str, b: str) -> int:
    """Optimal string alignment distance, by the table."""
    table = [[i + j if not i * j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1,
                table[i][j - 1] + 1,
                table[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
            )
            if i > 1 < j and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


def matches(token: str, word: str) -> bool:
    if token.startswith(word):
        return True
    if len(word) < 4 or any(c.isdigit() for c in word):
        return False
    return any(distance(word, token[:n]) <= 1 for n in range(len(token) + 1))


LETTERS = st.sampled_from("abcABCéÉeßs12 -.\u0301")
TEXTS = st.text(LETTERS, max_size=14)


@example(rows=[(None, "A1\u0301\u00df")], words=["aass"])
@given(
    rows=st.lists(st.tuples(st.none() | TEXTS, TEXTS), min_size=1, max_size=8),
    words=st.lists(st.text("abces12", min_size=1, max_size=6), min_size=1, max_size=2),
)
def test_all_deals_that_a_plain_search_finds_and_no_other(
    rows: list[tuple[str | None, str]], words: list[str]
) -> None:
    frame = pl.DataFrame(
        {
            "id": [f"_{'i' * n}" for n in range(len(rows))],
            "name": [row[0] for row in rows],
            "company": [row[1] for row in rows],
        },
        schema={"id": pl.String, "name": pl.String, "company": pl.String},
    )
    found = engine_of(frame).search(" ".join(words), columns=["name", "company"], limit=1000)
    expected = [
        deal_id
        for deal_id, *texts in frame.rows()
        if all(
            any(matches(token.word, word) for text in texts for token in tokens_of(text or ""))
            for word in words
        )
    ]
    assert sorted(found["id"]) == expected


@given(st.text(st.characters(categories=["L", "N", "M"]), min_size=1, max_size=5))
@example("Sß")
@example("ßs")
@example("ßßs")
def test_the_pattern_of_a_word_finds_it_in_every_spelling_that_case_gives(text: str) -> None:
    for spelling in (text, text.upper(), text.lower(), unicodedata.normalize("NFD", text)):
        for token in tokens_of(spelling):
            if all(ord(c) < 0x250 for c in token.word) and token.word:
                shown = spelling[token.begin : token.end]
                # letters that stand for two are only found as they are, except for the sharp s
                single = all(len(folded(c)) <= 1 or c in "ßẞ" for c in shown)
                if single and all(ord(c) < 0x250 or 0x300 <= ord(c) < 0x370 for c in shown):
                    found = pl.Series([shown]).str.contains(pattern(token.word)).item()
                    assert found


@pytest.mark.parametrize(
    "name",
    [
        "한국 전자",
        "データ 株式会社",
        "\N{HALFWIDTH KATAKANA LETTER KA}\N{HALFWIDTH KATAKANA VOICED SOUND MARK}",
        "\N{FULLWIDTH LATIN CAPITAL LETTER A}\N{FULLWIDTH LATIN SMALL LETTER C}me",
        "\N{FULLWIDTH DIGIT TWO}\N{FULLWIDTH DIGIT SIX}",
        "\N{LATIN SMALL LIGATURE FI}rm",
        "\N{VULGAR FRACTION ONE HALF}",
        "\N{ROMAN NUMERAL EIGHT}",
        "\N{ARABIC LETTER ALEF WITH MADDA ABOVE}\N{ARABIC LETTER BEH}",
        "Երև\N{ARMENIAN SMALL LIGATURE ECH YIWN}",
        "日本",
        "हिन्दी",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("is_category", [False, True])
def test_a_deal_is_found_by_its_name_in_whatever_alphabet(name: str, *, is_category: bool) -> None:
    for n_others in (0, 60):
        names = ["globex"] * n_others + [None, name]
        frame = pl.DataFrame({"id": [f"D{n}" for n in range(len(names))], "name": names})
        if is_category:
            frame = frame.with_columns(pl.col("name").cast(pl.Categorical))
        for question in (name, name.upper(), name.lower()):
            found = engine_of(frame).search(question)
            assert found["name"].to_list() == [name]
            assert found["_score"].to_list() == [pytest.approx(0.95, abs=0.11)]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_letters_are_found_in_a_column_whose_name_is_a_pattern(dtype: type[pl.DataType]) -> None:
    names = pl.Series("^n.*$", [*["globex"] * 60, "한국"], dtype=dtype)
    frame = pl.DataFrame({"id": [f"D{n}" for n in range(61)]}).hstack([names])
    # as a collection of an earlier version may have
    found = search.searched(frame, search.words_of("한국"), names.name.split(), 20)
    assert found["id"].to_list() == ["D60"]


def test_what_is_plain_is_found_in_letters_that_stand_for_it() -> None:
    texts = ["\N{FULLWIDTH LATIN CAPITAL LETTER A}cme", "\N{LATIN SMALL LIGATURE FI}rms", "한국"]
    query = QueryEngine.over([{"id": str(n), "name": text} for n, text in enumerate(texts)])
    # a syllable is found as soon as its first letters are written
    for question, found in (("acme", "0"), ("acne", "0"), ("firm", "1"), ("하", "2")):
        assert query.search(question)["id"].to_list() == [found]


ALL_LETTERS = st.characters(codec="utf-16", categories=["L", "N", "Zs", "P"], max_codepoint=0x2FFF)


@given(st.lists(st.text(ALL_LETTERS | st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))))
@example(["한국", "ﬁ½", "a\N{SOFT HYPHEN}ﬁ", "™ﬁ"])
def test_patterns_find_all_words_of_texts_of_all_letters(texts: list[str]) -> None:
    read = as_patterns_read(pl.DataFrame({"name": texts}, schema={"name": pl.String}))["name"]
    for number, text in enumerate(texts):
        for token in filter(lambda token: token.word, tokens_of(text)):
            assert read.str.contains(pattern(token.word, whole=True))[number], (text, token)


@pytest.mark.parametrize("spelling", ["s" * 20, "ß" * 10, "S" * 17 + "ẞs", "sß" * 6 + "ss"])
def test_a_word_of_many_letters_s_is_found_however_each_two_are_written(spelling: str) -> None:
    # so many that they are not looked at word by word at once
    others = [{"id": str(n), "name": "acme"} for n in range(60)]
    query = QueryEngine.over([*others, {"id": "s", "name": spelling}])
    for question in ("s" * 20, "s" * 12, "ß" * 9, "s" * 9 + "t" + "s" * 10):
        assert query.search(question)["id"].to_list() == ["s"]
    assert query.search("s" * 40).is_empty()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "write 1 to 8 words"),
        ("-- ()", {}, "write 1 to 8 words"),
        ("a b c d e f g h i", {}, "write 1 to 8 words"),
        ("a" * 41, {}, "write 1 to 8 words"),
        (5, {}, "search takes text, not a int"),
        ("a", {"columns": "seats"}, "'seats' is not a column of text"),
        ("a", {"columns": []}, "columns names no column to search"),
        ("a", {"columns": "nam"}, "no column 'nam'"),
        ("a", {"columns": 5}, "columns is a list of names"),
        ("a", {"columns": [5]}, "columns is a list of names"),
        ("a", {"limit": 0}, "limit is a whole number from 1 up, not 0"),
        ("a", {"where": "seat > 1"}, "no column 'seat'"),
    ],
    ids=str,
)
def test_what_cant_be_searched(text: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(QueryError) as caught:
        QUERY.search(text, **options)
    assert message in str(caught.value)


def test_the_result_of_a_search_can_be_searched() -> None:
    first = QUERY.search("acme")
    assert first.height > 0
    query = QueryEngine.over(first)
    assert query.search("acme").rows() == first.rows()
    assert query.search("name").is_empty()


def test_rows_without_an_id_come_after_equal_ones() -> None:
    rows = [{"id": each, "name": "acme"} for each in (None, "b", None, "a")]
    assert QueryEngine.over(rows).search("acme")["id"].to_list() == ["a", "b", None, None]
    numbers = [{"id": each, "name": "acme"} for each in (1, None, 0)]
    assert QueryEngine.over(numbers).search("acme")["id"].to_list() == [0, 1, None]


def test_a_typo_is_a_letter_and_no_gap_between_words() -> None:
    texts = pl.Series(["ren wal", "ren-wal", "renxwal", "re5wal", "renwal", "re\u00e9wal"])
    found = texts.str.contains(pattern("renwal", typos=True))
    assert found.to_list() == [False, False, True, True, True, True]


def test_long_texts_that_have_not_the_words_are_not_taken_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[str] = []

    def tokens(text: str) -> list[Token]:
        taken.append(text)
        return tokens_of(text)

    monkeypatch.setattr(search, "tokens_of", tokens)
    long = "Offer sent, no answer; " * 2_000
    query = QueryEngine.over([{"id": "1", "note": long}, {"id": "2", "note": "quartz"}])
    assert query.search("quarz")["id"].to_list() == ["2"]
    assert long not in taken
