"""How a service's API is started on a copy of its databases, and what it must answer then, as data."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from skipstone.catalog.entry import Entry
from skipstone.catalog.release import Release, Span

Kebab = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]


class Application(Span):
    """The WSGI application of an API: what a ``module`` calls ``application``, or what a ``script`` does."""

    module: str | None = None
    script: str | None = None
    evidence: str

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.module is None) is (self.script is None):
            raise ValueError("an application is a module or a script")
        return self


class Engine(Entry):
    """What answers the RPC of an API that reads no database itself; it lives in the API's process here.

    ``messaging`` is the module that holds the API's TRANSPORT, ``endpoint`` is ``module:class``.
    """

    messaging: str
    endpoint: str
    topic: str
    evidence: str


class Serving(Entry):
    """How an API is started.

    ``type`` is openstacksdk's word for it, ``endpoint`` what clients put behind its address. ``paste`` is
    where its pipeline is, below the prefix of an installation. ``options`` are ``section/option``; in their
    values, ``{directory}`` is that of its configuration and ``{NAME}`` the address of another service's API.
    ``logins`` are sections of its options with which it logs in to ask other services itself. ``policy`` are
    rules that let one account see everybody's.
    """

    type: str
    endpoint: str = ""
    applications: tuple[Application, ...]
    paste: str | None = None
    options: dict[str, str] = Field(default_factory=dict)
    logins: tuple[str, ...] = ()
    policy: dict[str, str] = Field(default_factory=dict)
    engine: Engine | None = None

    def application(self, release: Release) -> Application | None:
        """Return the application of a release, or None where none is known."""
        return next((one for one in self.applications if one.covers(release)), None)


class Question(Entry):
    """How all of a kind are asked for.

    ``list`` leads to them in the answer: names joined by dots; ``<name>`` goes into each value of an object
    and keeps its key as a field. ``each`` is another kind whose rows' key fills ``{key}`` in the paths and is
    kept as the field ``parent``. ``paged`` answers come in pages, by marker and in the order of the key.
    """

    paths: tuple[str, ...]
    list: str
    each: str | None = None
    microversion: str | None = None
    paged: bool = False


class Resource(Entry):
    """One kind of what users see: where an old database holds it, and where the new API answers it.

    ``rows`` is what follows FROM, in each database that the catalog calls one of ``databases``. ``fields``
    maps places in the API's row (names joined by dots, ``*`` for each one, ``|`` for or) to SQL expressions:
    what must be the same before and after. ``key`` are the fields that tell rows apart. ``needs`` are other
    services whose APIs take part in the answer.
    """

    name: str
    databases: tuple[str, ...]
    rows: str
    key: tuple[str, ...] = ("id",)
    fields: dict[str, str]
    asked: Question
    needs: tuple[str, ...] = ()
    evidence: str

    @model_validator(mode="after")
    def _key_is_known(self) -> Self:
        if unknown := set(self.key) - set(self.fields):
            raise ValueError(f"the key is made of fields: {', '.join(sorted(unknown))}")
        return self


class Difference(StrEnum):
    """How what is afterwards differs from what was before."""

    MISSING = "missing"
    ADDED = "added"
    CHANGED = "changed"


class Change(Span):
    """A difference that the code of some releases makes, and why.

    ``tables`` of ``databases`` have other rows afterwards; rows of ``resource`` differ for an API's user, in
    these ``fields`` where they are CHANGED.
    """

    id: Kebab
    difference: Difference
    databases: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    resource: str | None = None
    fields: tuple[str, ...] = ()
    because: str
    evidence: str
