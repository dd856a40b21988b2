"""Whether what trains is installed."""

from __future__ import annotations

from importlib.util import find_spec

from ...domain.errors import InvalidRequest

NEEDED = ("lightgbm", "numpy", "scipy", "sklearn")


def need_extra() -> None:
    """Raises InvalidRequest that names the extra where a package is missing."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise InvalidRequest(
            f"training needs {', '.join(missing)}: install the extra, `pip install 'model-orchestrator[learn]'`"
        )
