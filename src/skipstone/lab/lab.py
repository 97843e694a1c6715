"""A lab on this machine: up, down, status, snapshots. The one door to this package."""

import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from skipstone.errors import InputError, LabError
from skipstone.lab import resources
from skipstone.lab.access import make_key, personalize, write_access
from skipstone.lab.bare import BareSystem, keys_of, wait_ssh
from skipstone.lab.cgroup import Cgroup
from skipstone.lab.configuration import Configuration
from skipstone.lab.golden import Golden
from skipstone.lab.host import Host
from skipstone.lab.machine import refuse_obstacles
from skipstone.lab.network import FORWARD, Network, uplink_mtu
from skipstone.lab.place import Place
from skipstone.lab.progress import Progress, QuietProgress
from skipstone.lab.readiness import Look, look, wait_ready
from skipstone.lab.release import Project, load_release
from skipstone.lab.snapshot import GOLDEN, Snapshot, Snapshots, check_name
from skipstone.lab.state import LabState, Phase, Wanted, load_state, locked, save_state
from skipstone.lab.storage import choose_disk
from skipstone.lab.topology import Topology, load_topology


class HostStatus(BaseModel):
    """One host as this machine sees it; ``leader`` is the process id of its init, None when it is off."""

    model_config = ConfigDict(frozen=True)

    name: str
    address: str
    role: str
    leader: int | None
    processes: int


