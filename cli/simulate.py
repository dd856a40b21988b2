"""`simulate`: a provider on loopback that speaks both protocols, to try and to test against."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from .signals import on_signal

if TYPE_CHECKING:
    from ..infrastructure.simulate.faults import Fault
    from ..infrastructure.simulate.server import SimulatorOptions


app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(epilog="Example: model-orchestrator simulate --port 8080 --fault rate_limit=0.1")
def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 picks a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    latency: Annotated[float, typer.Option(min=0, help="Milliseconds before each answer.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the faults that come by chance.")] = 0,
    as_real: Annotated[bool, typer.Option("--as-real", help="Do not say that answers are simulated.")] = False,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME=RATE", help="A share (0..1) of calls that fail; repeatable.")
    ] = None,
) -> None:
    """Serve simulated models over OpenAI's and Anthropic's protocols; the address is the first line on stdout."""
    from ..infrastructure.simulate.server import SimulatorOptions

    options = SimulatorOptions(latency=latency / 1000, seed=seed, as_real=as_real, rates=_rates(fault or []))
    try:
        asyncio.run(_serve(options, host, port))
    except OSError as error:
        typer.echo(f"cannot listen on {host}:{port}: {error.strerror or error}", err=True)
        raise typer.Exit(2) from None


def _rates(given: list[str]) -> dict[Fault, float]:
    """The shares by fault. Raises BadParameter, which names what is expected."""
    from ..infrastructure.simulate.faults import fault_named

    rates: dict[Fault, float] = {}
    for text in given:
        name, _, rate = text.partition("=")
        try:
            rates[fault_named(name)] = float(rate)
        except ValueError as error:
            raise typer.BadParameter(f"{text}: {error}; expected NAME=RATE such as rate_limit=0.1") from None
    if any(not 0 <= rate <= 1 for rate in rates.values()) or sum(rates.values()) > 1:
        raise typer.BadParameter("each rate must be within 0..1, and their sum at most 1")
    return rates


async def _serve(options: SimulatorOptions, host: str, port: int) -> None:
    """Listen until the process is asked to stop."""
    from ..infrastructure.simulate.server import Simulator, serving

    async with serving(Simulator(options), host=host, port=port) as address:
        typer.echo(address)
        typer.echo(
            f"OPENAI_BASE_URL={address}/v1  ANTHROPIC_BASE_URL={address}  (any key)  counts: {address}/stats\n"
            "stop: Ctrl-C",
            err=True,
        )
        await _asked_to_stop()


async def _asked_to_stop() -> None:
    """Return at the first SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        on_signal(number, stop.set)
    await stop.wait()
