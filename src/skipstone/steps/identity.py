"""Roles that a later release expects of the services' own users."""

from typing import Literal

from skipstone.cloud.command import OPERATOR, Command
from skipstone.steps.shell import quote, words
from skipstone.steps.step import Step


class GrantServiceRole(Step):
    """Create the role ``service`` and grant it to the services' users in their project.

    Neutron from 2024.1 on lets only this role bind ports (a live migration without it ends in 403), and
    2025.2's nova wants it for external events; Zed's bootstrap does not create it. Harmless before.
    ``users`` are names in ``domain``; ``create`` says that the role was not there before.
    """

    kind: Literal["grant-service-role"] = "grant-service-role"
    host: str = OPERATOR
    role: str = "service"
    project: str = "service"
    domain: str = "Default"
    users: tuple[str, ...]
    create: bool = True

    def is_done(self) -> Command:
        """Compare the users that hold it with those that should."""
        lines = "\n".join(sorted(self.users))
        return self.on_host(
            f"found=$(openstack role assignment list --names --role {quote(self.role)}"
            f" --project {quote(self.project)} --project-domain {quote(self.domain)} -f value -c User"
            f" | sed 's/@.*//' | LC_ALL=C sort -u)\n"
            f'test -z "$(printf \'%s\\n\' {quote(lines)} | grep -vxF "$found")"'
        )

    def apply(self) -> Command:
        """Create and grant in one process: each start of the client takes seconds.

        At the end of its input the client exits with 1 whatever happened, so only ``verify`` can judge.
        """
        return self.on_host(f"""
{{
    echo role create --or-show {quote(self.role)}
    for user in {words(self.users)}; do
        echo role add {quote(self.role)} --user "$user" --user-domain {quote(self.domain)} \\
            --project {quote(self.project)} --project-domain {quote(self.domain)}
    done
}} | openstack || true
""")

    def verify(self) -> Command:
        """Compare the users that hold it with those that should."""
        return self.is_done()

    def revert(self) -> Command:
        """Take the role from those who got it here, then delete it where it was created here.

        In this order: keystone (seen in Zed) goes on finding a deleted role in its holders' cached
        assignments, and answers the next token validation of each API process with 404, which users get as
        401.
        """
        delete = f"openstack role delete {quote(self.role)}" if self.create else ""
        return self.on_host(f"""
roles=$(openstack role list -f value -c Name)
printf '%s\\n' "$roles" | grep -qxF {quote(self.role)} || exit 0
{{
    for user in {words(self.users)}; do
        echo role remove {quote(self.role)} --user "$user" --user-domain {quote(self.domain)} \\
            --project {quote(self.project)} --project-domain {quote(self.domain)}
    done
}} | openstack || true
{delete}
""")
