"""Allocations that belong to nothing: listed before the upgrade, compared at its end."""

from collections.abc import Iterator

from skipstone.catalog.service import Purpose, Service
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.steps.allocations import AuditAllocations, NoteAllocations


def note_allocations(layout: Layout) -> tuple[NoteAllocations, ...]:
    """Return the step that lists them before, where nova can at both ends."""
    return tuple(
        NoteAllocations(
            id="prepare.allocations",
            title="List the allocations that belong to no instance",
            host=layout.home(service).name,
            deadline=600,
            estimate=6,
            user=service.user,
            command=before,
            directory=_directory(layout),
        )
        for service, before, _ in _audits(layout)
    )


def audit_allocations(layout: Layout, needs: tuple[str, ...]) -> tuple[AuditAllocations, ...]:
    """Return the step that compares, where they were listed."""
    return tuple(
        AuditAllocations(
            id="finish.allocations",
            title="See that no allocation has come that belongs to no instance",
            host=layout.home(service).name,
            needs=needs,
            deadline=600,
            estimate=6,
            user=service.user,
            command=after,
            directory=_directory(layout),
        )
        for service, _, after in _audits(layout)
    )


def _audits(layout: Layout) -> Iterator[tuple[Service, str, str]]:
    """Yield a service whose tools find them, with its command before the upgrade and after."""
    for service in layout.services:
        before = layout.commands(service, Purpose.AUDIT, layout.source)
        for pair in zip(before, layout.commands(service, Purpose.AUDIT), strict=False):
            yield service, *pair


def _directory(layout: Layout) -> str:
    return f"{layout.directory}/allocations"
