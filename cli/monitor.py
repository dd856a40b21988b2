"""`monitor`: what is going on, as it happens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from ..domain.errors import InvalidRequest
from .output import print_json, say

if TYPE_CHECKING:
    from ..application.monitor import Frame
    from ..domain.breaker import BreakerState

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Watch spending, calls, failures and runs as they happen.",
)


class Screen(Protocol):
    """Where frames are shown."""

    def show(self, frame: Frame) -> None:
        """This one, in place of the one before."""


@app.command(epilog="Example: model-orchestrator monitor --interval 2")
def monitor(
    interval: Annotated[float, typer.Option("--interval", help="Seconds to a new frame where nothing happens.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="One frame, then end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print frames as JSON, a line each.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Watch spending against budgets, calls, failures, breakers and runs. Ctrl-C ends it. Texts are never shown.

    A change of the log is shown at once. Where stdout is no terminal, each changed frame is printed.
    """
    import asyncio

    from .monitor_screen import Lines, Printed, Terminal, is_terminal

    if not 0.05 <= interval <= 3600:
        raise InvalidRequest(f"interval {interval:g} is not possible: expected 0.05 to 3600 seconds")
    try:
        if once or as_json or not is_terminal():
            asyncio.run(_watch(Lines() if as_json else Printed(), interval, once, as_json, database, config))
        else:
            with Terminal() as screen:
                asyncio.run(_watch(screen, interval, once, as_json, database, config, early=True))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except asyncio.CancelledError:  # asked to end by SIGTERM
        raise typer.Exit(143) from None


async def _watch(
    screen: Screen,
    interval: float,
    once: bool,
    as_json: bool,
    database: str | None,
    config: Path | None,
    early: bool = False,
) -> None:
    from contextlib import aclosing

    from ..application.monitor import Monitor
    from ..application.monitor_figures import frame_dict
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.breaker_states import breaker_states
    from ..infrastructure.catalogues import load_catalogue
    from ..infrastructure.settings import Settings, resolve_provider

    settings = Settings.load(config, database_url=database)
    models = load_catalogue(settings, resolve_provider(settings, None)[0]).models

    async def breakers() -> dict[str, BreakerState]:
        return await breaker_states(settings, models)

    _end_on_sigterm()
    async with Orchestrator(settings) as orchestrator:
        orchestrator.expect_runs()
        orchestrator.read_models.tell = say
        watching = Monitor(orchestrator.store, orchestrator.log, orchestrator.read_models, orchestrator.clock, breakers)
        if once:
            frame = await watching.now()
            if as_json:
                print_json(frame_dict(frame))
            else:
                screen.show(frame)
            return
        async with aclosing(watching.frames(interval, early=early)) as frames:
            async for frame in frames:
                screen.show(frame)


def _end_on_sigterm() -> None:
    """So that the terminal is given back as it was."""
    import asyncio
    import signal

    from .signals import on_signal

    task = asyncio.current_task()
    assert task is not None
    on_signal(signal.SIGTERM, task.cancel)
