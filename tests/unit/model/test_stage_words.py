"""The name of a stage gives its outcome in seven languages, and only where it clearly does."""

from __future__ import annotations

import pytest

from dealdb.model.stage_words import is_outcome, meaning_of

WON = """
Won | won | Closed Won | Closed-Won | closedwon | ClosedWon | CLOSED_WON | Closed - Won | Closed (Won) | Closed/Won
Closed won (Sales Pipeline) | 5. Closed Won (Sales Pipeline) | Won (Lost deals) | Sales Pipeline: Won | [Won] | Won!
6 - Closed Won | G. Project Won | III. Won | (6) Won | #6 Won | P1 Won | 100% - Closed Won | Closed Won (100%)
Won - Signed | Won Renewal | Deal won | C1:WON | Converted | Renewal won 2026 | New business won | Won in Q3
Signed | 8. Signed | Contract signed (EMEA) | Invested | Success | Sold | CUSTOMER | Cliente
Gewonnen | GEWONNEN | Abgeschlossen und gewonnen | Auftrag erhalten | Gesloten gewonnen
Ganado | Ganada | Ganado/Ganada | Ganado/a | Cerrada ganada | Cierre ganado | Oportunidad ganada | Ganho | Ganha
Fechado ganho | Fechado e ganho | Negócio ganho | Vinto | Vinta | Vinto/a | Chiuso vinto | Affare vinto
Выиграна | Сделка выиграна | Успешно реализовано | Сделка успешна | Оплачено
Gagné | Gagnée | Gagné(e) | GAGNÉ | Gagne | Clôturé gagné | Signée
"""
LOST = """
Lost | Closed Lost | closedlost | Closed lost (Sales Pipeline) | 7. Closed Lost | L. Project Lost | Deal Lost | Loss
Lost - price | Lost: no budget | Lost no budget | Lost/No decision | Closed Lost to Competitor | Lost (price)
Closed-Lost to Competition | Lost - signed with competitor | C1:LOSE | LOSE | Dead | X. Dead | Dead - no budget
Closed Dead | Abandoned | Unqualified | Disqualified (Sales) | No decision | Passed | Closed - Cancelled | Rejected
Проиграна | Сделка провалена | Закрыто и не реализовано | Отказ - дорого | Нецелевой | Отменена
Verloren | Verloren an Wettbewerb | Abgesagt | Gesloten verloren | Perdido | Perdida | Perdido/a | Cerrada perdida
Fechado perdido | Perdu | Perdue | Perdu(e) | Négociation perdue | Annulé | Perso | Persa | Chiuso perso
"""
OPEN = """
Сделка не выиграна | Почти выиграна | Закрыта | Завершена | Новая
Proposal | Demo | Closed | Qualified | Not won yet | not lost | noch nicht gewonnen | no ganado | casi ganado
pas gagné | non gagné | não ganho | ainda não ganho | non vinto | nog niet gewonnen | bijna gewonnen
almost won? | Almost won | Won? | To be won | Expected to be won | Likely won | Verbally won | Half won | Will be lost
Won't fix | Wonderland demo | Lost & Found intake | Lost-and-found | Lostwithiel | Vintage | Perspective
Won back? | Win back | Lost in review | Previously lost | Reactivated lost | Lead from lost customer
Won/Lost | Won or lost | Closed Won/Lost | Negotiation (Won deals) | NDA signed | Signed - NDA
Technical review - passed | Success plan | Converted lead demo | Dead end demo | Customer demo | In Verhandlung
"""


def listed(text: str) -> list[str]:
    return [name.strip() for line in text.strip().splitlines() for name in line.split(" | ")]


@pytest.mark.parametrize("name", listed(WON))
def test_won(name: str) -> None:
    assert meaning_of(name) == "won"


@pytest.mark.parametrize("name", listed(LOST))
def test_lost(name: str) -> None:
    assert meaning_of(name) == "lost"


@pytest.mark.parametrize("name", listed(OPEN))
def test_a_name_that_does_not_clearly_say_so_is_open(name: str) -> None:
    assert meaning_of(name) == "open"


def test_apostrophes_of_word_processors() -> None:
    assert meaning_of("Won\u2019t fix") == meaning_of("Won\u00b4t fix") == "open"


def test_a_status_of_anything_is_no_outcome() -> None:
    assert [is_outcome(text) for text in ("won", "Lost", "Converted", "Dead", "Verloren")] == [
        True
    ] * 5
    assert not any(is_outcome(text) for text in ("Open", "active", "Success", "Passed", "On hold"))
