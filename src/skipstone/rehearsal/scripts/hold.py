"""Keep a network namespace alive and its loopback up, until standard input ends."""

import ctypes
import fcntl
import signal
import socket
import struct
import sys

PR_SET_PDEATHSIG = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """Do what ``ip link set lo up`` does, on machines that have no ``ip`` too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0))
        _, flags = struct.unpack("16sh14x", asked)
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    raise_loopback()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
