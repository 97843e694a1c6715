"""What happens while every API still answers: backups with their proof, and preparations."""

from collections.abc import Iterable
from itertools import chain

from skipstone.cloud.model import Host
from skipstone.errors import InputError
from skipstone.plan.plan import Stage
from skipstone.plan.repeating import Steps
from skipstone.plan.strategies.in_place.auditing import note_allocations
from skipstone.plan.strategies.in_place.cohorts import steps_of
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.plan.strategies.in_place.versions import keep_versions
from skipstone.steps.backup import BackupConfiguration, DumpDatabases, ExportDefinitions, ProveDumpRestores
from skipstone.steps.configuration import PlaceFile
from skipstone.steps.identity import GrantServiceRole
from skipstone.steps.packages import DownloadPackages
from skipstone.steps.step import Step

MIB = 1 << 20


def seconds_for(size: int, *, rate: int = 20 * MIB, least: int = 5) -> int:
    """Return an estimate for work on ``size`` bytes at ``rate`` bytes per second."""
    return least + size // rate


def by_table(layout: Layout) -> str:
    """Return how a dump's title says which databases are large."""
    return f" ({', '.join(layout.large_databases)}: by table)" if layout.large_databases else ""


def backup(layout: Layout) -> Stage:
    """Save every host's configuration, the databases in one dump that is restored once, the broker."""
    names, size = layout.database_names, sum(layout.size(service) for service in layout.services)
    directory, host = f"{layout.directory}/databases/running", layout.database.name
    dump = DumpDatabases(
        id="backup.databases",
        title=f"Dump all databases, consistently, while they are in use{by_table(layout)}",
        host=host,
        deadline=600 + seconds_for(size, rate=MIB),
        estimate=seconds_for(size),
        directory=directory,
        databases=names,
        by_table=layout.large_databases,
    )
    proof = ProveDumpRestores(
        id="backup.databases.restored",
        title="Restore the dump into a scratch server and compare",
        host=host,
        needs=(dump.id,),
        deadline=900 + seconds_for(size, rate=MIB),
        estimate=seconds_for(size, rate=4 * MIB, least=15),
        directory=directory,
        databases=names,
    )
    return Stage(
        name="backup",
        title="Back up, and prove that the backups restore",
        steps=Steps(
            (
                *steps_of(layout, layout.prepared, lambda host: back_up_configuration(layout, (host,))),
                *(dump, proof, _definitions(layout)),
            )
        ),
    )


def back_up_configuration(layout: Layout, hosts: Iterable[Host]) -> tuple[Step, ...]:
    """Return the steps that save these hosts' configuration."""
    return tuple(
        BackupConfiguration(
            id=f"backup.configuration.{found.name}",
            title=f"Back up the configuration of {found.name}",
            host=found.name,
            deadline=600,
            estimate=4,
            directory=f"{layout.directory}/configuration",
        )
        for found in hosts
    )


def _definitions(layout: Layout) -> Step:
    return ExportDefinitions(
        id="backup.broker",
        title="Export the broker's users, permissions and policies",
        host=layout.broker.name,
        deadline=120,
        estimate=4,
        directory=f"{layout.directory}/broker",
    )


def prepare(layout: Layout) -> Stage:
    """Everything that can be done before anything stops."""
    return Stage(
        name="prepare",
        title="Prepare while everything runs",
        steps=Steps(
            (
                *steps_of(layout, layout.prepared, lambda host: download(layout, (host,))),
                *steps_of(layout, layout.prepared, lambda host: keep(layout, (host,))),
                *_service_role(layout),
                *_collations(layout),
                *steps_of(layout, layout.prepared, lambda host: place_workaround(layout, host)),
                *note_allocations(layout),
            )
        ),
    )


def download(layout: Layout, hosts: Iterable[Host]) -> tuple[Step, ...]:
    """Return the steps that fetch the packages that these hosts will need, but those installed anew."""
    return tuple(_download(layout, host) for host in hosts if not layout.installs_anew(host))


def _download(layout: Layout, host: Host) -> DownloadPackages:
    return DownloadPackages(
        id=f"prepare.download.{host.name}",
        title=f"Fetch the packages of {layout.target.title} to {host.name}",
        host=host.name,
        deadline=3600,
        estimate=60,
        transient=True,
        add=layout.new_packages(host),
        directory=f"{layout.directory}/apt",
        old_suite=layout.suites.old,
        new_suite=layout.suites.new,
    )


