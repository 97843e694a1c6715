"""Questions about what could not be asked."""

from collections.abc import Iterator

from skipstone.checks.check import ASK_AGAIN, Check, Upgrade
from skipstone.checks.finding import Finding
from skipstone.cloud.model import Asked


class EveryQuestionWasAnswered(Check):
    """Discovery could ask everything it wanted to know.

    What could not be asked is not in order, and not out of order: it is unknown.
    Source: discovery's own problems. May go: never.
    """

    id = "not-asked"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Return each problem; a host without a session is HostsReachable's to name."""
        unreachable = {host.name for host in upgrade.cloud.hosts if not host.reachable}
        for problem in upgrade.cloud.problems:
            if problem.asked is not Asked.SSH or problem.where not in unreachable:
                yield self.unknown(
                    problem.what,
                    where=problem.where,
                    evidence=problem.evidence or f"asked over {problem.asked}",
                    remedy=problem.remedy or ASK_AGAIN,
                )
