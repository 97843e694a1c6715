from pathlib import Path

import pytest

from skipstone.errors import InputError
from skipstone.lab.cgroup import hierarchies

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (HYBRID, (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"))),
        (UNIFIED, (Path("/sys/fs/cgroup"),)),
    ],
)
def test_hierarchies_of_both_kinds_of_machine(
    tmp_path: Path, mounts: str, expected: tuple[Path, ...]
) -> None:
    file = tmp_path / "mounts"
    file.write_text(mounts)
    assert hierarchies(file) == expected


def test_a_machine_without_version_two_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mounts"
    file.write_text(HYBRID.replace("cgroup2", "tmpfs"))
    with pytest.raises(InputError, match="cgroup2"):
        hierarchies(file)
