"""Headers of exports: which field each one is by its name alone."""

from __future__ import annotations

import pytest

from dealdb.loader.columns.headers import currency_of, map_headers, no_id
from dealdb.model.schema import Schema


@pytest.mark.parametrize(
    ("program", "headers"),
    [
        ("Bitrix24", {
            "ID": "id", "TITLE": "name", "STAGE_ID": "stage", "OPPORTUNITY": "amount", "CURRENCY_ID": "currency",
            "ASSIGNED_BY_ID": "owner", "COMPANY_ID": "company", "CLOSEDATE": "close_date", "DATE_CREATE": "created",
            "DATE_MODIFY": "updated", "SOURCE_ID": "source",
        }),
        ("Dynamics 365", {
            "(Do Not Modify) Opportunity": "id", "(Do Not Modify) Modified On": "updated", "Topic": "name",
            "Potential Customer": "company", "Est. revenue": "amount", "Est. close date": "expected_close",
            "Actual Close Date": "closed", "Owner": "owner", "Status": "stage", "Probability": "probability",
            "Actual revenue": "actual_revenue", "Created On": "created",
        }),
        ("Dynamics 365 API", {
            "opportunityid": "id", "name": "name", "_ownerid_value": "ownerid_value",
            "_ownerid_value@OData.Community.Display.V1.FormattedValue": "owner",
            "estimatedvalue": "amount", "estimatedclosedate": "expected_close", "actualclosedate": "closed",
            "createdon": "created",
        }),
        ("Odoo", {
            "id": "id", "name": "name", "partner_name": "company", "user_id/id": "user_id_id", "user_id/name": "owner",
            "stage_id": "stage", "expected_revenue": "amount", "date_deadline": "expected_close",
            "date_closed": "closed", "create_date": "created", "lost_reason_id": "loss_reason",
        }),
        ("SuiteCRM", {
            "id": "id", "name": "name", "date_closed": "close_date", "sales_stage": "stage", "amount": "amount",
            "assigned_user_name": "owner", "account_name": "company", "date_entered": "created",
            "date_modified": "updated",
        }),
        ("Pipedrive", {
            "Deal - ID": "id", "Deal - Title": "name", "Deal - Won time": "closed (won)",
            "Deal - Lost time": "closed (lost)", "Deal - Expected close date": "expected_close",
            "Deal - Value": "amount", "Deal - Currency of Value": "currency",
            "Deal - Weighted value": "weighted_value", "Deal - Stage (pipeline)": "stage", "Organization": "company",
        }),
        ("Pipedrive in Portuguese", {
            "Negócio - ID": "id", "Negócio - Título": "name", "Negócio - Organização": "company",
            "Negócio - Proprietário": "owner", "Negócio - Valor": "amount", "Negócio - Moeda de Valor": "currency",
            "Negócio - Etapa": "stage", "Negócio - Status": "status", "Negócio - Negócio criado em": "created",
            "Negócio - Negócio fechado em": "closed",
        }),
        ("Pipedrive in French", {
            "Affaire - ID": "id", "Affaire - Titre": "name", "Affaire - Étape": "stage", "Affaire - Valeur": "amount",
            "Affaire - Devise de Valeur": "currency", "Affaire - Affaire créée": "created",
            "Affaire - Date du gain": "closed (won)", "Affaire - Date de la perte": "closed (lost)",
        }),
        ("Insightly", {
            "Record Id": "id", "Opportunity Name": "name", "Bid Currency": "currency", "Bid Amount": "bid_amount",
            "Opportunity Value": "amount", "Forecast Close Date": "expected_close", "Actual Close Date": "closed",
            "User Responsible": "owner", "Current Stage": "stage", "Opportunity State": "opportunity_state",
        }),
        ("Freshsales", {
            "deal_id": "id", "deal_name": "name", "deal_amount": "amount", "deal_currency_name": "currency",
            "deal_expected_close": "expected_close", "deal_closed_date": "closed", "deal_created_at": "created",
            "deal_deal_stage_name": "stage", "deal_owner_name": "owner", "deal_base_currency_amount":
            "deal_base_currency_amount",
        }),
        ("Frappe", {
            "ID": "id", "Organization": "company", "Deal Owner": "owner", "Status": "stage", "Deal Value": "amount",
            "Expected Closure Date": "expected_close", "Closed Date": "closed", "Lost Reason": "loss_reason",
        }),
        ("Copper", {
            "Copper ID": "id", "Name": "name", "Company": "company", "Owned By": "owner", "Stage": "stage",
            "Value": "amount", "Close Date": "close_date", "Created At": "created",
            "Lead Created At": "lead_created_at",
        }),
        ("Crunchbase", {
            "Transaction Name": "name", "Transaction Name URL": "id", "Organization Name": "company",
            "Money Raised": "amount", "Money Raised Currency": "currency", "Announced Date": "closed",
        }),
        ("Krayin", {
            "Id": "id", "Subject": "name", "Lead Value": "amount", "Sales Person": "owner", "Stage": "stage",
            "Expected Close Date": "expected_close", "Created At": "created",
        }),
        ("Crunchbase", {
            "funding_round_uuid": "id", "company_name": "company", "announced_on": "closed",
            "raised_amount_usd": "amount",
        }),
        ("HubSpot, Italian", {
            "ID record": "id", "Nome trattativa": "name", "Importo": "amount", "Fase trattativa": "stage",
            "Data di chiusura": "close_date", "Proprietario della trattativa": "owner",
        }),
        ("German", {
            "ID": "id", "Kunde": "company", "Betrag (€)": "amount", "Währung": "currency", "Phase": "stage",
            "Zuständig": "owner", "Erstellt am": "created", "Voraussichtliches Abschlussdatum": "expected_close",
            "Verlustgrund": "loss_reason", "Quelle": "source", "Wahrscheinlichkeit": "probability",
        }),
        ("Spanish", {
            "id": "id", "empresa": "company", "etapa": "stage", "responsable": "owner", "cierre_previsto":
            "expected_close", "importe_eur": "amount", "Fecha de creación": "created",
        }),
        ("French", {
            "ID": "id", "Société": "company", "Étape": "stage", "Montant": "amount", "Propriétaire": "owner",
            "Date de création": "created", "Date de clôture prévue": "expected_close", "Devise": "currency",
        }),
        ("Dutch", {
            "ID": "id", "Bedrijf": "company", "Fase": "stage", "Bedrag": "amount", "Eigenaar": "owner",
            "Aangemaakt op": "created", "Verwachte sluitingsdatum": "expected_close", "Valuta": "currency",
        }),
        ("Portuguese", {
            "ID": "id", "Empresa": "company", "Etapa": "stage", "Valor": "amount", "Proprietário do negócio": "owner",
            "Data de fechamento": "close_date", "Motivo da perda": "loss_reason", "Moeda": "currency",
        }),
        ("sheet in English", {
            "Ref": "id", "Project": "name", "Prospect": "company", "Sales Person": "owner", "Outcome": "stage",
            "Quote Value": "amount", "Ccy": "currency", "Win %": "probability", "Date Added": "created",
            "Est. Close": "expected_close", "Decision": "decision",
        }),
        ("sheet in German", {
            "Nr.": "id", "Vorhaben": "name", "Interessent": "company", "Vertriebler": "owner", "Stufe": "stage",
            "Angebotssumme": "amount", "Abschluss %": "probability", "Erfasst am": "created",
            "Vorauss. Abschluss": "expected_close", "Entschieden am": "closed", "Whg.": "currency",
        }),
        ("sheet in Spanish", {
            "Nº": "id", "Proyecto": "name", "Nombre del cliente": "company", "Ejecutivo de ventas": "owner",
            "Fase comercial": "stage", "Importe estimado": "amount", "% cierre": "probability",
            "Fecha de apertura": "created", "Previsión de cierre": "expected_close", "Cierre efectivo": "closed",
        }),
        ("sheet in French", {
            "N°": "id", "Projet": "name", "Nom du client": "company", "Suivi par": "owner", "Stade": "stage",
            "Montant estimé": "amount", "Probabilité de signature": "probability", "Ouvert le": "created",
            "Clôture prévisionnelle": "expected_close", "Signé le": "closed",
        }),
        ("sheet in Italian", {
            "N.": "id", "Affare": "name", "Nome cliente": "company", "Responsabile commerciale": "owner",
            "Fase vendita": "stage", "Importo stimato": "amount", "Chiusura %": "probability",
            "Data inserimento": "created", "Data di chiusura stimata": "expected_close",
            "Data chiusura effettiva": "closed",
        }),
        ("sheet in Dutch", {
            "Volgnummer": "id", "Kans": "name", "Opdrachtgever": "company", "Accountmanager": "owner",
            "Salesfase": "stage", "Offertebedrag": "amount", "Kans %": "probability", "Toegevoegd op": "created",
            "Streefdatum": "expected_close", "Datum gesloten": "closed",
        }),
        ("sheet in Portuguese", {
            "Código": "id", "Projeto": "name", "Razão social": "company", "Responsável comercial": "owner",
            "Etapa da venda": "stage", "Valor da proposta": "amount", "Chance de fechamento": "probability",
            "Data de entrada": "created", "Previsão de fechamento": "expected_close", "Encerrado em": "closed",
        }),
    ],
)  # fmt: skip
def test_headers_of_programs_and_languages(program: str, headers: dict[str, str]) -> None:
    assert map_headers(list(headers), None, Schema.standard()) == headers


