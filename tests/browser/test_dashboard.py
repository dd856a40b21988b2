"""The dashboard as people use it, in Chromium."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

PAGES = ("", "/runs", "/costs", "/models", "/policies", "/audit", "/playground", "/login")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("log", ["filled", "empty"])
def test_a_page_opens_without_a_complaint(page: Page, path: str, log: str, request: pytest.FixtureRequest) -> None:
    """No error in the console, nothing that the content security policy stops, nothing loaded from elsewhere."""
    answer = page.goto(request.getfixturevalue(log) + "/dashboard" + path)
    assert answer is not None
    assert answer.status == 200
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_load_state("load")


def test_a_prompt_leads_from_its_plan_to_its_trail(page: Page, filled: str) -> None:
    page.goto(f"{filled}/dashboard/playground")
    page.get_by_label("Prompt").fill("What is 23 * 19?")
    page.get_by_label("Strategy").select_option("ensemble")
    page.get_by_role("button", name="Show plan and price").click()
    expect(page.locator("#plan .price")).to_contain_text("$")
    expect(page.locator("#plan tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Run it").click()
    expect(page.locator("#answer-state")).to_have_text("done")
    answer = page.locator("#answer-text").inner_text()
    assert "437" in answer
    page.get_by_role("link", name="Show its trail").click()
    expect(page.locator("h1")).to_contain_text("Run")
    expect(page.locator("pre.answer")).to_have_text(answer)
    expect(page.get_by_role("heading", name="Answers side by side")).to_be_visible()
    page.get_by_role("button", name="Good answer").click()
    expect(page.locator("#feedback")).to_contain_text("good")


def test_a_key_opens_the_dashboard_and_its_runs_are_its_own(page: Page, locked: tuple[str, str]) -> None:
    """From the login to a run and out again; the browser never keeps the key."""
    address, key = locked
    page.goto(f"{address}/dashboard/runs")
    expect(page).to_have_url(f"{address}/dashboard/login")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("h1")).to_have_text("Overview")
    assert [one for one in page.context.cookies() if key in one.get("value", "")] == []
    page.goto(f"{address}/dashboard/playground")
    page.get_by_label("Prompt").fill("What is Python?")
    page.get_by_role("button", name="Show plan and price").click()
    page.get_by_role("button", name="Run it").click()
    expect(page.locator("#answer-state")).to_have_text("done")
    page.goto(f"{address}/dashboard/runs")
    expect(page.locator("#results tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{address}/dashboard/login")
    page.goto(f"{address}/dashboard/runs")
    expect(page).to_have_url(f"{address}/dashboard/login")


def test_markup_in_a_prompt_stays_text(page: Page, filled: str) -> None:
    """In the plan, in the streamed answer, on the run's page and in the feed."""
    attack = "<img src=x onerror=\"document.title='owned'\">"
    page.goto(f"{filled}/dashboard/playground")
    page.get_by_label("Prompt").fill(f"Repeat: {attack}")
    page.get_by_label("Category").fill("<b onmouseover=1>")
    page.get_by_role("button", name="Show plan and price").click()
    page.get_by_role("button", name="Run it").click()
    expect(page.locator("#answer-state")).to_have_text("done")
    page.get_by_role("link", name="Show its trail").click()
    expect(page.locator("pre.text").first).to_contain_text(attack)
    expect(page).not_to_have_title("owned")
    assert page.locator("main img, main b[onmouseover]").count() == 0


def test_the_live_feed_moves_and_the_figures_with_it(page: Page, filled: str) -> None:
    page.goto(f"{filled}/dashboard?money=simulated")
    expect(page.locator("#feed-state")).to_have_text("connected")
    before = page.locator("#spent small").first.inner_text()
    latest = page.locator("#last-runs tbody a").first.get_attribute("href")
    other = page.context.new_page()
    other.goto(f"{filled}/dashboard/playground")
    other.get_by_label("Prompt").fill("What is Erlang?")
    other.get_by_role("button", name="Show plan and price").click()
    other.get_by_role("button", name="Run it").click()
    expect(other.locator("#answer-state")).to_have_text("done")
    expect(page.locator("#feed li").first).to_contain_text("RunCompleted")
    expect(page.locator("#spent small").first).not_to_have_text(before)
    expect(page.locator("#last-runs tbody a").first).not_to_have_attribute("href", latest or "")


