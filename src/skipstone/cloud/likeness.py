"""Texts that many hosts have alike but for what is a host's own: its addresses, and its name.

Thousands of computes have one nova.conf but for ``my_ip``: what is found of one is then told of the others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_BEFORE, _AFTER = r"(?<![\w.-])", r"(?![\w-]|\.\d)"
_ADDRESS = re.compile(rf"\d(?<![\w.-]\d)\d{{0,2}}(?:\.\d{{1,3}}){{3}}{_AFTER}", re.ASCII)
"""An IPv4 address; with the digit first, texts are searched in a third of the time."""

_OF_ANY = ("127.", "0.")
"""How addresses begin that stand for this host, or for any: they say more than who it is."""

_CONTINUED, _BEGUN = re.compile(_AFTER, re.ASCII), re.compile(r"[\w.-]\Z", re.ASCII)
_GAP = re.compile(r"\0(\d+)\0")


class Likeness(NamedTuple):
    """``form`` is the same for texts that are alike; ``own`` is what fills its gaps, in their order."""

    form: str
    own: tuple[str, ...]


def filled(text: str, own: Sequence[str]) -> str:
    """Return a part of a form as the text with ``own`` in its gaps has it."""
    return _GAP.sub(lambda gap: own[int(gap[1])], text) if "\0" in text else text


def likeness_of(text: str, host: str) -> Likeness:
    """Return the likeness of a configuration file's text on a host.

    The host's name counts where it is in values alone: one that is called ``nova`` has a section of its name.
    Of a text that does not have it, it is that of any host, ``""``.
    """
    nameless = _without_name(text, host) if host and host in text else text
    own = {} if nameless == text else {host: 0}

    def gap(found: re.Match[str]) -> str:
        if found[0].startswith(_OF_ANY):
            return found[0]
        return f"\0{own.setdefault(found[0], len(own))}\0"

    return Likeness(_ADDRESS.sub(gap, nameless), tuple(own))


def _without_name(text: str, host: str) -> str:
    """Return a text with a gap for the host's name, wherever it stands for itself; as it is, if in a key.

    Each host has another name: what can be done without a pattern of its own is.
    """
    done, *rest = text.split(host)
    for piece in rest:
        if _BEGUN.search(done[-1:]) or not _CONTINUED.match(piece):
            done += host + piece
        elif "=" not in done[done.rfind("\n") + 1 :]:
            return text
        else:
            done += f"\x000\x00{piece}"
    return done


def renamed(model: Sequence[str], own: Sequence[str]) -> dict[str, str]:
    """Return what has another name where two texts of one form have these in its gaps."""
    return {old: new for old, new in zip(model, own, strict=True) if old != new}


def retold(text: str, names: Mapping[str, str]) -> str:
    """Return what is said of a text as it is of one like it, where these have other ``names``."""
    if not any(old in text for old in names):
        return text
    tokens = "|".join(map(re.escape, names))
    return re.sub(f"{_BEFORE}(?:{tokens}){_AFTER}", lambda found: names[found[0]], text, flags=re.ASCII)
