"""The rules that a service goes by: its release's, an operator's over them, the deprecated ones beside them.

What ``oslo_policy.policy.Enforcer.load_rules`` and ``_handle_deprecated_rule`` make of both; the tests ask
the releases' own.
"""

from collections.abc import Mapping
from functools import cached_property

from skipstone.convert.policy.catalog import ReleaseRules
from skipstone.convert.policy.check import Check, Value, either, parse
from skipstone.convert.policy.enforcement import Enforcement
from skipstone.convert.policy.rule import Old

DEFAULT_RULE = "default"
"""The rule that is asked where one has no definition (``policy_default_rule``)."""


class Effective:
    """What every rule of a service in one release comes to, with what files say."""

    def __init__(
        self, release: ReleaseRules, overrides: Mapping[str, Value], enforcement: Enforcement
    ) -> None:
        self.release, self.overrides, self.enforcement = release, overrides, enforcement

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        """Every rule's check, by name."""
        own = {name: parse(value) for name, value in self.overrides.items()}
        return own | {name: self.default(name) for name in self.release.rules if name not in self.overrides}

    def find(self, name: str) -> Check | None:
        """Return the check that is asked for a rule, which may be the default rule's; None: nobody passes."""
        return self.checks.get(name) or self.checks.get(DEFAULT_RULE)

    def default(self, name: str) -> Check:
        """Return the check of a registered rule that no file has."""
        rule = self.release.rules[name]
        check = parse(rule.check)
        if rule.old is None:
            return check
        if rule.old.name != name and self._is_taken(name, rule.old):
            return parse(self.overrides[rule.old.name])
        if not self.enforcement.new_defaults and rule.old.check != rule.check:
            return either(check, parse(rule.old.check))
        return check

    def _is_taken(self, name: str, old: Old) -> bool:
        """Whether what a file says of a rule's old name is taken for the new one."""
        if old.name not in self.overrides:
            return False
        said = parse(self.overrides[old.name])
        if str(said) == f"rule:{name}":
            return False
        return not (self.enforcement.repetitions_ignored and said == parse(old.check))
