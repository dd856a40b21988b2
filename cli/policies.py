"""`policies`: the policies by name, what is in them, and why a run decided as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Config, Database, open_orchestrator
from .output import print_json, print_table, say

if TYPE_CHECKING:
    from ..infrastructure.policies import PolicyInForce

app = typer.Typer(
    help="List and show the policies, and explain a run's decision.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
Provider = Annotated[
    str | None, typer.Option("--provider", help="live, simulated, anthropic or openai.", show_default=False)
]


@app.callback()
def root() -> None:
    """List and show the policies, and explain a run's decision."""


@app.command("list", epilog="Example: model-orchestrator policies list")
def list_(provider: Provider = None, as_json: AsJson = False, config: Config = None) -> None:
    """List the policies that --policy takes; the one in force unless another is named is marked."""
    from ..domain.errors import ConfigurationError, InvalidRequest
    from ..infrastructure.policies import policy_names

    orchestrator = open_orchestrator(config, None)
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys((*policy_names(orchestrator.settings), orchestrator.settings.policy)):
        try:
            shown = _document(orchestrator.policy(provider, name))
        except (ConfigurationError, InvalidRequest) as error:
            shown = {
                "name": name,
                "version": None,
                "router": None,
                "scorer": None,
                "explore": None,
                "error": str(error),
            }
        found.append(shown | {"is_default": name == orchestrator.settings.policy})
    if as_json:
        print_json({"policies": found})
        return
    rows = [_row(one) for one in found]
    print_table(("NAME", "VERSION", "ROUTER", "TARGET", "SCORER", "EXPLORE"), rows)
    for one in found:
        if one["error"]:
            say(f"{one['name']}: {one['error']}")


@app.command(epilog="Example: model-orchestrator policies show learned")
def show(
    name: Annotated[str, typer.Argument(help="A policy's name, or a TOML file.")],
    provider: Provider = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show a policy: how it chooses and scores, its weights and the models they know, and its whole document."""
    import json

    from ..infrastructure.policy import policy_json

    found = open_orchestrator(config, None).policy(provider, name)
    document = _document(found) | {"document": json.loads(policy_json(found.policy))}
    if as_json:
        print_json(document)
        return
    for key in ("name", "version", "file", "router", "target", "scorer", "explore"):
        if document[key] is not None:
            print(f"{key:<10}{document[key]}")
    if document["models"]:
        print(f"{'knows':<10}{', '.join(document['models'])}")
    say(f"chains, panels and the matrix: model-orchestrator strategies show --policy {name}")


@app.command(epilog="Example: model-orchestrator policies explain last")
def explain(
    run: Annotated[str, typer.Argument(help="A run id, the beginning of one, or last.")],
    as_json: AsJson = False,
    database: Database = None,
    config: Config = None,
) -> None:
    """Explain the decision of a run: what it read of the prompt, who could be asked, who not, and why this one."""
    import asyncio

    from ..infrastructure.explaining import explain_run

    async def load() -> dict[str, Any]:
        async with open_orchestrator(config, database) as orchestrator:
            orchestrator.expect_runs()
            return await explain_run(orchestrator, run)

    found = asyncio.run(load())
    if as_json:
        print_json(found)
    else:
        _show_explanation(found)


def _document(found: PolicyInForce) -> dict[str, Any]:
    from ..domain.units import fraction

    policy = found.policy
    return {
        "name": found.name,
        "version": policy.version,
        "file": None if found.file is None else str(found.file),
        "router": policy.router,
        "target": None if policy.router is None else fraction(policy.target),
        "models": list(getattr(found.router.model, "models", ())) if found.router else [],
        "scorer": policy.scorer,
        "explore": fraction(policy.explore),
        "error": None,
    }


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    name = f"{one['name']} (default)" if one["is_default"] else one["name"]
    if one["error"]:
        return (name, "cannot be used", "", "", "", "")
    target = "" if one["target"] is None else f"{one['target']:.2f}"
    return (name, one["version"], one["router"] or "by class", target, one["scorer"], f"{one['explore']:g}")


def _show_explanation(found: dict[str, Any]) -> None:
    assessed = found["assessed"]
    print(f"run       {found['run_id']}, policy {found['policy']}")
    print(f"asked     {' > '.join(found['plan']) or 'nobody'}: {found['because']}")
    print(f"strategy  {found['strategy']} ({found['strategy_reason']})")
    signals = ", ".join(f"{name} {value:+.2f}" for name, value in assessed["signals"].items()) or "none"
    print(f"assessed  {assessed['capability']}, {assessed['task_type']} by {assessed['assessor']}; signals: {signals}")
    if found["forecast"]:
        print(f"forecast  target {found['forecast']['target']:.2f} by weights {found['forecast']['weights']}")
    print()
    chosen, propensities = found["plan"][:1], (found["exploration"] or {}).get("propensities", {})
    rows = [_candidate_row(one, chosen, propensities) for one in found["candidates"]]
    rows += [("", one["model"], "", "", "", one["reason"]) for one in found["excluded"]]
    print_table(("", "MODEL", "EXPECTED", "SUCCESS", "PROPENSITY", "NOT A CANDIDATE"), rows)
    for model, features in (found["features"] or {}).items():
        print(f"\n{model}: what raised and lowered its success most")
        print_table(("FEATURE", "BY"), [(one["feature"], f"{one['by']:+.3f}") for one in features])
    if found["exploration"]:
        print(f"\nexplores {found['exploration']['epsilon']:g}; drew {found['exploration']['draw']:.6f}")


def _candidate_row(one: dict[str, Any], chosen: list[str], propensities: dict[str, float]) -> tuple[str, ...]:
    cost = "unknown" if one["expected_cost"] is None else f"${one['expected_cost']}"
    success = "" if one["success"] is None else f"{one['success']:.3f}"
    propensity = f"{propensities[one['model']]:.4f}" if one["model"] in propensities else ""
    return ("*" if one["model"] in chosen else "", one["model"], cost, success, propensity, "")
