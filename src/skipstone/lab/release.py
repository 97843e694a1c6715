"""What the lab must know of a release to build it. The data is in ``releases/*.yaml``."""

from enum import StrEnum
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field

from skipstone.errors import InputError
from skipstone.lab.topology import Role

# units that report to the database or to Neutron that they are alive
REPORTING = frozenset({
    "cinder-scheduler", "heat-engine", "neutron-dhcp-agent", "neutron-l3-agent",
    "neutron-metadata-agent", "neutron-openvswitch-agent", "nova-compute", "nova-conductor", "nova-scheduler",
})  # fmt: skip


class Project(StrEnum):
    """A project that the lab can leave out."""

    CINDER = "cinder"
    HEAT = "heat"


class Parts(BaseModel):
    """Debian packages, and the units that run from them in the order they are started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packages: tuple[str, ...]
    units: tuple[str, ...] = ()


class LabRelease(BaseModel):
    """One release as the lab builds it.

    ``suite`` is the Debian suite that carries it; ``suite_updates`` is false where Debian has taken the
    suite's updates from its mirrors. ``service_role`` says whether ``keystone-manage
    bootstrap`` of that release makes the role ``service``. ``aged`` is what an operator of that release has
    in a file from years ago, by path below ``/``: older names, and options that later releases lack.
    ``written`` are whole files of his own, by role and path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    suite: str
    suite_updates: bool = True
    service_role: bool
    every: Parts
    roles: dict[Role, Parts]
    optional: dict[Project, Parts] = Field(default_factory=dict)
    aged: dict[str, str] = Field(default_factory=dict)
    written: dict[Role, dict[str, str]] = Field(default_factory=dict)

    def packages(self, role: Role, projects: frozenset[Project]) -> tuple[str, ...]:
        """Return what is installed on a host of this role."""
        return self.every.packages + self.roles[role].packages + self._optional(role, projects, "packages")

    def units(self, role: Role, projects: frozenset[Project]) -> tuple[str, ...]:
        """Return the units of this role, in the order they are started."""
        return self.roles[role].units + self._optional(role, projects, "units")

    def _optional(self, role: Role, projects: frozenset[Project], field: str) -> tuple[str, ...]:
        if role is not Role.CONTROLLER:
            return ()
        return tuple(item for project in sorted(projects) for item in getattr(self.optional[project], field))


def release_names() -> list[str]:
    """Return the releases that the lab can build."""
    folder = resources.files("skipstone.lab") / "releases"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def load_release(name: str) -> LabRelease:
    """Return a release by name; raises InputError with the known names."""
    if name not in release_names():
        raise InputError(
            f"the lab cannot build release {name!r}", remedy=f"known: {', '.join(release_names())}"
        )
    text = (resources.files("skipstone.lab") / "releases" / f"{name}.yaml").read_text()
    return LabRelease.model_validate(yaml.safe_load(text))


def parse_without(text: str) -> frozenset[Project]:
    """Return the projects that remain when ``cinder,heat`` style text is left out; raises InputError."""
    left_out = {word.strip() for word in text.split(",") if word.strip()}
    unknown = left_out - set(Project)
    if unknown:
        raise InputError(
            f"cannot leave out {', '.join(sorted(unknown))}", remedy=f"can be left out: {', '.join(Project)}"
        )
    return frozenset(project for project in Project if project.value not in left_out)