def download_still(layout: Layout, host: Host, *, step: str, needs: tuple[str, ...] = ()) -> DownloadPackages:
    """Return the step that looks whether what was fetched is still there, and fetches what is not."""
    title = f"See that the packages fetched to {host.name} are still there"
    return _download(layout, host).model_copy(
        update={"id": step, "title": title, "needs": needs, "estimate": 5, "again": True}
    )


def keep(layout: Layout, hosts: Iterable[Host]) -> tuple[Step, ...]:
    """Return the steps that keep the packages that are installed now, where the operating system stays."""
    title = "Keep the packages that {} has now, to come back to"
    return tuple(
        chain.from_iterable(
            keep_versions(
                layout,
                host,
                step=f"prepare.versions.{host.name}",
                title=title.format(host.name),
                needs=(f"prepare.download.{host.name}",),
            )
            for host in hosts
        )
    )


def _service_role(layout: Layout) -> tuple[Step, ...]:
    """Give the role ``service`` to those who are admin in the services' project."""
    if not layout.must_handle("prepare.service-role"):
        return ()
    admins = next((role.service_users for role in layout.cloud.roles if role.name == "admin"), ())
    service = next((role for role in layout.cloud.roles if role.name == "service"), None)
    holders = service.service_users if service else ()
    if not admins:
        raise InputError(
            "no user of the project `service` holds the role admin, so it is not known who needs `service`",
            where="keystone",
            remedy="create the role `service` and grant it to the services' users, then discover again",
        )
    return (
        GrantServiceRole(
            id="prepare.service-role",
            title="Create the role `service` and grant it to the services' users",
            deadline=300,
            estimate=30,
            users=tuple(user for user in admins if user not in holders),
            create=service is None,
        ),
    )


def _collations(layout: Layout) -> tuple[Step, ...]:
    """Keep the collations that the tables have.

    MariaDB from 11.5 on gives new tables another default collation; foreign keys between old and new tables
    then fail (nova's ``share_mapping``, errno 150). ``loose_`` lets older servers ignore the variable.
    """
    if not layout.must_handle("prepare.collations"):
        return ()
    found = {database.charset: database.collation for database in layout.cloud.databases}
    pairs = ",".join(f"{charset}={collation}" for charset, collation in sorted(found.items()))
    return (
        PlaceFile(
            id="prepare.collations",
            title="Keep the collations of existing tables on the newer MariaDB",
            host=layout.database.name,
            deadline=60,
            estimate=1,
            path="/etc/mysql/mariadb.conf.d/90-skipstone.cnf",
            text=f"[mariadbd]\nloose_character_set_collations = {pairs}\n",
        ),
    )


WORKAROUND = "/etc/nova/nova.conf.d/90-skipstone.conf"


def workaround_text() -> str:
    """Return the drop-in that lets a new control plane start beside old computes."""
    return (
        "# Placed by Skipstone while computes of the old release run; removed afterwards.\n"
        "[workarounds]\ndisable_compute_service_check_for_ffu = true\n"
        "[upgrade_levels]\ncompute = auto\n"
    )


def workaround_hosts(layout: Layout) -> tuple[Host, ...]:
    """Return the hosts that carry the drop-in for the mixed time; none where no finding counts on it.

    Nova refuses to start while a compute is older than it accepts; upgraded computes refuse as well.
    """
    return tuple(host for host in (*layout.controls, *layout.computes) if _has_workaround(layout, host))


def _has_workaround(layout: Layout, host: Host) -> bool:
    wanted = layout.must_handle("prepare.ffu-workaround")
    return wanted and any(package.source == "nova" for package in host.packages)


def place_workaround(layout: Layout, host: Host) -> tuple[Step, ...]:
    """Return the step that places the drop-in on a host, if it carries it."""
    if not _has_workaround(layout, host):
        return ()
    return (
        PlaceFile(
            id=f"prepare.ffu-workaround.{host.name}",
            title=f"Let nova on {host.name} start beside older computes",
            host=host.name,
            deadline=60,
            estimate=1,
            path=WORKAROUND,
            text=workaround_text(),
            owner="root:nova",
            mode="0640",
        ),
    )
