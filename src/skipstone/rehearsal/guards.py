"""Looks for data that a release's code would refuse, break on, or damage: the catalog's blockers, counted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from skipstone.catalog import Catalog
from skipstone.catalog.service import Blocker, Effect
from skipstone.errors import SkipstoneError
from skipstone.rehearsal.databases import LoadedDatabase, schema_of
from skipstone.rehearsal.server import PrivateServer

ABSENT = re.compile(r"ERROR (1054|1146) ")
"""No such column, no such table: a schema that has not what is asked about."""


@dataclass(frozen=True)
class Trouble:
    """Rows that a release's code would refuse, break on or damage; or that it has damaged (``after``)."""

    blocker: Blocker
    rows: int
    after: bool = False

    @property
    def stops(self) -> bool:
        """Whether its service must not be carried on."""
        return self.blocker.effect is not Effect.STUMBLES


@dataclass(frozen=True)
class Guards:
    """Asks the blockers' questions of the rehearsal's databases."""

    server: PrivateServer
    catalog: Catalog
    databases: tuple[LoadedDatabase, ...]

    def before(self, blockers: Iterable[Blocker]) -> tuple[Trouble, ...]:
        """Return the conditions that do not hold, before a release's code is run."""
        found = (Trouble(blocker, self._count(blocker, blocker.query)) for blocker in blockers)
        return tuple(trouble for trouble in found if trouble.rows)

    def after(self, blockers: Iterable[Blocker]) -> tuple[Trouble, ...]:
        """Return what a release's code has damaged, where that can be seen afterwards."""
        found = (Trouble(blocker, self._count(blocker, blocker.after), after=True) for blocker in blockers)
        return tuple(trouble for trouble in found if trouble.rows)

    def _count(self, blocker: Blocker, query: str | None) -> int:
        """Return the offending rows of all databases that have the blocker's schema: cell0's is nova's."""
        schema = schema_of(self.catalog, blocker.database)
        names = [one.name for one in self.databases if schema_of(self.catalog, one.known_as) == schema]
        asked = self._complete(query or "")
        return sum(self._offending(name, asked) for name in names) if asked else 0

    def _complete(self, query: str) -> str:
        """Put in the names of other databases; return nothing where one of them is not here."""
        names = {one.known_as: one.name for one in self.databases}
        for wanted in re.findall(r"{(\w+)}", query):
            if wanted not in names:
                return ""
            query = query.replace(f"{{{wanted}}}", f"`{names[wanted]}`")
        return query

    def _offending(self, name: str, query: str) -> int:
        try:
            rows = self.server.query(f"USE `{name}`; {query}")
        except SkipstoneError as error:
            if not ABSENT.search(error.evidence):
                raise
            return 0
        return int(rows[0][0]) if rows and rows[0][0] != "NULL" else 0
