"""Runs of a database decided again: what they rested on is read by its hash, their texts where they are still there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..application.ports import LoggedEvent
from ..application.recorded_texts import Texts, texts_of
from ..application.recorded_world import Basis, NotReplayable
from ..application.replay import Replayed, replay
from ..application.replay_report import Checked
from ..application.score_check import ScoreCheck, check_scores
from ..application.scoring import TextScorer
from ..domain.catalogue import Catalogue
from ..domain.errors import StoreTooNew
from ..domain.policy import Policy
from ..domain.run import Run, fold
from ..domain.scorers import AnswerScorer
from .catalogues import catalogue_from_json, catalogue_hash
from .policy import replayable_policy
from .run_log import StoredRunLog
from .scorers import text_scorer
from .weights_store import stored_scorer

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """A run as the database has it; `why_not`: its decisions cannot be taken again."""

    run: Run
    events: Sequence[LoggedEvent] = ()
    texts: Texts = field(default_factory=Texts)
    basis: Basis | None = None
    why_not: str | None = None


class Recorded:
    """Reads runs with all that they rested on; catalogues and policies once each."""

    def __init__(self, log: StoredRunLog) -> None:
        self._log = log
        self._catalogues: dict[str, Catalogue | NotReplayable] = {}
        self._policies: dict[str, Policy | NotReplayable] = {}
        self._scorers: dict[str, TextScorer | None] = {}
        self._voting: dict[str, AnswerScorer | NotReplayable] = {}

    async def checked(self, run_ids: Sequence[str], *, scores: bool = True) -> list[Checked]:
        """The runs decided again, and where asked for their scores computed anew, in their order."""
        return [await self._checked(one, scores=scores) for one in await self.read(run_ids)]

    async def _checked(self, one: RecordedRun, *, scores: bool) -> Checked:
        found = await self._scores(one) if scores else None
        why_not = one.why_not
        if one.basis is not None:
            try:
                return Checked(replay(one.run.id, one.events, one.basis, one.texts, self._log.encode), found)
            except NotReplayable as error:
                why_not = str(error)
        return Checked(Replayed(one.run.id, why_not=why_not), found)

    async def _scores(self, one: RecordedRun) -> ScoreCheck:
        for name in {attempt.confidence.scorer for attempt in one.run.attempts if attempt.confidence}:
            if name not in self._scorers:
                self._scorers[name] = await text_scorer(name, self._log.store)
        return check_scores(one.run, [entry.event for entry in one.events], one.texts, self._scorers.get)

    async def read(self, run_ids: Sequence[str]) -> list[RecordedRun]:
        """The runs, in their order."""
        found = [await self._read(run_id) for run_id in run_ids]
        texts = await texts_of(self._log, [one.run for one in found])
        return [
            RecordedRun(run=one.run, events=one.events, texts=kept, basis=one.basis, why_not=one.why_not)
            for one, kept in zip(found, texts, strict=True)
        ]

    async def _read(self, run_id: str) -> RecordedRun:
        try:
            events = await self._log.read(run_id)
        except StoreTooNew as error:
            return RecordedRun(run=Run(run_id), why_not=str(error))
        run = fold(run_id, [entry.event for entry in events])
        try:
            return RecordedRun(run=run, events=events, basis=await self._basis(run))
        except NotReplayable as error:
            return RecordedRun(run=run, events=events, why_not=str(error))

    async def _basis(self, run: Run) -> Basis:
        """What the run's decisions rested on. Raises NotReplayable."""
        if run.started is None:
            raise NotReplayable("its start is not in the log")
        catalogue, policy = run.started.catalogue, run.started.policy
        if catalogue not in self._catalogues:
            self._catalogues[catalogue] = await self._catalogue(catalogue)
        if policy not in self._policies:
            self._policies[policy] = await self._policy(policy)
        return Basis(
            catalogue=_found(self._catalogues[catalogue]),
            policy=_found(self._policies[policy]),
            scorer=await self._voting_scorer(run),
        )

    async def _voting_scorer(self, run: Run) -> AnswerScorer | None:
        """The learned scorer by which a synthesis voted. Raises NotReplayable where its weights are not there."""
        version = run.started.settings.scorer if run.started and run.synthesis else None
        if version is None:
            return None
        if version not in self._voting:
            weights = await stored_scorer(self._log.store, version)
            self._voting[version] = weights.model if weights else NotReplayable(f"the database lacks weights {version}")
        return _found(self._voting[version])

    async def _catalogue(self, digest: str) -> Catalogue | NotReplayable:
        text = await self._stored(f"catalogue-{digest}")
        if text is None:
            return NotReplayable(f"the database does not hold its catalogue {digest[:12]}")
        try:
            catalogue = catalogue_from_json(text)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            return NotReplayable("its catalogue is of a form that this build cannot read")
        same = catalogue_hash(catalogue) == digest
        return (
            catalogue if same else NotReplayable("its catalogue is not what its hash says, or says more than we read")
        )

    async def _policy(self, digest: str) -> Policy | NotReplayable:
        text = await self._stored(f"policy-{digest}")
        if text is None:
            return NotReplayable(f"the database does not hold its policy {digest[:12]}")
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            return NotReplayable("its policy is not what its hash says")
        try:
            return replayable_policy(text)
        except NotReplayable as error:
            return error

    async def _stored(self, ref: str) -> str | None:
        stored = await self._log.store.contents([ref])
        return stored[ref].body if ref in stored else None


def _found(one: T | NotReplayable) -> T:
    if isinstance(one, NotReplayable):
        raise one
    return one