class LabStatus(BaseModel):
    """The lab as it is now; ``phase`` is None when no lab is up."""

    model_config = ConfigDict(frozen=True)

    place: Path
    phase: Phase | None
    wanted: Wanted | None = None
    since: datetime | None = None
    hosts: tuple[HostStatus, ...] = ()
    look: Look = Look()
    snapshots: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether every host runs and everything in the cloud answers."""
        return self.phase is Phase.UP and all(host.leader for host in self.hosts) and not self.look.unwell()


class Lab:
    """The lab of one place. Verbs that change it exclude each other and can be repeated."""

    def __init__(self, place: Place, progress: Progress | None = None) -> None:
        self._place = place
        self._progress = progress or QuietProgress()
        self._disk = choose_disk(place)
        self._snapshots = Snapshots(place, self._disk)

    def up(self, release: str, topology: str, projects: frozenset[Project]) -> LabStatus:
        """Bring the lab up, from its caches where they are; returns when everything in it answers.

        Harmless when it is up. Raises InputError before anything is touched when this machine cannot carry
        it or another lab is up here, LabError when a part fails.
        """
        load_release(release)
        load_topology(topology)
        refuse_obstacles(self._place, load_topology(topology), running=self._running())
        wanted = Wanted(release=release, topology=topology, projects=projects, mtu=uplink_mtu())
        with locked(self._place):
            state = load_state(self._place)
            if state and state.phase is Phase.UP and state.wanted != wanted:
                raise InputError(
                    f"another lab is up here: {state.wanted.release}, {state.wanted.topology}",
                    where=str(self._place.root),
                    remedy="skipstone lab down, then lab up again",
                )
            if state is None or state.phase is not Phase.UP:
                state = self._begin(wanted)
                self._fresh(wanted)
            else:
                self._boot(wanted)
            save_state(self._place, state.model_copy(update={"phase": Phase.UP}))
        return self.status()

    def down(self, *, purge: bool = False) -> None:
        """End the lab and discard its hosts; images, golden clouds and snapshots stay unless ``purge``.

        Works from any state, also after a crash; harmless when nothing is there.
        """
        if not self._place.root.exists():
            return
        with locked(self._place):
            self._sweep()
            if purge:
                self._purge()

    def status(self) -> LabStatus:
        """Look at everything; changes nothing."""
        state = load_state(self._place)
        names = tuple(s.name for s in self._snapshots.all())
        if state is None:
            return LabStatus(place=self._place.root, phase=None, snapshots=names)
        hosts = tuple(_host_status(host) for host in self._hosts(load_topology(state.wanted.topology)))
        seen = Look()
        if state.phase is Phase.UP:
            seen = look(resources.connect(self._place), self._configuration(state.wanted).agents())
        return LabStatus(
            place=self._place.root,
            phase=state.phase,
            wanted=state.wanted,
            since=state.since,
            hosts=hosts,
            look=seen,
            snapshots=names,
        )

    def host(self, name: str) -> Host:
        """Return a host of the lab that is up; raises InputError when there is none of this name."""
        topology = load_topology(self._state().wanted.topology)
        return next(host for host in self._hosts(topology) if host.node == topology.node(name))

    def snapshot(self, name: str) -> Snapshot:
        """Keep the state of all hosts at this instant under a name; they run on."""
        check_name(name)
        with locked(self._place), self._progress.step(f"snapshot {name}"):
            state = self._state()
            return self._snapshots.take(name, state.wanted, self._hosts(load_topology(state.wanted.topology)))

    def restore(self, name: str) -> LabStatus:
        """Put all hosts back to a snapshot and boot them; returns when everything answers."""
        with locked(self._place):
            state = load_state(self._place)
            snapshot = self._snapshots.get(name)
            if state and state.wanted.topology != snapshot.wanted.topology:
                raise InputError("the snapshot is of another topology", remedy="skipstone lab down first")
            if state is None:
                state = self._begin(snapshot.wanted)
            self._disk.open()
            self._put_back(snapshot)
            self._boot(snapshot.wanted)
            save_state(self._place, state.model_copy(update={"phase": Phase.UP, "wanted": snapshot.wanted}))
        return self.status()

    def forget(self, name: str) -> None:
        """Remove a snapshot, with the lab up or down; raises InputError when there is none of this name."""
        check_name(name)
        with locked(self._place), self._progress.step(f"forget snapshot {name}"):
            snapshot = self._snapshots.get(name)
            self._disk.open()
            self._snapshots.delete(snapshot.name)
            if load_state(self._place) is None:
                self._disk.close()

    def reinstall(self, name: str, suite: str) -> None:
        """Put a fresh Debian on a host, as an installer does; returns when its sshd answers.

        It keeps its name, address and cards, and nothing of what was on its disk.
        """
        with locked(self._place), self._progress.step(f"{name} installed anew with {suite}"):
            wanted = self._state().wanted
            topology = load_topology(wanted.topology)
            host = next(host for host in self._hosts(topology) if host.node == topology.node(name))
            bare = BareSystem(self._place, self._disk, suite)
            volume = bare.build()
            host.kill()
            bare.install(volume, host.node, self._configuration(wanted))
            host.start()
            host.wait_console()
            wait_ssh(host.node.address)

    def host_keys(self, name: str) -> str:
        """Return the SSH host keys that are on a host's disk, one a line."""
        return keys_of(self.host(name).tree)

    def _begin(self, wanted: Wanted) -> LabState:
        self._sweep()
        state = LabState(wanted=wanted, phase=Phase.STARTING, forward=FORWARD.read_text().strip() == "1")
        save_state(self._place, state)
        return state

    def _fresh(self, wanted: Wanted) -> None:
        golden = Golden(self._place, self._disk, self._configuration(wanted), self._progress)
        self._disk.open()
        make_key(self._place)
        snapshot = self._snapshots.find(golden.name)
        if snapshot is not None:
            self._put_back(snapshot)
            self._boot(wanted)
            return
        golden.build_images()
        golden.make_hosts()
        begin = datetime.now(UTC)
        hosts = self._start(wanted)
        golden.configure(hosts)
        self._wait_ready(wanted, begin)
        with self._progress.step("golden cloud kept"):
            self._snapshots.take(golden.name, wanted, hosts)
            for older in self._snapshots.all():
                if older.wanted == wanted and older.name.startswith(GOLDEN) and older.name != golden.name:
                    self._snapshots.delete(older.name)
            golden.drop_older_images()

    def _put_back(self, snapshot: Snapshot) -> None:
        with self._progress.step(f"hosts from {snapshot.name}"):
            topology = load_topology(snapshot.wanted.topology)
            for host in self._hosts(topology):
                host.kill()
            trees = self._snapshots.put_back(snapshot)
            for tree in trees.values():
                personalize(self._place, tree)
            write_access(self._place, topology, trees)

    def _boot(self, wanted: Wanted) -> None:
        begin = datetime.now(UTC)
        self._disk.open()
        running = all(host.leader() for host in self._hosts(load_topology(wanted.topology)))
        self._start(wanted)
        self._wait_ready(wanted, datetime.min.replace(tzinfo=UTC) if running else begin)

    def _start(self, wanted: Wanted) -> list[Host]:
        topology = load_topology(wanted.topology)
        hosts = self._hosts(topology)
        with self._progress.step("networks and hosts"):
            Network(self._place, topology, wanted.mtu).up()
            for host in hosts:
                host.start()
            for host in hosts:
                host.wait_console()
        return hosts

    def _wait_ready(self, wanted: Wanted, since: datetime) -> None:
        with self._progress.step("every API, agent and instance answers"):
            wait_ready(resources.connect(self._place), self._configuration(wanted).agents(), since)

    def _sweep(self) -> None:
        state = None
        with suppress(LabError):  # what cannot be read is not needed to end what runs
            state = load_state(self._place)
        with self._progress.step("nothing left running"):
            Cgroup(self._place.tag).kill()
            topology = load_topology(state.wanted.topology) if state else load_topology("small")
            forward = state.forward if state else FORWARD.read_text().strip() == "1"
            Network(self._place, topology, 1500).down(forward=forward)
            if self._place.disk.is_mount():
                for volume in self._disk.volumes("hosts"):
                    self._disk.delete(f"hosts/{volume}")
            self._disk.close()
            self._place.state_file.unlink(missing_ok=True)

    def _purge(self) -> None:
        for entry in self._place.root.iterdir():
            if entry != self._place.lock_file:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _running(self) -> bool:
        with suppress(InputError):
            return bool(Cgroup(self._place.tag).processes())
        return False

    def _state(self) -> LabState:
        state = load_state(self._place)
        if state is None:
            raise LabError("no lab is up", where=str(self._place.root), remedy="skipstone lab up")
        return state

    def _configuration(self, wanted: Wanted) -> Configuration:
        return Configuration(
            load_release(wanted.release), wanted.projects, load_topology(wanted.topology), wanted.mtu
        )

    def _hosts(self, topology: Topology) -> list[Host]:
        network = Network(self._place, topology, 1500)
        return [
            Host(
                node,
                tree=self._disk.path(f"hosts/{node.name}"),
                namespace=network.namespace(node),
                group=f"{self._place.tag}/{node.name}",
                console_log=self._place.logs / f"console-{node.name}.log",
            )
            for node in topology.nodes
        ]


def _host_status(host: Host) -> HostStatus:
    return HostStatus(
        name=host.name,
        address=host.node.address,
        role=host.node.role,
        leader=host.leader(),
        processes=len(host.cgroup.processes()),
    )
