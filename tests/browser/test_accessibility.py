"""axe-core finds no serious or critical problem on any page, light or dark, on a desk or on a phone."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = Path(os.environ.get("AXE", Path(__file__).parents[2] / ".venv" / "browser" / "axe.min.js"))
PAGES = (
    "",
    "/runs",
    "/runs?where=cost+>+0.001&status=completed",
    "/runs/ENSEMBLE",
    "/costs",
    "/models",
    "/policies",
    "/audit",
    "/playground",
    "/login",
    "/nothing",
)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_serious_problem(page: Page, filled: str, path: str, width: int) -> None:
    if not AXE.exists():
        pytest.fail(f"there is no {AXE}: `make test-browser` fetches it")
    page.set_viewport_size({"width": width, "height": 900})
    home = f"{filled}/dashboard"
    if "ENSEMBLE" in path:
        page.goto(f"{home}/runs?strategy=ensemble&status=completed")
        path = "/runs/" + (page.locator("#results tbody a").first.get_attribute("href") or "").rpartition("/")[2]
    if path == "/nothing":
        page.route(re.compile("/dashboard/nothing$"), lambda route: route.fulfill(response=route.fetch(), status=200))
    page.goto(home + path)
    page.wait_for_load_state("load")
    page.evaluate(AXE.read_text(encoding="utf-8"))  # not as a script of the page: its policy would stop it
    found = page.evaluate("async () => (await axe.run(document)).violations")
    serious = [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
