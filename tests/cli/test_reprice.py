"""`costs reprice`: as charged and repriced side by side; what is unknown stays unknown."""

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from model_orchestrator.domain.events import Money
from model_orchestrator.domain.pricing import Usage
from model_orchestrator.infrastructure.prices import priced_model

from ..contracts.read_models import add
from ..database import Database
from ..read_models import completed, of_category
from ..scenario import HAIKU, MINI, answered, asked, costed, failed, lost
from .command import command

USED = Usage(input_uncached=1000, cache_read=200, cache_write=0, output=300, reasoning=100)


@pytest.fixture
def calls(database: Database) -> Database:
    """An answer of each of two models, a refusal, a lost call, an answer without usage, and a simulated one."""
    url = database.url if not database.is_file else f"sqlite:///{Path('runs.db').resolve()}"
    chat = of_category("chat", tags={"team": "search"})
    add(url, "run-1", chat, asked(MINI), answered(1, usage=USED), costed(1, "0.01"), completed())
    add(url, "run-2", of_category("code"), asked(HAIKU), failed(1), asked(HAIKU, 2), lost(2))
    add(url, "run-3", of_category("code"), asked(MINI), answered(1, usage=None), costed(1, "0.5"), completed())
    simulated = replace(costed(1, "7"), money=Money.SIMULATED)
    add(url, "run-4", of_category("chat", provider="simulated"), asked(MINI), answered(1, usage=USED), simulated)
    return database


def prices(**models: object) -> str:
    Path("prices.json").write_text(
        json.dumps({"models": {name.replace("_", "-"): one for name, one in models.items()}})
    )
    return "prices.json"


def test_amounts_are_exact_and_of_the_same_calls(calls: Database) -> None:
    """Cached tokens cost their own price; kinds of money stay apart; history is as it was."""
    before = calls.count("events")
    card = prices(gpt_4o_mini={"input": "0.3", "cache_read": 0.03, "output": 1.2})
    done = command("costs", "reprice", "--card", card, "--json").document
    each = Decimal(1000 * 300_000 + 200 * 30_000 + 400 * 1_200_000) / 10**12
    (haiku, mini), (simulated,) = done["real"]["rows"], done["simulated"]["rows"]
    assert mini == {
        "model": MINI,
        "calls": 2,
        "charged": "0.01",
        "repriced": str(each),
        "difference": str(each - Decimal("0.01")),
        "unknown": 1,
        "unknown_charged": "0.5",
    }
    assert (haiku["calls"], haiku["charged"], haiku["repriced"], haiku["unknown"]) == (2, None, None, 2)
    assert (simulated["charged"], simulated["repriced"]) == ("7", str(each))
    total = done["real"]["total"]
    assert (total["calls"], total["charged"], total["repriced"], total["unknown"]) == (4, "0.01", str(each), 3)
    assert done["recorded"]["rows"] == []
    assert calls.count("events") == before


def test_long_inputs_cost_their_tier(calls: Database) -> None:
    """From the settings' own form, in TOML."""
    Path("card.toml").write_text(
        "[models.gpt-4o-mini]\ninput_price = 1\noutput_price = 1\n"
        "tiers = [{ above = 1199, input_price = 2.5, output_price = 3 }]\n"
    )
    done = command("costs", "reprice", "--card", "card.toml", "--by", "category", "--json").document
    chat, code = done["real"]["rows"]
    assert (chat["category"], chat["repriced"]) == ("chat", str(Decimal(1200 * 25 + 400 * 30) / 10**7))
    assert (code["category"], code["repriced"], code["unknown"]) == ("code", None, 3)


def test_a_model_without_a_card_is_unknown_never_zero(calls: Database) -> None:
    card = prices(other={"input": 1, "output": 1})
    done = command("costs", "reprice", "--card", card, "--json").document
    (simulated,) = done["simulated"]["rows"]
    assert (simulated["charged"], simulated["repriced"], simulated["difference"]) == (None, None, None)
    assert (simulated["unknown"], simulated["unknown_charged"]) == (1, "7")
    table = command("costs", "reprice", "--card", card)
    assert "unknown" in table.stdout.splitlines()[-1]
    assert "left out of both amounts" in table.stderr


def test_latest_is_the_price_list_with_the_users_own_prices(calls: Database) -> None:
    done = command("costs", "reprice", "--json").document
    listed = priced_model("openai", MINI).price
    assert listed.cache_read is not None
    each = (1000 * listed.input + 200 * listed.cache_read + 400 * listed.output) / 10**6
    assert Decimal(done["simulated"]["rows"][0]["repriced"]) == each
    Path("model-orchestrator.toml").write_text(
        f'[models.{MINI}]\nprovider = "openai"\ncapability = "basic"\ncontext_window = 9000\nmax_tokens = 900\n'
        "input_price = 10\noutput_price = 0\n"
    )
    own = command("costs", "reprice", "--json").document
    assert own["simulated"]["rows"][0]["repriced"] == "0.012"


def test_groups_dates_and_csv(calls: Database) -> None:
    done = command("costs", "reprice", "--by", "tag:team,model", "--since", "2026-11", "--until", "2999", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["money"], row["tag:team"], row["model"], row["calls"]) for row in rows] == [
        ("real", "search", MINI, "1"),
        ("real", "", HAIKU, "2"),
        ("real", "", MINI, "1"),
        ("simulated", "", MINI, "1"),
    ]
    nothing = command("costs", "reprice", "--until", "2001", "--tz", "Europe/Berlin")
    assert nothing.stdout == "nothing was spent in this time\n"


def test_only_calls_that_meet_every_condition_are_repriced(calls: Database) -> None:
    """The same words as of the other reports; totals are of what is left."""
    card = prices(gpt_4o_mini={"input": 1, "output": 1})

    def total(*conditions: str) -> tuple[int, str | None]:
        words = [word for condition in conditions for word in ("--where", condition)]
        found = command("costs", "reprice", "--card", card, *words, "--json").document["real"]["total"]
        return found["calls"], found["charged"]

    assert total() == (4, "0.01")
    assert total("status = answered") == (2, "0.01")
    assert total("status = answered", "category != chat") == (1, None)
    assert total("tag:team = search") == total("cost < 0.1", "category = chat") == (1, "0.01")
    assert total("model = nobody") == (0, None)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--card", "nowhere.json"), "cannot read nowhere.json"),
        (("--card", "bad.json"), "neither JSON nor TOML"),
        (("--card", "empty.json"), "has no prices"),
        (("--card", "typo.json"), "did you mean input_price?"),
        (("--card", "half.json"), "expected an output price"),
        (("--by", "colour"), "cannot group by 'colour'"),
        (("--json", "--csv"), "not both"),
        (("--since", "soon"), "expected today"),
        (("--where", "colour = red"), "there is no field 'colour'"),
    ],
)
def test_misuse_is_one_line(database: Database, arguments: tuple[str, ...], complaint: str) -> None:
    Path("bad.json").write_text("{")
    Path("empty.json").write_text("[]")
    Path("typo.json").write_text('{"models": {"a": {"inptu": 1}}}')
    Path("half.json").write_text('{"models": {"a": {"input": 1}}}')
    done = command("costs", "reprice", *arguments)
    assert (done.code, complaint in done.stderr + done.stdout) == (2, True), done
