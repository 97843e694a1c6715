"""The Catalog: every release and service, and the questions asked of them together."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property

from skipstone.catalog.entry import Entry
from skipstone.catalog.release import BEFORE_CATALOG, Release, Schema
from skipstone.catalog.service import Service
from skipstone.errors import InputError, UnknownRelease


class Catalog(Entry):
    """All releases, oldest first, and all services, in the order in which they are upgraded."""

    releases: tuple[Release, ...]
    services: tuple[Service, ...]

    @cached_property
    def _by_name(self) -> dict[str, Release]:
        names = {release.codename: release for release in self.releases}
        return names | {release.version: release for release in self.releases}

    def release(self, text: str) -> Release:
        """Return the release called ``zed``, ``Zed``, ``2022.2``, ``2025.1 Epoxy`` or ``stable/zed``.

        Raise UnknownRelease, with the nearest name, where there is none.
        """
        words = re.findall(r"[a-z0-9.]+", text.lower().removeprefix("stable/").removeprefix("unmaintained/"))
        found = {self._by_name.get(word) for word in words}
        if len(found) == 1 and (release := found.pop()):
            return release
        nearest = get_close_matches(text.lower().strip(), self._by_name, n=1, cutoff=0.5)
        known = f"the catalog goes from {self.releases[0].title} to {self.releases[-1].title}"
        hint = f"did you mean {self._by_name[nearest[0]].title}? " if nearest else ""
        raise UnknownRelease(f"no release is called {text!r}", remedy=f"{hint}{known}")

    def service(self, name: str) -> Service:
        """Return the service of this name or endpoint type; raise InputError where there is none."""
        for service in self.services:
            if name == service.name or name in service.types:
                return service
        names = [service.name for service in self.services]
        nearest = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise InputError(
            f"no service is called {name!r}", remedy=f"{hint}the catalog knows {', '.join(names)}"
        )

    def in_order(self, names: Iterable[str]) -> tuple[Service, ...]:
        """Return the named services in the order of an upgrade; raise InputError for a stranger."""
        wanted = {self.service(name).name for name in names}
        return tuple(service for service in self.services if service.name in wanted)

    def between(self, first: Release, last: Release) -> tuple[Release, ...]:
        """Return the releases from one to another, both included, oldest first."""
        return tuple(release for release in self.releases if first <= release <= last)

    def newer_than(self, release: Release) -> tuple[Release, ...]:
        """Return the releases after this one, oldest first."""
        return tuple(other for other in self.releases if other > release)

    def next_slurp(self, release: Release) -> Release | None:
        """Return the first SLURP release after this one, or None."""
        return next((other for other in self.newer_than(release) if other.slurp), None)

    def floor(self, schema: Schema) -> Release | None:
        """Return the oldest release whose schema can be read, or None where all of the catalog's can."""
        return None if schema.floor in BEFORE_CATALOG else self._by_name[schema.floor]

    def release_of(self, service: str, version: str) -> Release | None:
        """Return the release that a version of a service belongs to, or None.

        ``version`` may be Debian's (``2:26.2.2-1~deb12u3``): the epoch is dropped, and what follows counts up
        to the major number.
        """
        upstream = version.split(":", 1)[-1]
        for release in self.releases:
            entry = release.services.get(service)
            if entry and upstream.startswith(entry.major):
                more = upstream.removeprefix(entry.major)[:1]
                if not more.isdigit():
                    return release
        return None

    def releases_at(self, schema: str, heads: tuple[str, ...]) -> tuple[Release, ...]:
        """Return the releases whose final schema (key of ``Schema.heads``) has these heads."""
        return tuple(
            release
            for release in self.releases
            if any(entry.schema_.is_head(schema, heads) for entry in release.services.values())
        )
