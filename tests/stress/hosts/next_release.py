"""The next release: this checkout's package with one more event type, as a copy in another folder.

The copy is patched by lines at the ends of its modules, so that it does not depend on how they look. What it adds is
`RunNoted`, recorded with each run's plan, once the database is finalized.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .processes import ROOT

NEW = "RunNoted"
_AT_THE_END = {
    "domain/events.py": '''

@dataclass(frozen=True, slots=True, kw_only=True)
class RunNoted:
    """What the next release notes of each run."""

    note: int


RunEvent = RunEvent | RunNoted
''',
    "domain/run.py": """

from .events import RunNoted

_apply_before = _apply


def _apply(run: Run, event: RunEvent) -> Run:
    return run if isinstance(event, RunNoted) else _apply_before(run, event)
""",
    "infrastructure/event_codec.py": """

EVENT_TYPES["RunNoted"] = events.RunNoted
SCHEMA_VERSIONS["RunNoted"] = 1
""",
    "infrastructure/event_levels.py": """

LEVELS = (*LEVELS, Level(types=frozenset({"RunNoted"})))
""",
    "projections/audit_trail.py": """

from ..domain.events import RunNoted

_said_before = _says


def _says(event: RunEvent) -> str:
    return f"noted {event.note}" if isinstance(event, RunNoted) else _said_before(event)
""",
    "application/session.py": """

from ..domain.events import RunNoted

_record_before = RunSession.record


def _record(self: RunSession, event: RunEvent, contents: Sequence[Content] = ()) -> None:
    _record_before(self, event, contents)
    if isinstance(event, RoutingDecided) and self._log.writes(RunNoted):
        _record_before(self, RunNoted(note=len(event.plan)))


RunSession.record = _record
""",
}


def next_release(folder: Path) -> str:
    """Make it in an empty folder; where its Python finds the package."""
    copy = folder / "model_orchestrator"
    ignored = shutil.ignore_patterns(".*", "tests", "docs", "examples", "build", "dist", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=ignored)
    for name, lines in _AT_THE_END.items():
        with (copy / name).open("a") as module:
            module.write(lines)
    return str(folder)
