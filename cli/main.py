"""The command line: a table of commands, each loaded only when it is called.

Data goes to stdout, talk to stderr; exit 0: done, 1: the run failed, 2: misuse, 130: interrupted.
"""

from __future__ import annotations

import atexit
import gc
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..domain.errors import OrchestratorError
from .output import error_dict, exit_code, print_json, say

COMMANDS = {  # name: (module:app, what it does)
    "run": ("run:app", "Answer a prompt: cheapest model, chain or ensemble."),
    "batch": ("batch:app", "Answer the prompts of a file."),
    "compare": ("compare:app", "Show what each strategy would do and cost, side by side."),
    "strategies": ("strategies:app", "Show the chains, panels and choices in force."),
    "policies": ("policies:app", "List and show the policies, and explain a run's decision."),
    "backtest": ("backtest:app", "Play a policy over past runs or recorded answers, for nothing."),
    "scorers": ("scorers:app", "List who can say how far an answer is trusted."),
    "runs": ("runs:app", "List, show, resume and cancel runs."),
    "feedback": ("feedback:app", "Say how good an answer was."),
    "attempts": ("attempts:app", "List paid calls, and say what a lost one cost."),
    "audit": ("audit:app", "Read what a run did, and verify the whole log."),
    "learn": ("learn:app", "Train policies from recorded outcomes."),
    "budgets": ("budgets:app", "Set, list, show and remove budgets."),
    "keys": ("keys:app", "Make, list and revoke the service's API keys."),
    "costs": ("costs:app", "Report what was spent, export, reprice and reconcile it."),
    "events": ("events:app", "Write the log into Parquet files, for other engines."),
    "projections": ("projections:app", "Show how the read models stand, or build them anew."),
    "evaluate": ("evaluate:app", "Judge routing, confidence, cascades and ensembles on recorded outcomes."),
    "models": ("models:app", "List the models, what they cost and how they do."),
    "monitor": ("monitor:app", "Watch spending, calls, failures and runs as they happen."),
    "datasets": ("datasets:app", "Take in recorded answers of models, list and show them."),
    "config": ("config:app", "Write or show the settings."),
    "privacy": ("privacy:app", "Destroy stored texts, and encrypt them."),
    "db": ("db:app", "Upgrade, back up, restore and vacuum the database, or show how it stands."),
    "doctor": ("doctor:app", "Check keys, reach, models and the database."),
    "selftest": ("selftest:app", "Try the parts of the orchestrator on themselves."),
    "serve": ("serve:app", "Serve OpenAI's and Anthropic's protocols, an API and a dashboard."),
    "simulate": ("simulate:app", "Serve simulated models on a port, for tests and demos."),
}


class LazyGroup(TyperGroup):
    """Imports a command's module when the command is called, and none of them to list them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, name: str) -> Any:
        """The command, loaded now."""
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name][0].split(":")
        command = typer.main.get_command(getattr(import_module(f"..{module}", __name__), attribute))
        command.name = name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual, but an unknown name is told the nearest."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Commands: {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {name!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table, without loading a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in COMMANDS.items()])


app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"model-orchestrator {__version__}")
        raise typer.Exit


@app.callback(epilog='Try: model-orchestrator run "What is Python?"')
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Route a prompt to the right language model, and prove what it did and what it cost."""


def main() -> None:
    """Run the command line; errors are one line on stderr, or an object on stdout with --json."""
    if isinstance(sys.stdout, TextIOWrapper):  # None where it is closed
        sys.stdout.reconfigure(errors="backslashreplace")  # a paid answer is shown whatever the terminal's encoding
    atexit.register(gc.freeze)  # else Python ends with a search for garbage, a tenth of a short command's time
    try:
        try:
            app(prog_name="model-orchestrator")
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OrchestratorError as error:
        if "--json" in sys.argv:
            print_json({"error": error_dict(error)})
        else:
            say(f"model-orchestrator: {error}")
        sys.exit(exit_code(error))
    except OSError as error:  # the output cannot be written
        sys.stdout = None  # else the interpreter tries once more
        if not isinstance(error, BrokenPipeError):
            place = f"{error.filename}: " if error.filename else ""
            say(f"model-orchestrator: {place}{error.strerror or error}")
        sys.exit(1)
