"""Files that an upgrade adds and removes: drop-ins, so that no operator's file is ever edited."""

from typing import Literal

from skipstone.cloud.command import Command
from skipstone.steps.shell import place_file, quote, remove_file
from skipstone.steps.step import Step


class PlaceFile(Step):
    """Put a drop-in file of ours on a host; ``owner`` is ``user:group``."""

    kind: Literal["place-file"] = "place-file"
    path: str
    text: str
    owner: str = "root:root"
    mode: str = "0644"

    def is_done(self) -> Command:
        """Compare the file with the text."""
        return self.on_host(f"printf '%s\\n' {quote(self.text.rstrip())} | cmp -s - {quote(self.path)}")

    def apply(self) -> Command:
        """Write it, whole or not at all."""
        return self.on_host(place_file(self.path, self.text, mode=self.mode, owner=self.owner))

    def verify(self) -> Command:
        """Compare the file with the text."""
        return self.is_done()

    def revert(self) -> Command:
        """Remove it."""
        return self.on_host(remove_file(self.path))


class RemoveFile(Step):
    """Remove a drop-in file that an earlier step put there; ``text`` is what it held."""

    kind: Literal["remove-file"] = "remove-file"
    path: str
    text: str
    owner: str = "root:root"
    mode: str = "0644"

    def is_done(self) -> Command:
        """See that it is gone."""
        return self.on_host(f"test ! -e {quote(self.path)}")

    def apply(self) -> Command:
        """Remove it."""
        return self.on_host(remove_file(self.path))

    def revert(self) -> Command:
        """Write it again."""
        return self.on_host(place_file(self.path, self.text, mode=self.mode, owner=self.owner))
