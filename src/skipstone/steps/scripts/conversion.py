"""Configuration files converted as a plan says, deployed, and brought back; what they hold stays on the host.

Arguments: what to do, and the directory that belongs to it. There are ``spec.json`` (the files, each with
the hash of what it was and the parts of what it becomes, some under another name), ``new`` with the converted
files, ``old`` with those that they have replaced; ``new.json`` has the hashes of the new ones, ``old.json``
what the old ones had beside their bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
REFERENCE = re.compile(r"\\\$|\$\$|\$(?:\{([_a-z][._a-z0-9]*)\}|([_a-z][._a-z0-9]*))", re.IGNORECASE)
READERS = {
    "options": (
        "for oslo.config this is no comment: a # must be the first character",
        re.compile(r"[ \t]\s*[#;]|\s*//"),
    ),
    "programs": ("neither uWSGI nor systemd nor paste takes this for a comment", re.compile(r"\s*//")),
    "policy": ("YAML takes this for no comment", re.compile(r"\s*(?:;|//)")),
    "braces": ("YAML takes this for no comment", re.compile(r"\s*(?:;|//)")),
}  # what is a comment for people, and for who reads it a value or an option


class Text:
    """A file's lines, and what becomes of them."""

    def __init__(self, text: str, file: dict[str, Any]) -> None:
        self.lines = LINE.findall(text)
        self.path: str = file["path"]
        self.grammar: str = file.get("grammar", "options")
        endings = map(ending_of, [] if self.grammar == "braces" else self.lines)
        self.ending = next((ending for ending in endings if ending), "\n")
        self.parts: list[dict[str, Any]] = file["parts"]
        self.masked: list[list[int]] = file["masked"]
        self.moved: list[str] = file["moved"]

    def converted(self) -> str:
        """Return the new text; exit where the plan cannot have known enough of the old one."""
        self.expect_plain()
        self.expect_known_references()
        self.expect_whole()
        new = ""
        for part in self.parts:
            piece = "".join(self.piece(part))
            if part.get("moved"):
                piece = self.ended(piece)
            new = self.ended(new) + piece
        return new

    def piece(self, part: dict[str, Any]) -> Iterator[str]:
        """Give the lines of a part."""
        lines = self.lines[part["first"] - 1 : part["last"]] if "first" in part else []
        if part["do"] == "keep":
            yield from lines
        elif part["do"] == "comment":
            yield from (f"# {line}" for line in lines)
        elif part["do"] == "write":
            yield part["text"].replace("\n", self.ending)
        elif part["do"] == "replace":
            yield self.ended_as(part.get("text", "").replace("\n", self.ending), lines[-1])
        elif part["do"] == "remarks":
            yield from (f"{line.strip()}{self.ending}" for line in lines if line.strip())
        else:
            line = "".join(lines)
            if re.split("[=:]", line, maxsplit=1)[0].strip() != part["old"]:
                self.refuse(part["first"], f"it does not set {part['old']}")
            yield changed(line, part["old"], part["new"], part.get("words", {}))

    def ended(self, text: str) -> str:
        """Return a text with a line ending."""
        return text + self.ending if text and not ending_of(text) else text

    def ended_as(self, text: str, line: str) -> str:
        """Return a text with the line ending that a line has, which may be none."""
        return text[: -len(ending_of(text)) or None] + ending_of(line) if text else text

    def expect_plain(self) -> None:
        """Exit where only people take a line for a comment: discovery did, so no plan has seen it."""
        why, ambiguous = READERS[self.grammar]
        for number, line in enumerate(self.lines, 1):
            if ambiguous.match(line):
                self.refuse(number, why)

    def expect_known_references(self) -> None:
        """Exit where a secret value, which no plan has seen, refers to an option with another name now."""
        followed = {part["first"]: part.get("words", {}) for part in self.parts if part["do"] == "change"}
        for first, last in self.masked:
            for found in REFERENCE.finditer("".join(self.lines[first - 1 : last])):
                name = found[1] or found[2] or ""
                if found[0] not in followed.get(first, {}) and ("." in name or name in self.moved):
                    self.refuse(first, f"its value refers to {name}, which may be named otherwise now")

    def expect_whole(self) -> None:
        """Exit where a line would be lost."""
        told = {
            number
            for part in self.parts
            if "first" in part
            for number in range(part["first"], part["last"] + 1)
        }
        if told != set(range(1, len(self.lines) + 1)):
            raise SystemExit(f"{self.path}: the plan counts other lines than it has")

    def refuse(self, number: int, why: str) -> None:
        """Exit, with the line."""
        raise SystemExit(f"{self.path}:{number}: it cannot be converted: {why}; then discover and plan again")


