"""QEMU: what every machine of these tests is made of."""

import os
import subprocess
from pathlib import Path

PROGRAM = "qemu-system-x86_64"
CORES = 1
"""With two translated ones, udev was once seen locked up for minutes, while this machine was busy."""

MEGABYTES = 2048
CARRIERS = {"vmx", "svm"}
"""What /proc/cpuinfo says of a processor that carries guests."""

Process = subprocess.Popen[bytes]


def processor(device: Path = Path("/dev/kvm"), cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Return the arguments for the processor: this machine's own if it carries guests, else a translated one.

    The device alone does not say so: it may be there on a machine that is itself a guest, and no kernel gets
    further with it than its first page.
    """
    if os.access(device, os.R_OK | os.W_OK) and CARRIERS & set(cpuinfo.read_text().split()):
        return ("-accel", "kvm", "-cpu", "host")
    return ("-accel", "tcg,thread=multi", "-cpu", "max")


def disk(image: Path, name: str, *settings: str) -> tuple[str, ...]:
    """Return the arguments for a disk that the machine finds at ``/dev/disk/by-id/virtio-NAME``."""
    options = ",".join((f"file={image}", "if=none", f"id={name}", "discard=unmap", *settings))
    return ("-drive", options, "-device", f"virtio-blk-pci,drive={name},serial={name}")


def network(port: int) -> tuple[str, ...]:
    """Return the arguments for a network that leads out of this machine, and from a loopback port to sshd."""
    user = f"user,id=network,hostfwd=tcp:127.0.0.1:{port}-:22"
    return ("-netdev", user, "-device", "virtio-net-pci,netdev=network,romfile=")


def start(console: Path, *arguments: str) -> Process:
    """Start a machine, which does not outlive this process.

    What it says on its serial console is added to a file, and what QEMU itself has to say.
    """
    argv = [
        "setpriv", "--pdeathsig", "KILL", PROGRAM, *processor(), "-smp", str(CORES), "-m", str(MEGABYTES),
        "-nodefaults", "-no-user-config", "-display", "none",
        "-chardev", f"file,id=console,path={console},append=on", "-serial", "chardev:console",
        "-device", "virtio-rng-pci", *arguments,
    ]  # fmt: skip
    with console.open("ab") as log:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def end(process: Process) -> None:
    """Pull the plug; harmless when the machine has ended."""
    process.kill()
    process.wait(timeout=10)
