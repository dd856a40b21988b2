"""The learned vote: how likely each of a panel's answers is right, by what its members' confidences say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..extraction import asks_for_code, options_of
from .panel_features import Voter, panel_features
from .trees import Tree, margin, sigmoid


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """Weighs the answers of a panel whose members' confidences are the learned scorer's."""

    version: str
    trees: Sequence[Tree]
    skills: Mapping[str, float]  # by model
    skill: float  # of a model it does not know

    def chances(self, question: str, voters: Sequence[Voter]) -> dict[str, float]:
        """P(right) of each answer, by its form; empty where no member gave one. They need not add up to 1."""
        found = panel_features(voters, asks_for_code(question), len(options_of(question)))
        return {form: sigmoid(margin(self.trees, values)) for form, values in found.items()}

    def voter(self, model: str, form: str | None, trust: float) -> Voter:
        """A member's vote; `trust` is the logit of its confidence."""
        return Voter(form, trust, self.skills.get(model, self.skill))
