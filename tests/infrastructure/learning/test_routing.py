"""Training a router: the same in training and serving, the same every time, and blind to the benchmark's labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model_orchestrator.domain.catalogue import ModelName
from model_orchestrator.domain.learned.features import read
from model_orchestrator.domain.learned.linear import LinearScores
from model_orchestrator.domain.learned.router import LearnedRouter
from model_orchestrator.domain.metrics.ranking import Ranking
from model_orchestrator.infrastructure.dataset_rows import example
from model_orchestrator.infrastructure.learned_weights import canonical
from model_orchestrator.infrastructure.learning import held_out_routing
from model_orchestrator.infrastructure.learning.held_out_routing import apgr, guarantee, held_out, pair_qualities
from model_orchestrator.infrastructure.learning.routing import train_routing
from model_orchestrator.infrastructure.learning.tables import Table, table_of
from model_orchestrator.infrastructure.learning.texts import Corpus, Texts, ridge
from tests.infrastructure.learning.outcomes import STRONG, WEAK, made_up_rows

PAIR = (ModelName(WEAK), ModelName(STRONG))


@pytest.fixture(scope="module")
def table() -> Table:
    """Made up, so that something can be learned."""
    return table_of("made", map(example, made_up_rows(400)))


@pytest.fixture(scope="module")
def router(table: Table) -> LearnedRouter:
    """Learned from it."""
    return LearnedRouter(train_routing([table]), "routing-test")


def test_hard_prompts_are_said_to_need_the_strong_model(router: LearnedRouter) -> None:
    """New prompts of the two kinds it has seen."""
    hard = "If 812 hats are not in a row with 40 keys, how many keys remain without hats?"
    easy = "Say hello to hats number 812, and name keys."
    assert router.need(hard, *PAIR) > router.need(easy, *PAIR)
    assert router.need(hard, *PAIR) == -router.need(hard, *reversed(PAIR))
    assert router.success(hard)[PAIR[0]] < 0.5 < router.success(hard)[PAIR[1]]


def test_what_is_served_is_what_was_trained(table: Table) -> None:
    """The scores served from a file are those of the matrix, but for the rounding of the file's weights."""
    corpus = Corpus(table.prompts)
    places = corpus.places(table.prompts)
    texts = Texts(corpus, np.unique(places))
    fitted = ridge(texts.matrix[places], np.array(table.grades))
    linear = LinearScores(texts.weights(fitted))
    trained = fitted.of(texts.matrix[places])
    for prompt, row in zip(table.prompts, trained, strict=True):
        served = linear.read(read(prompt))
        assert [linear.score(served, place) for place in range(3)] == pytest.approx(row.tolist(), abs=2e-3)


def test_the_same_outcomes_give_the_same_weights(table: Table, router: LearnedRouter) -> None:
    """To the byte."""
    assert canonical(train_routing([table])) == canonical(train_routing([table]))


def test_the_label_of_a_task_is_never_read_when_serving(table: Table, router: LearnedRouter) -> None:
    """A router is asked by the prompt alone: what it holds names no task."""
    weights = canonical(train_routing([table]))
    assert '"greetings"' not in weights
    assert '"sums"' not in weights


def test_the_order_of_two_sets_does_not_mix_their_models(table: Table) -> None:
    """Each model is answered by the sets that know it."""
    other = replace(table, name="other", models=("a", "b", "c"))
    router = LearnedRouter(train_routing([table, other]), "routing-test")
    assert set(router.models) == {*table.models, "a", "b", "c"}
    prompt = table.prompts[0]
    assert router.need(prompt, ModelName("a"), ModelName("c")) != 0
    assert set(router.success(prompt)) == set(router.models)


def test_an_unknown_pair_falls_back_to_difficulty(router: LearnedRouter) -> None:
    """Whatever their names."""
    unknown = ModelName("x"), ModelName("y")
    assert router.need("Prove that if n is not prime, 2^n - 1 is not prime.", *unknown) > router.need("hi", *unknown)


