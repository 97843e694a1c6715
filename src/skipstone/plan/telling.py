"""What a person has to know of what becomes of files, as findings: the same on many hosts is told once."""

from collections.abc import Container, Mapping
from typing import NamedTuple

from skipstone.checks.check import listed
from skipstone.checks.finding import Finding, Severity
from skipstone.cloud.model import ConfigFile
from skipstone.convert.remark import Matter, Remark, Weight
from skipstone.errors import InputError
from skipstone.steps.conversion import ConvertedFile


class Said(NamedTuple):
    """Something about a file, the same on every host that has such a file, whatever the evidence is there."""

    id: str
    severity: Severity
    title: str
    remedy: str
    handled_by: str | None = None


class Carried(NamedTuple):
    """What becomes of one host's files of one service."""

    files: tuple[ConvertedFile, ...]
    said: tuple[tuple[Said, str], ...]


_UNKNOWN = "what it holds is not known: it is no UTF-8 text, has a private key in it, or is too large"
_OLDER = "an older Skipstone has discovered it, and has not counted its lines"


def unknown(file: ConfigFile) -> tuple[Said, str] | None:
    """Return why nobody can say what becomes of a file, if so."""
    if file.text is None:
        return left(file.path), _UNKNOWN
    return (left("configuration"), _OLDER) if file.left_out is None else None


def left(what: str, severity: Severity = Severity.WARNING) -> Said:
    """Return that something is not converted."""
    return Said(
        id="not-converted",
        severity=severity,
        title=f"{what} stays as it is",
        remedy="see to that and discover again, or convert it by hand with `skipstone config convert`",
    )


def refused(file: ConfigFile, error: InputError) -> tuple[Said, str]:
    """Return that a file is not converted, since it is not what it should be."""
    return left(file.path), ": ".join(filter(None, (str(error), error.evidence)))


def changes(file: ConvertedFile) -> tuple[Said, str]:
    """Return that a file is converted."""
    hunks = sum(line.startswith("@@") for line in file.difference())
    places = "one place" if hunks == 1 else f"{hunks} places"
    said = Said(
        id="converted",
        severity=Severity.INFO,
        title=f"{file.named()} is converted, in {places}",
        remedy="read it, and approve",
        handled_by="configuration",
    )
    return said, "the runbook and the gate `configuration` show what changes"


def asks(remark: Remark, masked: Container[int]) -> bool:
    """Whether a person has to decide; nobody knows whether a release refuses a value that is masked."""
    refused = remark.matter is Matter.VALUE_REFUSED
    return remark.matter.weight is Weight.DECIDE and not (refused and remark.line in masked)


_NAMED = 4
"""Hosts, and lines, that are named where many have the same."""

_FATAL = (Matter.VALUE_REFUSED, Matter.VALUE_GONE, Matter.REFERENCE_LOST)
"""The service does not start with it, or lacks the driver that its users' things live on."""

_PLUGINS = "correct it where it is mistyped; a plugin's stays as it is"
_REMEDIES = {
    Matter.OPTION_REMOVED: "it becomes a comment; set what replaces it, if the service needs that",
    Matter.OPTION_DEAD: "nothing reads it: remove it, or set what does what it was for",
    Matter.OPTION_UNKNOWN: _PLUGINS,
    Matter.SECTION_UNKNOWN: _PLUGINS,
    Matter.VALUE_REFUSED: "set a value that both releases take; or see to the file yourself, with --leave",
    Matter.OPTION_NEEDED: "set it, before the upgrade or in the new file",
    Matter.VALUE_GONE: "move to what replaces it first; or see to the file yourself, with --leave",
    Matter.VALUE_DEAD: "correct it, or remove it where nothing reads it",
    Matter.DEFAULT_MATTERS: "decide; --keep-behaviour writes the old default out",
    Matter.REFERENCE_LOST: "write the value out; or see to the file yourself, with --leave",
    Matter.PROGRAM_GONE: "start what does its work, or remove what names it; or see to it, with --leave",
    Matter.FACTORY_GONE: "see what its users did with it; nothing takes its place",
    Matter.RULE_REMOVED: "it becomes a comment; see what is asked for instead",
    Matter.RULE_UNKNOWN: _PLUGINS,
    Matter.RULE_DEAD: "nobody asks for it: remove it, or correct its name",
    Matter.RULE_WAKES: "it counts from now on: see that it says what you want",
    Matter.RULE_LOST: "define what it refers to, or correct it",
    Matter.RULE_OPEN: 'write "@" where everybody shall pass, or "!" where nobody shall',
}


def said_of(file: ConfigFile, remark: Remark, severity: Severity | None = None) -> tuple[Said, str]:
    """Return what a person has to decide on; it is as grave as its matter where nothing else is said."""
    section = f"[{remark.section}] " if remark.section else ""
    option = f"{section}{remark.option}".rstrip()
    said = Said(
        id=remark.matter.value,
        severity=severity or (Severity.INHIBITOR if remark.matter in _FATAL else Severity.WARNING),
        title=f"{file.path}: {option}: {remark.text}",
        remedy=_REMEDIES[remark.matter],
    )
    return said, f"{file.path}:{remark.line}" if remark.line else file.path


def finding_of(said: Said, found: Mapping[str, str]) -> Finding:
    """Return the finding for what is said of these hosts, each with its evidence."""
    where = listed(filter(None, found), _NAMED)
    evidence = listed(dict.fromkeys(found.values()), _NAMED)
    return Finding(**said._asdict(), where=where, evidence=evidence)
