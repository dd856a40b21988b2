"""Errors of the native API: one JSON shape for all."""

from __future__ import annotations

from typing import Any

import msgspec

from ..failure import Failure


class NativeErrors:
    """{"error": {"kind", "message", "run_id"?, ...details}}."""

    def error(self, failure: Failure) -> bytes:
        """The body of an error."""
        said: dict[str, Any] = {"kind": failure.kind, "message": failure.message}
        if failure.run_id is not None:
            said["run_id"] = failure.run_id
        return msgspec.json.encode({"error": {**failure.details, **said}})
