"""Characters that steer a terminal, one by one."""

from __future__ import annotations

import json
import sys
import unicodedata

from dealdb.formats.controls import in_json, visible


def test_every_control_and_mark_of_direction_is_named() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        kind = unicodedata.bidirectional(character)
        steers = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or kind in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        )  # fmt: skip
        if steers and character not in "\t\n":
            assert visible(character).isascii(), hex(code)


def test_ordinary_text_stays() -> None:
    text = "Zürich, 株式会社, 👩\u200d💻, हिन्दी\tx\ny"
    assert visible(text) == text
    assert in_json(text) == text


def test_json_means_the_same() -> None:
    for text in ("\x9b\u202e\x7f\u2028", "\\\x9b"):
        assert json.loads(in_json(json.dumps(text, ensure_ascii=False))) == text
