"""The policy in use, as a document that is stored in the database by its hash."""

from __future__ import annotations

import json

from ..domain.complexity import ASSESSOR
from ..domain.confidence import SCORER
from ..domain.expected_output import EXPECTED_OUTPUT
from ..domain.routing import DEFAULT_MAX_TOKENS, POLICY_VERSION


def policy_json() -> str:
    """Everything a decision of the built-in policy rests on, beside the code of its version."""
    document = {
        "policy": POLICY_VERSION,
        "assessor": ASSESSOR,
        "scorer": SCORER,
        "default_max_tokens": DEFAULT_MAX_TOKENS,
        "expected_output_tokens": EXPECTED_OUTPUT,
    }
    return json.dumps(document, sort_keys=True)
