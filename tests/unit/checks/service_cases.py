"""Cases of the checks about databases, the broker, and the services."""

from skipstone.checks import broker, compute, configuration, databases, identity, schemas, workloads
from skipstone.checks.check import Check
from skipstone.cloud.model import Broker, Endpoint, Role, Table

from .case import UNKNOWN, WARNING, Case, agents_too, all_of
from .good_cloud import (
    AS_IT_IS,
    NOVA_CONF,
    USERS,
    Change,
    agent,
    cloud_with,
    each_with,
    file_with,
    host_with,
    package,
)


def _without(*names: str) -> Change:
    """Take away the agents of these binaries."""
    return lambda cloud: cloud.model_copy(
        update={"agents": tuple(found for found in cloud.agents if found.binary not in names)}
    )


def _conditions(**counts: int) -> Change:
    asked = ("cinder-null-use-quota", "heat-legacy-below-86")
    answers = dict.fromkeys((*asked, "neutron-duplicate-ha-networks", "neutron-mixed-collations"), 0)
    known = answers | {name.replace("_", "-"): count for name, count in counts.items()}
    return each_with("database_servers", conditions=known)


MIGRATING = each_with("instances", status="MIGRATING", task="migrating")


def _halfway(
    check: type[Check], name: str, bad: Change, where: str, *, evidence: str = "", good: Change = AS_IT_IS
) -> Case:
    """Return a case of what is told at first, and waited for right before the services stop."""
    return Case(check, name, bad, WARNING, where, evidence, handled_by="stop.workloads", good=good)


