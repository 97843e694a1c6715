"""What a RabbitMQ node is: version, feature flags, names of users and virtual hosts. No argument."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from skipstone.cloud.scripts.reading import Answer, run

QUESTIONS = ("status", "list_feature_flags", "list_users", "list_vhosts")


def rabbitmqctl(question: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return rabbitmqctl's JSON answer; its standard input is empty, for it would read a script's."""
    return json.loads(run("rabbitmqctl", "--quiet", "--formatter", "json", question, timeout=60))


def main() -> None:
    """Answer everything about this node; each question starts an Erlang machine, so all at once."""
    answer = Answer()
    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        asked = {question: pool.submit(rabbitmqctl, question) for question in QUESTIONS}
    status = answer.attempt("whether RabbitMQ runs", asked["status"].result)
    if status is not None:
        answer.ask("version", lambda: status["rabbitmq_version"])
        answer.ask(
            "feature_flags", lambda: {f["name"]: f["state"] for f in asked["list_feature_flags"].result()}
        )
        answer.ask("users", lambda: sorted(user["user"] for user in asked["list_users"].result()))
        answer.ask("vhosts", lambda: sorted(vhost["name"] for vhost in asked["list_vhosts"].result()))
    answer.write()


if __name__ == "__main__":
    main()
