"""Shell text that steps share: quoting, files by here-document, waiting with a bound."""

from collections.abc import Iterable
from shlex import quote

__all__ = [
    "RELOAD_UNITS",
    "all_active",
    "as_user",
    "block",
    "blocked",
    "calling",
    "last_words",
    "place_file",
    "quote",
    "remove_file",
    "unblock",
    "until",
    "words",
]

RELOAD_UNITS = "if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi"
"""A shell line after which systemd goes by its files as they are now."""

_DROP_IN = '/etc/systemd/system/"$unit".service.d/90-skipstone-blocked.conf'
_CONDITION = "ConditionPathExists=/var/lib/skipstone/never"


def words(values: Iterable[str]) -> str:
    """Return the values quoted and separated by blanks."""
    return " ".join(quote(value) for value in values)


def as_user(user: str, command: str) -> str:
    """Return a shell line that runs one command line as another user of the host."""
    return f"runuser -u {quote(user)} -- {command}"


def place_file(path: str, text: str, *, mode: str, owner: str) -> str:
    """Return shell lines that write a file whole or not at all (temporary name, then rename)."""
    part = _part(path)
    return (
        f"mkdir -p {quote(path.rpartition('/')[0])}\n"
        f"cat > {part} <<'END-OF-FILE'\n{text.rstrip()}\nEND-OF-FILE\n"
        f"chmod {mode} {part}\nchown {owner} {part}\nmv -f {part} {quote(path)}"
    )


def remove_file(path: str) -> str:
    """Return a shell line that removes a file, and what a ``place_file`` that was cut off has left of it."""
    return f"rm -f {quote(path)} {_part(path)}"


def _part(path: str) -> str:
    return quote(f"{path}.skipstone-part")


def calling(hook: str, what: str) -> str:
    """Return the shell function ``call VERB HOST ...`` for an operator's hook; it says what went wrong."""
    missing = f"the {what} hook {hook} is not there, or cannot be executed"
    return f"""\
call() {{
    if [ ! -f {quote(hook)} ] || [ ! -x {quote(hook)} ]; then echo {quote(missing)} >&2; exit 1; fi
    {quote(hook)} "$@" || {{
        echo "the {what} hook failed: $1 for $2 exited with $?" >&2
        exit 1
    }}
}}"""


def until(condition: str, *, seconds: int, otherwise: str) -> str:
    """Return shell lines that wait for a condition, asking once a second; ``otherwise`` explains a time-out.

    Time is taken from the clock, not from the number of tries: a condition may itself take long.
    """
    return (
        f"limit=$(($(date +%s) + {seconds}))\n"
        f"until {condition}; do\n"
        f'    if [ "$(date +%s)" -ge "$limit" ]; then\n'
        f"        echo {quote(otherwise)} >&2\n"
        f"        exit 1\n"
        f"    fi\n"
        f"    sleep 1\n"
        f"done"
    )


def block(units: Iterable[str]) -> str:
    """Return shell lines that keep units from starting, whoever asks, until ``unblock``.

    A drop-in with a condition that is never met: a start is then skipped and counts as a success. A mask
    would do the same, but ``systemctl enable`` fails on a masked unit, and with it the package (keystone of
    Debian 13). The drop-in outlives a reboot.
    """
    return (
        f"for unit in {words(units)}; do\n"
        f'    mkdir -p /etc/systemd/system/"$unit".service.d\n'
        f"    printf '[Unit]\\n{_CONDITION}\\n' > {_DROP_IN}\n"
        f"done\nsystemctl daemon-reload"
    )


def blocked(units: Iterable[str]) -> str:
    """Return shell lines that fail unless all of these units are blocked.

    The drop-in of an attempt that was cut off by a loss of power may be there and empty.
    """
    return f"for unit in {words(units)}; do grep -qs '^{_CONDITION}$' {_DROP_IN}; done"


def forgive(units: Iterable[str]) -> str:
    """Return a shell line after which systemd starts units that have failed again and again.

    Five times in ten seconds, and it refuses ("start request repeated too quickly"): also once somebody has
    repaired the cause, and the step is tried anew.
    """
    if not words(units):
        return ":"  # without a name it would be said of every unit
    return f"systemctl reset-failed {words(units)} 2> /dev/null || true"


def unblock(units: Iterable[str]) -> str:
    """Return shell lines that let units start again, whatever has kept them from it."""
    units = tuple(units)
    return (
        f"for unit in {words(units)}; do\n"
        f"    rm -f {_DROP_IN}\n"
        f'    rmdir --ignore-fail-on-non-empty /etc/systemd/system/"$unit".service.d 2> /dev/null || true\n'
        f"done\nsystemctl daemon-reload\n{forgive(units)}"
    )


def all_active(units: Iterable[str]) -> str:
    """Return a shell condition that holds while every unit is active; ``is-active`` is content with one."""
    return f'[ -z "$(systemctl is-active {words(units)} | grep -vx active)" ]'


def last_words(units: Iterable[str], *, only_failed: bool = False) -> str:
    """Return shell lines that print how units stand, and the end of their journals and log files.

    ``only_failed`` leaves out those that are active; an active one can serve nothing all the same. A log to
    which nothing was written since its unit was last started says nothing of why that failed. Six lines of a
    journal have all that systemd says of one start that failed, while it tries the next one already.
    """
    leave_out = '    systemctl --quiet is-active "$unit" && continue\n' if only_failed else ""
    return (
        f"for unit in {words(units)}; do\n{leave_out}"
        f'    echo "$unit is $(systemctl is-active "$unit" || true)"\n'
        f'    journalctl --no-pager --quiet --output=cat --lines=6 --unit="$unit" || true\n'
        f'    began=$(systemctl show --property=InactiveExitTimestamp --value "$unit" || true)\n'
        f'    began=$(date -d "${{began:-@0}}" +%s 2> /dev/null || echo 0)\n'
        f'    for log in /var/log/*/"$unit".log; do\n'
        f'        if [ ! -e "$log" ]; then continue; fi\n'
        f'        if [ "$(stat -c %Y "$log")" -lt "$began" ]; then\n'
        f'            echo "$log: nothing since its last start"\n'
        f"        else\n"
        f'            echo "$log:"; tail -n 8 "$log" | cut -c 1-300\n'
        f"        fi\n"
        f"    done\n"
        f"done"
    )