SERVICE_CASES = (
    Case(
        databases.DatabasesAreSupported,
        "newer than trixie's",
        each_with("database_servers", version="12.1.2-MariaDB"),
        where="ctl1",
        good=each_with("database_servers", version="11.8.6-MariaDB-0+deb13u1"),
    ),
    Case(
        databases.DatabasesAreSupported,
        "MySQL",
        each_with("database_servers", version="8.0.36"),
        WARNING,
        where="ctl1",
    ),
    Case(databases.DatabasesAreSupported, "none asked", cloud_with(database_servers=()), UNKNOWN),
    Case(
        databases.DatabaseIsMySQL,
        "PostgreSQL",
        file_with("ctl1", "/etc/neutron/neutron.conf", "[database]\nconnection = postgresql://n:***@h/n\n"),
        where="ctl1",
        evidence="postgresql://...",
    ),
    Case(
        databases.DatabaseIsMySQL,
        "PostgreSQL, in a drop-in",
        all_of(
            file_with("ctl1", "/etc/neutron/neutron.conf", "[DEFAULT]\n"),
            file_with(
                "ctl1",
                "/etc/neutron/neutron.conf.d/db.conf",
                "[database]\nconnection = postgresql://n:***@h/n\n",
            ),
        ),
        where="ctl1",
        evidence="postgresql://...",
    ),
    Case(
        databases.DatabasesAreUnicode,
        "latin1",
        each_with("databases", charset="latin1", collation="latin1_swedish_ci"),
        WARNING,
        where="keystone",
    ),
    Case(
        databases.MariaDBCollationsStayCompatible,
        "10.11 becomes 11.8",
        cloud_with(),
        WARNING,
        where="ctl1",
        evidence="becomes 11.8",
        handled_by="prepare.collations",
        good=each_with(
            "database_servers",
            variables={"character_set_collations": "utf8mb3=utf8mb3_general_ci,utf8mb4=utf8mb4_general_ci"},
        ),
    ),
    Case(
        schemas.DatabasesAreFound,
        "another name, which nothing tells",
        each_with("databases", name="ks", known_as=None, service="none"),
        where="keystone",
        evidence="servers that were asked: ctl1",
        good=each_with("databases", name="ks", known_as="keystone"),
    ),
    Case(
        schemas.TablesAreTheServicesOwn,
        "a firewall's",
        each_with("databases", tables=(Table(name="alembic_version_fwaas", rows=2),)),
        WARNING,
        where="keystone",
        evidence="alembic_version_fwaas",
        good=each_with("databases", tables=(Table(name="alembic_version", rows=1),)),
    ),
    Case(
        schemas.SchemaHeadsMatchRelease,
        "yoga's heads",
        each_with("databases", heads=("29e87d24a316", "e25ffa003241")),
        where="keystone",
        evidence="expected 29e87d24a316 e25ffa003242",
        good=each_with("databases", heads=("47147121", "c88cdce8f248")),
    ),
    Case(
        schemas.SchemaHeadsMatchRelease,
        "a cell at other heads",
        each_with("databases", name="nova_cell1", known_as="nova", service="nova"),
        where="nova_cell1",
        evidence="expected ccb0fa1a2252",
        good=each_with(
            "databases", name="nova_cell1", known_as="nova", service="nova", heads=("ccb0fa1a2252",)
        ),
    ),
    Case(
        schemas.SchemaHeadsMatchRelease,
        "never synced",
        each_with("databases", heads=()),
        where="keystone",
        evidence="nothing",
    ),
    Case(
        schemas.OnlineDataMigrationsAreDone,
        "NULL use_quota",
        _conditions(cinder_null_use_quota=3),
        where="cinder",
        evidence="3 rows",
    ),
    Case(
        schemas.OnlineDataMigrationsAreDone,
        "not counted",
        each_with(
            "database_servers",
            conditions={
                "neutron-duplicate-ha-networks": 0,
                "neutron-mixed-collations": 0,
                "heat-legacy-below-86": 0,
            },
        ),
        UNKNOWN,
        where="cinder",
    ),
    Case(
        schemas.OnlineDataMigrationsAreDone,
        "left from long ago",
        _conditions(cinder_service_uuids=1),
        WARNING,
        where="cinder",
    ),
    Case(
        schemas.BlockersSatisfied,
        "hosts that are gone",
        _conditions(nova_orphan_services=2),
        WARNING,
        where="nova",
        evidence="2 rows",
    ),
    Case(
        schemas.BlockersSatisfied,
        "two HA networks",
        _conditions(neutron_duplicate_ha_networks=1),
        where="neutron",
        evidence="1 rows; 2025.1 Epoxy breaks",
        good=all_of(_conditions(neutron_duplicate_ha_networks=1), cloud_with(services=("keystone",))),
    ),
    Case(
        databases.SoftDeletedRowsAreFew,
        "instances",
        each_with("databases", tables=(Table(name="instances", rows=400_000, soft_deleted=390_000),)),
        WARNING,
        where="keystone",
        evidence="instances 390000",
    ),
    Case(
        databases.SoftDeletedRowsAreFew,
        "too large to be counted",
        each_with(
            "databases",
            known_as="nova",
            tables=(Table(name="instances", rows=9_000_000, exact=False),),
        ),
        WARNING,
        where="keystone",
        evidence="9000000 rows, deleted ones not counted",
        good=each_with("databases", tables=(Table(name="revocation_event", rows=9_000_000, exact=False),)),
    ),
    Case(
        broker.BrokerUpgradeIsPossible,
        "3.10 to 4.0",
        cloud_with(),
        WARNING,
        where="ctl1",
        handled_by="databases.broker",
        good=each_with("brokers", version="3.13.7", feature_flags={"stream_queue": "enabled"}),
    ),
    Case(
        broker.BrokerUpgradeIsPossible,
        "disabled flags",
        each_with(
            "brokers", version="3.13.7", feature_flags={"stream_queue": "disabled", "khepri_db": "disabled"}
        ),
        where="ctl1",
        evidence="stream_queue",
        good=each_with("brokers", version="3.13.7", feature_flags={"khepri_db": "disabled"}),
    ),
    Case(
        broker.BrokerUpgradeIsPossible,
        "version not known",
        each_with("brokers", version=""),
        UNKNOWN,
        where="ctl1",
        good=each_with("brokers", version="4.0.5"),
    ),
    Case(
        identity.ServiceRoleExists,
        "no such role",
        cloud_with(roles=(Role(name="admin", service_users=USERS),)),
        WARNING,
        where="keystone",
        evidence="no such role",
        handled_by="prepare.service-role",
    ),
    Case(
        identity.ServiceRoleExists,
        "not of nova",
        cloud_with(
            roles=(Role(name="admin", service_users=USERS), Role(name="service", service_users=USERS[:4]))
        ),
        WARNING,
        where="keystone",
        evidence="needs it of nova",
        handled_by="prepare.service-role",
    ),
    Case(identity.ServiceRoleExists, "not listed", cloud_with(roles=()), UNKNOWN),
    Case(
        identity.EndpointsAreListed,
        "only identity",
        cloud_with(
            services=("keystone", "nova"),
            endpoints=(
                Endpoint(
                    service_type="identity", service_name="keystone", interface="public", region="r", url="u"
                ),
            ),
        ),
        WARNING,
        where="nova",
    ),
    Case(identity.EndpointsAreListed, "not listed", cloud_with(endpoints=()), UNKNOWN),
    Case(
        configuration.ServiceTokenConfigured,
        "not set",
        file_with("cmp1", "/etc/nova/nova.conf", "[DEFAULT]\n[service_user]\nusername = nova\n"),
        where="cmp1",
        evidence="not set",
    ),
    Case(
        configuration.ServiceTokenConfigured,
        "false in the file, which goes before the drop-in",
        all_of(
            file_with("ctl1", "/etc/nova/nova.conf", NOVA_CONF.replace("token = true", "token = False")),
            file_with("ctl1", "/etc/nova/nova.conf.d/10-token.conf", NOVA_CONF),
        ),
        where="ctl1",
        good=all_of(
            file_with("ctl1", "/etc/nova/nova.conf", "[DEFAULT]\n"),
            file_with("ctl1", "/etc/nova/nova.conf.d/10-token.conf", NOVA_CONF),
        ),
    ),
    Case(
        configuration.ServiceTokenConfigured,
        "false",
        file_with("ctl1", "/etc/nova/nova.conf", NOVA_CONF.replace("token = true", "token = False")),
        where="ctl1",
    ),
    Case(
        configuration.ServiceTokenConfigured,
        "masked",
        file_with("ctl1", "/etc/nova/nova.conf", NOVA_CONF.replace("token = true", "token = ***")),
        UNKNOWN,
        where="ctl1",
    ),
    Case(
        configuration.ServiceTokenConfigured,
        "nova.conf not read",
        all_of(*(host_with(name, config_files=()) for name in ("ctl1", "cmp1", "cmp2"))),
        UNKNOWN,
    ),
    Case(
        configuration.RemovedDriversNotInUse,
        "linuxbridge",
        file_with(
            "ctl1", "/etc/neutron/plugins/ml2/ml2_conf.ini", "[ml2]\nmechanism_drivers = linuxbridge, l2pop\n"
        ),
        where="ctl1",
        evidence="mechanism_drivers = linuxbridge, l2pop",
    ),
    Case(
        configuration.RemovedDriversNotInUse,
        "an agent of it",
        agents_too(agent("neutron", "neutron-linuxbridge-agent", "cmp1")),
        where="cmp1",
    ),
    Case(
        configuration.RemovedDriversNotInUse,
        "Hyper-V by class path",
        file_with("cmp1", "/etc/nova/nova.conf", "[DEFAULT]\ncompute_driver = hyperv.HyperVDriver\n"),
        where="cmp1",
        good=file_with(
            "ctl1", "/etc/neutron/plugins/ml2/ml2_conf.ini", "[ml2]\n# mechanism_drivers = linuxbridge\n"
        ),
    ),
    Case(
        configuration.UwsgiTellsItsStart,
        "OVN",
        all_of(
            file_with("ctl1", "/etc/neutron/plugins/ml2/ml2_conf.ini", "[ml2]\nmechanism_drivers = ovn\n"),
            file_with("ctl1", "/etc/neutron/neutron-api-uwsgi.ini", "[uwsgi]\nprocesses = 2\n"),
        ),
        WARNING,
        where="ctl1",
        good=all_of(
            file_with("ctl1", "/etc/neutron/plugins/ml2/ml2_conf.ini", "[ml2]\nmechanism_drivers = ovn\n"),
            file_with("ctl1", "/etc/neutron/neutron-api-uwsgi.ini", "[uwsgi]\nstart-time = %t\n"),
        ),
    ),
    Case(
        compute.ComputesWithinSkew,
        "zed's computes at 2025.1",
        _without("nova-conductor"),
        WARNING,
        where="cmp1",
        evidence="service version 64",
        handled_by="prepare.ffu-workaround",
        good=all_of(_without("nova-compute"), agents_too(agent("nova", "nova-compute", "cmp1", 66))),
    ),
    Case(
        compute.ComputesWithinSkew,
        "victoria's at zed",
        all_of(_without("nova-compute"), agents_too(agent("nova", "nova-compute", "cmp1", 53))),
        WARNING,
        where="cmp1",
        evidence="service version 53; Zed accepts 61",
        handled_by="prepare.ffu-workaround",
        target="zed",
        good_target="2023.1",
    ),
    Case(
        compute.ComputesWithinSkew,
        "version not known",
        all_of(_without("nova-compute"), agents_too(agent("nova", "nova-compute", "cmp1"))),
        UNKNOWN,
        where="cmp1",
        good_target="zed",
    ),
    Case(
        compute.LibvirtWithinFloor,
        "bullseye's, lifted by trixie",
        each_with("hypervisors", version=5002000, libvirt="7.0.0"),
        WARNING,
        where="cmp1",
        evidence="QEMU 5.2.0, 6.2.0 needed",
        handled_by="computes",
    ),
    Case(
        compute.LibvirtWithinFloor,
        "not known",
        each_with("hypervisors", libvirt=None),
        UNKNOWN,
        where="cmp1",
        good=all_of(
            each_with("hypervisors", libvirt=None),
            host_with("cmp1", packages=(package("libvirt-daemon", "9.0.0-4+deb12u2", "libvirt"),)),
        ),
    ),
    Case(
        compute.LibvirtWithinFloor,
        "nothing lifts it",
        each_with("hypervisors", libvirt="6.0.0"),
        where="cmp1",
        target="2024.1",
        good=each_with("hypervisors", type="ironic", version=1),
    ),
    _halfway(workloads.InstancesAreSettled, "task", each_with("instances", task="spawning"), "nova"),
    _halfway(workloads.InstancesAreSettled, "build", each_with("instances", status="BUILD"), "nova"),
    Case(
        workloads.InstancesAreSettled,
        "error",
        each_with("instances", status="ERROR"),
        WARNING,
        where="nova",
        good=MIGRATING,
    ),
    _halfway(workloads.MigrationsNotInFlight, "migrating", MIGRATING, "nova", evidence="MIGRATING"),
    _halfway(
        workloads.MigrationsNotInFlight,
        "not confirmed",
        each_with("instances", status="VERIFY_RESIZE"),
        "nova",
    ),
    _halfway(workloads.VolumesAreSettled, "creating", each_with("volumes", status="creating"), "cinder"),
    _halfway(
        workloads.StacksAreSettled,
        "in progress",
        each_with("stacks", status="UPDATE_IN_PROGRESS"),
        "heat",
        good=each_with("stacks", status="CREATE_FAILED"),
    ),
)

CLUSTER = (Broker(host="ctl1", version="3.10.8"), Broker(host="ctl2", version="3.10.8"))
"""Two brokers, which the plan does not renew."""
