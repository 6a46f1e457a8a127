"""Which form of history a source has, told by its headers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dealdb.errors import LoadError
from dealdb.loader.columns.aliases import key_of
from dealdb.loader.history.changes import Changes
from dealdb.loader.history.forms import hubspot, pipedrive, plain, salesforce
from dealdb.loader.history.rows.history_table import HistoryTable

_Read: TypeAlias = Callable[[HistoryTable, Mapping[str, str | None]], Changes]

_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class HistoryForm:
    """
    A form in which history comes.

    Attributes
    ----------
    name
        What it is called; the part before the first ``-`` is the program.
    shown
        Headers that tell it, for people.
    needs
        Headers that it must have, as they are compared; of a tuple one is enough.
    read
        Makes changes of a table of this form.
    lacks
        Headers that another form has besides.
    """

    name: str
    shown: str
    needs: tuple[str | tuple[str, ...], ...]
    read: _Read
    lacks: frozenset[str] = frozenset()

    def fits(self, table: HistoryTable) -> bool:
        """Whether a table has the headers of this form."""
        keys = table.keys
        if self.name == _ENTRIES and not hubspot.has_entries(table.headers):
            return False
        has_all = all(
            not {need}.isdisjoint(keys) if isinstance(need, str) else not set(need).isdisjoint(keys)
            for need in self.needs
        )
        return has_all and self.lacks.isdisjoint(keys)


_ENTRIES = "hubspot-entries"
_SALESFORCE_ID = "opportunityid"
FORMS = (
    HistoryForm("plain", "id, at, field, value", ("id", "at", "field"), plain.long_rows),
    HistoryForm(
        "plain-wide", "id, at and a column a field", ("id", "at"), plain.wide_rows,
        frozenset({"field", "oldvalue", "newvalue"}),
    ),
    HistoryForm(
        "hubspot-history", "id, propertiesWithHistory", ("propertieswithhistoryid",), hubspot.of_api
    ),
    HistoryForm(
        "hubspot-versions", "dealId, properties with versions", ("versionsid",), hubspot.of_old_api
    ),
    HistoryForm(
        "hubspot-properties", "deal_id, timestamp, name, value",
        ("dealid", ("name", "property"), "timestamp", "value"), hubspot.of_copy,
    ),
    HistoryForm(
        "hubspot-stages", "deal_id, date_entered, value",
        ("dealid", ("dateentered", "fivetranstart"), "value"), hubspot.of_stages,
        frozenset({"timestamp", "property"}),
    ),
    HistoryForm(
        "hubspot-merges", "deal_id, merged_deal_id, _fivetran_synced",
        ("dealid", "mergeddealid", "fivetransynced"), hubspot.of_merges,
    ),
    HistoryForm(_ENTRIES, 'Record ID, Date entered "..."', (hubspot.IDS,), hubspot.of_entries),
    HistoryForm(
        "salesforce-history", "OpportunityId, CreatedDate, StageName",
        (_SALESFORCE_ID, "createddate", "stagename"), salesforce.of_states,
    ),
    HistoryForm(
        "salesforce-fields", "OpportunityId, CreatedDate, Field, OldValue, NewValue",
        (_SALESFORCE_ID, "createddate", "field", "oldvalue", "newvalue"), salesforce.of_fields,
    ),
    HistoryForm(
        "salesforce-rows", "id, _fivetran_start, stage_name",
        ("id", "fivetranstart", "stagename"), salesforce.of_copied_rows,
    ),
    HistoryForm(
        "pipedrive-flow", "object, data with field_key", ("dealchangeobject",), pipedrive.of_flow
    ),
    HistoryForm(
        "pipedrive-changelog", "deal_id, field_key, old_value, new_value, time",
        (("dealid", "itemid"), "fieldkey", "oldvalue", "newvalue", ("time", "logtime")),
        pipedrive.of_changelog,
    ),
)  # fmt: skip


def recognised(table: HistoryTable, wanted: str | None) -> HistoryForm:
    """
    The form of a table.

    Parameters
    ----------
    table
        Rows of the source.
    wanted
        Name of a form, or of a program, that the caller expects; None for any.

    Raises
    ------
    LoadError
        If it is of none, of several, or not of the one that was expected.
    """
    among = [form for form in FORMS if wanted in (None, form.name, form.name.partition("-")[0])]
    if not among:
        programs = sorted({form.name.partition("-")[0] for form in FORMS} - {"plain"})
        known = ", ".join([*programs, *names_of(FORMS)])
        msg = f"there is no form of history {wanted!r}; those are {known}"
        raise LoadError(msg)
    # what has neither rows nor columns says nothing, in any form
    found = [form for form in FORMS if form.fits(table)] if table.headers else among[:1]
    if len(found) > 1:
        msg = (
            f"{table.name} mixes several forms of history ({', '.join(names_of(found))}); its columns are "
            f"{_shown(table.headers)}; give each form in a source of its own"
        )
        raise LoadError(msg)
    if not found or found[0] not in among:
        msg = (
            f"{table.name} is no history that can be read{_expected(wanted)}: its columns are {_shown(table.headers)}; "
            f"expected are those of one of these forms: {'; '.join(f'{each.name} ({each.shown})' for each in among)}"
            f"{_hint(table.keys)}"
        )
        raise LoadError(msg)
    return found[0]


def names_of(forms: Collection[HistoryForm]) -> list[str]:
    """Names of forms."""
    return [form.name for form in forms]


def _expected(wanted: str | None) -> str:
    return f" as {wanted}" if wanted else ""


def _hint(keys: Collection[str]) -> str:
    if {key_of("field_key"), key_of("old_value")} <= set(keys):
        return "; answers of Pipedrive's changelog lack the deal: add a column deal_id"
    return ""


def _shown(headers: Collection[str]) -> str:
    names = [header[:_MOST_SHOWN] for header in headers][:_MOST_SHOWN]
    more = len(headers) - len(names)
    return (", ".join(names) or "none") + (f" and {more} more" if more else "")
