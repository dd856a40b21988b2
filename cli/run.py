"""`run`: answer one prompt."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ..domain.errors import InvalidRequest
from .output import money, print_json, say, say_wait

if TYPE_CHECKING:
    from ..application.result import OrchestrationResult
    from ..infrastructure.bootstrap import Orchestrator
    from ..infrastructure.plan import Plan

CACHE_TIME = re.compile(r"off|\d+[a-z]?")

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


class RunCommand(TyperCommand):
    """`--cache` may stand alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual; a word after `--cache` that is no time is not taken for one."""
        after = [*args[1:], ""]
        alone = [word == "--cache" and not CACHE_TIME.fullmatch(after[place]) for place, word in enumerate(args)]
        return super().parse_args(
            ctx, [f"{word}=24h" if bare else word for word, bare in zip(args, alone, strict=True)]
        )


@app.command(cls=RunCommand, epilog='Example: model-orchestrator run "What is Python?" --max-cost 0.01')
def run(
    prompt_argument: Annotated[
        str | None, typer.Argument(metavar="[PROMPT]", help="The prompt; - reads standard input.", show_default=False)
    ] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="The prompt, as an option.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Read the prompt from a file.")] = None,
    strategy: Annotated[str, typer.Option("--strategy", help="cheapest, fallback, ensemble or auto.")] = "cheapest",
    model: Annotated[str | None, typer.Option("--model", help="Ask this model and no other.")] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="live, simulated, anthropic, openai or recorded:NAME.", show_default=False),
    ] = None,
    max_cost: Annotated[str | None, typer.Option("--max-cost", help="The most the run may cost, in USD.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="What the run is reported by.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="key=value; repeatable.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="A pseudonym of whom the texts are about.")] = None,
    no_content: Annotated[bool, typer.Option("--no-content", help="Record the run without its texts.")] = False,
    system: Annotated[str | None, typer.Option("--system", help="A system message.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", help="The longest answer, in tokens.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="0 to 2.")] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="0 to 1: the share of likely tokens drawn from.")
    ] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds for the whole run.")] = None,
    chain: Annotated[str | None, typer.Option("--chain", help="Of a fallback: a name, or models a,b,c.")] = None,
    threshold: Annotated[float | None, typer.Option("--threshold", help="0 to 1: the confidence that ends it.")] = None,
    start: Annotated[str | None, typer.Option("--start", help="Of a chain: first, or capable.")] = None,
    verify: Annotated[str | None, typer.Option("--verify", help="agreement: two cheap answers that agree.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Of an ensemble: 2 or 3 models a,b,c.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="vote, score, judge or fuse.")] = None,
    full_panel: Annotated[bool, typer.Option("--full-panel", help="Ask every member at once.")] = False,
    max_attempts: Annotated[int | None, typer.Option("--max-attempts", help="Of one call; 1: no retry.")] = None,
    on_unknown: Annotated[str | None, typer.Option("--on-unknown", help="A lost attempt: retry or fail.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key and request give the first run again.")
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option("--cache", metavar="[TTL]", help="Take an answer given before: 10m, 24h (alone) or off."),
    ] = None,
    scorer: Annotated[str | None, typer.Option("--scorer", help="heuristic-1, learned, or judge:MODEL.")] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="A policy's name, or a TOML file.")] = None,
    explore: Annotated[
        float | None, typer.Option("--explore", metavar="EPS", help="0 to 1: how often any candidate is asked.")
    ] = None,
    expect: Annotated[str | None, typer.Option("--expect", help="The right answer, to compare with.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it arrives.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say how the model was chosen.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the answer only.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its price; send nothing.")] = False,
    database: Annotated[str | None, typer.Option("--database", help="sqlite:///PATH or postgresql://...")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file.")] = None,
) -> None:
    """Answer a prompt with the strategy asked for; the answer on stdout, what it took on stderr."""
    try:
        from ..infrastructure.bootstrap import Orchestrator
        from ..infrastructure.settings import Settings

        settings = Settings.load(config, database_url=database)
        orchestrator = Orchestrator(settings, on_wait=None if quiet else say_wait)
        text = read_prompt(prompt_argument, prompt, file)
        options: dict[str, Any] = {
            "strategy": strategy,
            "model": model,
            "provider": provider,
            "max_cost": max_cost,
            "category": category,
            "tags": parse_tags(tag or []),
            "subject": subject,
            "store_content": False if no_content else None,
            "system": system,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "timeout": timeout,
            "chain": chain,
            "threshold": threshold,
            "start": start,
            "verify": verify,
            "models": [name.strip() for name in models.split(",")] if models is not None else None,
            "method": method,
            "full_panel": full_panel or None,
            "max_attempts": max_attempts,
            "on_unknown": on_unknown,
            "idempotency_key": idempotency_key,
            "cache": cache,
            "scorer": scorer,
            "policy": policy,
            "explore": explore,
            "expect": expect,
        }
        if not quiet and (notice := orchestrator.provider_notice(provider)):
            say(notice)
        if dry_run:
            _show_plan(orchestrator.plan(text, **options), as_json=as_json)
        else:
            result = _answer(orchestrator, text, options, stream=stream and not as_json, quiet=quiet)
            _show_result(result, as_json=as_json, streamed=stream, verbose=verbose, quiet=quiet)
    except KeyboardInterrupt:
        say("interrupted: if the run had begun, it is recorded as cancelled; see `model-orchestrator runs list`")
        raise typer.Exit(130) from None


def read_prompt(argument: str | None, option: str | None, file: Path | None) -> str:
    """The prompt from the one place it was given. Raises InvalidRequest for none, several, or no text."""
    given = [source for source in (argument, option, file) if source is not None]
    if len(given) > 1:
        raise InvalidRequest("the prompt was given more than once: use one of the argument, --prompt or --file")
    if file is not None:
        try:
            return _decoded(file.read_bytes(), str(file))
        except OSError as error:
            raise InvalidRequest(f"cannot read {file}: {error.strerror}") from None
    if given and given != ["-"]:
        return str(given[0])
    if sys.stdin is None or (not given and sys.stdin.isatty()):
        raise InvalidRequest('no prompt: give one, as in `model-orchestrator run "What is Python?"`, or - for stdin')
    return _decoded(sys.stdin.buffer.read(), "standard input")


def parse_tags(tags: list[str]) -> dict[str, str]:
    """key=value words. Raises InvalidRequest."""
    parsed = {}
    for tag in tags:
        key, equals, value = tag.partition("=")
        if not equals or not key or not value:
            raise InvalidRequest(f"--tag {tag!r} is not key=value")
        if key in parsed:
            raise InvalidRequest(f"--tag {key} was given twice")
        parsed[key] = value
    return parsed


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{source} is not valid UTF-8 (at byte {error.start + 1})") from None


def _answer(
    orchestrator: Orchestrator, text: str, options: dict[str, Any], *, stream: bool, quiet: bool
) -> OrchestrationResult:
    import asyncio

    async def answer() -> OrchestrationResult:
        orchestrator.prepare(text, **options)  # the caller's mistakes are found before anything is opened
        async with orchestrator:
            keeps = options["store_content"] is not False
            if keeps and not quiet and (notice := await orchestrator.first_run_notice()):
                say(notice)
            return await orchestrator.run(text, on_delta=print_delta if stream else None, **options)

    began = False

    def print_delta(text: str) -> None:
        nonlocal began
        began = True
        print(text, end="", flush=True)

    try:
        return asyncio.run(answer())
    finally:
        if began:  # whatever comes next starts a line of its own
            print()


def _show_result(result: OrchestrationResult, *, as_json: bool, streamed: bool, verbose: bool, quiet: bool) -> None:
    if as_json:
        print_json(result.to_dict())
        return
    if not streamed:
        print(result.response)
    if quiet:
        return
    if verbose:
        _show_how(result)
    for warning in result.metadata["warnings"]:
        say(f"warning: {warning}")
    if (as_expected := result.metadata.get("as_expected")) is not None:
        say("as expected" if as_expected else "not as expected")
    if (grade := result.metadata.get("grade")) is not None:
        say(f"graded {grade:g} in the data set")
    cost = money(result.cost, kind=result.metadata["money"])
    if cached := result.metadata["cached"]:
        saved = None if cached["saved"] is None else Decimal(cached["saved"])
        say(f"from the cache: the answer of {cached['run']}, saving {money(saved)}")
    if result.metadata["repeat"]:
        say("asked before with this idempotency key: nothing was asked or paid again")
    figures = f"{cost} | {result.latency:.2f} s | confidence {result.confidence:.2f}"
    say(f"{_answered_by(result)} | {figures} | {result.run_id}")


def _answered_by(result: OrchestrationResult) -> str:
    """The model; of an ensemble also the members."""
    if not result.ensemble_models:
        return result.model_used
    return f"{result.model_used} of {' + '.join(result.ensemble_models)}"


def _show_how(result: OrchestrationResult) -> None:
    """How the model was chosen and how the answer was judged."""
    data = result.metadata
    say(f"assessed: {data['capability']}, {data['task_type']}; signals: {_signals(data['prompt_signals'])}")
    for one in data["candidates"]:
        expected = None if one["expected_cost"] is None else Decimal(one["expected_cost"])
        likely = "" if one["success"] is None else f", right with {one['success']:.2f}"
        say(f"  candidate {one['model']}: expected {money(expected)}{likely}")
    for one in data["excluded"]:
        say(f"  excluded  {one['model']}: {one['reason']}")
    for one in data["attempts"]:
        sure = "" if one["confidence"] is None else f", confidence {one['confidence']:.2f}"
        whom = "" if one["purpose"] == "answer" else f" as {one['purpose']}"
        say(f"attempt {one['attempt']}: {one['model']} ({one['provider']}){whom} {one['error'] or one['status']}{sure}")
    _show_strategy(data)
    say(f"tokens: {result.input_tokens} in, {result.output_tokens} out")
    say(f"confidence by {data['scorer']}: {_signals(data['signals'])}")


def _show_strategy(data: dict[str, Any]) -> None:
    """How a chain went on, how an ensemble came to one answer, and why the run ended."""
    reason = "" if data["strategy_reason"] == "asked" else f" ({data['strategy_reason']})"
    threshold = "" if data["threshold"] is None else f", threshold {data['threshold']:.2f}"
    say(f"strategy: {data['strategy']}{reason}{threshold}")
    for one in data["escalations"]:
        sure = "" if one["confidence"] is None else f" (confidence {one['confidence']:.2f})"
        say(f"  escalated {one['from']} -> {one['to']}: {one['reason']}{sure}")
    for one in data["members"]:
        say(f"  member {one['model']}: {one['score']:.2f}")
    if data["method"] is not None:
        agreement = "not comparable" if data["agreement"] is None else f"{data['agreement']:.2f}"
        dissent = f"; dissent: {', '.join(data['dissent'])}" if data["dissent"] else ""
        say(f"  by {data['method']}: agreement {agreement}{dissent}")
    if data["justification"]:
        say(f"  {data['justification']}")
    say(f"stopped: {data['stop_reason']}")


def _signals(signals: dict[str, int]) -> str:
    return ", ".join(f"{name} {value / 1_000_000:.2f}" for name, value in signals.items()) or "none"


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json(plan.to_dict())
        return
    print(f"assessed: {plan.assessment.capability}, {plan.assessment.task_type}")
    for warning in plan.warnings:
        say(f"warning: {warning}")
    for call in plan.calls:
        print(f"would ask {call.model} ({plan.provider}){' to judge an answer' if call.scores is not None else ''}")
        print(f"  price: {money(call.min_cost)} to {money(call.max_cost)}, expected {money(call.expected_cost)}")
        print(f"  input: about {call.expected_input_tokens} tokens, at most {call.max_input_tokens}")
        print(f"  output: about {call.expected_output_tokens} tokens, at most {call.max_output_tokens}")
    from ..domain.exclusions import exclusion_text

    for one in plan.routing.excluded:
        print(f"  not {one.model}: {exclusion_text(one)}")
