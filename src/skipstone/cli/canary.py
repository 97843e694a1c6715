"""``skipstone canary``: print the script that an instance runs to say what only it can know."""

import click

from skipstone.errors import ExitCode

PORT = 80
"""Where the probes look."""

_UNIT = """\
[Unit]
Description=Says that this instance lives, whom it reaches, and whether its writes end
After=network-online.target
[Service]
ExecStart=/usr/local/sbin/skipstone-canary{options}
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
"""


@click.command(
    epilog="""\b
Examples:
  skipstone canary > canary.py                        to be run as root: python3 canary.py --write /srv
  skipstone canary --user-data --write /srv > data    then: openstack server create --user-data data ...
  skipstone canary --user-data --peer 10.0.0.5 --peer 10.0.0.6

Without --peer, the probes tell the canaries of one another. Security groups have to allow TCP on the port
from where `apply` runs, and ICMP between the instances.
"""
)
@click.option("--user-data", is_flag=True, help="As cloud-init's user data, which installs and starts it.")
@click.option("--peer", "peers", metavar="IPV4", multiple=True, help="Whom it pings, and nobody else.")
@click.option("--write", "folders", metavar="FOLDER", multiple=True, help="Where it writes and syncs.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PORT,
    show_default=True,
    help="Where it listens; the probes of `apply` read this one only.",
)
def canary(*, user_data: bool, peers: tuple[str, ...], folders: tuple[str, ...], port: int) -> int:
    """Print a script for an instance: boot-id, whether it reaches its peers, whether its writes end.

    It is one file for any Linux guest with Python 3.6, and answers `GET /` with one line. The probes of
    `skipstone apply` read it where it listens on its default port.
    """
    script = _script()
    if not user_data:
        if peers or folders or port != PORT:
            raise click.UsageError("without --user-data, give --peer, --write, --port to the script itself")
        click.echo(script, nl=False)
        return ExitCode.DONE
    click.echo(_user_data(script, _options(peers, folders, port)), nl=False)
    return ExitCode.DONE


def _script() -> str:
    from importlib import resources

    return (resources.files("skipstone.impact.guest") / "canary.py").read_text()


def _options(peers: tuple[str, ...], folders: tuple[str, ...], port: int) -> str:
    from ipaddress import IPv4Address

    for peer in peers:
        try:
            IPv4Address(peer)
        except ValueError as error:
            raise click.BadParameter(f"{peer} is no IPv4 address", param_hint="--peer") from error
    for folder in folders:
        if not folder.startswith("/") or set(folder) & set(" ,:@~%'\"\\\n"):
            raise click.BadParameter(f"{folder} cannot be named in the line", param_hint="--write")
    words = [f" --peer {peer}" for peer in peers] + [f" --write {folder}" for folder in folders]
    return f" --port {port}" + "".join(words)


def _user_data(script: str, options: str) -> str:
    """Return a script that cloud-init runs once, at the first boot; the unit starts at every later one."""
    return f"""\
#!/bin/sh
set -eu
cat > /usr/local/sbin/skipstone-canary << 'END-OF-CANARY'
{script}END-OF-CANARY
chmod 755 /usr/local/sbin/skipstone-canary
cat > /etc/systemd/system/skipstone-canary.service << 'END-OF-UNIT'
{_UNIT.format(options=options)}END-OF-UNIT
systemctl daemon-reload
systemctl enable --now skipstone-canary.service
"""
