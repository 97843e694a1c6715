"""For every check: clouds on which it must fire, and one on which it must be silent."""

from dataclasses import dataclass
from functools import reduce

from skipstone.checks import (
    agents,
    broker,
    compute,
    configuration,
    databases,
    discovery,
    hosts,
    identity,
    packages,
    releases,
    schemas,
    units,
    workloads,
)
from skipstone.checks.check import Check
from skipstone.checks.finding import Severity
from skipstone.cloud.model import (
    AptSource,
    Asked,
    Broker,
    Cloud,
    Endpoint,
    Filesystem,
    OperatingSystem,
    Problem,
    Role,
    Table,
)

from .good_cloud import (
    AS_IT_IS,
    GIB,
    NOVA_CONF,
    USERS,
    Change,
    agent,
    cloud_with,
    each_with,
    file_with,
    good_cloud,
    host_with,
    package,
    unit_with,
)

INHIBITOR, WARNING, UNKNOWN, INFO = Severity.INHIBITOR, Severity.WARNING, Severity.UNKNOWN, Severity.INFO


@dataclass(frozen=True)
class Case:
    """``bad`` disturbs the good cloud so that ``check`` finds one thing; ``good`` mends it where needed."""

    check: type[Check]
    name: str
    bad: Change
    severity: Severity = INHIBITOR
    where: str = ""
    evidence: str = ""
    handled_by: str | None = None
    good: Change = AS_IT_IS
    target: str = "2025.1"
    good_target: str = "2025.1"


def _all(*changes: Change) -> Change:
    def change(cloud: Cloud) -> Cloud:
        return reduce(lambda done, each: each(done), changes, cloud)

    return change


def _agents_too(*more: object) -> Change:
    return lambda cloud: cloud.model_copy(update={"agents": (*cloud.agents, *more)})


def _stopped(*names: str) -> Change:
    """Take away everything that the lab's own Zed cloud needs the plan for."""
    return lambda cloud: cloud.model_copy(
        update={"agents": tuple(found for found in cloud.agents if found.binary not in names)}
    )


def _sources(*suites: str) -> Change:
    source = AptSource(path="/etc/apt/sources.list", suites=suites, text="")
    return host_with("cmp1", apt_sources=(source,))


def _conditions(**counts: int) -> Change:
    answers = {"cinder-null-use-quota": 0, "neutron-duplicate-ha-networks": 0, "heat-legacy-below-86": 0}
    known = answers | {name.replace("_", "-"): count for name, count in counts.items()}
    return each_with("database_servers", conditions=known)


def _installed(**changes: str) -> Change:
    fields = {"name": "libc6", "version": "2.36-9", "source": "glibc"} | changes
    return host_with("cmp1", packages=(package(**fields),))


MIGRATING = each_with("instances", status="MIGRATING", task="migrating")

