"""What every check is: a pure question about an upgrade, answered with findings."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from skipstone.catalog.catalog import Catalog
from skipstone.catalog.release import Release
from skipstone.catalog.service import Service
from skipstone.checks.finding import Finding, Severity
from skipstone.cloud.model import Cloud, Host

Made = TypeVar("Made")

ASK_AGAIN = "make it answer, then discover again"


@dataclass(frozen=True)
class Upgrade:
    """What checks are asked about: a cloud, and the release that it is to have.

    ``source`` is None where the cloud's own release is not known. With the cloud's own release as target
    the questions are whether the cloud is healthy as it stands.
    """

    cloud: Cloud
    catalog: Catalog
    source: Release | None
    target: Release
    _made: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made for a key before, or make it: several checks look at the same things."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    @property
    def moves(self) -> bool:
        """Whether the release changes at all."""
        return self.source is None or self.source != self.target

    def crosses(self, release: str) -> bool:
        """Whether the upgrade comes from before a release and arrives at it or later.

        An unknown source counts as before: rather one warning too many.
        """
        first = self.catalog.release(release)
        return self.target >= first and (self.source is None or self.source < first)

    def leaves(self, host: Host) -> bool:
        """Whether the upgrade takes a host to another Debian suite."""
        return bool(host.os and self.target.debian and host.os.codename != self.target.debian)

    @property
    def services(self) -> tuple[Service, ...]:
        """What the catalog knows of the cloud's services, in the order in which they are upgraded."""
        return tuple(service for service in self.catalog.services if service.name in self.cloud.services)

    @cached_property
    def reachable(self) -> tuple[Host, ...]:
        """The hosts that could be asked."""
        return tuple(host for host in self.cloud.hosts if host.reachable)


def listed(names: Iterable[str], limit: int = 8) -> str:
    """Return names in one line, cut after ``limit`` of them."""
    found = list(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


class Check(ABC):
    """A read-only question; the class is named after the good condition, the id after the bad one.

    A check sees data only: no connection, no clock, no file. What the data does not say is an UNKNOWN
    finding, never silence. The docstring's first line is the good condition, in a sentence; then come the
    reason, the source of the fact, and when the check may go.
    """

    id: ClassVar[str]

    @abstractmethod
    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Yield one finding for each thing that is not as it should be."""

    def inhibitor(self, title: str, *, evidence: str, remedy: str, where: str = "") -> Finding:
        """Return a finding that stops the upgrade."""
        return Finding(
            id=self.id,
            severity=Severity.INHIBITOR,
            title=title,
            evidence=evidence,
            remedy=remedy,
            where=where,
        )

    def warning(
        self, title: str, *, evidence: str, remedy: str, where: str = "", handled_by: str | None = None
    ) -> Finding:
        """Return a finding to be read, which does not stop the upgrade."""
        return Finding(
            id=self.id,
            severity=Severity.WARNING,
            title=title,
            evidence=evidence,
            remedy=remedy,
            where=where,
            handled_by=handled_by,
        )

    def unknown(self, title: str, *, evidence: str, remedy: str = ASK_AGAIN, where: str = "") -> Finding:
        """Return the finding that the question could not be answered: not a pass."""
        return Finding(
            id=self.id, severity=Severity.UNKNOWN, title=title, evidence=evidence, remedy=remedy, where=where
        )
