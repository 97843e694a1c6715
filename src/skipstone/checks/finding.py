"""A finding: one answer of a check."""

from enum import StrEnum

from skipstone.cloud.model import Fact


class Severity(StrEnum):
    """How bad it is: INHIBITOR stops the upgrade, UNKNOWN means the question could not be asked."""

    INFO = "info"
    WARNING = "warning"
    UNKNOWN = "unknown"
    INHIBITOR = "inhibitor"

    @property
    def rank(self) -> int:
        """Return the place in the order of gravity, the worst highest."""
        return list(Severity).index(self)


class Finding(Fact):
    """What a check found: ``id`` is kebab-case and permanent; evidence is masked; remedy is an action.

    ``handled_by`` is the id prefix of the plan's step that takes care of it, where a plan does: such a
    finding is shown with the plan and is not an inhibitor.
    """

    id: str
    severity: Severity
    title: str
    evidence: str
    remedy: str
    where: str = ""
    handled_by: str | None = None