CASES = (
    Case(
        discovery.EveryQuestionWasAnswered,
        "api",
        cloud_with(problems=(Problem(asked=Asked.API, where="nova", what="401 Unauthorized"),)),
        UNKNOWN,
        where="nova",
    ),
    Case(releases.ReleaseIsKnown, "nothing", cloud_with(release=None), where="small"),
    Case(releases.ReleaseIsKnown, "not in the catalog", cloud_with(release="icehouse"), where="small"),
    Case(
        releases.ReleasesAreAlike,
        "yoga on cmp2",
        host_with("cmp2", packages=(package("nova-compute", "2:25.1.0-1", "nova"),)),
        WARNING,
        where="cmp2",
        evidence="nova is Yoga",
    ),
    Case(releases.TargetIsLater, "backward", cloud_with(), where="small", target="yoga"),
    Case(
        releases.RouteIsDirect,
        "victoria to 2025.1",
        cloud_with(release="victoria", services=("nova",)),
        where="nova",
        evidence="reads Xena",
    ),
    Case(
        releases.RouteIsDirect,
        "no chain at all",
        cloud_with(release="juno", services=("glance",)),
        where="glance",
        good=cloud_with(release="victoria"),
        good_target="zed",
    ),
    Case(
        releases.JumpIsSupported,
        "over two SLURP releases",
        cloud_with(),
        WARNING,
        where="small",
        evidence="2023.1 Antelope, 2024.1 Caracal, 2025.1 Epoxy",
        good_target="2023.1",
    ),
    Case(releases.TargetIsPackaged, "2024.2", cloud_with(), where="small", target="2024.2"),
    Case(releases.TargetIsMaintained, "2023.2", cloud_with(), WARNING, where="small", target="2023.2"),
    Case(
        hosts.HostsReachable,
        "refused",
        _all(
            host_with("cmp2", reachable=False),
            cloud_with(
                problems=(Problem(asked=Asked.SSH, where="cmp2", what="x", evidence="connection refused"),)
            ),
        ),
        where="cmp2",
        evidence="connection refused",
    ),
    Case(
        hosts.DiskHasRoom,
        "root file system full",
        host_with("ctl1", filesystems=(Filesystem(mount="/", size=60 * GIB, free=GIB),)),
        where="ctl1",
        evidence="1.00 GiB free",
    ),
    Case(
        hosts.DiskHasRoom,
        "small /var/lib/mysql",
        host_with(
            "ctl1",
            filesystems=(
                Filesystem(mount="/", size=60 * GIB, free=40 * GIB),
                Filesystem(mount="/var/lib/mysql", size=GIB, free=100 << 20),
            ),
        ),
        where="ctl1",
        evidence="/var/lib/mysql",
    ),
    Case(
        hosts.DiskHasRoom,
        "small /boot",
        host_with(
            "cmp1",
            filesystems=(
                Filesystem(mount="/", size=60 * GIB, free=40 * GIB),
                Filesystem(mount="/boot", size=GIB // 2, free=100 << 20),
            ),
        ),
        where="cmp1",
        evidence="/boot",
    ),
    Case(hosts.DiskHasRoom, "not listed", host_with("cmp1", filesystems=()), UNKNOWN, where="cmp1"),
    Case(hosts.ClockIsRight, "ahead", host_with("cmp1", clock_offset=31.0), where="cmp1", evidence="31.0"),
    Case(hosts.ClockIsRight, "not read", host_with("cmp1", clock_offset=None), UNKNOWN, where="cmp1"),
    Case(
        hosts.OperatingSystemsAreAlike,
        "one host is further",
        host_with("cmp2", os=OperatingSystem(id="debian", version="13", codename="trixie")),
        WARNING,
        where="cmp2",
    ),
    Case(hosts.OperatingSystemsAreAlike, "not known", host_with("cmp2", os=None), UNKNOWN, where="cmp2"),
    Case(
        agents.InventoryIsComplete,
        "a third compute",
        _agents_too(agent("nova", "nova-compute", "cmp3", 64)),
        where="cmp3",
        good=_agents_too(agent("cinder", "cinder-volume", "ctl1.example.org@lvm")),
    ),
    Case(
        packages.PackagesAreWhole,
        "half configured",
        _installed(status="half-configured"),
        where="cmp1",
        evidence="libc6 half-configured",
    ),
    Case(packages.PackagesAreWhole, "audit", host_with("cmp1", dpkg_audit="libc6 is broken"), where="cmp1"),
    Case(
        packages.AptIsFree,
        "unattended-upgrades",
        host_with("cmp1", apt_lock_holder="4711 unattended-upgr"),
        where="cmp1",
        evidence="4711",
    ),
    Case(
        packages.NoPolicyRcdBlocksRestarts,
        "exit 101",
        host_with("cmp1", policy_rc_d="#!/bin/sh\nexit 101\n"),
        where="cmp1",
        evidence="exit 101",
    ),
    Case(packages.SourcesAreKnown, "stable", _sources("stable"), where="cmp1", evidence="stable"),
    Case(
        packages.SourcesAreKnown,
        "backports of OpenStack",
        _sources("bookworm", "bookworm-zed-backports"),
        where="cmp1",
        evidence="bookworm-zed-backports",
    ),
    Case(
        packages.SourcesAreKnown,
        "another vendor",
        _sources("bookworm", "any-version"),
        WARNING,
        where="cmp1",
    ),
    Case(
        packages.SourcesAreKnown,
        "not Debian",
        host_with("cmp1", os=OperatingSystem(id="ubuntu", version="22.04", codename="jammy")),
        where="cmp1",
        good=_sources("bookworm", "bookworm-security", "bookworm/updates", "bookworm-backports"),
    ),
    Case(packages.NothingIsHeldOrPinned, "held", _installed(status="hold"), where="cmp1", evidence="libc6"),
    Case(
        packages.NothingIsHeldOrPinned,
        "pinned",
        file_with("cmp1", "/etc/apt/preferences.d/nova", "Package: *\nPin: release n=x\nPin-Priority: 999\n"),
        WARNING,
        where="cmp1",
    ),
    Case(
        packages.ConffilesWillBeKept,
        "a move to another suite",
        _all(host_with("cmp1", config_files=()), host_with("cmp2", config_files=())),
        INFO,
        where="ctl1",
        handled_by="packages",
        good_target="zed",
    ),
    Case(
        packages.NoConffileAwaitsMerge,
        "left by dpkg",
        file_with("cmp1", "/etc/libvirt/qemu.conf.dpkg-dist", "#"),
        WARNING,
        where="cmp1",
        evidence="qemu.conf.dpkg-dist",
    ),
    Case(
        units.DaemonsAreRunning,
        "conductor failed",
        unit_with("ctl1", "nova-conductor", active="failed", sub="failed"),
        where="ctl1",
        evidence="failed",
    ),
    Case(
        units.DaemonsAreRunning,
        "crash loop",
        unit_with("ctl1", "nova-api", active="activating", sub="auto-restart"),
        where="ctl1",
    ),
    Case(
        units.DaemonsAreRunning,
        "something of no service",
        unit_with("ctl1", "backup-tool", active="failed", sub="failed"),
        WARNING,
        where="ctl1",
        good=unit_with("ctl1", "backup-tool", active="inactive", sub="dead"),
    ),
    Case(
        units.NoUnitMasked,
        "nova-compute",
        unit_with("cmp1", "nova-compute", load="masked", active="inactive", enabled="masked"),
        WARNING,
        where="cmp1",
        good=unit_with("cmp1", "sleep", load="masked", active="inactive", enabled="masked"),
    ),
    Case(agents.HeartbeatsAreFresh, "down", each_with("agents", alive=False), where="ctl1"),
    Case(
        agents.HeartbeatsAreFresh,
        "down and disabled",
        each_with("agents", alive=False, enabled=False),
        WARNING,
        where="ctl1",
    ),
    Case(
        agents.HeartbeatsAreFresh,
        "stale",
        each_with("agents", heartbeat=900.0),
        where="ctl1",
        evidence="900 s ago",
        good=each_with("agents", heartbeat=None),
    ),
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
        schemas.SchemaHeadsMatchRelease,
        "yoga's heads",
        each_with("databases", heads=("29e87d24a316", "e25ffa003241")),
        where="keystone",
        evidence="expected 29e87d24a316 e25ffa003242",
        good=each_with("databases", heads=("47147121", "c88cdce8f248")),
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
            conditions={"neutron-duplicate-ha-networks": 0, "heat-legacy-below-86": 0},
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
        "two HA networks",
        _conditions(neutron_duplicate_ha_networks=1),
        where="neutron",
        evidence="1 rows; 2025.1 Epoxy breaks",
        good=_all(_conditions(neutron_duplicate_ha_networks=1), cloud_with(services=("keystone",))),
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
        _all(*(host_with(name, config_files=()) for name in ("ctl1", "cmp1", "cmp2"))),
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
        _agents_too(agent("neutron", "neutron-linuxbridge-agent", "cmp1")),
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
        _all(
            file_with("ctl1", "/etc/neutron/plugins/ml2/ml2_conf.ini", "[ml2]\nmechanism_drivers = ovn\n"),
            file_with("ctl1", "/etc/neutron/neutron-api-uwsgi.ini", "[uwsgi]\nprocesses = 2\n"),
        ),
        WARNING,
        where="ctl1",
        good=_all(
            file_with("ctl1", "/etc/neutron/plugins/ml2/ml2_conf.ini", "[ml2]\nmechanism_drivers = ovn\n"),
            file_with("ctl1", "/etc/neutron/neutron-api-uwsgi.ini", "[uwsgi]\nstart-time = %t\n"),
        ),
    ),
    Case(
        compute.ComputesWithinSkew,
        "zed's computes at 2025.1",
        _stopped("nova-conductor"),
        WARNING,
        where="cmp1",
        evidence="service version 64",
        handled_by="prepare.ffu-workaround",
        good=_all(_stopped("nova-compute"), _agents_too(agent("nova", "nova-compute", "cmp1", 66))),
    ),
    Case(
        compute.ComputesWithinSkew,
        "version not known",
        _all(_stopped("nova-compute"), _agents_too(agent("nova", "nova-compute", "cmp1"))),
        UNKNOWN,
        where="cmp1",
        good_target="zed",
    ),
    Case(
        compute.ComputesWithinSkew,
        "each of them",
        _stopped("nova-conductor", "nova-scheduler"),
        WARNING,
        where="cmp1",
        handled_by="prepare.ffu-workaround",
        good_target="2023.1",
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
        "nothing lifts it",
        each_with("hypervisors", libvirt="6.0.0"),
        where="cmp1",
        target="2024.1",
        good=each_with("hypervisors", type="ironic", version=1),
    ),
    Case(workloads.InstancesAreSettled, "task", each_with("instances", task="spawning"), where="cmp1"),
    Case(workloads.InstancesAreSettled, "build", each_with("instances", status="BUILD"), where="cmp1"),
    Case(
        workloads.InstancesAreSettled,
        "error",
        each_with("instances", status="ERROR"),
        WARNING,
        where="cmp1",
        good=MIGRATING,
    ),
    Case(workloads.MigrationsNotInFlight, "migrating", MIGRATING, where="cmp1", evidence="MIGRATING"),
    Case(
        workloads.MigrationsNotInFlight,
        "not confirmed",
        each_with("instances", status="VERIFY_RESIZE"),
        where="cmp1",
    ),
    Case(workloads.VolumesAreSettled, "creating", each_with("volumes", status="creating"), where="cinder"),
    Case(
        workloads.StacksAreSettled,
        "in progress",
        each_with("stacks", status="UPDATE_IN_PROGRESS"),
        where="heat",
        good=each_with("stacks", status="CREATE_FAILED"),
    ),
)

CLUSTER = (Broker(host="ctl1", version="3.10.8"), Broker(host="ctl2", version="3.10.8"))


def bad_cloud(case: Case) -> Cloud:
    return case.bad(good_cloud())


def mended_cloud(case: Case) -> Cloud:
    return case.good(good_cloud())
