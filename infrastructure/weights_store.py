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

SHIPPED = Path(__file__).parent / "weights"  # the folder of those that come with the package

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
    return _read(file or SHIPPED / "routing.json", _router)


def scorer_weights(file: Path | None) -> Weights[AnswerScorer]:
    """The weights of a file; None: those that come with the package. Raises InvalidRequest."""
    return _read(file or SHIPPED / "confidence.json", _scorer)


async def stored_router(store: EventStore, version: str) -> Weights[SuccessModel] | None:
    """The router that a run was decided by; None where the database does not hold it."""
    return await _stored(store, version, _router)


async def stored_scorer(store: EventStore, version: str) -> Weights[AnswerScorer] | None:
    """The scorer that an answer was scored by; None where the database does not hold it."""
    return await _stored(store, version, _scorer)


def text_of(file: Path) -> str:
    """What a file of weights holds. Raises InvalidRequest where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"cannot read the weights {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{file} is damaged or no weights: it is not text") from None


def _router(text: str, name: str) -> SuccessModel:
    from .learned_weights import router_from  # only who goes by weights pays for its import

    return router_from(text, name)


def _scorer(text: str, name: str) -> AnswerScorer:
    from .learned_weights import scorer_from

    return scorer_from(text, name)


def _read(file: Path, made: Callable[[str, str], T]) -> Weights[T]:
    text = text_of(file)
    return Weights(made(text, str(file)), text)


async def _stored(store: EventStore, version: str, made: Callable[[str, str], T]) -> Weights[T] | None:
    ref = weights_ref(version)
    stored = await store.contents([ref])
    return Weights(made(stored[ref].body, ref), stored[ref].body) if ref in stored else None