def test_a_field_that_a_column_is_not_goes_to_the_next() -> None:
    headers = ["Revenue", "Total", "closed", "id"]
    unfit = {("Revenue", "amount"), ("closed", "closed")}
    assert map_headers(headers, None, Schema.standard(), unfit) == {
        "Revenue": "revenue",
        "Total": "amount",
        "closed": "is_closed",
        "id": "id",
    }


def test_one_date_of_closing_wins_over_those_by_outcome() -> None:
    headers = ["id", "won_time", "lost_time", "close_time"]
    assert map_headers(headers, None, Schema.standard()) == {
        "id": "id", "won_time": "won_time", "lost_time": "lost_time", "close_time": "closed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        (["id", "stage", "date_closed"], "close_date"),
        (["id", "date_closed"], "closed"),
        (["id", "stage", "date_closed", "date_deadline"], "closed"),
        (["id", "stage", "date_closed", "close_date"], "closed"),
        (["id", "stage", "date_closed", "closed_at"], "date_closed"),
    ],
)
def test_the_date_that_is_planned_in_one_program_and_actual_in_another(
    headers: list[str], field: str
) -> None:
    assert map_headers(headers, None, Schema.standard())["date_closed"] == field


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        (["ID", "Stage", "Deal closed", "Expected close date"], "close_date"),
        (["ID", "Stage", "Deal closed", "End date"], "close_date"),
        (["ID", "Stage", "Closed", "Expected close date"], "expected_close"),
        (["ID", "Stage", "Closed", "End date"], "end_date"),
        (["ID", "Deal closed", "Expected close date"], "expected_close"),
        (["ID", "Stage", "Deal closed", "Closed on", "Expected close date"], "expected_close"),
        (["ID", "Stage", "Deal closed", "End date", "Expected close date"], "expected_close"),
    ],
)
def test_the_one_date_of_bitrix24_is_known_by_its_flag(headers: list[str], field: str) -> None:
    unfit = {(header, "closed") for header in headers if header in ("Deal closed", "Closed")}
    assert map_headers(headers, None, Schema.standard(), unfit)[headers[-1]] == field


