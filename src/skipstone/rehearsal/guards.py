"""Looks for data that a release's code would refuse, break on, or damage: the catalog's blockers, counted."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from skipstone.catalog import Catalog
from skipstone.catalog.service import Blocker, Effect
from skipstone.errors import SkipstoneError
from skipstone.rehearsal.databases import LoadedDatabase, schema_of
from skipstone.rehearsal.server import PrivateServer, absence


@dataclass(frozen=True)
class Trouble:
    """Rows that a release's code would refuse, break on or damage; or that it has damaged (``after``).

    ``mended`` ones are no trouble any more, on the copies.
    """

    blocker: Blocker
    rows: int
    after: bool = False
    mended: bool = False

    @property
    def stops(self) -> bool:
        """Whether its service must not be carried on."""
        return self.blocker.effect is not Effect.STUMBLES and not self.mended


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

    def mend(self, troubles: Iterable[Trouble]) -> Iterator[Trouble]:
        """Mend the copies where the catalog knows how; yield what was mended, and what is left of it."""
        for trouble in troubles:
            left = self._mend(trouble)
            if left < trouble.rows:
                yield replace(trouble, rows=trouble.rows - left, mended=True)
            if left:
                yield replace(trouble, rows=left)

    def after(self, blockers: Iterable[Blocker]) -> tuple[Trouble, ...]:
        """Return what a release's code has damaged, where that can be seen afterwards."""
        found = (Trouble(blocker, self._count(blocker, blocker.after), after=True) for blocker in blockers)
        return tuple(trouble for trouble in found if trouble.rows)

    def _mend(self, trouble: Trouble) -> int:
        """Return the offending rows that are left."""
        blocker = trouble.blocker
        if not blocker.mend:
            return trouble.rows
        for name in self._holding(blocker):
            self.server.query(f"USE `{name}`; {blocker.mend}")
        return self._count(blocker, blocker.query)

    def _count(self, blocker: Blocker, query: str | None) -> int:
        """Return the offending rows of all databases that a blocker is about."""
        asked = self._complete(query or "")
        return sum(self._offending(name, asked) for name in self._holding(blocker)) if asked else 0

    def _holding(self, blocker: Blocker) -> list[str]:
        """Return the databases that have the blocker's schema: cell0's is nova's."""
        schema = schema_of(self.catalog, blocker.database)
        return [one.name for one in self.databases if schema_of(self.catalog, one.known_as) == schema]

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
            if absence(error) is None:
                raise
            return 0
        return int(rows[0][0]) if rows and rows[0][0] != "NULL" else 0
