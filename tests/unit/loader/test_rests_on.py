"""What figures will rest on is said at the end of a load, and what no column says, with what to do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from dealdb.cli.commands.setup.pipeline import parse_stages
from dealdb.errors import LoadError
from dealdb.loader import DataLoader, LoadReport, rejects
from dealdb.loader.report import MappedColumn
from dealdb.loader.rests_on import doubts, rests_on
from dealdb.model.pipeline import Kind, Pipeline, Stage
from recorder import Recorder

WHOLE = {
    "Deal ID": "1", "Deal Name": "A", "Amount": "5", "Deal Stage": "Won", "Deal Owner": "Ann",
    "Create Date": "2026-01-01", "Close Date": "2026-02-01",
}  # fmt: skip


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def load(store: Recorder, rows: Sequence[Mapping[str, object]], **options: object) -> LoadReport:
    return DataLoader(lambda: store).load(rows, rejects=False, bar=False, **options)  # type: ignore[arg-type]


def test_each_field_of_the_figures_with_its_column(store: Recorder) -> None:
    report = load(store, [WHOLE, {**WHOLE, "Deal ID": "2", "Deal Stage": "Lost"}])
    assert report.rests_on == (
        "amount <- Amount",
        "stage <- Deal Stage: 1 won, 1 lost",
        "owner <- Deal Owner",
        "created <- Create Date",
        "closed <- Close Date of won and lost deals",
        "expected_close <- Close Date of open deals",
    )
    assert report.warnings == ()


def test_columns_without_a_value_are_named(store: Recorder) -> None:
    rows = [
        {
            **WHOLE,
            "Amount": None,
            "Deal Stage": None,
            "Close Date": None,
            "Estimated Worth Value": 5,
        }
    ]
    report = load(store, rows)
    assert report.rests_on == ("owner <- Deal Owner", "created <- Create Date")
    assert report.warnings == (
        "column 'Amount' is empty, and no other is the amount: figures of money will be empty; "
        "name another with --map 'Estimated Worth Value'=amount",
        "column 'Deal Stage' is empty, and no other is the stage: every deal counts as open; "
        "name another with --map HEADER=stage",
        "column 'Close Date' is empty, and no other says when deals were closed: those that are won or lost are in no "
        "period; name another with --map HEADER=closed",
        "column 'Close Date' is empty, and no other says when deals are expected to close: none will be overdue; "
        "name another with --map HEADER=expected_close",
    )
    assert [each.header for each in report.columns if each.is_empty] == [
        "Amount",
        "Deal Stage",
        "Close Date",
    ]


def test_what_no_column_says_with_the_likely_remedy(store: Recorder) -> None:
    report = load(store, [{"id": "1", "Estimated Worth Value": 5, "stage": "Demo"}])
    assert report.warnings == (
        "no column is the amount: figures of money will be empty; name it with --map 'Estimated Worth Value'=amount",
        "no column is the owner: there will be no figures by owner; name it with --map HEADER=owner",
        "no column says when deals were created: no age, sales cycle or trend of new deals; "
        "name it with --map HEADER=created",
        "no column says when deals were closed: those that are won or lost are in no period; "
        "name it with --map HEADER=closed",
        "no column says when deals are expected to close: none will be overdue; "
        "name it with --map HEADER=expected_close",
        "no stage means won: the open ones are Demo; change what they mean in: dealdb pipeline --set Demo:open:0.5",
        "no stage means lost: the open ones are Demo; change what they mean in: dealdb pipeline --set Demo:open:0.5",
    )


def test_a_column_without_a_value_says_nothing(store: Recorder) -> None:
    report = load(store, [{**WHOLE, "Amount": ""}])
    assert any("is empty, and no other is the amount" in warning for warning in report.warnings)


def test_changes_of_deals_that_exist_need_not_say_everything(store: Recorder) -> None:
    load(store, [WHOLE, {**WHOLE, "Deal ID": "2", "Deal Stage": "Lost"}])
    assert load(store, [{"id": "1", "stage": "Lost"}]).warnings == ()


def test_strict_refuses_before_anything_is_written(store: Recorder) -> None:
    with pytest.raises(LoadError, match=r"no column is the amount.*nothing was written"):
        load(store, [{"id": "1", "stage": "Won"}], strict=True)
    assert store.count() == 0
    assert not len(store.pipeline())
    both = [WHOLE, {**WHOLE, "Deal ID": "2", "Deal Stage": "Lost"}]
    assert load(store, both, strict=True).inserted == 2


def test_where_every_row_fails_for_one_column_the_load_stops(
    store: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects, "HOPELESS_ROWS", 3)
    rows = [{"id": str(n), "created": "soon"} for n in range(3)]
    with pytest.raises(
        LoadError,
        match=r"all 3 rows so far of rows are rejected for column 'created' \(not-a-date\)",
    ):
        load(store, rows)
    # one that is right is reason enough to go on
    report = load(store, [{"id": "x", "created": "2026-01-01"}, *rows])
    assert (report.inserted, report.rejected) == (1, 3)


def test_the_name_of_a_header_is_one_argument_of_the_shell() -> None:
    columns = [MappedColumn(header="importe_eur", field="importe_eur", type="decimal(2)")]
    assert doubts(columns, (), Pipeline())[0].endswith("--map importe_eur=amount")


def test_stages_that_the_rows_lack_are_not_counted() -> None:
    pipeline = Pipeline(
        (Stage("Demo", Kind.OPEN), Stage("Talk", Kind.OPEN), Stage("Won", Kind.WON))
    )
    columns = [MappedColumn(header="Phase", field="stage", type="text")]
    assert rests_on(columns, {"Demo", "Won"}, pipeline) == ("stage <- Phase: 1 open, 1 won",)


def test_where_all_stages_are_won_no_open_one_is_named() -> None:
    columns = [MappedColumn(header="Phase", field="stage", type="text")]
    pipeline = Pipeline((Stage("Won", Kind.WON),))
    found = doubts(columns, ["Won"], pipeline)
    assert (
        found[-1] == "no stage means lost; change what they mean in: dealdb pipeline --set Won:won"
    )


def test_the_command_for_stages_can_be_pasted_into_a_shell() -> None:
    pipeline = Pipeline(
        (
            Stage("It's on, or not", Kind.OPEN, Decimal("0.10"), 30),
            Stage('A "B": $x', Kind.OPEN),
            Stage("Done", Kind.OPEN, None, 7),
            Stage("Won", Kind.WON, Decimal(1)),
        )
    )
    columns = [MappedColumn(header="Phase", field="stage", type="text")]
    [found] = [line for line in doubts(columns, ["Won"], pipeline) if "lost" in line][-1:]
    arguments = shlex.split(found.partition("in: ")[2])
    assert arguments[:3] == ["dealdb", "pipeline", "--set"]
    assert parse_stages(arguments[3]) == pipeline


@pytest.mark.parametrize(
    ("header", "type", "field"),
    [
        ("Stand", "text", "stage"),
        ("Avancement du dossier", "text", "stage"),
        ("Vertrieb Süd", "text", "owner"),
        ("Comercial 2", "text", "owner"),
        ("Anlage", "date", "created"),
        ("Fecha de la entrada", "date", "created"),
    ],
)
def test_the_column_that_is_likely_meant_in_other_languages(
    header: str, type: str, field: str
) -> None:
    own = MappedColumn(header=header, field="own", type=type)
    shown = header if header.isidentifier() else f"'{header}'"
    assert any(line.endswith(f"--map {shown}={field}") for line in doubts([own], (), Pipeline()))


def _warnings_of(store: Recorder, *stages: str) -> tuple[str, ...]:
    rows = [{**WHOLE, "Deal ID": str(n), "Deal Stage": stage} for n, stage in enumerate(stages)]
    return load(store, rows).warnings


def test_a_stage_that_says_only_that_a_deal_has_ended(store: Recorder) -> None:
    [warning] = _warnings_of(store, "Won", "Lost", "Demo", "Closed", "Завершена")
    assert warning.startswith(
        "stages that say that a deal has ended, but not how, count as open: Closed, Завершена; "
        "change what they mean in: dealdb pipeline --set "
    )


def test_ids_among_the_names_of_stages(store: Recorder) -> None:
    numbers = [str(95_180_900 + n) for n in range(10)]
    [warning] = _warnings_of(store, "closedwon", "closedlost", *numbers)
    assert warning.startswith(
        f"stages that are ids count as open: {', '.join(numbers[:8])}, and 2 more; "
        "give a table of stages (--stages FILE), or change what they mean in: dealdb pipeline --set "
    )


def test_stages_that_are_known_need_no_words(store: Recorder) -> None:
    assert _warnings_of(store, "Won", "Lost", "Close", "Closing call", "3 - Demo") == ()


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("Estimated $", "'Estimated $'"),
        ("Share Price", "HEADER"),
        ("Opportunity Total Worth", "'Opportunity Total Worth'"),
        ("Gross Value\n(all years)", "'Gross Value (all years)'"),
    ],
)
def test_the_column_that_may_be_the_amount(store: Recorder, header: str, shown: str) -> None:
    rows = [{**{k: v for k, v in WHOLE.items() if k != "Amount"}, header: 5}]
    assert f"name it with --map {shown}=amount" in load(store, rows).warnings[0]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([("Parked", "Y")], True),
        ([("Parked", "Y"), ("Parked", "N")], True),
        ([("Parked", "N")], False),
        ([("Closed Lost", "Y")], False),
    ],
)
def test_a_flag_that_closes_deals_whose_stage_says_nothing(
    store: Recorder, flags: Sequence[tuple[str, str]], *, told: bool
) -> None:
    known = [("Won", "Y"), ("Lost", "Y"), ("Demo", "N")]
    rows = [
        {**WHOLE, "Deal ID": str(n), "Deal Stage": stage, "Is Closed": flag}
        for n, (stage, flag) in enumerate([*known, *flags])
    ]
    line = "stages that say that a deal has ended, but not how, count as open: Parked"
    warnings = [text.partition(";")[0] for text in load(store, rows).warnings]
    assert warnings == ([line] if told else [])


def test_a_stage_in_which_flags_say_won_of_some_deals_and_lost_of_others(store: Recorder) -> None:
    rows = [
        {**WHOLE, "Deal ID": str(n), "Deal Stage": stage, "Is Won": won, "Is Closed": "true"}
        for n, (stage, won) in enumerate(
            [("Final", "true"), ("Final", "false"), ("Won", "true"), ("Lost", "false")]
        )
    ]
    assert [text.partition(";")[0] for text in load(store, rows).warnings] == [
        "stages that say that a deal has ended, but not how, count as open: Final"
    ]
