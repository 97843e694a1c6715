"""Shell text that steps share: quoting, files by here-document, waiting with a bound."""

from collections.abc import Iterable
from shlex import quote, split

__all__ = ["as_user", "place_file", "quote", "split", "until", "words"]


def words(values: Iterable[str]) -> str:
    """Return the values quoted and separated by blanks."""
    return " ".join(quote(value) for value in values)


def as_user(user: str, command: str) -> str:
    """Return a shell line that runs one command line as another user of the host."""
    return f"runuser -u {quote(user)} -- {command}"


def place_file(path: str, text: str, *, mode: str, owner: str) -> str:
    """Return shell lines that write a file whole or not at all (temporary name, then rename)."""
    part = quote(f"{path}.skipstone-part")
    return (
        f"install -d {quote(path.rpartition('/')[0])}\n"
        f"cat > {part} <<'END-OF-FILE'\n{text.rstrip()}\nEND-OF-FILE\n"
        f"chmod {mode} {part}\nchown {owner} {part}\nmv -f {part} {quote(path)}"
    )


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
