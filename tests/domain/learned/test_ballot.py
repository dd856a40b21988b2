"""The learned vote: decided by what members' confidences say together, and explained by its scores."""

from __future__ import annotations

from itertools import permutations

from model_orchestrator.domain.catalogue import ModelCapability
from model_orchestrator.domain.conclusion import conclude
from model_orchestrator.domain.events import Method
from model_orchestrator.domain.learned.ballot import Ballot
from model_orchestrator.domain.learned.panel_features import NAMES, Voter, panel_features
from model_orchestrator.domain.synthesis import Member, vote
from model_orchestrator.domain.units import MILLION, Probability

TRUSTED = Ballot(
    version="learned-test",
    trees=[[NAMES.index("most_trust"), 1.0, -2.0, 2.0]],  # one well trusted member is worth any number of others
    skills={"model-1": 1.0},
    skill=0.0,
)


def member(attempt: int, text: str, confidence: float) -> Member:
    score = Probability(round(confidence * MILLION))
    return Member(
        attempt=attempt, model=f"model-{attempt}", capability=ModelCapability.BASIC, text=text, confidence=score
    )


def test_a_well_trusted_answer_wins_against_a_majority_that_is_not() -> None:
    members = [member(1, "41", 0.9), member(2, "42", 0.3), member(3, "42", 0.3)]
    found = conclude(members, "", Method.VOTE, ballot=TRUSTED)
    assert (found.chosen, found.dissent) == (1, (2, 3))
    assert found.scores == {1: 880_797, 2: 119_203, 3: 119_203}
    assert found.justification.startswith("learned-test gives “41” 0.88; 1 of 3 models answered it. Dissent: model-2")


def test_without_a_ballot_the_majority_wins() -> None:
    members = [member(1, "41", 0.9), member(2, "42", 0.3), member(3, "42", 0.3)]
    found = conclude(members, "", Method.VOTE)
    assert found.chosen in (2, 3)


def test_the_most_confident_of_those_who_gave_it_speaks() -> None:
    members = [member(1, "42", 0.8), member(2, "42.0", 0.9), member(3, "I do not know.", 0.99)]
    found = vote(members, "", ballot=TRUSTED)
    assert found is not None
    assert (found.chosen, found.scores[3], found.dissent) == (2, 0, (3,))


def test_where_nobody_gave_an_answer_nothing_is_voted_on() -> None:
    prose = "There is much to be said on either side, and the last word has not been spoken. " * 4
    assert vote([member(1, prose, 0.5), member(2, prose, 0.5)], "", ballot=TRUSTED) is None


def test_a_ballot_without_trees_leaves_the_vote_as_it_was() -> None:
    empty = Ballot(version="learned-test", trees=[], skills={}, skill=0.0)
    members = [member(1, "41", 0.9), member(2, "42", 0.3), member(3, "42", 0.3)]
    assert vote(members, "", ballot=empty) == vote(members, "")


def test_the_order_of_members_changes_no_feature_of_an_answer() -> None:
    voters = [Voter("7", 1.0, 0.5), Voter("8", -1.0, 0.1), Voter("7", 0.0, -0.3), Voter(None, 2.0, 0.0)]
    found = [panel_features(list(order), False, 0) for order in permutations(voters)]
    assert all(dict(one) == dict(found[0]) for one in found)
