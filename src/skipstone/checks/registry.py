"""Every check there is: Skipstone's own, in the order of the reference, and those of plugins."""

from importlib.metadata import EntryPoint, entry_points

from skipstone.checks.agents import HeartbeatsAreFresh, InventoryIsComplete
from skipstone.checks.broker import BrokerUpgradeIsPossible
from skipstone.checks.check import Check
from skipstone.checks.compute import ComputesWithinSkew, LibvirtWithinFloor
from skipstone.checks.configuration import RemovedDriversNotInUse, ServiceTokenConfigured, UwsgiTellsItsStart
from skipstone.checks.databases import (
    DatabaseIsMySQL,
    DatabasesAreSupported,
    DatabasesAreUnicode,
    MariaDBCollationsStayCompatible,
    SoftDeletedRowsAreFew,
)
from skipstone.checks.discovery import EveryQuestionWasAnswered
from skipstone.checks.hosts import (
    ClockIsRight,
    DiskHasRoom,
    HostsReachable,
    MachinesHoldNoInstances,
    MachinesHoldNoUserData,
    OperatingSystemsAreAlike,
    SystemsCanBeKept,
)
from skipstone.checks.identity import EndpointsAreListed, ServiceRoleExists
from skipstone.checks.packages import (
    AptIsFree,
    ConffilesWillBeKept,
    NoConffileAwaitsMerge,
    NoPolicyRcdBlocksRestarts,
    NothingIsHeldOrPinned,
    PackagesAreWhole,
)
from skipstone.checks.releases import (
    JumpIsSupported,
    ReleaseIsKnown,
    ReleasesAreAlike,
    RouteIsDirect,
    SuiteIsStable,
    TargetIsLater,
    TargetIsMaintained,
    TargetIsPackaged,
)
from skipstone.checks.schemas import (
    BlockersSatisfied,
    DatabasesAreFound,
    OnlineDataMigrationsAreDone,
    SchemaHeadsMatchRelease,
    TablesAreTheServicesOwn,
)
from skipstone.checks.sources import SourcesAreKnown, SuitesAreNeighbours
from skipstone.checks.units import DaemonsAreRunning, NoUnitMasked
from skipstone.checks.workloads import (
    InstancesAreSettled,
    MigrationsNotInFlight,
    StacksAreSettled,
    VolumesAreSettled,
)
from skipstone.errors import InputError

CHECKS: tuple[type[Check], ...] = (
    EveryQuestionWasAnswered,
    ReleaseIsKnown,
    ReleasesAreAlike,
    TargetIsLater,
    RouteIsDirect,
    JumpIsSupported,
    TargetIsPackaged,
    SuiteIsStable,
    TargetIsMaintained,
    HostsReachable,
    DiskHasRoom,
    SystemsCanBeKept,
    MachinesHoldNoInstances,
    MachinesHoldNoUserData,
    ClockIsRight,
    OperatingSystemsAreAlike,
    InventoryIsComplete,
    PackagesAreWhole,
    AptIsFree,
    NoPolicyRcdBlocksRestarts,
    SourcesAreKnown,
    SuitesAreNeighbours,
    NothingIsHeldOrPinned,
    ConffilesWillBeKept,
    NoConffileAwaitsMerge,
    DaemonsAreRunning,
    NoUnitMasked,
    HeartbeatsAreFresh,
    DatabasesAreSupported,
    DatabaseIsMySQL,
    DatabasesAreUnicode,
    MariaDBCollationsStayCompatible,
    DatabasesAreFound,
    SchemaHeadsMatchRelease,
    TablesAreTheServicesOwn,
    OnlineDataMigrationsAreDone,
    BlockersSatisfied,
    SoftDeletedRowsAreFew,
    BrokerUpgradeIsPossible,
    ServiceRoleExists,
    EndpointsAreListed,
    ServiceTokenConfigured,
    RemovedDriversNotInUse,
    UwsgiTellsItsStart,
    ComputesWithinSkew,
    LibvirtWithinFloor,
    InstancesAreSettled,
    MigrationsNotInFlight,
    VolumesAreSettled,
    StacksAreSettled,
)

PLUGINS = "skipstone.checks"
"""Entry point group of plugins; each names one class."""


def all_checks() -> tuple[Check, ...]:
    """Return one of each check; raise InputError where a plugin is broken or takes another check's id."""
    plugins = tuple(_plugin(point) for point in sorted(entry_points(group=PLUGINS), key=str))
    checks = tuple(check() for check in (*CHECKS, *plugins))
    ids = [check.id for check in checks]
    for check in checks:
        if ids.count(check.id) > 1:
            raise InputError(f"two checks have the id {check.id}", where=type(check).__module__)
    return checks


def _plugin(point: EntryPoint) -> type[Check]:
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            "a check of a plugin cannot be loaded",
            where=point.value,
            evidence=str(error),
            remedy=f"repair or remove the package that brings the entry point {point.name}",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Check)):
        raise InputError("a plugin's entry point is no check", where=point.value, evidence=repr(found))
    return found
