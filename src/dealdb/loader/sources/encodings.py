"""
Which encoding a text is in: decided by all of its lines, and never by a guess that would make names unreadable.

UTF-8 and UTF-16 show what they are. What is neither is cp1252, as Western programs write it, but only where that makes
words: Polish, Russian, Chinese or Japanese text has no byte order mark either, and has to be named.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from dealdb.errors import LoadError

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# what a caller may have meant, the strictest first: the last ones accept almost any bytes
_CANDIDATES = (
    "cp932", "gb18030", "big5", "cp949", "cp1250", "cp1251", "cp1253", "cp1254", "mac_roman", "cp850",
)  # fmt: skip
_MOST_NAMED = 5
# bytes that show whether every second one is 0
_WIDE_BYTES = 512
# share of the special characters that may be odd in a text that makes sense
_MOST_ODD = 0.05
# lines that are tried in each encoding that may be meant
_MOST_SHOWN = 200
_MOST_OF_A_LINE = 16 * 1024 * 1024
_SPECIAL = bytes(range(0x80, 0x100))
# letters of Scandinavia, Finland and Iceland that stand next to each other
_IN_A_ROW = (
    rb"\xc1\xc4\xc5\xc6\xc9\xcd\xd0\xd3\xd6\xd8\xda\xdc\xdd\xde"
    rb"\xe1\xe4\xe5\xe6\xe9\xed\xf0\xf3\xf6\xf8\xfa\xfc\xfd\xfe"
)
# what is not found in words of Western languages
_ODD = re.compile(
    # three letters with accents in a row: words of another alphabet
    rb"(?<![\xc0-\xff])(?![%b]{3,4}(?![\xc0-\xff]))[\xc0-\xff\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xb5]{3,}"
    # two bytes a character
    rb"|[\x82-\x83\x86-\x89\x8b\x98\x9b][\x40-\x7e\x80-\xff](?=[\x81-\x9f\xe0-\xef]|[\r\n,;\t|\"]|$)"
    rb"|[\xb0-\xf7][\xa1-\xfe](?=[\xb0-\xf7][\xa1-\xfe])"
    rb"|[\xa4\xa5][\x40-\x7e\xa1-\xfe](?=[\xa4-\xc6])"
    # signs within words, and at their beginning: Polish l and Romanian s in cp1250
    rb"|[A-Za-z][\xa1-\xa3\xa5\xaa\xaf\xb2\xb3\xb9\xba\xbc\xbe\xbf](?=[a-z\xc0-\xff])"
    rb"|(?<![0-9])\xa3(?=[a-z\xf3])|(?<![A-Za-z])(?:\xaf(?=[a-z])|\x8c(?=[b-df-hj-np-tv-z]))"
    # accents that Italian has at the end of words only, where Czech has others within
    rb"|[A-Za-z][\xec\xf9](?=[a-z])"
    # quotation marks and large letters within words: what DOS and the Mac wrote
    rb"|[A-Za-z][\x82\x84\x93\x94](?=[a-z])|[A-Za-z][\x8a\x8e\x9f](?=[a-z])|[a-z][\x8a\x8e\x9f](?=[\x80-\xff]|[\r\n,;\t|\"]|$)"
    % _IN_A_ROW
)
_KINDS = {
    "all": re.compile(rb"[\x80-\xff]+"),
    # five bytes that stand for nothing
    "none": re.compile(rb"[\x81\x8d\x8f\x90\x9d]"),
    "odd": _ODD,
    # Portuguese has it before an e only, Estonian next to an a with two dots; in cp1250 it is Hungarian
    "tilde": re.compile(rb"\xf5(?!e)|\xfb(?=[a-z])"),
    "not hungarian": re.compile(rb"[\xe0\xe3\xe4\xe8\xea]"),
    # letters of Iceland, where Turkish and the Baltic languages have theirs; what these have, and what Icelandic has
    "icelandic": re.compile(rb"[\xd0\xdd\xde\xf0\xfd\xfe]"),
    "turkish or baltic": re.compile(rb"[\xc7\xdc\xe7\xe8\xeb\xf8\xfc]"),
    "acute": re.compile(rb"[\xe1\xed\xfa]"),
}


def encoding_by_start(start: bytes) -> tuple[str, bool] | None:
    """
    Encoding that the first bytes of a text show, and whether by a byte order mark; None where they don't show it.

    Examples
    --------
    >>> encoding_by_start("id,name".encode("utf-16-le"))
    ('utf-16-le', False)
    """
    for bom, encoding in BOMS:
        if start.startswith(bom):
            return encoding, True
    head = start[:_WIDE_BYTES]
    head = head[: len(head) // 4 * 4]
    zeros = [head[place::4].count(0) * 4 / len(head) if head else 0.0 for place in range(4)]
    for encoding, empty, full in (
        ("utf-32-le", (1, 2, 3), (0,)),
        ("utf-32-be", (0, 1, 2), (3,)),
        ("utf-16-le", (1, 3), (0, 2)),
        ("utf-16-be", (0, 2), (1, 3)),
    ):
        if min(zeros[each] for each in empty) > 0.5 and not any(zeros[each] for each in full):
            return encoding, False
    return None


def encoding_by_lines(name: str, blocks: Iterable[bytes]) -> str:
    r"""
    Encoding of a text of which some bytes aren't UTF-8: whichever explains more of its lines.

    Raises
    ------
    LoadError
        If most of its lines are neither UTF-8 nor cp1252.

    Examples
    --------
    >>> encoding_by_lines("x.csv", ["é\nü\n".encode() + b"\xe9\n"])
    'utf-8'
    >>> encoding_by_lines("x.csv", [b"caf\xe9\n"])
    'cp1252'
    """
    special = broken = 0
    letters: Counter[str] = Counter()
    shown: list[bytes] = []
    for line in _special_lines(blocks):
        special += 1
        if _is_utf8(line):
            continue
        broken += 1
        for kind, pattern in _KINDS.items():
            letters[kind] += sum(map(_n_special, pattern.findall(line)))
        if len(shown) < _MOST_SHOWN:
            shown.append(line)
    if broken * 2 <= special:
        return "utf-8"
    if not _is_western(letters):
        raise LoadError(_not_western(name, b"\n".join(shown)))
    return "cp1252"


def _special_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with a byte that isn't ASCII."""
    rest = b""
    for block in chain(blocks, [b"\n"]):
        end = _last_line_end(block)
        lines = rest + block[:end]
        # a line without an end is refused when it is read as a row
        rest = (block[end:] if end else rest + block)[:_MOST_OF_A_LINE]
        if end and not lines.isascii():
            yield from (line for line in re.split(rb"[\r\n]+", lines) if not line.isascii())