def test_a_date_that_the_caller_has_named_is_not_split() -> None:
    headers = ["ID", "Stage", "Deal closed", "Expected close date"]
    chosen = {"Expected close date": "expected_close"}
    found = map_headers(headers, chosen, Schema.standard(), {("Deal closed", "closed")})
    assert found["Expected close date"] == "expected_close"


@pytest.mark.parametrize(
    ("header", "currency"),
    [
        ("amount_usd", "USD"), ("Amount (EUR)", "EUR"), ("Amount in CHF", "CHF"), ("amountGBP", "GBP"),
        ("Betrag €", "EUR"), ("Valor (R$)", "BRL"), ("amount", None), ("Amount ($)", None), ("amount_all", None),
        ("total_try", None), ("usd", "USD"), ("Cost per bus", None),
    ],
)  # fmt: skip
def test_currencies_in_names(header: str, currency: str | None) -> None:
    assert currency_of(header) == currency


def test_parts_of_a_unit_are_no_part_of_the_name() -> None:
    assert map_headers(["id", "percents"], None, Schema.standard())["percents"] == "percents"


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Win %", "probability"),
        ("% Win", "probability"),
        ("Probability (%)", "probability"),
        ("Closing %", "probability"),
        ("%", "probability"),
        # neither an amount, nor a discount, nor a flag
        ("Value %", "value"),
        ("Discount %", "discount"),
        ("Win", "win"),
    ],
)
def test_a_share_is_a_probability_or_nothing(header: str, field: str) -> None:
    assert map_headers(["id", header], None, Schema.standard())[header] == field


