"""Those who use a cloud: standard personas, what their tokens say, and whose objects they ask for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

USER, PROJECT, DOMAIN = "user-of-persona", "project-of-persona", "domain-of-persona"
OTHER = "another"
_ADMIN = ("admin", "manager", "member", "reader")
"""Roles that keystone's bootstrap lets imply each other, each with those after it."""


class Scope(StrEnum):
    """What a token is for."""

    SYSTEM = "system"
    DOMAIN = "domain"
    PROJECT = "project"


class Owner(StrEnum):
    """Whose an object is, seen by who asks for it."""

    SELF = "own"
    PROJECT = "own project's"
    DOMAIN = "own domain's"
    OTHERS = "others'"


_OWNERS = {
    Scope.SYSTEM: (Owner.OTHERS,),
    Scope.DOMAIN: (Owner.DOMAIN, Owner.OTHERS),
    Scope.PROJECT: (Owner.SELF, Owner.PROJECT, Owner.OTHERS),
}


@dataclass(frozen=True)
class Persona:
    """Somebody with a token for a system, a domain or a project, and with these roles there."""

    name: str
    scope: Scope
    roles: tuple[str, ...]

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Whose objects this persona may ask for: with a token for a system nothing is the own project's."""
        return _OWNERS[self.scope]

    def credentials(self, *, admin: bool) -> dict[str, Any]:
        """Return what services give oslo.policy of a token; ``admin``: ``context_is_admin`` lets it pass."""
        project = PROJECT if self.scope is Scope.PROJECT else None
        own: dict[str, Any] = {"id": DOMAIN}
        token = {Scope.DOMAIN: {"domain": own}, Scope.PROJECT: {"project": {"id": PROJECT, "domain": own}}}
        return {
            "user_id": USER,
            "user_domain_id": DOMAIN,
            "project_id": project,
            "tenant_id": project,
            "project_domain_id": DOMAIN if project else None,
            "domain_id": DOMAIN if self.scope is Scope.DOMAIN else None,
            "system_scope": "all" if self.scope is Scope.SYSTEM else None,
            "roles": list(self.roles),
            "service_roles": [],
            "is_admin": admin,
            "is_admin_project": True,
            "token": token.get(self.scope, {}),
        }


PERSONAS = (
    Persona("system admin", Scope.SYSTEM, _ADMIN),
    Persona("system reader", Scope.SYSTEM, _ADMIN[3:]),
    Persona("domain admin", Scope.DOMAIN, _ADMIN),
    Persona("domain manager", Scope.DOMAIN, _ADMIN[1:]),
    Persona("domain reader", Scope.DOMAIN, _ADMIN[3:]),
    Persona("project admin", Scope.PROJECT, _ADMIN),
    Persona("project manager", Scope.PROJECT, _ADMIN[1:]),
    Persona("project member", Scope.PROJECT, _ADMIN[2:]),
    Persona("project reader", Scope.PROJECT, _ADMIN[3:]),
    Persona("service", Scope.PROJECT, ("service",)),
    Persona("another role", Scope.PROJECT, ("role-of-another-name",)),
)


class Target(Mapping[str, Any]):
    """An object of one owner, with every attribute that a check may compare with a token's.

    Which attribute stands for a project, a domain or a user is in its name, as in all rules of all releases
    (``target.user.domain_id``, ``network:tenant_id``). Nothing is shared, public or the service's own.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as targets are
        word = name.replace(":", ".").replace("_id", ".id")
        for end, value, owners in _ATTRIBUTES:
            if word.endswith(end):
                return value if self._owner in owners else OTHER
        return OTHER

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_IN_PROJECT = frozenset({Owner.SELF, Owner.PROJECT})
_ATTRIBUTES = (
    ("domain.id", DOMAIN, _IN_PROJECT | {Owner.DOMAIN}),
    ("project.id", PROJECT, _IN_PROJECT),
    ("tenant.id", PROJECT, _IN_PROJECT),
    ("owner", PROJECT, _IN_PROJECT),
    ("user.id", USER, frozenset({Owner.SELF})),
    # keystone: the role that a manager gives somebody
    ("role.name", "member", frozenset(Owner)),
)