def _last_line_end(block: bytes) -> int:
    return max(block.rfind(b"\n"), block.rfind(b"\r")) + 1


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _n_special(text: bytes) -> int:
    return len(text) - len(text.translate(None, _SPECIAL))


def _is_western(letters: Counter[str]) -> bool:
    """Whether the special characters of a text make sense in cp1252."""
    most = _MOST_ODD * letters["all"]
    hungarian = letters["tilde"] > most and not letters["not hungarian"]
    foreign = letters["icelandic"] and letters["turkish or baltic"] and not letters["acute"]
    return not letters["none"] and letters["odd"] <= most and not hungarian and not foreign


def _not_western(name: str, text: bytes) -> str:
    fitting = [each for each in _CANDIDATES if _fits(text, each)][:_MOST_NAMED]
    tried = ", ".join(map(repr, fitting or _CANDIDATES[:_MOST_NAMED]))
    return (
        f"{name} is not UTF-8, and read as Western text (cp1252) its words make no sense; say what it is with "
        f"encoding='<name>': those that fit its bytes are {tried}"
    )


def _fits(text: bytes, encoding: str) -> bool:
    try:
        decoded = text.decode(encoding)
    except UnicodeDecodeError:
        return False
    # nobody writes characters that control devices
    return not re.search("[\x80-\x9f]", decoded)


def _kept(problem: UnicodeError) -> tuple[str, int]:
    """Bytes that mean nothing stay bytes that mean nothing: the row that has them is rejected, and no other."""
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    damaged = problem.object[problem.start : problem.end]
    return "".join(chr(byte if byte < 0x80 else 0xDC00 + byte) for byte in damaged), problem.end


codecs.register_error("dealdb-damaged", _kept)
