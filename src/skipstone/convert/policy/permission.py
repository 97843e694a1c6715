"""Whether somebody passes a rule, by oslo.policy's own checks. What another server decides cannot be told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from skipstone.convert.policy.check import Check, Form, form, parts
from skipstone.convert.policy.effective import Effective
from skipstone.convert.policy.persona import PERSONAS, Owner, Persona, Target

ADMIN_RULE = "context_is_admin"
"""The rule by which services say that a token is an administrator's, before they ask for anything."""

_PASSES_AS_ADMIN = {"neutron"}
"""Services that let administrators do all while new defaults are not enforced (``neutron/policy.py``)."""

_NEVER_ADMIN = {"keystone"}
"""Services that take nobody for an administrator (``is_admin``) by his token (bootstrap only)."""

Allowed = bool | None
"""Whether somebody passes; None: it cannot be told."""


class Who(NamedTuple):
    """Somebody, and whose object it is."""

    persona: Persona
    owner: Owner


EVERYBODY = tuple(Who(persona, owner) for persona in PERSONAS for owner in persona.owners)


@dataclass(frozen=True)
class Permissions:
    """What one asker may do by the rules of a service."""

    service: str
    effective: Effective
    who: Who

    def allowed(self, names: Iterable[str]) -> Mapping[str, Allowed]:
        """Return for each rule whether it lets the asker pass."""
        admin = (
            self.service not in _NEVER_ADMIN and self._scoped(ADMIN_RULE, self._asking(admin=False)) is True
        )
        asking = self._asking(admin=admin)
        passes = admin and self.service in _PASSES_AS_ADMIN and not self.effective.enforcement.new_defaults
        return {name: True if passes else self._scoped(name, asking) for name in names}

    def _asking(self, *, admin: bool) -> "_Asking":
        return _Asking(self.effective, Target(self.who.owner), self.who.persona.credentials(admin=admin))

    def _scoped(self, name: str, asking: "_Asking") -> Allowed:
        rule = self.effective.release.rules.get(name)
        refused = rule and rule.scopes and self.who.persona.scope not in rule.scopes
        return False if refused and self.effective.enforcement.scope else asking.rule(name)


class _Asking:
    """Asks each rule and each check once: most rules have one of a few checks, which are one object each."""

    def __init__(self, effective: Effective, target: Target, credentials: dict[str, object]) -> None:
        self._effective, self._target, self._credentials = effective, target, credentials
        self._rules: dict[str, Allowed] = {}
        self._checks: dict[int, Allowed] = {}

    def rule(self, name: str) -> Allowed:
        """Return whether a rule lets pass: one without definition does not; None where it leads to itself."""
        if name not in self._rules:
            self._rules[name] = None
            check = self._effective.find(name)
            self._rules[name] = False if check is None else self._check(check)
        return self._rules[name]

    def _check(self, check: Check) -> Allowed:
        if id(check) not in self._checks:
            self._checks[id(check)] = self._asked(check)
        return self._checks[id(check)]

    def _asked(self, check: Check) -> Allowed:
        match form(check):
            case Form.RULE:
                return self.rule(check.match)
            case Form.OWN:
                return bool(check(self._target, self._credentials, None))
            case Form.REMOTE:
                return None
            case Form.NOT:
                return _opposite(self._check(check.rule))
            case Form.AND:
                return _opposite(_any(_opposite(self._check(part)) for part in parts(check)))
        return _any(self._check(part) for part in parts(check))


def _opposite(answer: Allowed) -> Allowed:
    return None if answer is None else not answer


def _any(answers: Iterable[Allowed]) -> Allowed:
    """Return whether one is yes; None where that depends on what cannot be told."""
    found = set(answers)
    return True if True in found else None if None in found else False
