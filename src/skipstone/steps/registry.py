"""Every kind of step, by the word that a plan file uses for it."""

from skipstone.steps import (
    backup,
    broker,
    compute,
    configuration,
    database,
    identity,
    packages,
    revert,
    services,
    snapshot,
)
from skipstone.steps.step import Step

STEPS: tuple[type[Step], ...] = (
    backup.BackupConfiguration,
    backup.CheckBackups,
    backup.DropBackups,
    backup.DumpDatabases,
    backup.DumpStoppedDatabases,
    backup.ExportDefinitions,
    backup.ProveDumpRestores,
    broker.RenewBroker,
    broker.StartBroker,
    compute.AdoptInstances,
    compute.ConfirmServiceVersion,
    compute.NoteServiceVersion,
    compute.RecordInstances,
    compute.ReloadVirtualSwitch,
    configuration.PlaceFile,
    configuration.RemoveFile,
    database.CheckStatus,
    database.MigrateOnline,
    database.RunCommand,
    database.SyncDatabase,
    database.WaitForDatabaseServer,
    identity.GrantServiceRole,
    packages.DownloadPackages,
    packages.UpgradePackages,
    revert.Revert,
    services.AskApi,
    services.StartServices,
    services.StopServices,
    services.WaitForAgents,
    services.WaitForApi,
    snapshot.DropSnapshot,
    snapshot.TakeSnapshot,
)

KINDS: dict[str, type[Step]] = {cls.model_fields["kind"].default: cls for cls in STEPS}
