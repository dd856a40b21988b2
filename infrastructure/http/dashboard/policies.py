"""The policies, which one is in force, and what each would have come to: played over the past on demand."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

from starlette.responses import Response

from ....application.backtest_chart import backtest_chart
from ....application.backtest_report import Backtest
from ....application.backtest_tally import Figure
from ....application.curve_chart import curve_svg
from ....domain.errors import ConfigurationError, InvalidRequest, OrchestratorError
from ....domain.units import fraction
from ...backtest import Asked, backtest_dataset
from ...backtest_log import backtest_log
from ...bootstrap import Orchestrator
from ...policies import PolicyInForce, policy_names
from ...store.dataset_tables import open_dataset_tables
from .desk import Desk
from .spans import Span
from .visit import Visit, first

LOG = "the log"


class PoliciesPage:
    """`/dashboard/policies`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._playing = asyncio.Lock()  # one at a time: each takes every processor

    async def show(self, visit: Visit) -> Response:
        """All of them; nothing is played yet."""
        names = self._names()
        return await self._desk.page(
            visit,
            "policies.html",
            policies=[self._described(name) for name in names],
            names=names,
            datasets=await asyncio.to_thread(self._datasets),
            log=LOG,
        )

    async def play(self, visit: Visit) -> Response:
        """A part, or a page for who has no script: the policies over the log, or over a data set."""
        visit.need("admin")
        fields = await self._desk.form(visit)
        found: list[Backtest] = []
        problem = ""
        try:
            async with self._playing:
                found = await asyncio.to_thread(self._play, fields)
        except OrchestratorError as error:
            problem = str(error)
        name = "backtest.html" if visit.is_partial else "backtest_page.html"
        shown = [_shown(one, number) for number, one in enumerate(found)]
        return await self._desk.page(visit, name, found=shown, problem=problem, status=400 if problem else 200)

    def _play(self, fields: dict[str, list[str]]) -> list[Backtest]:
        """Blocking. Raises InvalidRequest."""
        known = self._names()
        policies = list(dict.fromkeys(name for key in ("policy", "against") if (name := first(fields, key))))
        for name in policies:
            if name not in known:  # a file's name is for who sits at the machine
                raise InvalidRequest(f"there is no policy {name!r}: expected one of {', '.join(known)}")
        over, orchestrator = first(fields, "over"), self._desk.orchestrator
        asked = [Asked.of(name) for name in policies]
        if over and over != LOG:
            if over not in self._datasets():
                raise InvalidRequest(f"there is no data set {over!r}")
            return [backtest_dataset(orchestrator.settings, over, asked)]
        start, end = Span.of(first(fields, "time") or "30d", orchestrator.clock.now()).range
        own = Orchestrator(orchestrator.settings)  # it opens and closes the store in a loop of its own
        return backtest_log(own, asked, since=start, until=end)

    def _names(self) -> list[str]:
        settings = self._desk.orchestrator.settings
        return list(dict.fromkeys((*policy_names(settings), settings.policy)))

    def _datasets(self) -> list[str]:
        with closing(open_dataset_tables(self._desk.orchestrator.settings.database_url)) as tables:
            return [one.name for one in tables.every()]

    def _described(self, name: str) -> dict[str, Any]:
        is_default = name == self._desk.orchestrator.settings.policy
        try:
            found = self._desk.orchestrator.policy(None, name)
        except (ConfigurationError, InvalidRequest) as error:
            return {"name": name, "is_default": is_default, "error": str(error)}
        return {"name": name, "is_default": is_default, "error": None, **_facts(found)}


def _facts(found: PolicyInForce) -> dict[str, Any]:
    policy = found.policy
    return {
        "version": policy.version,
        "router": policy.router or "by class",
        "target": None if policy.router is None else fraction(policy.target),
        "scorer": policy.scorer,
        "explore": fraction(policy.explore),
        "models": list(getattr(found.router.model, "models", ())) if found.router else [],
        "chains": {name: list(chain.models) for name, chain in policy.chains.items()},
    }


def _shown(found: Backtest, number: int) -> dict[str, Any]:
    picture = backtest_chart(found, f"What quality costs: {found.of}")
    count = found.policies[0].counts["runs"]
    return {
        "of": f"{found.of} money" if found.is_log else found.of,
        "what": f"{count:,} {'runs' if found.is_log else 'prompts'}",
        "chart": picture and curve_svg(picture, id=f"backtest-{number}", styled=False),
        "rows": [
            {
                "name": one.name,
                "quality": _figure(one.figures.get("quality"), 3),
                "usd": _figure(one.figures.get("usd_per_1000"), 4),
                "calls": _figure(one.figures.get("calls"), 2),
                "observed": one.counts["quality_observed"],
                "runs": one.counts["runs"],
                "trained_on": one.trained_on,
            }
            for one in found.policies
        ],
    }


def _figure(figure: Figure | None, digits: int) -> tuple[str, str] | None:
    """The value, and the interval around it; None where nothing was observed."""
    if figure is None:
        return None
    return f"{figure.value:.{digits}f}", f"{figure.low:.{digits}f} to {figure.high:.{digits}f}"
