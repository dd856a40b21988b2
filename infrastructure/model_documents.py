"""The models of a catalogue as JSON documents: prices, and whether each can be asked or why not."""

from __future__ import annotations

from typing import Any

from ..domain.breaker import BreakerState
from ..domain.catalogue import ModelConfig
from ..domain.events import Exclusion, ExclusionReason
from ..domain.exclusions import exclusion_text
from .breaker_states import breaker_dict, breaker_text
from .catalogue_json import model_to


def model_document(model: ModelConfig, exclusion: Exclusion | None, breaker: BreakerState | None) -> dict[str, Any]:
    """A model. `exclusion` is why it cannot be asked, `breaker` what holds it back now."""
    status = {
        "capability": model.capability.value,
        "usable": exclusion is None,
        "status": model_status(model, exclusion, breaker),
        "breaker": breaker_dict(breaker),
    }
    return model_to(model) | status


def model_status(model: ModelConfig, exclusion: Exclusion | None, breaker: BreakerState | None) -> str:
    """In words."""
    if exclusion is None:
        usable = "usable" + (f" until {model.retired_on}" if model.retired_on else "")
        return usable if breaker is None else f"{usable}; {breaker_text(breaker)}"
    successor = model.successor if exclusion.reason is ExclusionReason.RETIRED else None
    return exclusion_text(exclusion) + (f" -> {successor}" if successor else "")
