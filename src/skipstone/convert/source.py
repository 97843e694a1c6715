"""Files of an operator: read with care, and written only where and as he said."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from skipstone.errors import InputError

LARGEST = 2**20
"""Bytes; a sample configuration of nova with every option and its help has a third of that."""

_SUFFIX = ".skipstone-"
_SHIPPED = (".dpkg-dist", ".ucf-dist", ".dpkg-new", ".rpmnew")
"""What dpkg, ucf and rpm call a new file that they did not put over the operator's."""


def read(path: Path) -> str:
    """Return a file's text to the byte; raise InputError, naming the line, where it is not UTF-8 text."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError("it cannot be read", where=str(path), evidence=error.strerror or "") from error
    if len(data) > LARGEST:
        raise InputError(
            f"it is larger than any configuration ({LARGEST >> 20} MiB)",
            where=str(path),
            remedy="is it a log or an image?",
        )
    return _decoded(data, path)


def gather(*paths: Path) -> Mapping[Path, str]:
    """Return the text of files, and of directories' ``*.conf``, in the order in which services read them.

    A file is followed by what lies in the directory of its name with ``.d``, as oslo.config has it. Raises
    InputError where a file cannot be read, or a directory has none.
    """
    found = [each for path in paths for each in (_inside(path) if path.is_dir() else _with_directory(path))]
    return {path: read(path) for path in dict.fromkeys(found)}


def _inside(directory: Path) -> list[Path]:
    found = sorted(directory.glob("*.conf"))
    if not found:
        raise InputError(
            "this is a directory without any *.conf",
            where=str(directory),
            remedy="name a file, or a directory as services take it with --config-dir",
        )
    return found


def _with_directory(path: Path) -> list[Path]:
    return [path, *sorted(path.with_name(f"{path.name}.d").glob("*.conf"))]


def shipped_beside(path: Path) -> Path | None:
    """Return the distribution's new file where its package left one beside the operator's, or None."""
    beside = (path.with_name(f"{path.name}{suffix}") for suffix in _SHIPPED)
    return next((each for each in beside if each.is_file()), None)


def places(sources: Sequence[Path], output: Path) -> Mapping[Path, Path]:
    """Return where each file's new one goes: into a directory with all below what they have in common.

    InputError where one is there already: then nothing may be written at all.
    """
    common = Path(os.path.commonpath([path.absolute().parent for path in sources]))
    found = {
        path: output / path.absolute().relative_to(common) if output.is_dir() else output for path in sources
    }
    expect_none(found.values())
    return found


def expect_none(places: Iterable[Path]) -> None:
    """Raise InputError where one of the files is there already: then nothing may be written at all."""
    for place in places:
        if place.exists():
            raise _is_there(place)


def _is_there(path: Path) -> InputError:
    return InputError("there is such a file already", where=str(path), remedy="name another, or remove it")


def write_new(path: Path, text: str) -> None:
    """Write a file that its owner alone can read: it may hold passwords. InputError where one is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise _is_there(path) from error
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
    except OSError as error:  # the disk is full: half a file must not be taken for the whole
        path.unlink(missing_ok=True)
        raise _cannot_be_written(path, error) from error


def _cannot_be_written(path: Path, error: OSError) -> InputError:
    return InputError("it cannot be written", where=str(path), evidence=error.strerror or "")


def gather_policy(path: Path) -> Mapping[Path, str]:
    """Return the text of a policy file, or of each in a ``policy.d``, in oslo.policy's order."""
    if not path.is_dir():
        return {path: read(path)}
    found = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
    if not found:
        raise InputError("this is a directory without any file", where=str(path), remedy="name a policy.d")
    return {each: read(each) for each in found}


def replace(path: Path, text: str, now: datetime | None = None) -> Path:
    """Replace a file in one move, with its owner and mode, and return the copy of the old one beside it."""
    real = path.resolve()
    return _replaced(real, real, real.with_name(f"{real.name}{_suffix(now)}"), text)


def replace_policy(path: Path, name: str, text: str, now: datetime | None = None) -> Path:
    """Replace a policy file by one of this name, with its owner and mode, and return the copy of the old one.

    The copy's name begins with a dot: of a ``policy.d`` oslo.policy reads every other file, whatever its end.
    """
    real = path.resolve()
    new = real if name == path.name else real.with_name(name)
    if new != real and new.exists():
        raise InputError(
            "there is such a file already",
            where=str(new),
            remedy=f"services read it, not {path.name}: look at both",
        )
    return _replaced(real, new, real.with_name(f".{real.name}{_suffix(now)}"), text)


def _suffix(now: datetime | None) -> str:
    return f"{_SUFFIX}{(now or datetime.now(UTC)).strftime('%Y%m%dT%H%M%SZ')}"


def _replaced(real: Path, new: Path, backup: Path, text: str) -> Path:
    """Put a text in the place of a file, which may be one of another name, after a copy."""
    temporary = real.with_name(f".new-{backup.name}")
    try:
        _copy(real, backup, real.read_bytes())
        _copy(real, temporary, text.encode())
        temporary.replace(new)
        if new != real:
            real.unlink()
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            "it cannot be replaced", where=str(real), evidence=error.strerror or "", remedy="write with -o"
        ) from error
    return backup


def _copy(original: Path, path: Path, data: bytes) -> None:
    """Write a new file with the owner and the mode of another, on the disk before this returns."""
    status = original.stat()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchown(file.fileno(), status.st_uid, status.st_gid)
        os.fchmod(file.fileno(), status.st_mode & 0o7777)
        os.fsync(file.fileno())


def _decoded(data: bytes, path: Path) -> str:
    """Return the text of UTF-8 without a byte order mark, which is what oslo.config reads."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            "it is UTF-16, which no service reads",
            where=f"{path}:1",
            remedy="convert it: iconv -f UTF-16 -t UTF-8",
        )
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError("it holds a zero byte: this is no text", where=f"{path}:{line}")
    if data.startswith(b"\xef\xbb\xbf"):
        raise InputError(
            "it begins with a byte order mark, which oslo.config takes for an option's name",
            where=f"{path}:1",
            remedy="save it as UTF-8 without a byte order mark",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            "it is not UTF-8, which is what services read",
            where=f"{path}:{line}",
            evidence=f"byte 0x{data[error.start]:02x} at offset {error.start}",
            remedy="convert it: iconv -f ISO-8859-1 -t UTF-8",
        ) from error
    return text
