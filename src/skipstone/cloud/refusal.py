"""Why a host let nobody in: the evidence, and what the operator does about it."""

import socket

import asyncssh

from skipstone.cloud.target import Target
from skipstone.errors import HostUnreachable

SSH_PORT = 22


class Witness(asyncssh.SSHClient):
    """Remembers what a server showed and offered while a connection was being opened; accepts nothing."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.known_hosts = b""
        self.untrusted: asyncssh.SSHKey | None = None
        self.place: tuple[str, str, int] = (target.address, "", target.port or SSH_PORT)
        self.offers: list[str] = []

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Refuse, always: this is only asked about keys that known_hosts does not have."""
        self.untrusted = key
        self.place = (host, addr, port)
        return False

    def password_auth_requested(self) -> str | None:
        """Note that the server would take a password, and send none."""
        self.offers.append("password")
        return None

    def kbdint_auth_requested(self) -> str | None:
        """Note that the server would ask questions, and answer none."""
        self.offers.append("keyboard-interactive")
        return None


def refusal(witness: Witness, error: BaseException) -> HostUnreachable:
    """Return the error for a connection that could not be opened."""
    what, evidence, remedy = _explain(witness, error)
    return HostUnreachable(what, where=witness.target.label, evidence=evidence, remedy=remedy)


def not_root(target: Target, evidence: str, *, sudo: bool) -> HostUnreachable:
    """Return the error for a user whose scripts would not run as root."""
    return HostUnreachable(
        "logged in, but not as root, and sudo does not help",
        where=target.label,
        evidence=evidence.strip(),
        remedy="allow this user `sudo -n` (NOPASSWD) and set `sudo: true` in the inventory"
        if sudo
        else "log in as root, or set `sudo: true` in the inventory",
    )


def no_answer(target: Target, evidence: str) -> HostUnreachable:
    """Return the error for a user whose shell runs nothing, or not in time."""
    return HostUnreachable(
        "logged in, but no command comes to its end",
        where=target.label,
        evidence=evidence.strip(),
        remedy="see whether `ssh HOST true` ends by hand, with the same user: bash reads ~/.bashrc for every"
        " command over SSH, and what waits there, for a lock or for a file server, holds up each",
    )


def _explain(witness: Witness, error: BaseException) -> tuple[str, str, str]:
    evidence = str(error) or type(error).__name__
    for kinds, what, remedy in _PLAIN:
        if isinstance(error, kinds):
            return what, evidence, remedy
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _host_key(witness, evidence)
    if isinstance(error, asyncssh.PermissionDenied):
        return _denied(witness, evidence)
    return "no SSH connection can be opened", evidence, "try `ssh` by hand with the same user and key"


_PLAIN: list[tuple[type[BaseException] | tuple[type[BaseException], ...], str, str]] = [
    (
        TimeoutError,
        "the host does not answer",
        "is it up, is the address right, does a firewall drop TCP port 22 (or the port of the inventory)?",
    ),
    (
        ConnectionRefusedError,
        "the host answers, but nothing listens on its SSH port",
        "start sshd there, or correct the port in the inventory or ssh_config",
    ),
    (socket.gaierror, "this name has no address", "correct `address` in the inventory, or the DNS"),
    (
        (asyncssh.ConnectionLost, ConnectionResetError),
        "the host closes the connection before anyone can log in",
        "see its sshd log; MaxStartups, hosts.deny and an overloaded host look like this",
    ),
    (
        asyncssh.KeyExchangeFailed,
        "no algorithm is known to both sides, or known_hosts has another kind of key for this host",
        "compare the host's keys (`ssh-keyscan`) with the known_hosts entry",
    ),
    (
        asyncssh.ConfigParseError,
        "the SSH configuration cannot be parsed",
        "correct the file that the inventory names as ssh_config, or ~/.ssh/config",
    ),
    (
        asyncssh.KeyEncryptionError,
        "the private key needs a passphrase",
        "load it into ssh-agent (`ssh-add`); no passphrase is ever asked for",
    ),
    (
        (asyncssh.KeyImportError, FileNotFoundError, PermissionError),
        "the private key cannot be read",
        "correct key_file in the inventory, or IdentityFile in ssh_config",
    ),
    (
        asyncssh.ChannelOpenError,
        "the jump host cannot reach this host",
        "check the address as seen from the jump host, and its AllowTcpForwarding",
    ),
]


def _host_key(witness: Witness, evidence: str) -> tuple[str, str, str]:
    host, address, port = witness.place
    shown = witness.untrusted
    if shown is not None:
        evidence = f"shown: {_shown(shown)}"
    known = asyncssh.match_known_hosts(witness.known_hosts, host, address, None if port == SSH_PORT else port)
    keys = {_shown(key) for key in known[0] if isinstance(key, asyncssh.SSHKey)}
    if keys:
        expected = ", ".join(sorted(keys))
        return (
            "the host shows another key than known_hosts has: it was reinstalled, or is another machine",
            f"{evidence}\nexpected: {expected}",
            (
                "compare with `ssh-keygen -lf` of /etc/ssh/ssh_host_*_key.pub on the host's console; only if "
                f"it is the same: `ssh-keygen -R {_entry(host, port)}`, then add the new key"
            ),
        )
    return (
        "the host's key is not known here, and unknown keys are never accepted",
        evidence,
        (
            "compare with `ssh-keygen -lf` of /etc/ssh/ssh_host_*_key.pub on the host's console, then "
            f"`ssh-keyscan -p {port} {host} >> ~/.ssh/known_hosts` (or ssh_config's UserKnownHostsFile)"
        ),
    )


def _shown(key: asyncssh.SSHKey) -> str:
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def _entry(host: str, port: int) -> str:
    return host if port == SSH_PORT else f"'[{host}]:{port}'"


def _denied(witness: Witness, evidence: str) -> tuple[str, str, str]:
    if witness.offers:
        evidence += f"; the host would also take: {', '.join(sorted(set(witness.offers)))}"
    return (
        "the host refuses this user's keys",
        evidence,
        (
            "put the public key into the user's authorized_keys there, or name the right key_file; "
            "Skipstone never sends passwords"
        ),
    )
