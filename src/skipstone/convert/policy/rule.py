"""A policy rule of a service in one release, as the release's own code registers it."""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Operation(NamedTuple):
    """A request that a rule is asked for."""

    method: str
    path: str


class Old(NamedTuple):
    """What a rule was before (``DeprecatedRule``): its name, and its check, which may still count too."""

    name: str
    check: str


class Rule(BaseModel):
    """What a release says of a rule.

    ``check`` is in oslo.policy's language. ``scopes`` are the kinds of token that may pass, none: all. A rule
    without ``operations`` is one that others refer to. ``reason`` says why a rule is about to go
    (``removal``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = ""
    scopes: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    old: Old | None = None
    removal: bool = False
    reason: str = ""
