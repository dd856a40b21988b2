"""`batch`: answer the prompts of a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from ..domain.budget import NOTHING
from ..domain.errors import InvalidRequest
from .output import money, print_json, say
from .run import RunCommand, parse_tags
from .signals import on_signal

if TYPE_CHECKING:
    from ..application.batch_lines import BatchLine
    from ..infrastructure.batch import Batch, BatchSummary

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command(cls=RunCommand, epilog="Example: model-orchestrator batch prompts.jsonl --output answers.jsonl")
def batch(
    file: Annotated[
        Path, typer.Argument(help='JSONL, each line such as {"prompt": "hi"}; CSV with a heading; or recorded:NAME.')
    ],
    output: Annotated[Path | None, typer.Option("--output", help="Where results go; default: stdout.")] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", help="Runs at once, 1 to 1000.")] = 8,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Asks anew under another name; default: the file's.", show_default=False),
    ] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Of lines that name none.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Likewise.")] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="live, simulated, anthropic, openai or recorded:NAME.")
    ] = None,
    max_cost: Annotated[str | None, typer.Option("--max-cost", help="The most each run may cost, in USD.")] = None,
    scorer: Annotated[str | None, typer.Option("--scorer", help="heuristic-1, learned, or judge:MODEL.")] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="A policy's name, or a TOML file.")] = None,
    explore: Annotated[
        float | None, typer.Option("--explore", metavar="EPS", help="0 to 1: how often any candidate is asked.")
    ] = None,
    category: Annotated[str | None, typer.Option("--category", help="What the runs are reported by.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="key=value; repeatable.")] = None,
    system: Annotated[str | None, typer.Option("--system", help="A system message.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="The longest answer, in tokens.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="0 to 2.")] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds for each run.")] = None,
    cache: Annotated[
        str | None, typer.Option("--cache", metavar="[TTL]", help="Take answers given before: 10m, 24h (alone) or off.")
    ] = None,
    on_unknown: Annotated[str | None, typer.Option("--on-unknown", help="A lost attempt: retry or fail.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON; needs --output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no summary.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Answer every line of a file, in its order; after Ctrl-C or a crash the same command pays no answered line again.

    A line holds what `run_orchestration` takes: prompt or messages, strategy, category, tags, idempotency_key, and an
    id of its own that comes back with the result. Every run is tagged batch=NAME, so that a budget can cap the batch.
    recorded:NAME asks every prompt of an imported data set, which answers itself where no other provider is named.
    """
    import asyncio

    from ..application.run_options import label_of
    from ..application.world import dataset_of
    from ..infrastructure.batch import Batch
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.settings import Settings

    if as_json and output is None:
        raise InvalidRequest("--json prints the summary to stdout: say where results go with --output FILE")
    if output is not None and (output.is_dir() or output.resolve() == file.resolve()):
        raise InvalidRequest(f"--output {output}: expected a file of its own for the results")
    if not 1 <= concurrency <= 1000:
        raise InvalidRequest(f"concurrency {concurrency} is not possible: expected 1 to 1000")
    if (dataset := dataset_of(str(file))) is not None:
        provider = provider or str(file)
    given = {
        "strategy": strategy,
        "model": model,
        "provider": provider,
        "max_cost": max_cost,
        "scorer": scorer,
        "policy": policy,
        "explore": explore,
        "category": category,
        "tags": parse_tags(tag or []) or None,
        "system": system,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "timeout": timeout,
        "cache": cache,
        "on_unknown": on_unknown,
    }
    defaults: dict[str, Any] = {option: value for option, value in given.items() if value is not None}
    orchestrator = Orchestrator(Settings.load(config, database_url=database))
    orchestrator.prepare("any", **defaults)  # the caller's mistakes are found before anything is opened
    label = label_of("name", name or file.name[-48:])
    asks_others = dataset is not None and provider != str(file)
    lines = partial(_lines, file, dataset, orchestrator.settings.database_url, asks_others=asks_others)
    if not quiet and (notice := orchestrator.provider_notice(provider)):
        say(notice)

    async def answered() -> tuple[BatchSummary, bool]:
        async with orchestrator:
            work = Batch(orchestrator, label, defaults, concurrency=concurrency)
            _stop_gently(work, quiet=quiet)
            return await _write(work, lines, output, quiet=quiet), work.is_stopping

    try:
        summary, is_stopped = asyncio.run(answered())
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("interrupted: the same command goes on, and pays no answered line again")
        raise typer.Exit(130) from None
    if as_json:
        print_json({"name": label, "complete": not is_stopped, **summary.to_dict()})
    elif not quiet:
        _show(summary, label)
    if is_stopped:
        say("stopped: the same command goes on, and pays no answered line again")
        raise typer.Exit(130)
    if summary.statuses["completed"] < summary.lines:
        raise typer.Exit(1)


