"""Exports of programs in another language than English: their labels are translated, the values of users are not."""

from __future__ import annotations

from exports.deals import LOST, OPEN, WON
from exports.shape import Column, Shape, Stages
from exports.shapes.salesforce import STAGES, id_of
from exports.style import Chance, Money, Style

# what a German Pipedrive calls the stages of its first pipeline, and its states
PIPEDRIVE = Stages(
    (
        "Qualifiziert",
        "Kontakt hergestellt",
        "Demo geplant",
        "Angebot erstellt",
        "Verhandlungen begonnen",
    ),
    "",
    "",
)
STATUS = {OPEN: "Offen", WON: "Gewonnen", LOST: "Verloren"}


def _salesforce(style: Style) -> list[Column]:
    # labels that importers of such reports on GitHub look for ("Opportunity-Inhaber", "Schlusstermin")
    columns = [
        Column("Opportunity-ID", lambda d: d.id, "id"),
        Column("Opportunity-Inhaber", lambda d: d.owner, "owner"),
        Column("Accountname", lambda d: d.company, "company"),
        Column("Opportunity-Name", lambda d: d.name, "name"),
        Column("Phase", lambda d: STAGES.of(d, style), "outcome"),
        Column("Betrag", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Wahrscheinlichkeit (%)", lambda d: Chance(d.probability), "probability"),
        Column("Schlusstermin", lambda d: d.last_day, "close"),
        Column("Erstelldatum", lambda d: d.created, "created"),
        Column("Lead-Quelle", lambda d: d.source),
    ]
    if style.money == "column":
        columns.insert(5, Column("Betrag Währung", lambda d: d.currency, "currency"))
    return columns


def _pipedrive(style: Style) -> list[Column]:
    # labels that importers of such exports on GitHub look for ("Deal - Titel", "Deal - Verlustgrund")
    return [
        Column("Deal - ID", lambda d: d.id, "id"),
        Column("Deal - Titel", lambda d: d.name, "name"),
        Column("Deal - Organisation", lambda d: d.company, "company"),
        Column("Deal - Besitzer", lambda d: d.owner, "owner"),
        Column("Deal - Wert", lambda d: Money(d.amount, d.currency), "amount"),
        Column("Deal - Phase", lambda d: PIPEDRIVE.before(d, style), "outcome"),
        Column("Deal - Status", lambda d: STATUS[d.kind], "outcome"),
        Column("Deal - Deal erstellt", lambda d: d.at(d.created), "created"),
        Column("Deal - Verlustgrund", lambda d: d.loss_reason),
    ]


SHAPES = (
    Shape(
        name="Salesforce report German",
        columns=_salesforce,
        containers=("csv", "csv", "xlsx"),
        locales=("de",),
        monies=("column", "bare", "code"),
        id_of=id_of,
        dirt=("total", "report footer"),
    ),
    Shape(
        name="Pipedrive page German",
        columns=_pipedrive,
        containers=("csv", "xlsx"),
        locales=("plain", "de"),
        monies=("bare",),
        dirt=("blanks",),
    ),
)
