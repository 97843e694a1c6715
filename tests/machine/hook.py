#!/usr/bin/python3
"""hook VERB MACHINE SNAPSHOT, for a machine of QEMU whose QMP socket lies beside this program.

A snapshot holds the memory too: the machine goes on where it was. With a file ``boots`` beside it, it is
reset then, and boots from its disk as after a snapshot of disks alone.
"""

import json
import socket
import sys
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE = 600


def ask(command: str) -> str:
    """Return what QEMU's monitor says to a command: nothing, where it has done it."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(HERE / "qmp"))
        stream = sock.makefile("rw")
        stream.readline()
        for words in (
            {"execute": "qmp_capabilities"},
            {"execute": "human-monitor-command", "arguments": {"command-line": command}},
        ):
            stream.write(json.dumps(words))
            stream.flush()
            while "return" not in (answer := json.loads(stream.readline())):
                if "error" in answer:
                    raise SystemExit(answer["error"]["desc"])
    return str(answer["return"]).strip()


def do(command: str) -> None:
    if said := ask(command):
        raise SystemExit(said)


def shown(name: str) -> list[str]:
    return [line for line in ask("info snapshots").splitlines() if name in line.split()]


verb, _, name = sys.argv[1:]
if verb == "take":
    do(f"savevm {name}")
elif verb == "show":
    sys.stdout.write("\n".join(shown(name)))
elif verb == "restore":
    do(f"loadvm {name}")
    if (HERE / "boots").exists():
        do("system_reset")
elif verb == "drop" and shown(name):
    do(f"delvm {name}")
