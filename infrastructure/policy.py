"""The policies: the built-in one of each catalogue, and the document that is stored in the database by its hash."""

from __future__ import annotations

import json
from difflib import get_close_matches

from ..domain.catalogue import Catalogue
from ..domain.complexity import ASSESSOR
from ..domain.confidence import SCORER
from ..domain.expected_output import EXPECTED_OUTPUT
from ..domain.policy import DEFAULT_MAX_TOKENS, MATRIX, SEED_POLICY, Chain, Policy
from ..domain.units import probability

# The seed's chains and panels with the models of today in the same classes.
CURRENT_POLICY = Policy(
    chains={
        "mixed": Chain(models=("gpt-6-luna", "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")),
        "anthropic": Chain(models=("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")),
        "openai": Chain(models=("gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol")),
        "fast": Chain(models=("gpt-6-luna", "claude-haiku-5-5"), threshold=probability(0.6)),
    },
    panels={
        "basic": ("claude-haiku-5-5", "gpt-6-luna", "claude-sonnet-5-5"),
        "hard": ("claude-sonnet-5-5", "gpt-6.1-sol", "claude-opus-5-5"),
        "architecture": ("claude-sonnet-5-5", "gpt-6.1-sol"),
        "research": ("claude-opus-5-5", "gpt-6-astra"),
    },
    matrix=MATRIX,
)


def policy_of(catalogue: str) -> Policy:
    """The built-in policy for a catalogue: `seed`, or `current`."""
    return SEED_POLICY if catalogue == "seed" else CURRENT_POLICY


def unknown_chain(name: str, policy: Policy, catalogue: Catalogue) -> str:
    """The message for a chain of one name that is neither a chain nor a model."""
    models = [model.name for model in catalogue.models]
    near = get_close_matches(name, [*policy.chains, *models], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"chains are {', '.join(policy.chains)}; or name models"
    return f"there is no chain and no model {name!r}; {hint}"


def policy_json(policy: Policy) -> str:
    """Everything a decision of the policy rests on, beside the code of its version."""
    document = {
        "policy": policy.version,
        "assessor": ASSESSOR,
        "scorer": SCORER,
        "default_max_tokens": DEFAULT_MAX_TOKENS,
        "expected_output_tokens": EXPECTED_OUTPUT,
        "chains": {
            name: {"models": chain.models, "threshold": chain.threshold, "backup": chain.backup}
            for name, chain in policy.chains.items()
        },
        "default_chain": policy.default_chain,
        "panels": dict(policy.panels),
        "matrix": {task.value: strategy for task, strategy in policy.matrix.items()},
    }
    return json.dumps(document, sort_keys=True)
