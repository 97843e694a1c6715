"""SshTransport against a real sshd: every way a connection ends, and every way it cannot begin."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from skipstone.cloud.command import OPERATOR, Command, Outcome, Result
from skipstone.cloud.inventory import Inventory
from skipstone.cloud.transport import open_transport
from skipstone.errors import HostUnreachable, InventoryError
from tests.unit.cloud.sshd import Sshd

pytestmark = pytest.mark.real


def run(inventory: Inventory, script: str, *, host: str = "h1", deadline: float = 20) -> Outcome:
    async def once() -> Outcome:
        async with open_transport(inventory) as transport:
            return await transport.run(Command(host, script), deadline=deadline)

    return asyncio.run(once())


def refused(inventory: Inventory) -> HostUnreachable:
    with pytest.raises(HostUnreachable) as caught:
        run(inventory, "true")
    assert caught.value.where
    assert caught.value.evidence
    assert caught.value.remedy
    return caught.value


def test_output_and_code_come_back(sshd: Sshd) -> None:
    outcome = run(sshd.inventory(), "echo out; echo err >&2; exit 3")
    assert (outcome.result, outcome.code) == (Result.EXITED, 3)
    assert (outcome.stdout, outcome.stderr) == ("out\n", "err\n")


def test_a_program_that_reads_its_input_does_not_eat_the_script(sshd: Sshd) -> None:
    outcome = run(sshd.inventory(), "cat\necho after")
    assert outcome.stdout == "after\n"


def test_a_here_document_and_set_e_work_as_in_a_file(sshd: Sshd) -> None:
    outcome = run(sshd.inventory(), "set -eu\ncat <<'EOF'\n$HOME }\nEOF\nfalse\necho never")
    assert (outcome.code, outcome.stdout) == (1, "$HOME }\n")


def test_a_signal_is_told_as_a_shell_tells_it(sshd: Sshd) -> None:
    outcome = run(sshd.inventory(), "kill -TERM $$")
    assert (outcome.result, outcome.code) == (Result.EXITED, 128 + signal.SIGTERM)


def test_one_connection_serves_many_commands_at_once(sshd: Sshd) -> None:
    async def many() -> list[Outcome]:
        async with open_transport(sshd.inventory()) as transport:
            commands = (Command("h1", f"echo {n} $SSH_CONNECTION") for n in range(300))
            return await asyncio.gather(*(transport.run(command, deadline=30) for command in commands))

    outcomes = asyncio.run(many())
    assert [outcome.stdout.split()[0] for outcome in outcomes] == [str(n) for n in range(300)]
    assert len({tuple(outcome.stdout.split()[1:]) for outcome in outcomes}) == 1


def test_a_program_that_ends_before_it_is_fed_is_not_a_lost_connection(sshd: Sshd) -> None:
    async def block() -> None:
        while True:  # a busy machine: what the host sends is read late, and all at once
            time.sleep(0.1)  # noqa: ASYNC251
            await asyncio.sleep(0)

    async def busy() -> Outcome:
        async with open_transport(sshd.inventory()) as transport:
            blocking = asyncio.create_task(block())
            try:
                return await transport.run(Command("h1", "echo fine"), deadline=30)
            finally:
                blocking.cancel()

    assert asyncio.run(busy()).stdout == "fine\n"


def test_past_its_deadline_a_command_is_unknown_with_what_it_said(sshd: Sshd) -> None:
    outcome = run(sshd.inventory(), "echo begun; sleep 60", deadline=4)
    assert (outcome.result, outcome.code) == (Result.UNKNOWN, None)
    assert outcome.stdout == "begun\n"
    assert 3.9 < outcome.seconds < 20


async def there(marker: Path) -> None:
    """Wait until a command has made a file: on a busy machine it takes seconds to begin."""
    while not marker.exists():  # noqa: ASYNC110, ASYNC240 - a file tells nobody
        await asyncio.sleep(0.05)


def test_a_connection_lost_meanwhile_is_unknown_and_the_next_command_reconnects(
    sshd: Sshd, tmp_path: Path
) -> None:
    async def lose() -> tuple[Outcome, Outcome]:
        async with open_transport(sshd.inventory()) as transport:
            script = f"touch {tmp_path}/begun; sleep 60"
            first = asyncio.create_task(transport.run(Command("h1", script), deadline=30))
            await there(tmp_path / "begun")
            sshd.signal_sessions(signal.SIGKILL)
            return await first, await transport.run(Command("h1", "echo back"), deadline=30)

    lost, again = asyncio.run(lose())
    assert (lost.result, lost.code, lost.ok) == (Result.UNKNOWN, None, False)
    assert again.stdout == "back\n"


def test_a_connection_lost_between_commands_is_reopened(sshd: Sshd) -> None:
    async def lose() -> Outcome:
        async with open_transport(sshd.inventory()) as transport:
            await transport.run(Command("h1", "true"), deadline=30)
            sshd.signal_sessions(signal.SIGKILL)
            return await transport.run(Command("h1", "echo back"), deadline=30)

    assert asyncio.run(lose()).stdout == "back\n"


def test_a_peer_that_freezes_is_given_up(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skipstone.cloud.ssh.KEEPALIVE", {"keepalive_interval": 1, "keepalive_count_max": 2})

    async def freeze() -> Outcome:
        async with open_transport(sshd.inventory()) as transport:
            script = f"touch {tmp_path}/begun; sleep 60"
            running = asyncio.create_task(transport.run(Command("h1", script), deadline=50))
            await there(tmp_path / "begun")
            sshd.signal_sessions(signal.SIGSTOP)
            try:
                return await running
            finally:
                sshd.signal_sessions(signal.SIGCONT)

    outcome = asyncio.run(freeze())
    assert outcome.result is Result.UNKNOWN
    assert outcome.seconds < 20


def test_a_large_output_keeps_its_end(sshd: Sshd) -> None:
    outcome = run(sshd.inventory(), "head -c 20000000 /dev/zero | tr '\\0' x; echo the end", deadline=60)
    assert outcome.ok
    assert outcome.stdout.endswith("xthe end\n")
    assert "bytes cut here" in outcome.stdout[:100]
    assert len(outcome.stdout) < 17_000_000


def test_an_unknown_host_key_is_refused_with_its_fingerprint(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(f"Host *\n  UserKnownHostsFile {tmp_path}/none_yet\n")
    error = refused(sshd.inventory().model_copy(update={"ssh_config": config}))
    assert "never accepted" in error.what
    assert "SHA256:" in error.evidence
    assert "ssh-keyscan" in error.remedy


def test_known_hosts_none_does_not_mean_trust_anyone(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text("Host *\n  UserKnownHostsFile none\n  StrictHostKeyChecking no\n")
    error = refused(sshd.inventory().model_copy(update={"ssh_config": config}))
    assert "never accepted" in error.what


def test_a_changed_host_key_shows_both(sshd: Sshd, other_key: Path, tmp_path: Path) -> None:
    other = Path(f"{other_key}.pub").read_text().split()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {other[0]} {other[1]}\n")
    config = tmp_path / "ssh_config"
    config.write_text(f"Host *\n  UserKnownHostsFile {tmp_path}/known_hosts\n")
    error = refused(sshd.inventory().model_copy(update={"ssh_config": config}))
    assert "another key" in error.what
    assert error.evidence.count("SHA256:") == 2


def test_a_key_the_host_does_not_know(sshd: Sshd, other_key: Path) -> None:
    error = refused(sshd.inventory(key_file=other_key))
    assert "refuses this user's keys" in error.what
    assert "password" in error.evidence


def test_a_key_file_that_is_not_there(sshd: Sshd, tmp_path: Path) -> None:
    assert "private key" in refused(sshd.inventory(key_file=tmp_path / "nothing")).what


def test_nothing_listens(sshd: Sshd, closed_port: int) -> None:
    assert "nothing listens" in refused(sshd.inventory(port=closed_port)).what


def test_a_name_without_address(sshd: Sshd) -> None:
    assert "no address" in refused(sshd.inventory(address="no-such-host.invalid")).what


def test_a_host_that_never_answers(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skipstone.cloud.ssh.OPENING_DEADLINE", 1.0)

    async def silent() -> HostUnreachable:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(HostUnreachable) as caught:
                async with open_transport(sshd.inventory(port=port)) as transport:
                    await transport.run(Command("h1", "true"), deadline=5)
            return caught.value

    assert "does not answer" in asyncio.run(silent()).what


def test_an_ordinary_user_is_told_about_sudo(sshd: Sshd) -> None:
    error = refused(sshd.inventory(user="nobody"))
    assert "not as root" in error.what or "refuses" in error.what


def test_a_shell_that_waits_for_something_is_not_a_user_without_rights(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skipstone.cloud.ssh.OPENING_DEADLINE", 1.0)
    profile = sshd.home / ".bashrc"
    profile.write_text("sleep 20\n")
    try:
        error = refused(sshd.inventory())
    finally:
        profile.unlink()
    assert "no command comes to its end" in error.what
    assert "no end within 1 s" in error.evidence
    assert "~/.bashrc" in error.remedy


def test_a_jump_host_is_one_connection_for_all_behind_it(sshd: Sshd) -> None:
    config = sshd.config.with_name("jump_config")
    config.write_text(sshd.config.read_text() + f"  IdentityFile {sshd.key}\n")
    one = sshd.inventory(proxy_jump=f"root@127.0.0.1:{sshd.port}", address="localhost").hosts[0]
    sshd.known_hosts.write_text(
        sshd.known_hosts.read_text()
        + sshd.known_hosts.read_text().splitlines()[0].replace("127.0.0.1", "localhost")
        + "\n"
    )
    hosts = tuple(one.model_copy(update={"name": f"h{n}", "user": "root"}) for n in (1, 2, 3))
    inventory = sshd.inventory().model_copy(update={"hosts": hosts, "ssh_config": config})

    async def through() -> list[Outcome]:
        async with open_transport(inventory) as transport:
            return await asyncio.gather(
                *(
                    transport.run(Command(host.name, "echo $PPID $SSH_CONNECTION"), deadline=30)
                    for host in hosts
                )
            )

    before = sshd.log_ins()
    assert all(outcome.ok for outcome in asyncio.run(through()))
    assert sshd.log_ins() - before == 1 + len(hosts)


def test_a_host_that_is_not_in_the_inventory(sshd: Sshd) -> None:
    with pytest.raises(InventoryError, match="no host 'h9'"):
        run(sshd.inventory(), "true", host="h9")


def test_the_operators_place_has_the_clouds_environment(sshd: Sshd, tmp_path: Path) -> None:
    inventory = sshd.inventory().model_copy(update={"cloud": "lab", "clouds_file": tmp_path / "clouds.yaml"})
    outcome = run(inventory, "echo $OS_CLOUD $OS_CLIENT_CONFIG_FILE; command -v python", host=OPERATOR)
    assert outcome.stdout.splitlines()[0] == f"lab {tmp_path}/clouds.yaml"
    assert ".venv/bin/" in outcome.stdout or Path(outcome.stdout.splitlines()[1]).exists()


def test_the_operators_command_is_killed_at_its_deadline(sshd: Sshd) -> None:
    outcome = run(sshd.inventory(), "echo begun; sleep 60 & wait", host=OPERATOR, deadline=1)
    assert (outcome.result, outcome.stdout) == (Result.UNKNOWN, "begun\n")
