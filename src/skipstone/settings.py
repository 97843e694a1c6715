"""The operator's settings: parsed once, frozen, with a default for each.

The environment goes before the file ``$XDG_CONFIG_HOME/skipstone/settings.yaml``, whose keys are the fields
below: ``state_dir`` is ``SKIPSTONE_STATE_DIR`` there.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skipstone.errors import InputError

PREFIX = "SKIPSTONE_"


class Settings(BaseModel):
    """What an operator may set.

    ``state_dir`` holds the runs and the clouds' locks: keep it on a disk of the operator's machine, not in
    the cloud that is upgraded. ``database_url`` (SQLAlchemy's) is the engine's database where it is not a
    file beside the journal. ``cache_dir`` holds what can be made again: releases' own commands.
    ``steps_at_once`` bounds the steps of a stage that run at the same time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_dir: Path
    cache_dir: Path
    database_url: str | None = None
    steps_at_once: int = Field(50, ge=1)

    @property
    def shared_database(self) -> str | None:
        """The engine's database where several machines can share it: a PostgreSQL."""
        url = self.database_url
        return url if url and url.startswith("postgresql") else None

    @property
    def runs(self) -> Path:
        """Where the runs' directories are."""
        return self.state_dir / "runs"

    @property
    def drains(self) -> Path:
        """Where the records of drains are."""
        return self.state_dir / "drains"

    @property
    def identities(self) -> Path:
        """Where hosts that are installed anew have their keys and configuration meanwhile."""
        return self.state_dir / "identities"

    @property
    def toolchains(self) -> Path:
        """Where releases' own commands are."""
        return self.cache_dir / "toolchains"

    @property
    def locks(self) -> Path:
        """Where the clouds' locks are."""
        return self.state_dir / "clouds"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raise InputError, naming the field, where one is wrong."""
    environ = os.environ if environ is None else environ
    home = Path(environ.get("HOME") or Path.home())
    path = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "skipstone" / "settings.yaml"
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "skipstone"
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "skipstone"
    given = {
        name: environ[PREFIX + name.upper()]
        for name in Settings.model_fields
        if environ.get(PREFIX + name.upper())
    }
    values = {"state_dir": state, "cache_dir": cache} | _read(path) | given
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        source = f"{PREFIX}{field.upper()}" if field in given else f"{path}: {field}"
        known = ", ".join(Settings.model_fields)
        raise InputError(first["msg"].lower(), where=source, remedy=f"the settings are: {known}") from error


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("the settings cannot be read", where=str(path), evidence=str(error)) from error
    if not isinstance(data, dict | None):
        raise InputError("the settings are keys with values", where=str(path))
    return data or {}