class Conversion:
    """The files of one host, and what lies in the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files: list[dict[str, Any]] = json.loads((directory / "spec.json").read_text())["files"]
        self.others: dict[str, str] = {
            file["path"]: file["becomes"] for file in self.files if file.get("becomes")
        }

    def convert(self) -> None:
        """Write the converted files; nothing in their places is touched."""
        others: dict[str, set[str]] = {other: {""} for other in self.others.values()}
        self.expect_in_place({**others, **{file["path"]: {file["sha256"]} for file in self.files}})
        new = {}
        for file in self.files:
            before = Path(file["path"]).read_bytes()
            after = Text(before.decode(), file).converted().encode()
            write(self.beside("new", file["path"]), after)
            new[file["path"]] = sha256(after)
            say(f"{file['path']}: {len(before)} bytes become {len(after)}")
        self.note("new", new)

    def check(self) -> None:
        """Exit where a file is not what was converted any more, or what it was converted to is not there."""
        new = self.noted("new")
        places: dict[str, set[str]] = {}
        for file in self.files:
            path, other = file["path"], self.others.get(file["path"])
            places[path] = {file["sha256"], *([] if other else [new[path]])}
            if other:
                places[other] = {"", new[path]}
        self.expect_in_place(places)
        for path, wanted in new.items():
            if sum_of(self.beside("new", path)) != wanted:
                raise SystemExit(f"{path}: what it was converted to is gone or damaged: convert again")

    def deploy(self) -> None:
        """Put the converted files in place; each old one is kept first."""
        self.check()
        kept = self.noted("old")
        for file in self.files:
            name, now = file["path"], Path(file["path"]).read_bytes()
            place = self.place(name)
            if sha256(now) == file["sha256"]:
                write(self.beside("old", name), now)
                kept[name] = attributes(Path(name))
                self.note("old", kept)
                replace(place, self.beside("new", name).read_bytes(), kept[name])
            say(f"{name}: converted" if str(place) == name else f"{name}: converted, to {place}")

    def deployed(self) -> None:
        """Exit unless every converted file is in its place."""
        new = self.noted("new").items()
        self.expect_in_place({str(self.place(path)): {wanted} for path, wanted in new})

    def restore(self) -> None:
        """Put the old files back, byte by byte; what others have made of one meanwhile is kept aside."""
        new = self.noted("new")
        for path, kept in self.noted("old").items():
            old = self.beside("old", path).read_bytes()
            for place in dict.fromkeys((path, str(self.place(path)))):
                self.keep_aside(place, sha256(old), new[path])
            replace(Path(path), old, kept)
            if path in self.others:
                remove(self.place(path))
            say(f"{path}: as it was")

    def keep_aside(self, path: str, *known: str) -> None:
        """Keep what a file is now, where it is neither what it was nor what it was converted to."""
        now = Path(path).read_bytes() if Path(path).exists() else None
        if now is not None and sha256(now) not in known:
            aside = self.directory.parent / "replaced" / path.lstrip("/")
            write(aside, now)
            say(f"{path}: it was changed after it was converted; what it was then is in {aside}")

    def intact(self) -> None:
        """Exit unless every file that was replaced can be brought back."""
        kept = self.noted("old")
        for file in self.files:
            if file["path"] in kept and sum_of(self.beside("old", file["path"])) != file["sha256"]:
                raise SystemExit(f"{file['path']}: what it was is gone or damaged")

    def expect_in_place(self, wanted: dict[str, set[str]]) -> None:
        """Exit with every file that is not one of what is wanted."""
        other = [path for path, sums in wanted.items() if sum_of(Path(path)) not in sums]
        if other:
            raise SystemExit(
                f"changed since the plan was made: {', '.join(other)}. Discover and plan again; or, where the"
                " upgrade has begun, bring it back to what configuration/etc.tar.gz of the plan's directory"
                " has of it, and change it afterwards"
            )

    def place(self, path: str) -> Path:
        """Return where the converted file belongs."""
        return Path(self.others.get(path, path))

    def beside(self, what: str, path: str) -> Path:
        """Return where a file's other version lies."""
        return self.directory / what / path.lstrip("/")

    def note(self, what: str, facts: dict[str, Any]) -> None:
        """Write down facts, by path."""
        write(self.directory / f"{what}.json", json.dumps(facts).encode())

    def noted(self, what: str) -> dict[str, Any]:
        """Return what was written down."""
        path = self.directory / f"{what}.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found


