"""Sheets kept by hand in German, Spanish, French, Italian, Dutch and Portuguese."""

from __future__ import annotations

from exports.shape import Stages
from exports.shapes.sheets import Words, sheet

# words of the interfaces of Pipedrive, Odoo and Zoho in each language, and of templates of such sheets
GERMAN: Words = {
    "id": ("ID", "Nr.", "Angebotsnr.", "Deal-ID"),
    "name": ("Bezeichnung", "Titel", "Projekt", "Name"),
    "company": ("Firma", "Kunde", "Unternehmen"),
    "owner": ("Verantwortlich", "Zuständig", "Vertriebsmitarbeiter", "Besitzer", "Bearbeiter"),
    "outcome": ("Phase", "Status", "Stufe"),
    "amount": ("Betrag", "Wert", "Auftragswert", "Volumen", "Umsatz"),
    "probability": ("Wahrscheinlichkeit", "Chance", "Wahrscheinlichkeit %"),
    "created": ("Erstellt am", "Angelegt am", "Erstelldatum", "Erstellt"),
    "currency": ("Währung",),
    "notes": ("Notizen", "Bemerkung"),
    "weighted": ("Gewichtet", "Erwarteter Umsatz"),
    "close": ("Abschlussdatum", "Abschluss"),
    "expected_close": (
        "Voraussichtlicher Abschluss",
        "Geplanter Abschluss",
        "Erwarteter Abschluss",
    ),
    "closed": ("Abgeschlossen am", "Geschlossen am"),
}
SPANISH: Words = {
    "id": ("ID", "Nº", "Código"),
    "name": ("Nombre", "Oportunidad", "Título", "Negocio"),
    "company": ("Empresa", "Cliente", "Cuenta"),
    "owner": ("Propietario", "Responsable", "Comercial", "Vendedor"),
    "outcome": ("Etapa", "Estado", "Fase"),
    "amount": ("Importe", "Valor", "Monto"),
    "probability": ("Probabilidad", "Probabilidad (%)"),
    "created": ("Fecha de creación", "Creado el", "Creado"),
    "currency": ("Moneda", "Divisa"),
    "notes": ("Notas", "Comentarios"),
    "weighted": ("Ponderado", "Ingreso esperado"),
    "close": ("Fecha de cierre", "Cierre"),
    "expected_close": ("Fecha prevista de cierre", "Cierre previsto", "Fecha de cierre prevista"),
    "closed": ("Cerrado el", "Fecha de cierre real"),
}
FRENCH: Words = {
    "id": ("ID", "N°", "Référence"),
    "name": ("Nom", "Affaire", "Opportunité", "Titre"),
    "company": ("Société", "Client", "Entreprise", "Compte"),
    "owner": ("Propriétaire", "Responsable", "Commercial", "Vendeur"),
    "outcome": ("Étape", "Statut", "Phase"),
    "amount": ("Montant", "Valeur"),
    "probability": ("Probabilité", "Probabilité (%)"),
    "created": ("Date de création", "Créé le"),
    "currency": ("Devise",),
    "notes": ("Notes", "Commentaires"),
    "weighted": ("Pondéré", "Revenu espéré"),
    "close": ("Date de clôture", "Clôture"),
    "expected_close": ("Date de clôture prévue", "Clôture prévue"),
    "closed": ("Clôturé le", "Date de clôture réelle"),
}
ITALIAN: Words = {
    "id": ("ID", "N.", "Codice"),
    "name": ("Nome", "Opportunità", "Titolo", "Trattativa"),
    "company": ("Azienda", "Cliente", "Società"),
    "owner": ("Proprietario", "Responsabile", "Venditore", "Commerciale"),
    "outcome": ("Fase", "Stato"),
    "amount": ("Importo", "Valore"),
    "notes": ("Note", "Commenti"),
    "weighted": ("Ponderato", "Ricavo previsto"),
    "probability": ("Probabilità", "Probabilità (%)"),
    "created": ("Data creazione", "Creato il", "Data di creazione"),
    "currency": ("Valuta",),
    "close": ("Data chiusura", "Data di chiusura"),
    "expected_close": ("Chiusura prevista", "Data di chiusura prevista"),
    "closed": ("Chiuso il", "Data chiusura effettiva"),
}
DUTCH: Words = {
    "id": ("ID", "Nr.", "Nummer"),
    "name": ("Naam", "Titel", "Kans", "Opdracht"),
    "company": ("Bedrijf", "Klant", "Organisatie"),
    "owner": ("Eigenaar", "Verantwoordelijke", "Verkoper", "Accountmanager"),
    "outcome": ("Fase", "Status"),
    "amount": ("Bedrag", "Waarde"),
    "notes": ("Notities", "Opmerkingen"),
    "weighted": ("Gewogen", "Verwachte omzet"),
    "probability": ("Kans %", "Waarschijnlijkheid", "Slagingskans"),
    "created": ("Aangemaakt op", "Aanmaakdatum", "Aangemaakt"),
    "currency": ("Valuta",),
    "close": ("Sluitingsdatum", "Afsluitdatum"),
    "expected_close": ("Verwachte sluitingsdatum", "Verwachte afsluitdatum"),
    "closed": ("Gesloten op", "Afgesloten op"),
}
PORTUGUESE: Words = {
    "id": ("ID", "Nº", "Código"),
    "name": ("Nome", "Oportunidade", "Título", "Negócio"),
    "company": ("Empresa", "Cliente", "Conta"),
    "owner": ("Proprietário", "Responsável", "Vendedor"),
    "outcome": ("Etapa", "Estágio", "Status", "Fase"),
    "amount": ("Valor", "Montante"),
    "probability": ("Probabilidade", "Probabilidade (%)"),
    "created": ("Data de criação", "Criado em"),
    "currency": ("Moeda",),
    "notes": ("Observações", "Notas"),
    "weighted": ("Ponderado", "Receita esperada"),
    "close": ("Data de fechamento", "Data de fecho"),
    "expected_close": (
        "Fechamento previsto",
        "Data prevista de fechamento",
        "Previsão de fechamento",
    ),
    "closed": ("Fechado em",),
}

