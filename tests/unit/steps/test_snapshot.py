"""A system that is brought back: whatever kernel the boot loader names is there, with its modules."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from skipstone.steps.snapshot import TakeSnapshot

OLD, NEW = "6.1.0-1-amd64", "6.12.0-1-amd64"
SEES = """\
#!/bin/sh
case "$(basename "$0") $*" in *dpkg-query*grub-pc*) echo installed ;; esac
cd {place}
for kernel in boot/vmlinuz-*; do
    version=${{kernel#boot/vmlinuz-}}
    if [ ! -f "$kernel" ]; then continue; fi
    if [ ! -e "boot/initrd.img-$version" ] || [ ! -d "modules/$version" ]; then version="half of $version"; fi
    echo "$(basename "$0"): $version" >> seen
done
"""


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount")
def test_no_kernel_goes_before_the_boot_loader_has_forgotten_it(tmp_path: Path) -> None:
    for name in ("update-initramfs", "dpkg-query", "dpkg-reconfigure"):
        (tmp_path / name).write_text(SEES.format(place=tmp_path))
        (tmp_path / name).chmod(0o755)
    for name in (OLD, NEW):
        (tmp_path / "modules" / name).mkdir(parents=True)
        (tmp_path / "boot").mkdir(exist_ok=True)
        (tmp_path / "boot" / f"vmlinuz-{name}").touch()
        (tmp_path / "boot" / f"initrd.img-{name}").touch()
    (tmp_path / "tree/usr/lib/modules" / OLD).mkdir(parents=True)
    step = TakeSnapshot(
        id="s", title="t", host="h", deadline=1, estimate=1, provider="btrfs", name="p", directory="/d"
    )
    revert = step.revert().script
    (newer,) = re.findall(r"(?ms)^newer=$.*?^done$", revert)
    (follow,) = re.findall(r"(?m)^for version in \$newer; do places follow .*$", revert)
    rest = step.revert_rest().script
    assert newer in rest, "what is newer is found anew"
    boot = rest.partition(" restore ")[2].partition("\n")[2]
    places = f"places() {{ echo $* >> {tmp_path}/followed; }}"
    script = "\n".join(("set -eu", f"tree={tmp_path}/tree", places, newer, follow, newer, boot))
    script = script.replace("/usr/lib/modules/$", f"{tmp_path}/modules/$").replace(
        "/boot/", f"{tmp_path}/boot/"
    )
    script = script.replace(f"$tree{tmp_path}/modules", "$tree/usr/lib/modules")
    script = script.replace(f'"/{tmp_path}', f'"{tmp_path}')
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-s"], input=script, env=environment, text=True, check=True)
    assert (tmp_path / "followed").read_text().endswith(f"modules/{NEW}\n")
    seen = (tmp_path / "seen").read_text().splitlines()
    first = seen.index(f"dpkg-reconfigure: {OLD}")
    assert {f"update-initramfs: {OLD}", f"update-initramfs: {NEW}"} <= set(seen[:first])
    assert f"dpkg-reconfigure: {NEW}" not in seen
    assert not [line for line in seen if "half" in line]
    assert [path.name for path in (tmp_path / "boot").iterdir() if NEW in path.name] == []
    assert [path.name for path in (tmp_path / "modules").iterdir()] == [OLD]
