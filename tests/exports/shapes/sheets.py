"""Sheets that people keep by hand, in their language and with the settings of their computer."""

from __future__ import annotations

from collections.abc import Mapping

from exports.dirt import SHEETS
from exports.shape import Column, Shape, Stages
from exports.style import Chance, Money, Style

Words = Mapping[str, tuple[str, ...]]


def sheet(name: str, locales: tuple[str, ...], words: Words, stages: tuple[Stages, ...]) -> Shape:
    """A sheet in a language."""

    def columns(style: Style) -> list[Column]:
        def head(field: str) -> str:
            return style.one_of(*words[field])

        own = stages[int(style.one_of(*map(str, range(len(stages)))))]
        amount = head("amount")
        if style.money == "header":
            amount = f"{amount} {style.one_of('({})', 'in {}', '[{}]').format(style.currency)}"
        made = [
            Column(head("name"), lambda d: d.name, "name"),
            Column(head("company"), lambda d: d.company, "company"),
            Column(head("owner"), lambda d: d.owner, "owner"),
            Column(head("outcome"), lambda d: own.of(d, style), "outcome"),
            Column(amount, lambda d: Money(d.amount, d.currency), "amount"),
            Column(head("probability"), lambda d: Chance(d.probability), "probability"),
            Column(head("created"), lambda d: d.created, "created"),
        ]
        # many sheets have no id at all, and columns that nobody needs
        if style.one_of("id", "id", "id", "id", "id", "none") == "id":
            made.insert(0, Column(head("id"), lambda d: d.id, "id"))
        if style.one_of("more", "less") == "more":
            made += [
                Column(head("notes"), lambda d: f"call {d.owner}, 2nd try"),
                Column(head("weighted"), lambda d: Money(d.weighted, d.currency)),
            ]
        if style.money == "column":
            made.append(Column(head("currency"), lambda d: d.currency, "currency"))
        if style.one_of("one", "two") == "one":
            return [*made, Column(head("close"), lambda d: d.last_day, "close")]
        return [
            *made,
            Column(head("expected_close"), lambda d: d.expected_close, "expected_close"),
            Column(head("closed"), lambda d: d.closed, "closed"),
        ]

    return Shape(
        name=name,
        columns=columns,
        containers=("csv", "csv", "xlsx"),
        locales=locales,
        chances=("percent", "text", "fraction"),
        monies=("column", "bare", "sign before", "sign behind", "code", "header"),
        spellings=("plain", "plain", "ordinal", "dashed", "upper"),
        dirt=SHEETS,
    )


# words that people use, from glossaries of the programs in their languages and from templates of such sheets
ENGLISH: Words = {
    "id": ("ID", "Deal ID", "Deal No", "Opportunity ID", "Ref"),
    "name": ("Deal", "Deal Name", "Opportunity", "Title"),
    "company": ("Company", "Customer", "Client", "Account"),
    "owner": ("Owner", "Sales Rep", "Account Manager", "Salesperson", "Rep"),
    "outcome": ("Stage", "Status", "Deal Stage"),
    "amount": ("Amount", "Value", "Deal Value", "Deal Size", "Revenue"),
    "probability": ("Probability", "Win %", "Chance", "Probability %"),
    "created": ("Created", "Date Added", "Create Date", "Opened"),
    "currency": ("Currency", "Curr.", "Ccy"),
    "notes": ("Notes", "Next step", "Comment"),
    "weighted": ("Weighted", "Weighted value", "Expected revenue"),
    "close": ("Close Date", "Closing Date", "Close"),
    "expected_close": ("Expected Close", "Est. Close", "Expected Close Date", "Target Date"),
    "closed": ("Closed", "Closed Date", "Closed On", "Actual Close Date"),
}
SHAPES = (
    sheet(
        "sheet English",
        ("us", "us", "uk", "plain"),
        ENGLISH,
        (
            Stages(("Lead", "Qualified", "Demo", "Proposal", "Negotiation"), "Won", "Lost"),
            Stages(
                ("New", "Contacted", "Meeting", "Quote sent", "Verbal"),
                "Closed - Won",
                "Closed - Lost",
            ),
        ),
    ),
)
