"""Tells policies of another service by the rules in them."""

from collections.abc import Sequence

from skipstone.convert.policy.catalog import RuleHistory, known_services, load_rules
from skipstone.errors import InputError

_SURPLUS = 2
"""How many more rules another service has to know: some (``context_is_admin``) are several services'."""


def refuse_stranger(files: Sequence[str], names: Sequence[str], history: RuleHistory) -> None:
    """Raise InputError where rules are another service's: it knows more of them, in any release."""
    own = _known(names, history)
    if len(names) - own < _SURPLUS:
        return
    counts = {name: _known(names, load_rules(name)) for name in known_services() if name != history.service}
    best = max(counts, key=lambda name: counts[name])
    if counts[best] - own >= _SURPLUS:
        raise InputError(
            f"this looks like a policy of {best}, not of {history.service}",
            where=", ".join(files),
            evidence=f"of {len(names)} rules {history.service} knows {own}, {best} {counts[best]}",
            remedy=f"--service {best}",
        )


def _known(names: Sequence[str], history: RuleHistory) -> int:
    return sum(name in history.names for name in names)
