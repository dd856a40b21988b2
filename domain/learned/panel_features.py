"""What speaks for one of the answers of a panel: who gave it, how far each is trusted, and its strongest rival."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EVEN = 1.5  # logits that a supporter adds beyond its own confidence where answers are compared
NOBODY = -9.0

NAMES = (
    "members", "supporters", "share", "trust", "most_trust", "mean_trust", "least_trust", "skill", "most_skill",
    "best_skill", "answers", "silent", "rival_supporters", "rival_trust", "rival_most_trust", "rival_skill", "lead",
    "has_best", "panel_trust", "is_letter", "is_number", "length", "is_code", "options",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Voter:
    """A member as the learned vote sees it."""

    form: str | None  # its answer; None: none was found
    trust: float  # the logit of its answer's confidence
    skill: float  # the logit of its model's share of right answers where it was trained


def panel_features(voters: Sequence[Voter], is_code: bool, options: int) -> Mapping[str, list[float]]:
    """By answer, in the order they come, one number for each of `NAMES`."""
    groups: dict[str, list[Voter]] = {}
    for voter in voters:
        if voter.form is not None:
            groups.setdefault(voter.form, []).append(voter)
    best = max(voters, key=lambda voter: voter.skill)
    silent = sum(voter.form is None for voter in voters)
    panel_trust = math.fsum(voter.trust for voter in voters)
    found = {}
    for form, group in groups.items():
        rivals = [other for name, other in groups.items() if name != form]
        rival = max(rivals, key=_weight, default=[])
        own = [voter.trust for voter in group]
        found[form] = [
            float(len(voters)),
            float(len(group)),
            len(group) / len(voters),
            math.fsum(own),
            max(own),
            math.fsum(own) / len(own),
            min(own),
            math.fsum(voter.skill for voter in group),
            max(voter.skill for voter in group),
            best.skill,
            float(len(groups)),
            float(silent),
            *_of_rival(rival),
            _weight(group) - (_weight(rival) if rival else NOBODY),
            float(best in group),
            panel_trust,
            float(len(form) == 1 and form.isascii() and form.isupper()),
            float(form.lstrip("-").replace(".", "", 1).isdigit()),
            math.log1p(len(form)),
            float(is_code),
            float(options),
        ]
    return found


def _weight(group: Sequence[Voter]) -> float:
    return math.fsum(voter.trust for voter in group) + EVEN * len(group)


def _of_rival(rival: Sequence[Voter]) -> list[float]:
    if not rival:
        return [0.0, NOBODY, NOBODY, NOBODY]
    trusts = [voter.trust for voter in rival]
    return [float(len(rival)), math.fsum(trusts), max(trusts), math.fsum(voter.skill for voter in rival)]
