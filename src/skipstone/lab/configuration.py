"""What is written and run on a host to make it part of the cloud: templates in, files and scripts out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import jinja2

from skipstone.lab.edited import edited
from skipstone.lab.release import REPORTING, LabRelease, Project
from skipstone.lab.topology import Node, Topology

TEMPLATES = "templates"
SHARED = "every"
REGION = "RegionOne"
SERVICES = ("keystone", "glance", "placement", "nova", "neutron", "cinder", "heat")
# the lab is reachable from its own machine only; a fixed password keeps golden clouds comparable
PASSWORD = "skipstone-lab-0nly"  # noqa: S105
SETTINGS = re.compile(rf"etc/({'|'.join(SERVICES)})/.*\.(conf|ini)")
"""Files of oslo.config among what is written."""
DATABASES = (
    ("keystone", "keystone"), ("glance", "glance"), ("placement", "placement"), ("nova", "nova"),
    ("nova_api", "nova"), ("nova_cell0", "nova"), ("neutron", "neutron"),
)  # fmt: skip


@dataclass(frozen=True)
class Configuration:
    """The configuration of one cloud: release, projects, topology, and the MTU of what is beneath it."""

    release: LabRelease
    projects: frozenset[Project]
    topology: Topology
    mtu: int

    def files(self, node: Node) -> dict[str, str]:
        """Return the files of a host by path below ``/``; a project that is left out has none."""
        environment = _environment()
        found: dict[str, str] = {}
        for folder in (SHARED, node.role.value):
            for path in _walk(resources.files("skipstone.lab") / TEMPLATES / folder):
                if not self._left_out(path):
                    template = environment.get_template(f"{folder}/{path}")
                    found[path] = template.render(self._facts(node)).lstrip("\n")
        return found | self.release.written.get(node.role, {})

    def agents(self) -> tuple[str, ...]:
        """Return every agent that must report, as ``nova-compute on cmp1``."""
        return tuple(
            f"{unit} on {node.name}"
            for node in self.topology.nodes
            for unit in self.release.units(node.role, self.projects)
            if unit in REPORTING
        )

    def script(self, name: str, node: Node) -> str:
        """Return the shell script of this name, rendered for a host."""
        return _environment().get_template(f"scripts/{name}.sh").render(self._facts(node))

    def write(self, node: Node, tree: Path) -> None:
        """Write the files of a host into its tree; owner and mode of a file that exists are kept.

        Services have the long file that their package ships, edited, with what an operator wrote years ago.
        """
        for path, text in self.files(node).items():
            target = tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if SETTINGS.fullmatch(path) and target.exists():
                whole = edited(target.read_text(), text, self.release.aged.get(path, ""))
            else:
                whole = text
            target.write_text(whole)

    def _left_out(self, path: str) -> bool:
        return any(path.startswith(f"etc/{project}/") for project in Project if project not in self.projects)

    def _facts(self, node: Node) -> dict[str, object]:
        controller = self.topology.controller
        return {
            "release": self.release,
            "projects": sorted(self.projects),
            "topology": self.topology,
            "controller": controller,
            "node": node,
            "mtu": self.mtu,
            "units": self.release.units(node.role, self.projects),
            "agents": [unit for unit in REPORTING if unit.startswith("neutron-")],
            "databases": (*DATABASES, *((project.value, project.value) for project in sorted(self.projects))),
            "password": PASSWORD,
            "region": REGION,
            "identity_url": f"http://{controller.address}:5000",
            "transport_url": f"rabbit://openstack:{PASSWORD}@{controller.address}:5672/",
        }


def template_sources() -> Iterator[tuple[str, str]]:
    """Return path and text of every template, in order: part of what a golden cloud is made of."""
    root = resources.files("skipstone.lab") / TEMPLATES
    for path in sorted(_walk(root)):
        yield path, (root / path).read_text()


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("skipstone.lab", TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
    )


def _walk(folder: Traversable, prefix: str = "") -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}"