def _lines(file: Path, dataset: str | None, database_url: str, *, asks_others: bool) -> Iterator[BatchLine]:
    """The lines of the file, or of a data set."""
    from ..application.batch_lines import read_batch

    if dataset is None:
        return read_batch(file)
    from ..infrastructure.dataset_lines import dataset_lines

    return dataset_lines(dataset, database_url, with_expected=asks_others)


async def _write(
    batch: Batch, lines: Callable[[], Iterator[BatchLine]], output: Path | None, *, quiet: bool
) -> BatchSummary:
    """Write each result as it is due; a file of results takes its name when it is whole."""
    from ..infrastructure.batch import BatchSummary

    summary = BatchSummary()
    async with AsyncExitStack() as stack:
        part = None if output is None else output.with_name(f"{output.name}.{os.getpid()}.part")
        target: IO[str] = sys.stdout if part is None else stack.enter_context(part.open("w", encoding="utf-8"))
        bar: Any = None
        if not quiet and sys.stderr.isatty():
            length = sum(1 for _ in lines())
            bar = stack.enter_context(_progress(length, summary))
        results = await stack.enter_async_context(aclosing(batch.results(lines())))
        async for done in results:
            target.write(json.dumps(done.to_dict(), ensure_ascii=part is None) + "\n")
            summary.add(done)
            if bar is not None:
                bar.update(1, summary)
    if part is not None and output is not None and not batch.is_stopping:
        part.replace(output)
    return summary


def _progress(length: int, summary: BatchSummary) -> Any:
    """A bar on stderr with what was paid so far and the time left."""

    def so_far(item: BatchSummary | None) -> str:
        spent = {} if item is None else item.spent
        return ", ".join(money(amount, kind=kind) for kind, amount in spent.items() if amount)

    return typer.progressbar(length=length, label="lines", show_pos=True, item_show_func=so_far, file=sys.stderr)


def _stop_gently(batch: Batch, *, quiet: bool) -> None:
    """The first Ctrl-C begins no further line; the second cancels what is under way."""
    import asyncio
    import signal

    task = asyncio.current_task()

    def interrupted() -> None:
        if batch.is_stopping and task is not None:
            task.cancel()
        elif not quiet:
            say("\nstopping: what is under way is finished; Ctrl-C again cancels it")
        batch.is_stopping = True

    on_signal(signal.SIGINT, interrupted)


def _show(summary: BatchSummary, name: str) -> None:
    """The summary for people, on stderr."""
    counts = summary.to_dict()
    words = [f"{counts[one]} {one}" for one in ("completed", "failed", "invalid") if counts[one]]
    words += [f"{summary.repeats} answered before"] if summary.repeats else []
    words += [f"{summary.cached} from the cache"] if summary.cached else []
    say(f"batch {name}: {summary.lines} lines: {', '.join(words) or 'none'}")
    for model, count in summary.models.most_common():
        say(f"  {model:<24}{count:>8}")
    spent = [(kind.value, amount) for kind, amount in summary.spent.items() if amount]
    for kind, amount in spent or [("real", NOTHING)]:
        say(f"  {'cost':<24}{money(amount, kind=kind)}")
    if summary.accuracy is not None:
        say(f"  {'right':<24}{summary.right:>8g} of {summary.labelled} ({summary.accuracy:.1%})")
    if summary.unknown_costs:
        say(f"  {'of unknown cost':<24}{summary.unknown_costs:>8}: see `attempts list --lost`")
