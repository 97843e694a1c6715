"""Questions about RabbitMQ: will the target's version start on the data that is there."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding
from skipstone.checks.suites import SUITES
from skipstone.checks.versions import numbers, series
from skipstone.cloud.model import Broker

STARTS_FROM: Mapping[tuple[int, int], tuple[int, int]] = MappingProxyType(
    {
        (3, 9): (3, 8),
        (3, 10): (3, 8),
        (3, 11): (3, 8),
        (3, 12): (3, 11),
        (3, 13): (3, 12),
        (4, 0): (3, 13),
        (4, 1): (3, 13),
        (4, 2): (3, 13),
        (4, 3): (4, 2),
    }
)
"""Series -> oldest series on whose data it starts (RabbitMQ, "required feature flags")."""

FLAGS_REQUIRED = (3, 11)
"""First series that refuses to start where flags of earlier series are disabled."""

OPTIONAL_FLAGS = frozenset({"khepri_db"})
"""Flags that stay disabled unless somebody chooses otherwise."""


class BrokerUpgradeIsPossible(Check):
    """RabbitMQ of the target's system starts on the data of the one that runs.

    RabbitMQ 3.10 to 4.0 does not: it needs feature flags that 3.10 does not know, and ``enable_feature_flag
    all`` is no help. The plan renews a single broker from 3 to 4: users and permissions are carried over,
    queues are declared again by the services.
    Source: RabbitMQ's documentation of feature flags; the lab (Debian 12 to 13). May go: when no supported
    upgrade starts from RabbitMQ 3.
    """

    id = "broker-upgrade"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find brokers that the target's system leaves with data that its version cannot read."""
        suite = SUITES.get(upgrade.target.debian or "")
        if suite is None or not upgrade.moves:
            return
        target = numbers(suite.rabbitmq)[:2]
        floor = STARTS_FROM.get((target[0], target[1]))
        for broker in upgrade.cloud.brokers:
            found = numbers(broker.version)[:2]
            if not found:
                yield self.unknown(
                    "RabbitMQ's version is not known", where=broker.host, evidence=repr(broker.version)
                )
            elif floor and found < floor:
                yield self._cannot_read(upgrade, broker, suite.rabbitmq)
            elif found != target and target >= FLAGS_REQUIRED:
                yield from self._flags(broker, suite.rabbitmq)

    def _cannot_read(self, upgrade: Upgrade, broker: Broker, target: str) -> Finding:
        title = f"RabbitMQ {target} does not start on the data of {series(broker.version)}"
        evidence = f"{broker.version} runs; {upgrade.target.debian} brings {target}"
        if len(upgrade.cloud.brokers) > 1 or numbers(target)[0] == numbers(broker.version)[0]:
            return self.inhibitor(
                title,
                where=broker.host,
                evidence=f"{evidence}; brokers: {len(upgrade.cloud.brokers)}",
                remedy="upgrade RabbitMQ series by series first, all feature flags enabled at each stop",
            )
        return self.warning(
            title,
            where=broker.host,
            evidence=evidence,
            remedy="export its definitions, start the new version on an empty directory, import them",
            handled_by="databases.broker",
        )

    def _flags(self, broker: Broker, target: str) -> Iterator[Finding]:
        disabled = [
            name
            for name, state in sorted(broker.feature_flags.items())
            if state == "disabled" and name not in OPTIONAL_FLAGS
        ]
        if disabled:
            yield self.inhibitor(
                f"RabbitMQ {target} does not start with feature flags disabled",
                where=broker.host,
                evidence=", ".join(disabled),
                remedy="rabbitmqctl enable_feature_flag all",
            )
