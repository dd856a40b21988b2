"""Forms come from our pages only, logins hold no key, nobody sees another's runs, and no text becomes markup."""

import asyncio
from typing import Any

import pytest

from model_orchestrator.application.api_keys import revoke_key
from model_orchestrator.domain.events import KeyScope
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.http.dashboard.paths import is_page
from model_orchestrator.infrastructure.http.dashboard.tokens import SESSION, Tokens
from model_orchestrator.infrastructure.key_making import make_key
from model_orchestrator.infrastructure.providers import simulated_text

from .visitor import Page, Visitor, visiting

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>&lt;b&gt;\u202e"
LABEL = "<img src=x onerror=alert(1)>\"'&"

# ---- forms ----


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/playground/plan",
        "/dashboard/playground/run",
        "/dashboard/policies/backtest",
        "/dashboard/audit/verification",
        "/dashboard/runs/last/feedback",
        "/dashboard/login",
        "/dashboard/logout",
    ],
)
def test_a_form_without_its_browsers_token_changes_nothing(filled: str, path: str) -> None:
    """Not without one, not with another browser's, and not as another kind of body."""

    async def ask() -> list[Page]:
        async with visiting(filled) as mine, visiting(filled) as other:
            token = (await mine.get("/dashboard/playground")).csrf
            fields = {"prompt": "hello", "value": "good", "key": "x", "policy": "heuristic"}
            return [
                await mine.post(path, fields),
                await other.post(path, {**fields, "csrf": token}),
                await mine.post(path, {**fields, "csrf": token}, {"content-type": "text/plain"}),
            ]

    before = head(filled)
    assert [page.status for page in asyncio.run(ask())] == [403, 403, 415]
    assert head(filled) == before


def head(url: str) -> int:
    async def ask() -> int:
        async with visiting(url) as visitor:
            return await visitor.service.orchestrator.store.head()

    return asyncio.run(ask())


def test_cookies_are_for_this_site_and_for_no_script(empty: str) -> None:
    async def ask() -> list[str]:
        async with visiting(empty) as visitor:
            _, token = await make_key(visitor.service.orchestrator, "alice")
            await visitor.enter(token)
            return [token, *visitor.set_cookies]

    token, *cookies = asyncio.run(ask())
    assert len(cookies) == 2
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/dashboard" in cookie
        assert token not in cookie


# ---- logins ----


def test_pages_need_a_login_from_the_first_key_on(empty: str) -> None:
    async def ask() -> list[Page]:
        async with visiting(empty) as visitor:
            before = await visitor.get("/dashboard")
            _, token = await make_key(visitor.service.orchestrator, "alice")
            found = [await visitor.get("/dashboard"), await visitor.get("/dashboard/live")]
            found += [await visitor.get("/dashboard/saved", {"hx-request": "true"})]
            found += [await visitor.enter("wrong"), await visitor.get("/dashboard")]
            return [before, *found, await visitor.enter(token), await visitor.get("/dashboard")]

    before, page, live, part, refused, still, entered, home = asyncio.run(ask())
    assert before.status == 200
    for one in (page, live, still):
        assert (one.status, one.header("location")) == (303, "/dashboard/login")
    assert (part.status, part.header("hx-redirect")) == (401, "/dashboard/login")
    assert refused.status == 401
    assert (entered.status, entered.header("location")) == (303, "/dashboard")
    assert "Log out" in home.said
    assert "alice" in home.said


def test_a_session_ends_with_its_key_and_with_a_logout(empty: str) -> None:
    async def ask() -> list[int]:
        async with visiting(empty) as visitor:
            orchestrator = visitor.service.orchestrator
            _, token = await make_key(orchestrator, "alice")
            await visitor.enter(token)
            seen = await visitor.get("/dashboard/runs")
            await visitor.post("/dashboard/logout", {"csrf": (await visitor.get("/dashboard/playground")).csrf})
            left = await visitor.get("/dashboard/runs")
            await visitor.enter(token)
            entered = await visitor.get("/dashboard/runs")
            await revoke_key(orchestrator.store, orchestrator.log, "alice", by="local")
            revoked = await visitor.get("/dashboard/runs")
            return [page.status for page in (seen, left, entered, revoked)]

    assert asyncio.run(ask()) == [200, 303, 200, 303]


def test_the_application_lets_pages_ask_for_their_own_login(empty: str) -> None:
    """Its API answers 401 without a key; a page leads to the login, and without any key only this machine is let in."""
    assert is_page("/")
    assert is_page("/dashboard/runs/x")
    assert not is_page("/dashboards")
    assert not is_page("/runs")


def test_a_session_cannot_be_made_up_changed_or_kept_for_ever() -> None:
    tokens = Tokens(b"a" * 32)
    session = tokens.session("k1", now=1000)
    assert tokens.key_of(session, now=1000 + SESSION - 1) == "k1"
    assert tokens.key_of(session, now=1000 + SESSION) is None
    key_id, until, signature = session.split(".")
    for changed in (
        f"azI=.{until}.{signature}",
        f"{key_id}.{int(until) + 1}.{signature}",
        f"{key_id}.{until}.",
        "",
        "x.y",
    ):
        assert tokens.key_of(changed, now=1000) is None
    assert Tokens(b"b" * 32).key_of(session, now=1000) is None


# ---- whose runs ----


def test_who_is_no_admin_sees_only_own_runs(own: str) -> None:
    """The log's runs are of `local` and `key-1`: each sees its own in the list and by address."""

    async def ask() -> tuple[set[str], set[str], list[int]]:
        async with visiting(own) as everybody, visiting(own) as mine:
            every = await listed(everybody)
            await mine.log_in(name="key-1")
            own_runs = await listed(mine)
            others = sorted(every - own_runs)
            return every, own_runs, [(await mine.get(path)).status for path in (others[0], sorted(own_runs)[0])]

    every, own_runs, (foreign, known) = asyncio.run(ask())
    assert own_runs < every
    assert len(own_runs) > 10
    assert (foreign, known) == (404, 200)


