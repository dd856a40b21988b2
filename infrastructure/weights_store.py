"""Learned weights with the text they were read from: a database keeps it under the weights' version, beside policies.

So a run decided under old weights can be decided again, whatever file holds the newest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ..application.ports import EventStore
from ..domain.errors import InvalidRequest
from ..domain.forecast import SuccessModel
from ..domain.scorers import AnswerScorer

SHIPPED = Path(__file__).parent / "weights"

T = TypeVar("T", SuccessModel, AnswerScorer)


@dataclass(frozen=True, slots=True)
class Weights(Generic[T]):
    """A router's or a scorer's weights, ready to use, and their JSON text."""

    model: T
    text: str

    @property
    def ref(self) -> str:
        """Under which the text is stored."""
        return weights_ref(self.model.version)


def weights_ref(version: str) -> str:
    """Under which the text of a version is stored, in the stream `catalogue`."""
    return f"weights-{version}"


def router_weights(file: Path | None) -> Weights[SuccessModel]:
    """The weights of a file; None: those that come with the package. Raises InvalidRequest."""
    from .learned_weights import load_router  # only who goes by weights pays for its import

    return _read(file or SHIPPED / "routing.json", load_router)


def scorer_weights(file: Path | None) -> Weights[AnswerScorer]:
    """The weights of a file; None: those that come with the package. Raises InvalidRequest."""
    from .learned_weights import load_scorer

    return _read(file or SHIPPED / "confidence.json", load_scorer)


async def stored_router(store: EventStore, version: str) -> Weights[SuccessModel] | None:
    """The router that a run was decided by; None where the database does not hold it."""
    return await _stored(store, version, router_weights)


async def stored_scorer(store: EventStore, version: str) -> Weights[AnswerScorer] | None:
    """The scorer that an answer was scored by; None where the database does not hold it."""
    return await _stored(store, version, scorer_weights)


def _read(file: Path, load: Callable[[Path], T]) -> Weights[T]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"cannot read the weights {file}: {getattr(error, 'strerror', None) or error}") from None
    return Weights(load(file), text)


async def _stored(store: EventStore, version: str, read: Callable[[Path], Weights[T]]) -> Weights[T] | None:
    ref = weights_ref(version)
    stored = await store.contents([ref])
    if ref not in stored:
        return None
    import tempfile  # only who goes back to old weights needs it

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.json"
        file.write_text(stored[ref].body, encoding="utf-8")
        return read(file)
