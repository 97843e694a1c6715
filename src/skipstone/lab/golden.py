"""The golden cloud: built once from images, configured through consoles and APIs, then kept as a snapshot."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from skipstone.lab import resources
from skipstone.lab.access import make_host_identity, personalize, write_access
from skipstone.lab.cgroup import Cgroup
from skipstone.lab.configuration import Configuration
from skipstone.lab.guest import build_guest, guest_recipe
from skipstone.lab.host import Host
from skipstone.lab.image import Recipe, bootstrap, finish, recipe
from skipstone.lab.keys import golden_key, guest_key, image_key
from skipstone.lab.place import Place
from skipstone.lab.progress import Progress
from skipstone.lab.readiness import wait_agents
from skipstone.lab.release import Project
from skipstone.lab.storage import Disk
from skipstone.lab.topology import Role

SCRIPT_SECONDS = 900


@dataclass(frozen=True)
class Golden:
    """The cloud of one configuration: its name, its images, and how it is made on hosts that run."""

    place: Place
    disk: Disk
    configuration: Configuration
    progress: Progress

    @property
    def name(self) -> str:
        """The name of its snapshot, computed from everything it is made of."""
        parts = [image_key(self.recipe(role)) for role in Role]
        key = golden_key(self.configuration, [*parts, guest_key(guest_recipe())])
        return f"golden-{self.configuration.release.name}-{key}"

    def recipe(self, role: Role) -> Recipe:
        """Return what the image of a role is made from."""
        release = self.configuration.release
        packages = release.packages(role, self.configuration.projects)
        units = (*release.units(role, self.configuration.projects), "keystone")
        return recipe(
            self._image_name(role), release.suite, packages, units_off=units, updates=release.suite_updates
        )

    def _image_name(self, role: Role) -> str:
        left_out = sorted(set(Project) - self.configuration.projects) if role is Role.CONTROLLER else []
        return "-".join([role, self.configuration.release.name, *(f"no-{project}" for project in left_out)])

    def image(self, role: Role) -> str:
        """Return the volume of a role's image."""
        wanted = self.recipe(role)
        return f"images/{wanted.name}-{image_key(wanted)}"

    @property
    def guest(self) -> Path:
        """The disk that instances boot from."""
        return self.place.root / "guest" / f"guest-{guest_key(guest_recipe())}.qcow2"

    def build_images(self) -> None:
        """Build what is missing of images and guest, side by side; nothing is left running."""
        self.disk.open()
        group = Cgroup(f"{self.place.tag}/build")
        tasks = [partial(self._build_image, role, group) for role in Role]
        tasks.append(partial(self._build_guest, group))
        try:
            together(tasks)
        finally:
            group.kill()

    def drop_older_images(self) -> None:
        """Remove images of the same names that were built from something else; hosts keep their copies."""
        for role in Role:
            stem = f"{self._image_name(role)}-"
            for volume in self.disk.volumes("images"):
                key = volume.removeprefix(stem)
                if volume.startswith(stem) and "-" not in key and f"images/{volume}" != self.image(role):
                    self.disk.delete(f"images/{volume}")

    def make_hosts(self) -> dict[str, Path]:
        """Make every host's volume from its role's image and return the trees."""
        trees = {}
        for node in self.configuration.topology.nodes:
            self.disk.delete(f"hosts/{node.name}")
            tree = self.disk.copy(self.image(node.role), f"hosts/{node.name}")
            self.configuration.write(node, tree)
            make_host_identity(tree)
            personalize(self.place, tree)
            trees[node.name] = tree
        write_access(self.place, self.configuration.topology, trees)
        return trees

    def configure(self, hosts: list[Host]) -> None:
        """Turn booted hosts into a cloud with users' resources; raises LabError where a part fails."""
        begin = datetime.now(UTC)
        controller = next(host for host in hosts if host.node.role is Role.CONTROLLER)
        computes = [host for host in hosts if host.node.role is Role.COMPUTE]
        with self._part("database, broker, Keystone"):
            self._script("identity", controller)
        with self._part("accounts, schemas, services"):
            accounts = partial(resources.make_accounts, resources.connect(self.place), self.configuration)
            together([accounts, partial(self._script, "services", controller)])
        cloud = resources.connect(self.place)
        with self._part("computes, APIs and agents"):
            together([partial(self._script, "compute", host) for host in computes])
            wait_agents(cloud, self.configuration.agents(), begin)
            controller.console(
                "runuser", "-u", "nova", "--", "nova-manage", "cell_v2", "discover_hosts", timeout=120
            )
        with self._part("networks and image"):
            networks = partial(resources.make_networks, cloud, self.configuration)
            together([networks, partial(resources.make_image, cloud, self.guest)])
        with self._part("instances"):
            resources.make_instances(cloud, self.configuration)
        if Project.HEAT in self.configuration.projects:
            with self._part("a stack"):
                resources.make_stack(cloud)

    @contextmanager
    def _part(self, title: str) -> Iterator[None]:
        with self.progress.step(title), resources.told(title):
            yield

    def _script(self, name: str, host: Host) -> None:
        text = self.configuration.script(name, host.node)
        log = self.place.logs / f"configure-{host.name}-{name}.log"
        host.console("bash", "-c", text, timeout=SCRIPT_SECONDS, log=log)

    def _build_image(self, role: Role, group: Cgroup) -> None:
        wanted, volume = self.recipe(role), self.image(role)
        if self.disk.exists(volume):
            return
        with self.progress.step(f"image {wanted.name}"):
            half = f"images/.half-{wanted.name}"
            self.disk.delete(half)
            tree = self.disk.create(half)
            bootstrap(
                wanted,
                tree,
                self.place.packages / wanted.suite,
                self.place.logs / f"{wanted.name}.log",
                group,
            )
            finish(wanted, tree)
            self.disk.rename(half, volume)

    def _build_guest(self, group: Cgroup) -> None:
        if self.guest.exists():
            return
        with self.progress.step("guest of the instances"):
            self.guest.parent.mkdir(exist_ok=True)
            scratch, packages = self.place.root / "guest/scratch", self.place.packages / guest_recipe().suite
            build_guest(self.guest, scratch, packages, self.place.logs / "guest.log", group)


def together(tasks: Iterable[Callable[[], None]]) -> None:
    """Run tasks side by side until all have ended, then raise the first error of any.

    An interruption is raised at once: the threads end with this program, what they started with ``lab down``.
    """
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()

    def work(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            outcomes.put(error)
        else:
            outcomes.put(None)

    threads = [Thread(target=work, args=[task], daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    failures = [error for error in [outcomes.get() for _ in threads] if error]
    if failures:
        raise failures[0]
