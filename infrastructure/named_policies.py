"""The policies that a command can name: the built-in one, and those of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..domain.catalogue import Catalogue
from ..domain.errors import InvalidRequest
from ..domain.policy import Policy
from .policy import load_policy, policy_of
from .policy_settings import POLICY_TABLES, read_policy
from .settings import Settings, parse_toml

DEFAULT = "default"


def named_policy(name: str, catalogue: Catalogue, settings: Settings) -> Policy:
    """`default`, or a TOML file with the policy's tables of the settings file, and `default_chain`.

    Raises InvalidRequest for a name that is neither, ConfigurationError for a file that is no policy.
    """
    if name == DEFAULT:
        return policy_of(catalogue.name)
    file = Path(name)
    if not name.endswith(".toml"):
        raise InvalidRequest(f"there is no policy {name!r}: expected {DEFAULT}, or a TOML file such as mine.toml")
    document = parse_toml(file, "policy")
    foreign = sorted(document.keys() - {*POLICY_TABLES, "default_chain"})
    if foreign:
        expected = ", ".join(("default_chain", *POLICY_TABLES))
        raise InvalidRequest(f"{file} is no policy: it has {foreign[0]}, and a policy has only {expected}")
    chain = document.pop("default_chain", Settings().default_chain)
    if not isinstance(chain, str):
        raise InvalidRequest(f"default_chain in {file}: expected the name of a chain")
    own = replace(settings, file=file, policy=read_policy(document, file, {}), default_chain=chain)
    return load_policy(own, catalogue)
