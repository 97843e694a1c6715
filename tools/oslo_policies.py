#!/usr/bin/env python3
"""Write the policy rules of services as JSON: what each one's ``list_rules`` returns.

Run by tools/policy_catalogs.py in the Python of a release: ``SERVICE=FILE ..``.
"""

import importlib.metadata
import json
import sys
from typing import Any

GROUP = "oslo.policy.policies"


def rules(service: str) -> list[Any]:
    """Return the rules that a service registers itself; none before it had them in its code."""
    found = importlib.metadata.entry_points()
    points = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
    # Stein's nova registers placement's too
    own = {point.value: point for point in points if point.name == service and is_own(point, service)}
    return [rule for point in own.values() for rule in point.load()()]


def is_own(point: Any, service: str) -> bool:  # noqa: ANN401 - of another Python
    """Whether an entry point leads into the service's own code."""
    return bool(point.value.split(".")[0] == service)


def entry(rule: Any) -> dict[str, Any]:  # noqa: ANN401 - oslo's own
    """Return one rule as JSON."""
    old = rule.deprecated_rule
    return {
        "name": rule.name,
        "check": rule.check_str,
        "scopes": rule.scope_types or [],
        "operations": [
            [method.upper(), operation["path"]]
            for operation in getattr(rule, "operations", [])
            for method in several(operation["method"])
        ],
        "old": [old.name, old.check_str] if old else None,
        "removal": rule.deprecated_for_removal,
        "reason": " ".join((rule.deprecated_reason or "").split()) if rule.deprecated_for_removal else "",
    }


def several(methods: Any) -> list[str]:  # noqa: ANN401 - oslo's own
    """Return the methods of an operation, of which some give a list."""
    return [methods] if isinstance(methods, str) else list(methods)


if __name__ == "__main__":
    for word in sys.argv[1:]:
        service, path = word.split("=")
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - as short
            json.dump([entry(rule) for rule in rules(service)], file)
