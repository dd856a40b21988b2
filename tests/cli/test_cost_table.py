"""A cost report as people and programs read it."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

import pytest

from model_orchestrator.application.cost_documents import cost_report_dict, cost_report_rows
from model_orchestrator.application.cost_reports import CostLine, CostQuestion, CostSection
from model_orchestrator.cli import cost_table
from model_orchestrator.cli.cost_table import cost_report_text
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.units import Timestamp

D = Decimal
REAL = CostSection(
    money=Money.REAL,
    lines=(
        CostLine(labels=("2026-11", "chat"), cost=D("12.5"), calls=1200, before=D(10)),
        CostLine(labels=("2026-11", "batch"), cost=D("0.0000243"), calls=1, unknown=1, before=D(0)),
    ),
    before=D(25),
)
SIMULATED = CostSection(money=Money.SIMULATED, lines=(CostLine(labels=("2026-11", "chat"), cost=D(1), calls=1),))
BY = ("month", "category")
ASKED = CostQuestion(now=Timestamp(0), zone=UTC, by=BY)


def test_each_kind_of_money_has_its_own_table() -> None:
    """Totals, shares, bars and the change against the time before."""
    assert cost_report_text(ASKED, [REAL, SIMULATED]).splitlines() == [
        "All costs (UTC)",
        "",
        "Real money",
        "month    category  calls         cost  unknown    share                     change",
        "2026-11  chat      1,200  $12.50                100.0 %  ████████████████  +25.0 %",
        "2026-11  batch         1   $0.0000243        1   <0.1 %  ▏                     new",
        "─" * 82,
        "total              1,201  $12.5000243        1  100.0 %                    -50.0 %",
        "",
        "Simulated: nobody paid this",
        "month    category  calls   cost    share",
        "2026-11  chat          1  $1.00  100.0 %  ████████████████",
        "─" * 58,
        "total                  1  $1.00  100.0 %",
    ]


def test_with_nothing_real_the_other_part_is_shown() -> None:
    """So headed; and with nothing at all that is said."""
    assert cost_report_text(ASKED, [SIMULATED]).splitlines()[2].startswith("Simulated")
    assert cost_report_text(ASKED, []) == "All costs (UTC): nothing was spent in this time"


def test_json_has_every_kind() -> None:
    """Exact digits, null for what is not compared."""
    data = cost_report_dict(BY, [REAL, SIMULATED])
    assert list(data) == ["real", "simulated", "recorded"]
    assert data["real"]["total"] == "12.5000243"
    assert data["recorded"] == {"total": "0", "before": None, "rows": []}
    assert data["real"]["rows"][1] == {
        "month": "2026-11",
        "category": "batch",
        "cost": "0.0000243",
        "calls": 1,
        "unknown": 1,
        "before": "0",
    }


def test_rows_of_a_csv() -> None:
    """The kind of money first."""
    assert list(cost_report_rows([SIMULATED])) == [("simulated", "2026-11", "chat", D(1), 1, 0, None)]


def test_a_terminal_without_blocks_gets_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars of #."""
    monkeypatch.setattr(cost_table, "can_show", lambda characters: False)
    assert "#" * 16 in cost_report_text(ASKED, [REAL])
