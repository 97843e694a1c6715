"""Asks a service's own policy enforcer; run by a release's Python with SERVICE, a question and an answer file.

Question: ``file`` (a policy file, or nothing), ``askers`` (target and credentials, without ``is_admin``). Answer:
what is enforced, and for every asker which of all rules let it pass.
"""

import json
import logging
import sys
import warnings

try:
    import eventlet  # older services expect it to be patched in before their other imports

    eventlet.monkey_patch()
except ImportError:
    pass
import importlib
import importlib.metadata

from oslo_config import cfg
from oslo_policy import policy


def enforcer_of(service, file):
    found = importlib.metadata.entry_points()
    points = found.select(group="oslo.policy.enforcer") if hasattr(found, "select") else found["oslo.policy.enforcer"]
    point = next(point for point in points if point.name == service)
    if service == "placement":  # up to Victoria it looks for an option that only the starting API registers
        importlib.import_module("placement.conf.placement").register_opts(cfg.CONF)
    found = point.load()()
    enforcer = getattr(found, "enforcer", found)  # heat's has one
    enforcer.suppress_deprecation_warnings = True
    enforcer.policy_file = file or "/nowhere/policy.yaml"
    enforcer.policy_path = None
    enforcer.load_rules(True)
    return enforcer


def passes(enforcer, rule, target, credentials):
    # glance's own takes a request's context
    return bool(policy.Enforcer.enforce(enforcer, rule, dict(target), dict(credentials)))


def answers(service, enforcer, asker):
    credentials = dict(asker["credentials"], is_admin=False)
    admin = "context_is_admin" in enforcer.rules and passes(
        enforcer, "context_is_admin", asker["target"], credentials
    )
    credentials["is_admin"] = admin and service != "keystone"
    return {name: passes(enforcer, name, asker["target"], credentials) for name in enforcer.registered_rules}


def main(service, question, answer):
    sys.argv = sys.argv[:1]
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with open(question, encoding="utf-8") as file:
        asked = json.load(file)
    enforcer = enforcer_of(service, asked["file"])
    settings = enforcer.conf.oslo_policy
    told = {
        "new_defaults": settings.enforce_new_defaults,
        "scope": getattr(settings, "enforce_scope", True),
        "answers": [answers(service, enforcer, asker) for asker in asked["askers"]],
    }
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(told, file)


main(*sys.argv[1:])
