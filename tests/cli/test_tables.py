"""Tables for the terminal."""

from __future__ import annotations

from model_orchestrator.cli.tables import Column, table

COLUMNS = (Column("category"), Column("cost", is_figure=True), Column("share", is_figure=True))


def test_points_stand_below_points() -> None:
    """Whatever the digits; a word stands at the right."""
    rows = [("chat", "$1,200.50", "80.1 %"), ("batch", "$0.0000243", "<0.1 %"), ("code", "unknown", "")]
    assert table(COLUMNS, rows, [("total", "$1,200.5000243", "")]).splitlines() == [
        "category            cost   share",
        "chat      $1,200.50       80.1 %",
        "batch         $0.0000243  <0.1 %",
        "code             unknown",
        "────────────────────────────────",
        "total     $1,200.5000243",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    """And no rule."""
    assert table(COLUMNS, []) == "category  cost  share"


def test_wide_and_foreign_text_keeps_the_columns() -> None:
    """Wide characters count two; what is no character of a text, such as an escape sequence, never gets out."""
    lines = table(
        (Column("a", widest=6), Column("b")), [("日本", "x"), ("\x1b[31mred", "x"), ("ääääääää", "x")]
    ).splitlines()
    assert lines == ["a       b", "日本    x", "�[31m…  x", "äääää…  x"]