def say(what: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{what}\n")


def changed(line: str, old: str, new: str, words: dict[str, str]) -> str:
    """Return a line that sets an option with another key and other references."""
    key, delimiter, value = re.split("([=:])", line, maxsplit=1)
    followed = REFERENCE.sub(lambda found: words.get(found[0], found[0]), value)
    return key.replace(old, new, 1) + delimiter + followed


def ending_of(line: str) -> str:
    """Return what ends a line, or nothing."""
    return line[len(line.rstrip("\r\n")) :]


def sha256(data: bytes) -> str:
    """Return a hash in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sum_of(path: Path) -> str:
    """Return a file's hash; nothing where there is none."""
    return sha256(path.read_bytes()) if path.exists() else ""


def attributes(path: Path) -> dict[str, Any]:
    """Return what a file has beside its bytes: owner, mode, extended attributes (access lists are some)."""
    status = path.stat()
    extended = {name: base64.b64encode(os.getxattr(path, name)).decode() for name in os.listxattr(path)}
    return {"owner": [status.st_uid, status.st_gid], "mode": status.st_mode & 0o7777, "extended": extended}


def replace(path: Path, data: bytes, given: dict[str, Any]) -> None:
    """Put data in a file's place in one move; behind a link, where it leads to.

    It is root's only until it has all that is given.
    """
    real = Path(os.path.realpath(path))
    part = part_of(real)
    fill(part, data)
    os.chown(part, *given["owner"])
    part.chmod(given["mode"])
    for name, value in given["extended"].items():
        os.setxattr(part, name, base64.b64decode(value))
    move(part, real)


def part_of(path: Path) -> Path:
    """Return under which name a file is written that takes a place."""
    return path.with_name(f".{path.name}.skipstone-part")


def remove(path: Path) -> None:
    """Remove a file, from the disk before this returns, and what a replacement that was cut off has left."""
    for one in (path, part_of(path)):
        if one.exists():
            one.unlink()
            settle(one.parent)


def write(path: Path, data: bytes) -> None:
    """Write a file of root's only, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    fill(part, data)
    move(part, path)


def fill(path: Path, data: bytes) -> None:
    """Write a new file of root's only; one that an earlier attempt has left goes."""
    if path.exists():
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def move(path: Path, to: Path) -> None:
    """Rename a file, on the disk before this returns."""
    path.replace(to)
    settle(to.parent)


def settle(directory: Path) -> None:
    """Bring on the disk which names a directory has."""
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def main(verb: str, directory: str) -> None:
    """Do one thing."""
    try:
        getattr(Conversion(Path(directory)), verb)()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(*sys.argv[1:])