def test_filters_narrow_the_list_and_can_be_taken_away(page: Page, filled: str) -> None:
    page.goto(f"{filled}/dashboard/runs")
    rows = page.locator("#results tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_label("Status").select_option("failed")
    expect(page).to_have_url(re.compile("status=failed"))
    expect(page.locator("#results .pill.good")).to_have_count(0)
    page.get_by_label("Status").select_option("")
    page.get_by_role("textbox", name="Condition").fill('category = "chat"')
    page.get_by_role("textbox", name="Condition").press("Enter")
    expect(page.locator(".chip")).to_contain_text('category = "chat"')
    expect(rows.first).to_contain_text("chat")
    count = rows.count()
    page.get_by_role("textbox", name="Condition").fill("strategy = cheapest")
    page.get_by_role("textbox", name="Condition").press("Enter")
    expect(page.locator(".chip")).to_have_count(2)
    expect(rows).not_to_have_count(count)
    page.get_by_role("link", name=re.compile("Remove the condition strategy")).click()
    expect(rows).to_have_count(count)


def test_a_wrong_condition_is_told_in_place(chromium: Browser, filled: str) -> None:
    """Chromium notes every answer of 400 in the console, so that this page may complain."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{filled}/dashboard/runs")
    page.get_by_role("textbox", name="Condition").fill("cots > 1")
    page.get_by_role("textbox", name="Condition").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("did you mean cost?")
    context.close()


def test_pages_of_the_list_follow_each_other(page: Page, filled: str) -> None:
    page.goto(f"{filled}/dashboard/runs?sort=cost")
    first = page.locator("#results tbody a").first.get_attribute("href")
    page.get_by_role("link", name="Next page").click()
    expect(page.locator(".pages")).to_contain_text("Page 2")
    expect(page.locator("#results tbody a").first).not_to_have_attribute("href", first or "")
    page.get_by_role("link", name="First page").click()
    expect(page.locator("#results tbody a").first).to_have_attribute("href", first or "")


def test_a_cost_leads_to_its_runs_and_a_run_to_its_trail(page: Page, filled: str) -> None:
    page.goto(f"{filled}/dashboard/costs")
    page.locator("select[name=by]").select_option("category")
    expect(page.locator("#results th").first).to_have_text("Category")
    page.get_by_role("link", name="research").first.click()
    expect(page.locator(".chip")).to_contain_text('category = "research"')
    page.locator("#results tbody a").first.click()
    expect(page.get_by_role("heading", name="What happened, and why")).to_be_visible()


def test_the_log_is_verified_while_one_looks(page: Page, filled: str) -> None:
    page.goto(f"{filled}/dashboard/audit")
    page.get_by_role("button", name="Verify the log now").click()
    expect(page.locator("#verification")).to_contain_text("Sound.")


def test_a_backtest_draws_its_picture(page: Page, filled: str) -> None:
    page.goto(f"{filled}/dashboard/policies")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#played table").first).to_be_visible(timeout=60_000)
    expect(page.locator("#played")).to_contain_text("heuristic")


def test_everything_is_reached_by_the_keyboard(page: Page, filled: str) -> None:
    """Skip the navigation, fill the form, ask for the plan and run it without a mouse."""
    page.goto(f"{filled}/dashboard/playground")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Prompt")).to_be_focused()
    page.keyboard.type("What is Python?")
    page.keyboard.press("Control+Enter")
    run = page.get_by_role("button", name="Run it")
    expect(run).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if run.evaluate("one => one === document.activeElement"):
            break
    expect(run).to_be_focused()
    assert run.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#answer-state")).to_have_text("done")


@pytest.mark.parametrize("width", [390, 768, 1440])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_the_screen(page: Page, filled: str, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{filled}/dashboard{path}")
    page.wait_for_load_state("load")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
