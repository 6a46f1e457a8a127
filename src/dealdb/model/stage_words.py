"""
The words by which people and programs call won and lost stages, and what the name of a stage means by them.

To teach dealdb a word, add it to the line of its language. Case, accents and punctuation don't count; a name of
several words is written as one (``closedwon``).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal["open", "won", "lost"]


def _words(lines: str) -> frozenset[str]:
    """Words of all lines, the first of each of which is the language."""
    return frozenset(
        word for line in lines.strip().splitlines() for word in line.partition(":")[2].split()
    )


# these say it in a longer name too: "Won - Signed", "Closed Lost to Competitor"
_WON = _words("""
en: won
de: gewonnen
es: ganado ganada ganados ganadas
fr: gagne gagnee gagnes gagnees remporte remportee
it: vinto vinta vinti vinte
pt: ganho ganha ganhos ganhas
ru: выиграна выигран выиграно выиграли
""")
_LOST = _words("""
en: lost
de: verloren
es: perdido perdida perdidos perdidas
fr: perdu perdue perdus perdues
it: perso persa persi perse
ru: проиграна проигран проиграно проиграли провалена провален провалено
""")
# these say it only as the whole name: "Signed", but not "NDA signed"
_WON_NAMES = _words("""
en: win closedwon dealwon signed contractsigned invested acquired success successful converted sold customer
de: auftrag beauftragt bestellt zuschlag
de: unterschrieben unterzeichnet vertragunterschrieben auftragerhalten auftragerteilt verkauft konvertiert kunde
es: adjudicado adjudicada firmado firmada contratofirmado vendido vendida convertido convertida cliente
fr: commande devissigne devisaccepte signe signee contratsigne vendu vendue converti convertie client
it: acquisito acquisita aggiudicato aggiudicata firmato firmata contrattofirmato venduto venduta convertito convertita
nl: gescoord getekend ondertekend contractgetekend verkocht geconverteerd klant
pt: conquistado conquistada assinado assinada contratoassinado negociofechado
ru: успех успешно успешнореализовано успешнореализована сделкауспешна успешнаясделка
ru: продано продана оплачено договорподписан подписан
""")
_LOST_NAMES = _words("""
en: loss lose closedlost deallost passed apology
ru: провал проигрыш закрытоинереализовано нереализовано
""")
# these too, or before a reason: "Dead - no budget"
_LOST_BEFORE_A_REASON = _words("""
en: dead disqualified unqualified rejected declined cancelled canceled abandoned nodecision churned outsold
en: notinterested nosale nodeal nogo
de: abgesagt absage abgelehnt abgebrochen storniert aufgegeben disqualifiziert unqualifiziert keininteresse
es: cancelado cancelada rechazado rechazada descartado descartada abandonado abandonada descalificado descalificada
fr: annule annulee refuse refusee rejete rejetee abandonne abandonnee disqualifie disqualifiee sanssuite
it: annullato annullata rifiutato rifiutata abbandonato abbandonata scartato scartata squalificato squalificata
nl: afgewezen geannuleerd afgezegd gediskwalificeerd geeninteresse
pt: recusado recusada rejeitado rejeitada desqualificado desqualificada semdecisao
ru: отказ отменена отменен отменено отклонена отклонен отклонено аннулирована аннулирован нецелевои нецелевая
""")
# these say it of a stage, but may be the status of anything
_VAGUE = _words("""
en: success successful passed signed acquired invested apology sold customer
de: kunde auftrag bestellt
es: cliente
fr: client commande
nl: klant
ru: успешно продано оплачено подписан
""")
# these say nothing beside the outcome: "Closed Won", "Deal lost", "Fechado e ganho"
_FILLERS = _words("""
en: closed close deal deals opportunity opp project stage status sale sales and
de: geschlossen abgeschlossen abschluss und geschaft angebot
es: cerrado cerrada cierre y negocio oportunidad trato venta
fr: cloture cloturee clos close ferme fermee conclu conclue et affaire opportunite vente
it: chiuso chiusa concluso conclusa e affare opportunita trattativa vendita
nl: gesloten afgesloten en kans
pt: fechado fechada encerrado oportunidade venda
ru: закрыта закрыто закрыт закрытые и сделка сделки этап стадия
""")
# these say that a deal has ended, and not how
_ENDED = _words("""
en: closed completed complete done finished ended exited inactive archived resolved
de: geschlossen abgeschlossen beendet erledigt archiviert
es: cerrado cerrada finalizado finalizada terminado terminada concluido concluida completado completada
fr: cloture cloturee clos ferme fermee termine terminee conclu conclue
it: chiuso chiusa concluso conclusa terminato terminata completato completata
nl: gesloten afgesloten afgerond beeindigd
pt: fechado fechada encerrado encerrada concluido concluida finalizado finalizada
ru: закрыта закрыто закрыт завершена завершен завершено
""")
# before an outcome, these say that it has not happened, or is past: "noch nicht gewonnen", "Previously lost"
_NOT = _words("""
en: not no non never isnt hasnt wasnt almost nearly likely unlikely probably maybe perhaps possibly potential
en: expected verbal verbally to be will would can could should may might must if until till when before unless
en: from of like without previously formerly reactivate reactivated recover recovered revive revived review
en: half soon
de: nicht nie noch fast beinahe vielleicht bald wird werden wenn bis vor kein keine mundlich ehemals
es: casi nunca aun todavia por sera si hasta antes sin verbal
fr: pas jamais presque bientot sera si avant sans pas oralement
it: quasi mai ancora presto sara se prima senza
nl: niet nog bijna nooit misschien binnenkort wordt als tot voor geen mondeling
pt: nao quase nunca ainda sera se ate antes sem
ru: не нет еще почти скоро будет если до перед без возможно устно
""")
# behind an outcome, these take it back: "Lost & Found", "Won back"
_BUT_NOT = _words("""
en: yet back found review recovery soon pending unless if maybe probably risk winback
de: zuruck wenn
es: pendiente
fr: attente vue
it: attesa
""")

_LETTERS_WITHOUT_MARKS = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe"})
_APOSTROPHES = re.compile("['\u2019`\u00b4]")
_ENDINGS = re.compile(r"(?<=\w)[(/](?:e|a|o|s|es|r|as|os)\)?(?!\w)", re.IGNORECASE)
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PART = re.compile(r"\s[-~]+\s|[–—:|/\\,;>→()\[\]{}•·]+")  # noqa: RUF001  # dashes as people type them
_IN_PARENTHESES = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]\s*$")
_NO_WORD = re.compile(r"[\W_]+")
# what counts the stages of a pipeline: "6 - Closed Won", "G. Project Won", "C1:WON", "IV. Won"
_ORDINAL = re.compile(r"[a-z]?\d{1,3}[a-z]?|[a-z]|i{2,3}|iv|vi{1,3}|ix|xi{0,2}")


@lru_cache(maxsize=4096)
def meaning_of(name: str) -> Meaning:
    """
    What the name of a stage says of a deal in it; open, if it doesn't clearly say something else.

    Examples
    --------
    >>> names = ("6 - Closed Won (Sales Pipeline)", "Not won yet", "Perdu(e)")
    >>> [meaning_of(name) for name in names]
    ['won', 'open', 'lost']
    """
    if "?" in name:
        return "open"
    plain = _ENDINGS.sub("", _without_marks(name))
    behind = _IN_PARENTHESES.search(plain)
    if behind is None:
        return _of_name(plain) or "open"
    # what stands there is mostly the name of the pipeline: "Proposal (Won deals)" is open, "Closed (Won)" is not
    return _of_name(plain[: behind.start()]) or _of_word("".join(_word_list(behind[1]))) or "open"


def is_outcome(text: str) -> bool:
    """
    Whether a status says by itself that a deal is won or lost: not "Success", which may be that of anything.

    Examples
    --------
    >>> [is_outcome(text) for text in ("Lost", "Converted", "Abandoned", "Open", "Success")]
    [True, True, True, False, False]
    """
    return meaning_of(text) != "open" and "".join(_bare_words(_without_marks(text))) not in _VAGUE


def says_ended(name: str) -> bool:
    """
    Whether the name of a stage says that a deal has ended, but not whether it was won.

    Examples
    --------
    >>> [says_ended(name) for name in ("5. Closed", "Completed", "Closed Won", "Demo done")]
    [True, True, False, False]
    """
    words = [word for word in _word_list(_without_marks(name)) if not _ORDINAL.fullmatch(word)]
    # "Deal closed" and "Project completed" say no more
    said = [word for word in words if word in _ENDED]
    return len(said) == 1 and all(word in _ENDED or word in _FILLERS for word in words)


def outcome_called(column: str) -> Meaning | None:
    """
    Outcome that a column of flags is called after.

    Examples
    --------
    >>> [outcome_called(name) for name in ("closed_won", "deal_lost", "gagnée", "lost_reason")]
    ['won', 'lost', 'won', None]
    """
    return _of_word("".join(_bare_words(_without_marks(column))))


def _of_name(text: str) -> Meaning | None:
    whole = _of_whole("".join(_word_list(text))) or _of_whole("".join(_bare_words(text)))
    if whole:
        return whole
    parts = [words for part in _PART.split(text) if (words := _bare_words(part))]
    found = {meaning for words in parts if (meaning := _of_part(words))}
    if len(found) == 1:
        return found.pop()
    if not found and parts and "".join(parts[0]) in _LOST_BEFORE_A_REASON:
        return "lost"
    return None


def _of_whole(key: str) -> Meaning | None:
    if key in _WON_NAMES:
        return "won"
    return "lost" if key in _LOST_NAMES | _LOST_BEFORE_A_REASON else _of_word(key)


def _of_word(key: str) -> Meaning | None:
    return "won" if key in _WON else "lost" if key in _LOST else None


def _of_part(words: list[str]) -> Meaning | None:
    """Outcome that a part of a name begins or ends with."""
    said = {word for word in words if word in _WON or word in _LOST}
    if len(said) != 1:
        return None
    word = said.pop()
    place = words.index(word)
    if place not in (0, len(words) - 1):
        return None
    if not _NOT.isdisjoint(words[:place]) or not _BUT_NOT.isdisjoint(words[place + 1 :]):
        return None
    return _of_word(word)


def _bare_words(text: str) -> list[str]:
    """Words of a name without what counts it and what says nothing; all of them if nothing else is left."""
    words = _word_list(text)
    while len(words) > 1 and (_ORDINAL.fullmatch(words[0]) or words[0] in _FILLERS):
        del words[0]
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _FILLERS):
        del words[-1]
    return words


def _word_list(text: str) -> list[str]:
    return _NO_WORD.sub(" ", _HUMPS.sub(" ", text)).casefold().split()


def _without_marks(name: str) -> str:
    letters = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", name))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return plain.translate(_LETTERS_WITHOUT_MARKS)