SHAPES = (
    sheet(
        "sheet German",
        ("de", "de", "de", "ch"),
        GERMAN,
        (
            Stages(("Neu", "Qualifiziert", "Angebot", "Verhandlung", "Zusage"), "Gewonnen", "Verloren"),
            Stages(("Erstkontakt", "Bedarf", "Demo", "Angebot", "Verhandlung"), "Abgeschlossen - gewonnen",
                   "Abgeschlossen - verloren"),
        ),
    ),
    sheet(
        "sheet Spanish",
        ("south",),
        SPANISH,
        (
            Stages(("Nuevo", "Contactado", "Demostración", "Propuesta", "Negociación"), "Ganado", "Perdido"),
            Stages(("Prospecto", "Calificado", "Visita", "Oferta", "Negociación"), "Cerrada ganada", "Cerrada perdida"),
        ),
    ),
    sheet(
        "sheet French",
        ("fr",),
        FRENCH,
        (
            Stages(("Nouveau", "Qualifié", "Démo", "Proposition", "Négociation"), "Gagné", "Perdu"),
            Stages(("Prospection", "Qualification", "Devis envoyé", "Relance", "Négociation"), "Gagnée", "Perdue"),
        ),
    ),
    sheet(
        "sheet Italian",
        ("south",),
        ITALIAN,
        (
            Stages(("Nuovo", "Qualificato", "Demo", "Offerta", "Negoziazione"), "Vinto", "Perso"),
            Stages(("Contatto", "Qualificata", "Visita", "Preventivo", "Trattativa"), "Chiusa vinta", "Chiusa persa"),
        ),
    ),
    sheet(
        "sheet Dutch",
        ("nl",),
        DUTCH,
        (
            Stages(("Nieuw", "Gekwalificeerd", "Demo", "Offerte", "Onderhandeling"), "Gewonnen", "Verloren"),
            Stages(("Lead", "Afspraak", "Voorstel", "Offerte", "Onderhandeling"), "Gesloten - gewonnen",
                   "Gesloten - verloren"),
        ),
    ),
    sheet(
        "sheet Portuguese",
        ("south",),
        PORTUGUESE,
        (
            Stages(("Novo", "Qualificado", "Demonstração", "Proposta", "Negociação"), "Ganho", "Perdido"),
            Stages(("Prospecção", "Contato", "Visita", "Proposta", "Negociação"), "Fechado ganho", "Fechado perdido"),
        ),
    ),
)  # fmt: skip
