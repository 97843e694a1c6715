"""Questions about keystone: roles of the services, endpoints of their APIs."""

from collections.abc import Iterator

from skipstone.checks.check import Check, Upgrade
from skipstone.checks.finding import Finding

ROLE = "service"
NEEDED_SINCE = "2024.1"


class ServiceRoleExists(Check):
    """The role ``service`` exists, and every user that is admin in the services' project holds it.

    Neutron 2024.1 lets only this role create and activate port bindings: without it nova gets a 403 and
    every live migration fails. 2025.2's nova wants it for external events, of neutron and cinder. Bootstrap
    creates the role since 2023.2; a cloud that is older never got it.
    Source: neutron/conf/policies/port_bindings.py at 24.0.0, keystone/cmd/bootstrap.py at 24.0.0; the lab.
    Since: 2024.1. May go: when no supported upgrade starts before 2023.2.
    """

    id = "service-role-missing"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find the role missing, or not held by a service's user."""
        if upgrade.target < upgrade.catalog.release(NEEDED_SINCE):
            return
        holders = {role.name: set(role.service_users) for role in upgrade.cloud.roles}
        if "admin" not in holders:
            yield self.unknown(
                "the services' users are not known", evidence="keystone's roles were not listed"
            )
            return
        missing = sorted(holders["admin"] - holders.get(ROLE, set()))
        if missing:
            yield self.warning(
                "service users lack the role service",
                where="keystone",
                evidence=f"{'the role exists' if ROLE in holders else 'no such role'}; "
                f"{upgrade.target.title} needs it of {', '.join(missing)}",
                remedy="openstack role create --or-show service; "
                "openstack role add --user USER --project service service",
                handled_by="prepare.service-role",
            )


class EndpointsAreListed(Check):
    """Every service of the cloud has a public endpoint.

    The upgrade asks every API from outside, before, during and after; without an address it cannot.
    Source: Skipstone's own rule. May go: never.
    """

    id = "endpoint-missing"

    def ask(self, upgrade: Upgrade) -> Iterator[Finding]:
        """Find services without a public endpoint in keystone's catalog."""
        public = {
            endpoint.service_type for endpoint in upgrade.cloud.endpoints if endpoint.interface == "public"
        }
        if not public:
            yield self.unknown("keystone's endpoints are not known", evidence="no public endpoint was listed")
            return
        for service in upgrade.services:
            if not public & set(service.types):
                yield self.warning(
                    f"{service.name} has no public endpoint",
                    where=service.name,
                    evidence=f"none of type {' or '.join(service.types)} in keystone's catalog",
                    remedy=f"openstack endpoint create {service.types[0]} public URL",
                )
