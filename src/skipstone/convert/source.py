"""Files of an operator: read with care, and written only where and as he said."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from skipstone.errors import InputError

LARGEST = 2**20
"""Bytes; a sample configuration of nova with every option and its help has a third of that."""

_SUFFIX = ".skipstone-"


def read(path: Path) -> str:
    """Return a file's text to the byte; raise InputError, naming the line, where it is not UTF-8 text."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(
                f"it is larger than any configuration ({LARGEST >> 20} MiB)",
                where=str(path),
                remedy="is it a log or an image?",
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError("it cannot be read", where=str(path), evidence=error.strerror or "") from error
    return _decoded(data, path)


def gather(path: Path) -> Mapping[Path, str]:
    """Return the text of a file, or of a directory's ``*.conf``, in the order in which services read them."""
    if not path.is_dir():
        return {path: read(path)}
    found = sorted(path.glob("*.conf"))
    if not found:
        raise InputError(
            "this is a directory without any *.conf",
            where=str(path),
            remedy="name a file, or a directory as services take it with --config-dir",
        )
    return {each: read(each) for each in found}


def write_new(path: Path, text: str) -> None:
    """Write a file that its owner alone can read: it may hold passwords. InputError where one is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InputError(
            "there is such a file already", where=str(path), remedy="name another, or remove it"
        ) from error
    except OSError as error:
        raise InputError("it cannot be written", where=str(path), evidence=error.strerror or "") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())


def replace(path: Path, text: str, now: datetime | None = None) -> Path:
    """Replace a file in one move, with its owner and mode, and return the copy of the old one beside it."""
    real = path.resolve()
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    backup = real.with_name(f"{real.name}{_SUFFIX}{moment}")
    try:
        _copy(real, backup, real.read_bytes())
        temporary = real.with_name(f".{real.name}{_SUFFIX}{moment}")
        _copy(real, temporary, text.encode())
        temporary.replace(real)
    except OSError as error:
        raise InputError(
            "it cannot be replaced", where=str(path), evidence=error.strerror or "", remedy="write with -o"
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
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError("it holds a zero byte: this is no text", where=f"{path}:{line}")
    return text