@pytest.mark.parametrize("prompt", ["", " ", "a", "\x00\ud800", "🙂" * 3, "9" * 50_000, "x " * 50_000, "\nA. \nB. "])
def test_every_text_has_an_answer(router: LearnedRouter, prompt: str) -> None:
    """Chances are from 0 to 1 and need is finite."""
    assert all(0 <= chance <= 1 for chance in router.success(prompt).values())
    assert -1.5 < router.need(prompt, *PAIR) < 1.5


def test_no_prompt_is_in_training_and_test(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not one that stands in two rows."""
    trained: set[str] = set()
    asked: set[str] = set()

    def train(tables: Sequence[Table], corpus: Corpus | None = None) -> dict[str, Any]:
        trained.clear()
        trained.update(prompt for one in tables for prompt in one.prompts)
        return train_routing(tables, corpus)

    class Watched(LearnedRouter):
        def need(self, prompt: str, weak: ModelName, strong: ModelName) -> float:
            assert prompt not in trained
            asked.add(prompt)
            return super().need(prompt, weak, strong)

    monkeypatch.setattr(held_out_routing, "train_routing", train)
    monkeypatch.setattr(held_out_routing, "LearnedRouter", Watched)
    held_out([table.only([*range(len(table.prompts)), 0, 1, 2])], [PAIR], 2)
    assert asked == set(table.prompts)


def test_held_out_figures_are_of_routers_that_did_not_see_the_prompt(table: Table) -> None:
    """It routes better than by length, and grades drawn by lot are not predicted."""
    [quality] = pair_qualities(held_out([table], [PAIR], 3))
    assert quality.apgr.low > 0.6
    shuffled = _with_grades(table, [list(row) for row in _shuffled(table.grades)])
    [by_lot] = pair_qualities(held_out([shuffled], [PAIR], 3))
    assert by_lot.apgr.low < 0.5 < by_lot.apgr.high


def test_a_guarantee_keeps_the_loss_below_the_risk(table: Table) -> None:
    """On the folds its threshold was not chosen on; a risk too small for the data promises nothing."""
    found = held_out([table], [PAIR], 3)
    kept = guarantee(found, *PAIR, risk=0.2, confidence=0.9)
    assert kept.threshold is not None
    assert kept.kept > 0
    assert kept.lost <= 0.2
    none = guarantee(found, *PAIR, risk=1e-6, confidence=0.95)
    assert none.threshold is None
    assert none.kept == 0


def test_what_a_guarantee_is_held_against_is_the_loss_that_it_bounds(table: Table) -> None:
    """Wins of the weak model are not set against what was lost."""
    [one] = held_out([table], [PAIR], 3)
    kept = guarantee([one], *PAIR, risk=0.3, confidence=0.9)
    wins = [[1.0, *rest[1:]] if rest[-1] == 0 else list(rest) for rest in table.grades]
    more = replace(one, table=_with_grades(table, wins))
    assert guarantee([more], *PAIR, risk=0.3, confidence=0.9).lost == kept.lost > 0


def test_prompts_said_again_and_again_prove_no_more(table: Table) -> None:
    """A guarantee takes equal prompts as one: their losses are not independent."""
    few = table.only(range(60))
    again = table.only([*range(60)] * 5)
    kept = held_out([few], [PAIR], 3)[0]
    five = [replace(kept, table=again, needs={PAIR: np.tile(kept.needs[PAIR], 5)}, folds=np.tile(kept.folds, 5))]
    assert guarantee(five, *PAIR, risk=0.1, confidence=0.95) == guarantee([kept], *PAIR, risk=0.1, confidence=0.95)


def test_the_area_is_that_of_the_recovered_gap_however_often_a_prompt_is_counted() -> None:
    """Ties in expectation; NaN where the weak model is ahead, which the bootstrap leaves out."""
    weak, strong = [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0]
    best, none = (apgr(Ranking(needs), weak, strong) for needs in ([1.0, -1.0, 0.0, 1.0], [0.0] * 4))
    assert none(None) == 0.5
    assert best(None) > 1
    assert best([1, 0, 1, 2]) == pytest.approx(0.625)
    assert np.isnan(best([0, 3, 1, 0]))


def _shuffled(grades: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    return [grades[int(place)] for place in np.random.default_rng(5).permutation(len(grades))]


def _with_grades(table: Table, grades: list[list[float]]) -> Table:
    return replace(table, grades=grades)
