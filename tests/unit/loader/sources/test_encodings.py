# ruff: noqa: RUF001 other alphabets are what this is about
"""The encoding of a text is that of all its lines; what makes no words in cp1252 is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from dealdb.errors import LoadError
from dealdb.loader.sources.encodings import encoding_by_lines
from recorder import Recorder

WESTERN = (
    "Müller GmbH, Größe, ÄÖÜ, „Förderung“ für 5 m²", "L’Oréal, créée, où ça, n°5, DÉVELOPPEMENT ÉCONOMIQUE, Œuvre",
    "¿Qué tal?, ¡Hola!, 1ª fase, Mª José, ESPAÑA", "São Paulo, Ações, NEGOCIAÇÕES", "Perché, lunedì, più, virtù, È",
    "Ærø, Blåbærgrød, ØRSTED", "åäö AB, Malmö", "Pääkaupunki, ÄÄNEKOSKI", "Sæþór, Hafnarfjörður, Guðmundsson, Ísland",
    "België, geëerd", "col·lecció, Barça", "£20k, Smith’s “best” offer, Acme®, 100 m³, ½, ±5%", "Škoda", "€",
)  # fmt: skip
OTHERS = {
    "cp1250": ("Łukasz Wałęsa", "Łódź", "Jiří Dvořák / Příkop / Německo / Plzeň", "Erdős Pál / Győr / Fűtő",
               "Bucureşti"),
    "cp1251": ("Москва", "Київ / Львів"), "koi8_r": ("Иван Петров",), "cp1253": ("Αθήνα / Εταιρεία",),
    "cp1254": ("Şişli / Yıldız / Güneş / Çağrı",), "cp1257": ("Šiauliai / Žemaitija / Vilniečių / Kęstutis",),
    "gbk": ("北京公司", "张伟"), "big5": ("台北公司",), "cp932": ("テスト", "株式会社トヨタ", "東京"),
    "euc_jp": ("株式会社",), "cp949": ("삼성전자",), "mac_roman": ("Café", "Müller"), "cp850": ("Müller", "Böll"),
}  # fmt: skip


@pytest.mark.parametrize("text", WESTERN)
def test_western_text_is_cp1252(text: str) -> None:
    assert encoding_by_lines("x.csv", [f"id,name\n1,{text}\n".encode("cp1252")]) == "cp1252"


@pytest.mark.parametrize(
    ("encoding", "text"), [(encoding, text) for encoding, texts in OTHERS.items() for text in texts]
)
def test_other_text_is_asked_for(encoding: str, text: str, tmp_path: Path) -> None:
    data = f"id,name\n1,{text}\n".encode(encoding)
    with pytest.raises(LoadError, match=r"not UTF-8.* say what it is with encoding='<name>'"):
        encoding_by_lines("x.csv", [data])
    store = Recorder()
    store.load_text(tmp_path, data, encoding=encoding)
    assert store.deals["1"]["name"] == text


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_one_bad_line_far_down_changes_no_other(size: int) -> None:
    data = "é,ü\n".encode() * 60 + b"plain\n" * 80 + b"caf\xe9\n"
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    assert encoding_by_lines("x.csv", blocks) == "utf-8"


def test_an_encoding_that_python_lacks(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="there is no encoding 'klingon'"):
        Recorder().load_text(tmp_path, "id\n1\n", encoding="klingon")
