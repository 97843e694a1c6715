"""Where the lab keeps everything: one directory, and names on this machine that are made from it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path("/var/lib/skipstone-lab")
VARIABLE = "SKIPSTONE_LAB_DIR"


@dataclass(frozen=True)
class Place:
    """The state directory of one lab, and what is found in it."""

    root: Path

    @classmethod
    def of_environment(cls) -> "Place":
        """Return the place that SKIPSTONE_LAB_DIR names, or the default."""
        return cls(Path(os.environ.get(VARIABLE) or DEFAULT).resolve())

    @property
    def tag(self) -> str:
        """A short name for bridges, network namespaces and cgroups; two state directories never share one."""
        if self.root == DEFAULT:
            return "sklab"
        return "sk" + hashlib.sha256(str(self.root).encode()).hexdigest()[:4]

    @property
    def disk_image(self) -> Path:
        """The loop file of the btrfs disk."""
        return self.root / "disk.img"

    @property
    def disk(self) -> Path:
        """Where the disk is mounted."""
        return self.root / "disk"

    @property
    def packages(self) -> Path:
        """Debian packages that were downloaded, by suite."""
        return self.root / "packages"

    @property
    def logs(self) -> Path:
        """Consoles of the hosts and outputs of the builds."""
        return self.root / "log"

    @property
    def state_file(self) -> Path:
        """What is up, or half up."""
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one verb that changes the lab."""
        return self.root / "lock"

    @property
    def key(self) -> Path:
        """The private SSH key of the operator of this lab."""
        return self.root / "key"

    @property
    def known_hosts(self) -> Path:
        """The hosts' real SSH keys."""
        return self.root / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """What ``ssh -F`` needs to reach every host by name."""
        return self.root / "ssh_config"

    @property
    def inventory(self) -> Path:
        """The inventory that ``skipstone discover -i`` takes."""
        return self.root / "inventory.yaml"

    @property
    def clouds(self) -> Path:
        """The OpenStack client's configuration, cloud ``lab``."""
        return self.root / "clouds.yaml"
