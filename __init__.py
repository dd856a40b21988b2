"""Model Orchestrator: the cheapest capable model for each prompt, every step an immutable event.

The public names load on first use, so that `import model_orchestrator` takes milliseconds.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers read it as true; importing `typing` for it costs milliseconds
if TYPE_CHECKING:
    from model_orchestrator.application.result import OrchestrationResult
    from model_orchestrator.domain.catalogue import ModelCapability, ModelConfig, ModelProvider
    from model_orchestrator.domain.complexity import ComplexityAnalyzer
    from model_orchestrator.domain.confidence import ConfidenceDetector
    from model_orchestrator.domain.errors import InvalidRequest, OrchestratorError, RunFailure
    from model_orchestrator.domain.synthesis import ScoreWeights, synthesize_responses
    from model_orchestrator.infrastructure.bootstrap import Orchestrator
    from model_orchestrator.infrastructure.by_strategy import (
        run_ensemble,
        run_ensemble_async,
        run_with_fallback,
        run_with_fallback_async,
    )
    from model_orchestrator.infrastructure.settings import Settings
    from model_orchestrator.infrastructure.shared_orchestrator import (
        route_to_model,
        run_orchestration,
        run_orchestration_async,
    )

__all__ = [
    "ComplexityAnalyzer",
    "ConfidenceDetector",
    "InvalidRequest",
    "ModelCapability",
    "ModelConfig",
    "ModelProvider",
    "OrchestrationResult",
    "Orchestrator",
    "OrchestratorError",
    "RunFailure",
    "ScoreWeights",
    "Settings",
    "__version__",
    "route_to_model",
    "run_ensemble",
    "run_ensemble_async",
    "run_orchestration",
    "run_orchestration_async",
    "run_with_fallback",
    "run_with_fallback_async",
    "synthesize_responses",
]

# Absolute names: pytest imports this file under the name of the folder it lies in.
_HOMES = {
    "ComplexityAnalyzer": "model_orchestrator.domain.complexity",
    "ConfidenceDetector": "model_orchestrator.domain.confidence",
    "InvalidRequest": "model_orchestrator.domain.errors",
    "ModelCapability": "model_orchestrator.domain.catalogue",
    "ModelConfig": "model_orchestrator.domain.catalogue",
    "ModelProvider": "model_orchestrator.domain.catalogue",
    "OrchestrationResult": "model_orchestrator.application.result",
    "Orchestrator": "model_orchestrator.infrastructure.bootstrap",
    "OrchestratorError": "model_orchestrator.domain.errors",
    "RunFailure": "model_orchestrator.domain.errors",
    "ScoreWeights": "model_orchestrator.domain.synthesis",
    "Settings": "model_orchestrator.infrastructure.settings",
    "route_to_model": "model_orchestrator.infrastructure.shared_orchestrator",
    "run_ensemble": "model_orchestrator.infrastructure.by_strategy",
    "run_ensemble_async": "model_orchestrator.infrastructure.by_strategy",
    "run_orchestration": "model_orchestrator.infrastructure.shared_orchestrator",
    "run_orchestration_async": "model_orchestrator.infrastructure.shared_orchestrator",
    "run_with_fallback": "model_orchestrator.infrastructure.by_strategy",
    "run_with_fallback_async": "model_orchestrator.infrastructure.by_strategy",
    "synthesize_responses": "model_orchestrator.domain.synthesis",
}


def __getattr__(name: str) -> object:
    """A public name, loaded on first use and then kept."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, also those not loaded yet."""
    return sorted(globals().keys() | _HOMES.keys())
