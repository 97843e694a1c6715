"""Of which release databases are, and where they stand when they are of none: an unfinished upgrade."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from skipstone.catalog import Catalog, Release
from skipstone.errors import InputError
from skipstone.rehearsal.databases import LoadedDatabase, release_of, schema_of

LEGACY = "migrate:"
"""What precedes sqlalchemy-migrate's numbers among heads: unlike alembic's revisions, they tell an order."""


def source_of(
    catalog: Catalog, dumps: Path, databases: tuple[LoadedDatabase, ...], wished: Release | None
) -> Release:
    """Return the release that the schemas are of, the newest possible where none is ``wished``.

    Raise InputError where the operator wishes another, where they are not of one release, or where a
    database is missing that the release's commands ask for.
    """
    possible = release_of(catalog, databases)
    if not possible:
        raise InputError(
            "the databases are not all of one release",
            where=str(dumps),
            evidence="\n".join(_standing(catalog, one) for one in databases),
            remedy="either an upgrade was not finished: finish it with the code it was begun with, or restore"
            " what was backed up before it; or they were not dumped at the same time: dump all of them anew",
        )
    if wished is not None and wished not in possible:
        raise InputError(
            f"these databases are not of {wished.title}, but of {_titles(possible)}",
            where=str(dumps),
            evidence="\n".join(_standing(catalog, one) for one in databases),
            remedy=f"leave out --from, or give --from {possible[-1].codename}",
        )
    source = wished or possible[-1]
    _expect_complete(catalog, source, dumps, databases)
    return source


def _expect_complete(
    catalog: Catalog, source: Release, dumps: Path, databases: tuple[LoadedDatabase, ...]
) -> None:
    """Raise InputError where a service has some of its databases here, and others not."""
    here = {one.known_as for one in databases}
    for service in catalog.in_order({one.service for one in databases}):
        heads = source.services[service.name].schema_.heads
        for database in service.databases:
            if database.connection and database.schema_ in heads and database.name not in here:
                found = ", ".join(one.name for one in databases if one.service == service.name)
                raise InputError(
                    f"{service.name}'s database {database.name} is not among the dumps",
                    where=str(dumps),
                    evidence=f"of {service.name} there is {found}",
                    remedy=f"dump it, too: its name is in [{database.connection.replace('/', '] ')}"
                    f" of {service.config_files[0]}; or take {service.name}'s other dumps away",
                )


def _standing(catalog: Catalog, one: LoadedDatabase) -> str:
    schema = schema_of(catalog, one.known_as)
    found = catalog.releases_at(schema, one.heads)
    heads = ", ".join(one.heads) or "no version table"
    return f"{one.name}: {heads}: {_titles(found)}" + ("" if found else _nearest(catalog, schema, one.heads))


def _titles(found: Iterable[Release]) -> str:
    return " or ".join(release.title for release in found) or "no release's final schema"


def _nearest(catalog: Catalog, schema: str, heads: tuple[str, ...]) -> str:
    """Return what is known of the place of heads that are no release's."""
    if len(heads) == 1 and heads[0].startswith(LEGACY):
        return _between(catalog, schema, int(heads[0].removeprefix(LEGACY)))
    known = [
        f"{head} is of {_titles(of)}" for head in heads if (of := tuple(_with_head(catalog, schema, head)))
    ]
    strange = [head for head in heads if not any(_with_head(catalog, schema, head))]
    if strange:
        newest = catalog.releases[-1].title
        known.append(
            f"{', '.join(strange)} lies between two releases, or beyond {newest}: a script of that name is"
            " in the service's code, and the first release that has it tells"
        )
    return f" ({'; '.join(known)})" if heads else ""


def _between(catalog: Catalog, schema: str, number: int) -> str:
    ends = list(_legacy_ends(catalog, schema))
    older = [(release, end) for release, end in ends if end < number]
    newer = [(release, end) for release, end in ends if end > number]
    after = f"after {older[-1][0].title} (script {older[-1][1]})" if older else "before the catalog's first"
    before = (
        f"{newer[0][1] - number} scripts before {newer[0][0].title} (script {newer[0][1]})"
        if newer
        else f"beyond the last script of all releases ({ends[-1][1]})"
        if ends
        else "a number that no release has"
    )
    return f" ({after}, {before})"


def _legacy_ends(catalog: Catalog, schema: str) -> Iterator[tuple[Release, int]]:
    for release in catalog.releases:
        for entry in release.services.values():
            for head in entry.schema_.heads.get(schema, ()):
                if head.startswith(LEGACY):
                    yield release, int(head.removeprefix(LEGACY))


def _with_head(catalog: Catalog, schema: str, head: str) -> Iterator[Release]:
    for release in catalog.releases:
        for entry in release.services.values():
            if head in entry.schema_.heads.get(schema, ()):
                yield release