@pytest.mark.parametrize(
    ("headers", "amount"),
    [
        (["Betrag in USD", "Erwarteter Umsatz"], "Betrag in USD"),
        (["Expected revenue", "Revenue [EUR]"], "Revenue [EUR]"),
        (["Ricavo previsto", "Valore (€)"], "Valore (€)"),
        (["Receita esperada"], "Receita esperada"),
        (["amount", "amount_usd"], "amount"),
        (["value", "amount_usd"], "value"),
    ],
)
def test_what_is_weighted_is_no_amount_beside_one(headers: list[str], amount: str) -> None:
    fields = map_headers(headers, None, Schema.standard())
    assert [header for header, field in fields.items() if field == "amount"] == [amount]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Data entrada", "created"),
        ("Date signature prévue", "expected_close"),
        ("Fecha cierre", "close_date"),
        ("Motivo perdita", "loss_reason"),
        ("Opp #", "id"),
        ("#", "id"),
        ("Chance in %", "probability"),
        ("Auftragswert (netto)", "amount"),
        ("Importe sin IVA", "amount"),
        ("Bedrag ex. btw", "amount"),
        ("Betrag brutto", "betrag_brutto"),
        ("Umsatz in T€", "amount"),
        ("Est. Value ($K)", "amount"),
        ("Valor (R$ milhões)", "amount"),
    ],
)
def test_words_around_a_name(header: str, field: str) -> None:
    # a date of closing can't be split without stages
    assert map_headers([header, "Stage"], None, Schema.standard())[header] == field


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Opp Name", "name"), ("OppStage", "stage"), ("opp_owner", "owner"), ("Opps Amount (EUR)", "amount"),
        ("Opposite", "opposite"), ("Opp Type", "opp_type"),
        ("Deal Owner\n(DropDown)", "owner"), ("Stage [required]", "stage"), ("Betrag (Pflichtfeld)", "amount"),
        ("Notes (Required)", "notes_required"), ("Stage (last quarter)", "stage_last_quarter"),
        ("rep_id", "owner"), ("id_vendedor", "owner"), ("id_empresa", "company"),
    ],
)  # fmt: skip
def test_a_name_that_is_short_or_has_a_note_of_its_form(header: str, field: str) -> None:
    assert map_headers([header], None, Schema.standard()) == {header: field}


def test_a_name_is_better_than_the_id_of_a_seller() -> None:
    fields = map_headers(["rep_id", "Sales rep"], None, Schema.standard())
    assert fields == {"rep_id": "rep_id", "Sales rep": "owner"}


@pytest.mark.parametrize(
    "first",
    [
        ["77", "Rollout", "1500.00", r"\N", "Closed Won"],
        ["Rollout", "ann@example.com", "2026-01-31 10:00:00"],
        ["Rollout", "31.01.2026", "Offen", "4.500,00"],
    ],
)
def test_a_first_line_that_is_a_deal(first: list[str]) -> None:
    fields = map_headers(first, None, Schema.standard())
    assert "id" not in fields.values()
    assert no_id(fields).startswith("the first line looks like a deal")


def test_months_and_years_may_head_columns() -> None:
    headers = ["Deal", "2025", "2026", "2026-01", "2026-02", "Q1"]
    assert no_id(dict.fromkeys(headers)).startswith("no column is the id")