async def listed(visitor: Visitor) -> set[str]:
    """The runs on all pages of the list."""
    found, path = set[str](), "/dashboard/runs"
    while path:
        page = await visitor.get(path)
        found |= set(page.links("/dashboard/runs/run-"))
        path = next(iter(page.links("/dashboard/runs?after=")), "")
    return found


def test_scopes_open_and_close_pages(own: str) -> None:
    async def ask() -> list[int]:
        async with visiting(own) as visitor:
            await visitor.log_in(name="reader", scopes=(KeyScope.READ,))
            form = {"csrf": (await visitor.get("/dashboard/login")).csrf, "prompt": "hello"}
            audit = await visitor.get("/dashboard/audit")
            plan = await visitor.post("/dashboard/playground/plan", form)
            run = await visitor.post("/dashboard/playground/run", form)
            backtest = await visitor.post("/dashboard/policies/backtest", form)
            verify = await visitor.post("/dashboard/audit/verification", form)
            return [one.status for one in (audit, plan, run, backtest, verify)]

    assert asyncio.run(ask()) == [403] * 5


def test_who_is_no_admin_sees_only_own_figures(own: str) -> None:
    async def ask() -> list[Page]:
        async with visiting(own) as visitor:
            await visitor.log_in(name="newcomer")
            paths = ("/dashboard", "/dashboard/costs?time=all", "/dashboard/models?time=30d", "/dashboard/saved")
            return [await visitor.get(path) for path in paths]

    overview, costs, models, saved = asyncio.run(ask())
    assert "Nothing has run yet" in overview.said
    assert "Budgets" not in overview.said
    assert "Nothing was spent" in costs.said
    assert "No call was made" in models.said
    assert "nothing yet" in saved.said


def test_a_run_of_the_playground_is_of_whoever_logged_in(own: str) -> None:
    async def ask() -> Page:
        async with visiting(own) as visitor:
            await visitor.log_in(name="newcomer")
            form = {"csrf": (await visitor.get("/dashboard/playground")).csrf, "prompt": "What is Python?"}
            await visitor.post("/dashboard/playground/run", form)
            return await visitor.get("/dashboard/runs")

    assert len(asyncio.run(ask()).links("/dashboard/runs/run-")) == 1


# ---- hostile texts ----


@pytest.fixture
def hostile(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A log in which every text, label and name is an attack; its address, and a run of it."""
    monkeypatch.setattr(simulated_text, "_text", lambda asked, chance: f"42 {HOSTILE}")
    url = f"sqlite:///{tmp_path / 'hostile.db'}"

    async def run() -> str:
        async with visiting(url) as visitor:
            orchestrator = visitor.service.orchestrator
            tags = {"team": LABEL, "<b>": "x"}
            result = await orchestrator.run(HOSTILE, strategy="ensemble", category=LABEL, tags=tags, subject=LABEL)
            await orchestrator.feedback(result.run_id, "good", by=LABEL, note=HOSTILE)
            await orchestrator.set_budget(f"category:{LABEL}", limit=Usd("1"))
            return result.run_id

    return url, asyncio.run(run())


def test_nothing_that_people_or_models_wrote_becomes_markup(hostile: tuple[str, str]) -> None:
    url, run_id = hostile
    paths = (
        "/dashboard",
        "/dashboard?money=simulated",
        "/dashboard/saved?money=simulated",
        "/dashboard/runs",
        f"/dashboard/runs/{run_id}",
        "/dashboard/costs?by=category",
        "/dashboard/costs?by=tag&tag=team&split=daily",
        "/dashboard/costs?by=tag&tag=%3Cb%3E",
        "/dashboard/models?money=simulated",
        "/dashboard/runs?q=%3Cscript%3E&category=%3Cscript%3E&where=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E",
        "/dashboard/costs?by=%3Cscript%3E&tag=%22%3E%3Cimg%3E&where=%3Csvg+onload%3D1%3E",
        "/dashboard/runs/%3Cscript%3E",
        "/dashboard/%3Cscript%3Ealert(1)%3C/script%3E",
    )

    async def ask() -> list[Page]:
        async with visiting(url) as visitor:
            found = [await visitor.get(path) for path in paths]
            form = {"csrf": found[4].csrf, "prompt": HOSTILE, "category": LABEL, "model": LABEL}
            return [*found, await visitor.post("/dashboard/playground/plan", form)]

    pages = asyncio.run(ask())
    for page, path in zip(pages, (*paths, "the plan"), strict=True):
        assert_harmless(page, path)
    shown = pages[4]
    assert HOSTILE in shown.said  # the prompt, as it was written
    assert f"42 {HOSTILE}" in shown.said
    assert LABEL in shown.said
    assert LABEL in pages[5].said  # in the chart too
    assert pages[5].text.count("&lt;img src=x") > 3


def assert_harmless(page: Page, path: str) -> None:
    assert page.status in (200, 400, 404), path
    scripts = [attributes.get("src") for tag, attributes in page.elements if tag == "script"]
    assert scripts == ["/dashboard/assets/htmx.min.js", "/dashboard/assets/dashboard.js"] or not scripts, path
    images = {attributes.get("src") for tag, attributes in page.elements if tag == "img"}
    assert images <= {"/dashboard/assets/sign.svg"}, path
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], path
    for link in page.links(""):
        assert link.startswith(("/dashboard", "#")), (path, link)
