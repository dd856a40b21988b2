"""Every endpoint in one table: what it takes, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....domain.periods import PERIODS
from ....domain.time_ranges import SPLITS
from ...event_codec import EVENT_TYPES
from . import bodies, events, report_shapes, runs, shapes
from .bodies import RUN
from .query import MANY

Schema = dict[str, Any]
ALWAYS = (400, 401, 403, 429, 500, 503)  # answers that any endpoint may give
OF_A_BODY = (408, 413, 415)
OF_A_HEAD = 431  # without a word
OF_A_RUN = (402, 404, 408, 409, 429, 502)
JSON, CSV, STREAM = "application/json", "text/csv", "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of an address, its query or its head."""

    name: str
    schema: Schema
    says: str
    place: str = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address. `gives` are the answers that are no errors: a type, or none but the media type."""

    method: str
    path: str
    id: str
    says: str
    gives: Mapping[int, type | str]
    parameters: tuple[Parameter, ...] = ()
    takes: type | None = None
    example: Any = None
    errors: tuple[int, ...] = ()
    scope: str | None = None  # of a key; None: none is needed
    protocol: str = ""  # whose shapes it has: openai, anthropic, or our own
    also: str | None = None  # another media type that the answer may have
    more: Mapping[str, Any] = field(default_factory=dict)


def _text(form: str, *examples: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": 2000, "format": form, "examples": list(examples)}


def _number(least: int, most: int, default: int | None = None) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most} | ({} if default is None else {"default": default})


def of_path(name: str, schema: Schema, says: str) -> Parameter:
    """A part of the address."""
    return Parameter(name=name, schema=schema, says=says, place="path")


def _words(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


ROWS = (
    Parameter(
        name="where",
        schema={"type": "array", "items": _text("filter", "category = chat"), "maxItems": MANY["where"]},
        says="A condition, `field op value`, as the command line has it; several are all to be met.",
    ),
    Parameter(name="since", schema=_text("date-words", "7d", "2026-11"), says="From the beginning of this date on."),
    Parameter(name="until", schema=_text("date-words", "today"), says="Up to the end of this date."),
    Parameter(name="timezone", schema=_text("time-zone", "Europe/Berlin"), says="Of dates and days; UTC unless given."),
)
OF_COSTS = (
    *ROWS,
    Parameter(name="by", schema=_text("grouping", "model,tag:team"), says="What to group by; several by comma."),
    Parameter(name="period", schema=_words(*SPLITS), says="A row for each."),
    Parameter(name="as_of", schema=_text("date-words", "2026-11-24"), says="As the log was then."),
)
THE_RUN = (of_path("run", {"type": "string", "pattern": RUN}, "A run's whole id."),)
THE_BUDGET = (
    of_path("scope", _text("budget-scope", "category:chat"), "global, category:NAME, tag:KEY=VALUE or model:NAME."),
    of_path("period", _words(*PERIODS), "Its period."),
)
POSITION = _number(0, events.END)
TYPES = Parameter(
    name="types",
    schema={"type": "array", "items": _words(*EVENT_TYPES), "maxItems": MANY["types"]},
    says="Only these types of events.",
)
KEY = Parameter(
    name="Idempotency-Key",
    schema={"type": "string", "minLength": 1, "maxLength": 255},
    says="The same key and request give the first run again.",
    place="header",
)
PREFER = Parameter(
    name="Prefer",
    schema={"type": "string", "examples": ["respond-async"]},
    says="respond-async: answer with 202 as soon as the run is recorded.",
    place="header",
)
LAST = Parameter(name="Last-Event-ID", schema=POSITION, says="Go on behind this position.", place="header")

OPERATIONS = (
    Operation(
        method="post", path="/runs", id="startRun", says="Start a run and wait for its answer, or do not wait.",
        scope="run", parameters=(KEY, PREFER), takes=bodies.NewRun,
        example={"prompt": "What is Python?", "max_cost": "0.01"},
        gives={200: shapes.Answer, 202: shapes.Accepted}, errors=(*OF_A_BODY, *OF_A_RUN),
    ),
    Operation(
        method="get", path="/runs", id="listRuns", says="Runs, newest first.", scope="read",
        gives={200: shapes.RunPage},
        parameters=(
            *ROWS,
            Parameter(name="limit", schema=_number(1, runs.MOST, runs.PAGE), says="Runs of a page."),
            Parameter(name="cursor", schema=_text("cursor"), says="`next` of the page before, with the same query."),
        ),
    ),
    Operation(
        method="get", path="/runs/{run}", id="showRun", says="One run with its texts, attempts and feedback.",
        scope="read", parameters=THE_RUN, gives={200: shapes.Run}, errors=(404,),
    ),
    Operation(
        method="get", path="/runs/{run}/events", id="listRunEvents", says="The events of a run.",
        scope="read", parameters=THE_RUN, gives={200: shapes.RunEvents}, errors=(404,),
    ),
    Operation(
        method="post", path="/runs/{run}/cancel", id="cancelRun", says="End a run that is under way.",
        scope="run", parameters=THE_RUN, gives={200: shapes.Cancelled}, errors=(404, 409),
    ),
    Operation(
        method="get", path="/events", id="listEvents", says="Events behind a position, in order.", scope="read",
        parameters=(
            Parameter(name="after", schema=POSITION, says="A position of the log; 0 unless given."),
            Parameter(name="limit", schema=_number(1, events.MOST, events.PAGE), says="Events of a page."),
            TYPES,
        ),
        gives={200: shapes.EventPage},
    ),
    Operation(
        method="get", path="/events/stream", id="followEvents", scope="read", gives={200: STREAM},
        says="Events as they are committed, as server-sent events: `id` is the position, `data` the event.",
        parameters=(
            Parameter(name="after", schema=POSITION, says="Begin behind this position; from now on unless given."),
            TYPES,
            LAST,
        ),
    ),
    Operation(
        method="get", path="/costs", id="reportCosts", says="What was spent, against the time before.", scope="read",
        parameters=(*OF_COSTS, Parameter(name="format", schema=_words("json", "csv"), says="json unless given.")),
        gives={200: report_shapes.Costs}, also=CSV,
    ),
    Operation(
        method="get", path="/costs.csv", id="exportCosts", says="The same as CSV.", scope="read",
        parameters=OF_COSTS, gives={200: CSV},
    ),
    Operation(
        method="get", path="/stats/models", id="modelStats", says="How each model does.", scope="read",
        parameters=ROWS, gives={200: report_shapes.AllModelStats},
    ),
    Operation(
        method="get", path="/models", id="listCatalogue", scope="read", gives={200: report_shapes.Models},
        says="The catalogue: prices, and which models can be asked or why not.",
    ),
    Operation(
        method="get", path="/budgets", id="listBudgets", says="What is held, spent and left.", scope="read",
        gives={200: report_shapes.Budgets},
    ),
    Operation(
        method="put", path="/budgets/{scope}/{period}", id="setBudget", says="Define or change a budget.",
        scope="admin", parameters=THE_BUDGET, takes=bodies.NewBudget, example={"limit": "20", "alerts": [50, 80, 100]},
        gives={200: report_shapes.Budget}, errors=(404, *OF_A_BODY),
    ),
    Operation(
        method="delete", path="/budgets/{scope}/{period}", id="removeBudget", says="Lift a budget.",
        scope="admin", parameters=THE_BUDGET, gives={200: report_shapes.RemovedBudget}, errors=(404,),
    ),
    Operation(
        method="post", path="/feedback", id="giveFeedback", says="Say how good a run's answer was.", scope="run",
        takes=bodies.NewFeedback, gives={200: shapes.Feedback}, errors=(404, 409, *OF_A_BODY),
        example={"run_id": "run-01a20e94-1259-744b-b553-f7c77ac95da6", "value": "good", "by": "ann"},
    ),
    Operation(
        method="get", path="/openapi.json", id="describe", says="This description.", gives={200: JSON},
    ),
    Operation(method="get", path="/healthz", id="isAlive", says="The process lives.", gives={200: shapes.Status}),
    Operation(
        method="get", path="/readyz", id="isReady", says="Runs can be taken.",
        gives={200: shapes.Status, 503: shapes.Status},
    ),
)  # fmt: skip
