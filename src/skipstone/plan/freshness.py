"""Whether a plan still is for the cloud that is there."""

from collections.abc import Iterable

from skipstone.cloud.fingerprint import differences, fingerprint_of
from skipstone.cloud.model import Cloud
from skipstone.errors import PlanRefused
from skipstone.plan.plan import Plan


def refuse_unless_fresh(plan: Plan, found: Cloud, *, known: Iterable[str] = ()) -> None:
    """Compare a fresh discovery with what the plan was made for.

    Raise PlanRefused, which names what changed (``known``: what explains it), or what gave no answer: then
    nobody knows whether anything changed.
    """
    changed = differences(plan.fingerprint, fingerprint_of(found))
    if not changed:
        return
    if found.problems:
        silent = [f"{problem.where}: {problem.what} {problem.evidence}" for problem in found.problems]
        raise PlanRefused(
            "whether the plan still holds is not known: parts of the cloud gave no answer",
            where=plan.cloud,
            evidence="\n".join(silent),
            remedy="see to what gave no answer, and apply again; nothing was changed",
        )
    raise PlanRefused(
        "the plan is stale: the cloud is not as it was when the plan was made",
        where=plan.cloud,
        evidence="\n".join([*changed, *known]),
        remedy="discover, check and plan again; nothing was changed",
    )
