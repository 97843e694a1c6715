"""One sample of every kind of step."""

from skipstone.steps import (
    allocations,
    backup,
    broker,
    compute,
    configuration,
    conversion,
    database,
    drain,
    identity,
    installation,
    machine,
    network,
    packages,
    reinstall,
    revert,
    services,
    snapshot,
    workloads,
)
from skipstone.steps.step import Step

COMMON = {"id": "stage.step", "title": "Do it", "host": "ctl1", "deadline": 60, "estimate": 5}
OPERATED = {key: value for key, value in COMMON.items() if key != "host"}
APT = {"directory": "/var/lib/skipstone/p/apt", "old_suite": "bookworm", "new_suite": "trixie"}
HOOKED = {"hook": "/etc/skip stone/hook", "machine": "ctl1", "name": "p"}
ANEW = {"compute": "cmp1", "plan": "lab-zed"}
INSTALLER = {"hook": "/etc/skip stone/anew", "debian": "trixie"}
AUDIT = {
    "user": "nova",
    "command": "nova-manage placement audit --verbose",
    "directory": "/var/lib/skipstone/p/a",
}
W = "/var/lib/skipstone/p"
CONVERTED = conversion.ConvertedFile(
    path="/etc/nova/nova.conf",
    sha256="0" * 64,
    parts=(
        conversion.Part(do=conversion.Do.KEEP, first=1, last=3),
        conversion.Part(do=conversion.Do.WRITE, text="# skipstone: it's gone: `id` $HOME\n"),
        conversion.Part(do=conversion.Do.COMMENT, first=4, last=5, text="a = b\n c\n"),
        conversion.Part(
            do=conversion.Do.CHANGE,
            first=6,
            last=6,
            old="x",
            new="y",
            words={"$my_ip": "$host"},
            moved=True,
            text="x = $my_ip\n",
            why="it is [b] y",
        ),
    ),
    masked=((2, 3),),
    moved=("my_ip",),
)
POLICY = conversion.ConvertedFile(
    path="/etc/nova/policy.json",
    sha256="1" * 64,
    parts=(
        conversion.Part(do=conversion.Do.REPLACE, first=1, last=2, old='{\n"a": "b"', why="it is c"),
        conversion.Part(do=conversion.Do.REMARKS, first=3, last=3),
        conversion.Part(do=conversion.Do.WRITE, text='"c": "b"\n'),
    ),
    grammar=conversion.Grammar.BRACES,
    becomes="/etc/nova/policy.yaml",
)

SAMPLES: tuple[Step, ...] = (
    backup.BackupConfiguration(**COMMON, directory=f"{W}/configuration"),
    backup.CheckBackups(
        **COMMON, directories=(f"{W}/configuration",), files=(f"{W}/broker/definitions.json",)
    ),
    backup.DropBackups(**COMMON, directories=(W, "/var/lib/skipstone/jobs/p-1.0a1b2c3d")),
    backup.DumpDatabases(**COMMON, directory=f"{W}/dump", databases=("keystone", "nova")),
    backup.DumpStoppedDatabases(**COMMON, directory=f"{W}/dump", databases=("keystone", "nova")),
    backup.ExportDefinitions(**COMMON, directory=f"{W}/broker"),
    backup.ProveDumpRestores(**COMMON, directory=f"{W}/dump", databases=("keystone", "nova")),
    broker.RenewBroker(**COMMON, directory=f"{W}/broker"),
    broker.StartBroker(**COMMON),
    compute.AdoptInstances(**COMMON, directory=f"{W}/instances"),
    allocations.NoteAllocations(**COMMON, **AUDIT),
    allocations.AuditAllocations(**COMMON, **AUDIT),
    compute.ConfirmServiceVersion(**COMMON, compute="cmp1", version=68),
    compute.NoteServiceVersion(**COMMON, compute="cmp1", version=64),
    compute.RecordInstances(**COMMON, directory=f"{W}/instances"),
    compute.ReloadVirtualSwitch(**COMMON),
    configuration.PlaceFile(**COMMON, path="/etc/a.d/b.conf", text="[x]\ny = it's $HOME `id` \\ 100%\n"),
    configuration.RemoveFile(**COMMON, path="/etc/a.d/b.conf", text="[x]\ny = 1\n"),
    conversion.CheckConversion(**COMMON, directory=f"{W}/conversion"),
    conversion.CheckPolicies(**COMMON, directory=f"{W}/conversion", paths=("/etc/nova/policy.yaml",)),
    conversion.ConvertConfiguration(**COMMON, directory=f"{W}/conversion", files=(CONVERTED, POLICY)),
    conversion.DeployConfiguration(
        **COMMON, directory=f"{W}/conversion", paths=(CONVERTED.path, f"{conversion.UNITS}x.service")
    ),
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
    drain.DrainHost(**OPERATED, compute="cmp1", plan="lab-zed", reasons=("so",)),
    drain.DrainHost(**OPERATED, compute="cmp1", plan="lab-zed", empty=True, cold=True, force_complete=True),
    drain.ReturnInstances(**OPERATED, compute="cmp1", plan="lab-zed", moving=True),
    identity.GrantServiceRole(**OPERATED, users=("glance", "nova")),
    installation.InstallPackages(
        **COMMON, **APT, add=("nova-compute",), also=("gone",), blocked=("nova-compute",)
    ),
    machine.DropMachineSnapshot(**OPERATED, **HOOKED),
    machine.LeaveMachineSnapshot(**COMMON, directory=f"{W}/machine"),
    machine.SettleMachine(**COMMON, directory=f"{W}/machine"),
    machine.TakeMachineSnapshot(**OPERATED, **HOOKED, directory=f"{W}/machine"),
    network.ConfirmNetworkAgents(
        **COMMON,
        agents=("neutron-openvswitch-agent", "neutron-sriov-nic-agent"),
        compute="cmp1.example.org",
        server="cmp1",
        units=("neutron-openvswitch-agent", "neutron-sriov-agent"),
    ),
    packages.DownloadPackages(**COMMON, **APT),
    packages.DownloadPackages(**COMMON, **APT, again=True),
    packages.KeepVersions(**COMMON, **APT),
    packages.UpgradePackages(**COMMON, **APT, kept=True),
    packages.UpgradePackages(**COMMON, **APT, hold=("ovs-vswitchd", "libvirt-guests")),
    reinstall.ConfirmIdentity(**OPERATED, **ANEW),
    reinstall.DropIdentity(**OPERATED, **ANEW, directory=f"{W}/identity"),
    reinstall.KeepIdentity(**OPERATED, **ANEW),
    reinstall.ReinstallHost(**OPERATED, **ANEW, **INSTALLER, release="2025.1"),
    reinstall.RestoreIdentity(**OPERATED, **ANEW, **INSTALLER),
    reinstall.SettleIdentity(**COMMON, directory=f"{W}/identity"),
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
    workloads.WaitForWorkloads(**COMMON, instances="nova", volumes="cinder", stacks="heat"),
)
