"""The packages that a host has now, kept to come back to where its operating system stays."""

from skipstone.cloud.model import Host
from skipstone.plan.strategies.in_place.layout import Layout
from skipstone.steps.packages import KeepVersions


def keep_versions(
    layout: Layout, host: Host, *, step: str, title: str, needs: tuple[str, ...] = ()
) -> tuple[KeepVersions, ...]:
    """Return the step that keeps a host's packages to come back to, where its operating system stays.

    It comes twice: while there is time, and just before the host's services stop, where it does nothing but
    look, unless packages have changed since.
    """
    if not layout.keeps_versions(host):
        return ()
    keep = KeepVersions(
        id=step,
        title=title,
        host=host.name,
        needs=needs,
        deadline=3600,
        estimate=30,
        transient=True,
        add=layout.new_packages(host),
        directory=f"{layout.directory}/apt",
        old_suite=layout.suites.old,
        new_suite=layout.suites.new,
    )
    return (keep,)


def keep_versions_still(
    layout: Layout, host: Host, *, step: str, needs: tuple[str, ...] = ()
) -> tuple[KeepVersions, ...]:
    """Return the step that looks whether what was kept is still what the host has, and keeps what is not."""
    title = f"See that the packages kept of {host.name} are still those that it has"
    return tuple(
        one.model_copy(update={"estimate": 5})
        for one in keep_versions(layout, host, step=step, title=title, needs=needs)
    )
