"""What a client may write where its API says `model`: a strategy, a policy, or a model."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

from ...application.world import Caller
from ...domain.catalogue import Catalogue
from ...domain.errors import InvalidRequest
from ...domain.strategies import STRATEGIES
from ..bootstrap import Orchestrator
from ..catalogues import find_model
from ..policies import policy_names
from .failure import Refused


class Offered(NamedTuple):
    """A name that can be asked for, and whose it is."""

    id: str
    owner: str  # model-orchestrator, anthropic, openai


class ModelNames:
    """The names that one orchestrator knows."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator
        self._by_api_id: dict[str, str] | None = None

    def options(self, name: str) -> dict[str, Any]:
        """The run options that the name stands for. Raises Refused with 404 for one that nothing has."""
        kind, _, rest = name.partition(":")
        if kind in STRATEGIES and (not rest or kind in ("fallback", "ensemble")):
            return {"strategy": kind, **self._rest(kind, rest)}
        if name in policy_names(self._orchestrator.settings):
            return {"policy": name}
        return {"model": self._model(name)}

    def offered(self, caller: Caller | None = None) -> Iterator[Offered]:
        """Strategies, chains, policies, and the models that the caller can ask now."""
        policy = self._orchestrator.policy().policy
        own = [*STRATEGIES, *(f"fallback:{chain}" for chain in policy.chains)]
        for name in (*own, *policy_names(self._orchestrator.settings)):
            yield Offered(name, "model-orchestrator")
        for model in self._orchestrator.prepare("?", caller=caller)[1].usable:
            yield Offered(model.name, model.provider.value)

    def _rest(self, kind: str, rest: str) -> dict[str, Any]:
        """What follows the colon: a chain by its name, or models."""
        if not rest:
            return {}
        if kind == "fallback":
            return {"chain": rest}
        return {"models": [self._model(one.strip()) for one in rest.split(",")]}

    def _model(self, name: str) -> str:
        """A model by its name, or by its vendor's."""
        catalogue = self._orchestrator.catalogue()
        if catalogue.get(name) is not None:
            return name
        if self._by_api_id is None:
            self._by_api_id = {model.api_id: model.name for model in catalogue.models}
        if name in self._by_api_id:
            return self._by_api_id[name]
        raise Refused(404, "not_found", self._unknown(name, catalogue))

    def _unknown(self, name: str, catalogue: Catalogue) -> str:
        near = get_close_matches(name, [one.id for one in self.offered()], 1, 0.6)
        if near:
            return f"there is no model {name[:100]!r}: did you mean {near[0]!r}? GET /v1/models lists all"
        try:
            find_model(catalogue, name[:100])
        except InvalidRequest as error:
            return f"{error}; GET /v1/models lists all"
        return ""
