"""Dynamics answers with ids and numbers, and says beside them what they mean."""

from __future__ import annotations

from dealdb.loader.objects.nested import plain

SHOWN = "@OData.Community.Display.V1.FormattedValue"


def test_names_stand_in_place_of_ids_and_numbers_of_choices() -> None:
    row = {
        "@odata.etag": "W/1", "opportunityid": "g", "_ownerid_value": "u", f"_ownerid_value{SHOWN}": "Ann",
        "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "systemuser",
        "_parentaccountid_value": "a", f"_parentaccountid_value{SHOWN}": "Acme",
        "_campaignid_value": None, "statecode": 1, f"statecode{SHOWN}": "Won",
        "estimatedvalue": 1000, f"estimatedvalue{SHOWN}": "CHF 1,000.00",
        "closeprobability": 60, f"closeprobability{SHOWN}": "60", "decided": True, f"decided{SHOWN}": "completed",
    }  # fmt: skip
    assert plain(row) == {
        "opportunityid": "g", "owner": "Ann", "owner.id": "u", "account": "Acme", "account.id": "a", "campaign": None,
        "status": "Won", "opportunity value": 1000, "probability": 60, "decided": True,
    }  # fmt: skip


def test_a_name_that_the_row_has_already_stays_its_own() -> None:
    row = {"@odata.etag": "W/1", "status": "x", "statecode": 1, f"statecode{SHOWN}": "Won"}
    assert plain(row) == {"status": "x", "statecode": "Won"}


def test_other_names_with_such_a_sign_are_names() -> None:
    assert plain({"id": 1, "e@mail": "x"}) == {"id": 1, "e@mail": "x"}
