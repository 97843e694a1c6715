"""An option of a service in one release, as the release's own code describes it."""

from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict, JsonValue

_BOOLEANS = {"true", "1", "on", "yes", "false", "0", "off", "no"}
"""What oslo.config takes for one, in whatever case."""


_WIDER = {("integer value", "floating point value")}
"""Types of which the second takes every value of the first."""


class Name(NamedTuple):
    """Where an option stands in a file; ``group`` as oslo.config finds sections (``inifile.normal``)."""

    group: str
    option: str

    def __str__(self) -> str:
        return f"[{self.group}] {self.option}"


class Option(BaseModel):
    """What a release says of an option.

    ``aliases`` are older names under which it is still read, the first that is set counts. ``varies`` says
    that the default depends on the machine (its name, its processors); ``default`` is None then. ``many``
    options add up when they are set more than once; of the others the last counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    default: JsonValue = None
    varies: bool = False
    choices: tuple[JsonValue, ...] = ()
    min: int | float | None = None
    max: int | float | None = None
    many: bool = False
    secret: bool = False
    deprecated: bool = False
    since: str = ""
    reason: str = ""
    aliases: tuple[Name, ...] = ()

    def text_of_default(self) -> str | None:
        """Return the default as a file would give it, or None where no line can."""
        value = self.default
        if value is None or self.varies or (self.many and isinstance(value, list)):
            return None
        if isinstance(value, list):
            return ",".join(map(str, value))
        if isinstance(value, dict):
            return ",".join(f"{key}:{item}" for key, item in value.items())
        return str(value)

    def refuses(self, text: str) -> str | None:
        """Say why the value is none of this option's, or None where it may be one.

        A value with a reference is not judged; case does not count, as for some choices of oslo.config.
        """
        if "$" in text or self.many:
            return None
        if self.choices and text.lower() not in (_word(choice).lower() for choice in self.choices):
            words = ", ".join(_word(choice) or "(empty)" for choice in self.choices)
            return f"it must be one of: {words}"
        if self.type == "boolean value" and text.lower() not in _BOOLEANS:
            return "it must be true or false"
        return self._out_of_range(text)

    def same_default(self, other: Self) -> bool:
        """Whether both releases do the same where the option is not set, as far as defaults tell."""
        return (self.varies and other.varies) or (
            self.varies == other.varies and _comparable(self.default) == _comparable(other.default)
        )

    def same_type(self, newer: Self) -> bool:
        """Whether a later release reads values as this one does."""
        return (self.type, self.many) == (newer.type, newer.many) or (self.type, newer.type) in _WIDER

    def _out_of_range(self, text: str) -> str | None:
        if self.type not in {"integer value", "floating point value", "port value"}:
            return None
        try:
            number = float(text)
        except ValueError:
            return f"it must be a number ({self.type})" if text else None
        if self.min is not None and number < self.min:
            return f"it must be at least {self.min:g}"
        if self.max is not None and number > self.max:
            return f"it must be at most {self.max:g}"
        return None


def _word(choice: JsonValue) -> str:
    return "" if choice is None else str(choice)


def _comparable(default: JsonValue) -> JsonValue:
    """``[]``, ``{}``, ``''`` and None are one; so are a list and its text, whatever blanks are in between."""
    if default in ([], {}, ""):
        return None
    if isinstance(default, list):
        return ",".join(map(str, default))
    if isinstance(default, str):
        return " ".join(default.split())
    return str(default) if isinstance(default, int | float) else default
