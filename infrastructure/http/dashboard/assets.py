"""The files that pages load: style sheet, scripts and the sign."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from ..failure import Refused

FOLDER = Path(__file__).parent / "assets"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


async def asset(request: Request) -> Response:
    """One of the folder's files. Raises Refused for what is not there."""
    name = request.path_params["name"]
    if name not in names():
        raise Refused(404, "not_found", "there is no such file")
    body, tag = _read(name)
    headers = {"etag": tag, "cache-control": "no-cache"}  # asked for again after an upgrade, sent only if changed
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=KINDS[Path(name).suffix], headers=headers)


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """What can be loaded."""
    return frozenset(file.name for file in FOLDER.iterdir() if file.suffix in KINDS)


@lru_cache(maxsize=16)
def _read(name: str) -> tuple[bytes, str]:
    body = (FOLDER / name).read_bytes()
    return body, f'"{sha256(body).hexdigest()[:32]}"'
