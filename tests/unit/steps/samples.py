"""One sample of every kind of step."""

from skipstone.steps import (
    backup,
    broker,
    compute,
    configuration,
    database,
    identity,
    machine,
    packages,
    revert,
    services,
    snapshot,
)
from skipstone.steps.step import Step

COMMON = {"id": "stage.step", "title": "Do it", "host": "ctl1", "deadline": 60, "estimate": 5}
OPERATED = {key: value for key, value in COMMON.items() if key != "host"}
APT = {"directory": "/var/lib/skipstone/p/apt", "old_suite": "bookworm", "new_suite": "trixie"}
HOOKED = {"hook": "/etc/skip stone/hook", "machine": "ctl1", "name": "p"}
W = "/var/lib/skipstone/p"

SAMPLES: tuple[Step, ...] = (
    backup.BackupConfiguration(**COMMON, directory=f"{W}/configuration"),
    backup.CheckBackups(
        **COMMON, directories=(f"{W}/configuration",), files=(f"{W}/broker/definitions.json",)
    ),
    backup.DropBackups(**COMMON, directories=(W, "/var/lib/skipstone/jobs/p-1")),
    backup.DumpDatabases(**COMMON, directory=f"{W}/dump", databases=("keystone", "nova")),
    backup.DumpStoppedDatabases(**COMMON, directory=f"{W}/dump", databases=("keystone", "nova")),
    backup.ExportDefinitions(**COMMON, directory=f"{W}/broker"),
    backup.ProveDumpRestores(**COMMON, directory=f"{W}/dump", databases=("keystone", "nova")),
    broker.RenewBroker(**COMMON, directory=f"{W}/broker"),
    broker.StartBroker(**COMMON),
    compute.AdoptInstances(**COMMON, directory=f"{W}/instances"),
    compute.ConfirmServiceVersion(**COMMON, compute="cmp1", version=68),
    compute.NoteServiceVersion(**COMMON, compute="cmp1", version=64),
    compute.RecordInstances(**COMMON, directory=f"{W}/instances"),
    compute.ReloadVirtualSwitch(**COMMON),
    configuration.PlaceFile(**COMMON, path="/etc/a.d/b.conf", text="[x]\ny = it's $HOME `id` \\ 100%\n"),
    configuration.RemoveFile(**COMMON, path="/etc/a.d/b.conf", text="[x]\ny = 1\n"),
    database.CheckStatus(**COMMON, service="nova", user="nova", command="nova-status upgrade check"),
    database.MigrateOnline(
        **COMMON, service="nova", user="nova", command="nova-manage db online_data_migrations"
    ),
    database.RunCommand(**COMMON, user="nova", command="nova-manage cell_v2 discover_hosts"),
    database.SyncDatabase(
        **COMMON,
        service="nova",
        user="nova",
        commands=("nova-manage api_db sync", "nova-manage db sync"),
        databases=("nova_api", "nova"),
        heads={"nova": ("2903cd72dc14",), "nova_api": ("migrate:67",)},
        database_host="db1",
        dumps=f"{W}/dump",
    ),
    database.WaitForDatabaseServer(**COMMON),
    identity.GrantServiceRole(**OPERATED, users=("glance", "nova")),
    machine.DropMachineSnapshot(**OPERATED, **HOOKED),
    machine.LeaveMachineSnapshot(**COMMON, directory=f"{W}/machine"),
    machine.SettleMachine(**COMMON, directory=f"{W}/machine"),
    machine.TakeMachineSnapshot(**OPERATED, **HOOKED, directory=f"{W}/machine"),
    packages.DownloadPackages(**COMMON, **APT),
    packages.KeepVersions(**COMMON, **APT),
    packages.UpgradePackages(**COMMON, **APT, kept=True),
    packages.UpgradePackages(**COMMON, **APT, hold=("ovs-vswitchd", "libvirt-guests")),
    revert.Revert(**COMMON, of="stage.step", script="rm -f /etc/x\n"),
    services.AskApi(**OPERATED, command="openstack image list --limit 1"),
    services.StartServices(**COMMON, units=("nova-api",), restart=True),
    services.StopServices(**COMMON, stop=("nova-api",), block=("new",)),
    services.WaitForAgents(**OPERATED, list_command="openstack compute service list", lines=("nova up",)),
    services.WaitForApi(
        **OPERATED, url="http://192.0.2.1:8774/", statuses=(200, 300), server="ctl1", units=("nova-api",)
    ),
    snapshot.DropSnapshot(**COMMON, provider="btrfs", name="p"),
    snapshot.TakeSnapshot(**COMMON, provider="btrfs", name="p", directory=f"{W}/snapshot", switch=True),
    snapshot.TakeSnapshot(**COMMON, provider="lvm", name="p", directory=f"{W}/snapshot"),
    snapshot.TakeSnapshot(**COMMON, provider="copy", name="p", directory=f"{W}/snapshot"),
)
