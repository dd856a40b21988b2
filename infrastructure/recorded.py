"""An imported data set as a provider: its catalogue, its policy, and what it can be asked.

The classes of its models are their order by mean score: from the lowest, `basic`, to the highest, `expert`, in even
steps. Chain and panels come from mean score and mean cost, so that every strategy runs on any set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..application.world import RECORDED, StartRun
from ..domain.catalogue import Catalogue, ModelCapability, ModelConfig, ModelName, ModelProvider
from ..domain.dataset import Example
from ..domain.dataset_summary import DatasetSummary, ModelSummary
from ..domain.errors import InvalidRequest
from ..domain.events import Method
from ..domain.policy import MATRIX, Chain, Policy
from ..domain.pricing import PriceCard
from ..domain.seed_catalogue import up_to
from ..domain.units import Usd, probability
from .datasets import ImportedDataset, imported, recorded_example, unknown_dataset
from .providers.recorded import single_prompt
from .store.dataset_tables import DatasetTables, open_dataset_tables

WINDOW = 100_000_000  # tokens: a recorded answer was given, so its prompt had room
LONGEST_CHAIN, PANEL = 5, 3  # models


class RecordedSets:
    """The imported sets of a database, each looked up once."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._tables: DatasetTables | None = None
        self._found: dict[str, ImportedDataset] = {}

    def get(self, name: str) -> ImportedDataset:
        """The set. Raises InvalidRequest where there is none."""
        if name not in self._found:
            stored = self._opened().find(name)
            if stored is None:
                raise unknown_dataset(name)
            self._found[name] = imported(stored)
        return self._found[name]

    def example(self, name: str, prompt: str) -> Example | None:
        """The set's row with exactly this prompt."""
        return recorded_example(self._opened(), name, prompt)

    def check(self, name: str, command: StartRun) -> None:
        """Raises InvalidRequest where the set cannot answer such a run."""
        if command.settings.judge or command.settings.method in (Method.JUDGE, Method.FUSE):
            raise InvalidRequest(
                f"the data set {name!r} has no answers to the questions of a judge: use vote or score, and no judge"
            )
        prompt = single_prompt(command.request)
        if prompt is None:
            raise InvalidRequest(f"the data set {name!r} answers single prompts: give one, and no system message")
        if self.example(name, prompt) is None:
            raise InvalidRequest(
                f"the data set {name!r} does not have this prompt, and it answers its own only: "
                f"`batch {RECORDED}{name}` asks them all"
            )

    def check_model(self, name: str, model: ModelName) -> None:
        """Raises InvalidRequest for a model whose answers the set does not hold."""
        summary = self.get(name).summary
        answering = [one.name for one in _answering(summary)]
        if model not in answering:
            only = "scores only" if any(one.name == model for one in summary.models) else "nothing"
            raise InvalidRequest(
                f"the data set {name!r} holds {only} of {model}; it can answer as {', '.join(answering)}"
            )

    def close(self) -> None:
        """Close the connections."""
        if self._tables is not None:
            self._tables.close()

    def _opened(self) -> DatasetTables:
        if self._tables is None:
            self._tables = open_dataset_tables(self._url)
        return self._tables


def load_recorded(database_url: str, name: str) -> DatasetSummary:
    """What the set of that name comes to. Raises InvalidRequest where there is none."""
    sets = RecordedSets(database_url)
    try:
        return sets.get(name).summary
    finally:
        sets.close()


def check_askable(name: str, summary: DatasetSummary) -> None:
    """Raises InvalidRequest for a set without answers, or without prompts."""
    if not _answering(summary) or not summary.prompts:
        lacks = "prompts" if _answering(summary) else "answers: it holds scores only"
        raise InvalidRequest(f"the data set {name!r} has no {lacks}, so it cannot be asked; `evaluate` can use it")


def recorded_catalogue(name: str, summary: DatasetSummary) -> Catalogue:
    """The models whose answers the set holds, the cheapest first; of a set of scores all, for a backtest."""
    known = _known(summary)
    ranked = sorted(known, key=_quality)
    models = (_model(model, _class(ranked.index(model), len(ranked))) for model in sorted(known, key=_price))
    return Catalogue(RECORDED + name, tuple(models))


def recorded_policy(summary: DatasetSummary) -> Policy:
    """A chain along the models that no cheaper one equals; panels of the best of the cheaper half, and of all."""
    known = sorted(_known(summary), key=_price)
    front: list[ModelSummary] = []
    for model in known:
        if not front or _score(model) > _score(front[-1]):
            front.append(model)
    chain = _spread([model.name for model in front], LONGEST_CHAIN)
    cheaper = known[: -(-len(known) // 2)]
    return Policy(
        chains={"mixed": Chain(models=chain), "fast": Chain(models=chain[:2], threshold=probability(0.6))},
        panels={"basic": _best(cheaper if len(cheaper) > 1 else known), "hard": _best(known)},
        matrix=MATRIX,
    )


def _model(model: ModelSummary, capability: ModelCapability) -> ModelConfig:
    provider = ModelProvider.ANTHROPIC if model.name.startswith("claude") else ModelProvider.OPENAI
    return ModelConfig(
        model.name,
        provider,
        price=_card(model),
        max_tokens=max(1, model.longest),
        capabilities=up_to(capability),
        context_window=WINDOW,
        features=frozenset(),
    )


def _card(model: ModelSummary) -> PriceCard | None:
    """The prices that the recorded costs come to; a recorded cost itself is charged as it is."""
    if model.input_price is None or model.output_price is None:
        return None
    prices = f"{model.input_price}/{model.output_price}"
    digest = hashlib.sha256(prices.encode()).hexdigest()[:8]
    return PriceCard(id=f"{model.name}@recorded-{digest}", input=model.input_price, output=model.output_price)


def _class(place: int, models: int) -> ModelCapability:
    """The class of the model in that place by mean score."""
    highest = len(ModelCapability) - 1
    return list(ModelCapability)[highest if models == 1 else place * highest // (models - 1)]


def _answering(summary: DatasetSummary) -> list[ModelSummary]:
    return [model for model in summary.models if model.texts]


def _known(summary: DatasetSummary) -> Sequence[ModelSummary]:
    """Those that answer, else those of which there are scores."""
    return _answering(summary) or [model for model in summary.models if model.mean_score is not None]


def _best(models: Sequence[ModelSummary]) -> tuple[ModelName, ...]:
    """The best few of these, the cheapest of them first."""
    best = sorted(models, key=_quality)[-PANEL:]
    return tuple(model.name for model in models if model in best)


def _spread(names: Sequence[ModelName], most: int) -> tuple[ModelName, ...]:
    """At most so many of the names, the first and the last among them."""
    if len(names) <= most:
        return tuple(names)
    return tuple(names[place * (len(names) - 1) // (most - 1)] for place in range(most))


def _score(model: ModelSummary) -> float:
    return model.mean_score or 0.0


def _quality(model: ModelSummary) -> tuple[float, Usd]:
    """From the worst to the best; of equals the dearer one is the better."""
    return _score(model), model.mean_cost or Usd(0)


def _price(model: ModelSummary) -> tuple[bool, Usd, float]:
    """From the cheapest to the dearest; those of unknown cost last, from the worst to the best."""
    return model.mean_cost is None, model.mean_cost or Usd(0), _score(model)
