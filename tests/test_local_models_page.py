"""What docs/local-models.md promises."""

import re
import tomllib
from pathlib import Path

from model_orchestrator.domain.catalogue import Feature
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.simulate.faults import Fault

PAGE = (Path(__file__).parents[1] / "docs" / "local-models.md").read_text(encoding="utf-8")


def test_its_settings_are_settings(tmp_path: Path) -> None:
    """The snippet loads as it stands."""
    (snippet,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "model-orchestrator.toml"
    file.write_text(snippet, encoding="utf-8")
    assert set(tomllib.loads(snippet)["models"]) == set(Settings.load(file).models) == {"local"}


def test_it_names_every_feature_and_every_fault() -> None:
    """A new one is documented or fails here."""
    missing = [name for name in (*Feature, *Fault) if f"`{name}`" not in PAGE]
    assert missing == []
