"""A small cloud of one process: the seven APIs with what the probes touch, and switches to break them."""

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from aiohttp import web
from aiohttp.typedefs import Handler

PATHS = {
    "identity": "identity/v3",
    "image": "image",
    "placement": "placement",
    "compute": "compute/v2.1",
    "network": "network",
    "volumev3": "volume/v3/" + "p" * 32,
    "orchestration": "orchestration/v1/" + "p" * 32,
}
PROJECT, USER, PASSWORD = "p" * 32, "u" * 32, "secret"


class FakeCloud:
    """``broken`` maps a service to a status that it answers, or to None where it answers nothing.

    ``lists`` are further answers by path and query, for who only reads.
    """

    def __init__(self) -> None:
        self.url = ""
        self.broken: dict[str, int | None] = {}
        self.tokens: list[str] = []
        self.rejected: set[str] = set()
        self.token_life = 3600.0
        self.projects: dict[str, dict[str, str]] = {}
        self.images: dict[str, dict[str, str]] = {}
        self.traits: set[str] = set()
        self.keypairs: set[str] = set()
        self.quotas: dict[str, dict[str, int]] = {}
        self.configs: dict[str, str] = {}
        self.seen: list[tuple[str, str, str]] = []
        self.lists: dict[str, dict[str, object]] = {}
        self.boot = "0f3c7a1e-boot-one"
        self.booted = datetime.now(UTC)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._switch])
        for method, path, handler in self._routes():
            app.router.add_route(method, path, handler)
        return app

    def _routes(self) -> tuple[tuple[str, str, Handler], ...]:
        return (
            ("GET", "/", self._guest),
            ("GET", "/identity/v3", self._discovery),
            ("GET", "/identity/", self._discovery),
            ("POST", "/identity/v3/auth/tokens", self._login),
            ("GET", "/identity/v3/projects", self._list_projects),
            ("POST", "/identity/v3/projects", self._make_project),
            ("PATCH", "/identity/v3/projects/{id}", self._patch_project),
            ("DELETE", "/identity/v3/projects/{id}", self._delete_project),
            ("GET", "/image/v2/images", self._list_images),
            ("POST", "/image/v2/images", self._make_image),
            ("PATCH", "/image/v2/images/{id}", self._patch_image),
            ("DELETE", "/image/v2/images/{id}", self._delete_image),
            ("GET", "/placement/resource_providers", self._empty("resource_providers")),
            ("PUT", "/placement/traits/{name}", self._put_trait),
            ("DELETE", "/placement/traits/{name}", self._delete_trait),
            ("GET", "/compute/v2.1/servers", self._empty("servers")),
            ("POST", "/compute/v2.1/os-keypairs", self._make_keypair),
            ("DELETE", "/compute/v2.1/os-keypairs/{name}", self._delete_keypair),
            ("GET", "/network/v2.0/networks", self._empty("networks")),
            ("PUT", "/network/v2.0/quotas/{id}", self._put_quota),
            ("DELETE", "/network/v2.0/quotas/{id}", self._delete_quota),
            ("GET", "/volume/v3/{project}/volumes", self._empty("volumes")),
            ("PUT", "/volume/v3/{project}/os-quota-sets/{id}", self._put_quota),
            ("DELETE", "/volume/v3/{project}/os-quota-sets/{id}", self._delete_quota),
            ("GET", "/orchestration/v1/{project}/stacks", self._empty("stacks")),
            ("GET", "/orchestration/v1/{project}/software_configs", self._list_configs),
            ("GET", "/{service}/{tail:.*}", self._look_up),
            ("POST", "/orchestration/v1/{project}/software_configs", self._make_config),
            ("DELETE", "/orchestration/v1/{project}/software_configs/{id}", self._delete_config),
        )

    @web.middleware
    async def _switch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        service = request.path.split("/")[1]
        if service in self.broken:
            status = self.broken[service]
            if status is None:
                await asyncio.sleep(60)
            return web.Response(status=status or 500)
        token = request.headers.get("X-Auth-Token")
        if service and token is not None:
            self.seen.append((service, request.method, request.path))
            if token in self.rejected or token not in self.tokens:
                return web.Response(status=401)
        return await handler(request)

    @property
    def left(self) -> int:
        """How many things of the probes there are."""
        things = (self.projects, self.images, self.traits, self.keypairs, self.quotas, self.configs)
        return sum(len(thing) for thing in things)

    async def _guest(self, request: web.Request) -> web.Response:
        del request
        up = (datetime.now(UTC) - self.booted).total_seconds()
        return web.Response(text=f"boot={self.boot} tick=1 up={up:.2f}\n")

    async def _discovery(self, request: web.Request) -> web.Response:
        del request
        link = {"rel": "self", "href": f"{self.url}/identity/v3"}
        return web.json_response({"version": {"id": "v3.14", "status": "stable", "links": [link]}})

    async def _login(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            return web.json_response({"error": {"code": 401, "message": "no", "title": "no"}}, status=401)
        token = uuid.uuid4().hex
        self.tokens.append(token)
        now = datetime.now(UTC)
        times = {
            "issued_at": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "expires_at": (now + timedelta(seconds=self.token_life)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        domain = {"id": "default", "name": "Default"}
        facts = {
            "methods": ["password"],
            "user": {"id": USER, "name": "admin", "domain": domain},
            "project": {"id": PROJECT, "name": "admin", "domain": domain},
            "roles": [{"id": "r", "name": "admin"}],
            "catalog": [self._entry(kind, path) for kind, path in PATHS.items()],
        }
        return web.json_response({"token": facts | times}, status=201, headers={"X-Subject-Token": token})

    def _entry(self, kind: str, path: str) -> dict[str, object]:
        point = {"interface": "public", "region": "one", "region_id": "one", "id": kind}
        return {"type": kind, "name": kind, "endpoints": [point | {"url": f"{self.url}/{path}"}]}

    async def _look_up(self, request: web.Request) -> web.Response:
        found = self.lists.get(request.path_qs.replace(PROJECT, "PROJECT"))
        return web.Response(status=404) if found is None else web.json_response(found)

    async def _list_projects(self, request: web.Request) -> web.Response:
        assert request.query.get("domain_id", "default") == "default"
        name = request.query.get("name")
        found = [one for one in self.projects.values() if name in {None, one["name"]}]
        return web.json_response({"projects": found})

    async def _make_project(self, request: web.Request) -> web.Response:
        project = (await request.json())["project"] | {"id": uuid.uuid4().hex}
        self.projects[project["id"]] = project
        return web.json_response({"project": project}, status=201)

    async def _patch_project(self, request: web.Request) -> web.Response:
        project = self.projects.get(request.match_info["id"])
        if project is None:
            return web.Response(status=404)
        project |= (await request.json())["project"]
        return web.json_response({"project": project})

    async def _delete_project(self, request: web.Request) -> web.Response:
        return self._gone(self.projects.pop(request.match_info["id"], None))

    async def _list_images(self, request: web.Request) -> web.Response:
        name = request.query.get("name")
        return web.json_response(
            {"images": [one for one in self.images.values() if name in {None, one["name"]}]}
        )

    async def _make_image(self, request: web.Request) -> web.Response:
        image = await request.json() | {"id": uuid.uuid4().hex, "status": "queued"}
        self.images[image["id"]] = image
        return web.json_response(image, status=201)

    async def _patch_image(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/openstack-images-v2.1-json-patch"
        image = self.images.get(request.match_info["id"])
        if image is None:
            return web.Response(status=404)
        for change in json.loads(await request.read()):
            image[change["path"].strip("/")] = change["value"]
        return web.json_response(image)

    async def _delete_image(self, request: web.Request) -> web.Response:
        return self._gone(self.images.pop(request.match_info["id"], None))

    async def _put_trait(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        status = 204 if name in self.traits else 201
        self.traits.add(name)
        return web.Response(status=status)

    async def _delete_trait(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        status = 204 if name in self.traits else 404
        self.traits.discard(name)
        return web.Response(status=status)

    async def _make_keypair(self, request: web.Request) -> web.Response:
        keypair = (await request.json())["keypair"]
        if keypair["name"] in self.keypairs:
            return web.Response(status=409)
        self.keypairs.add(keypair["name"])
        return web.json_response({"keypair": keypair})

    async def _delete_keypair(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        status = 202 if name in self.keypairs else 404
        self.keypairs.discard(name)
        return web.Response(status=status)

    async def _put_quota(self, request: web.Request) -> web.Response:
        assert request.match_info["id"] in self.projects
        body = await request.json()
        self.quotas[request.path] = next(iter(body.values()))
        return web.json_response(body)

    async def _delete_quota(self, request: web.Request) -> web.Response:
        return self._gone(self.quotas.pop(request.path, None))

    async def _list_configs(self, request: web.Request) -> web.Response:
        del request
        found = [{"id": id_, "name": name} for id_, name in self.configs.items()]
        return web.json_response({"software_configs": found})

    async def _make_config(self, request: web.Request) -> web.Response:
        config = await request.json() | {"id": uuid.uuid4().hex}
        self.configs[config["id"]] = config["name"]
        return web.json_response({"software_config": config})

    async def _delete_config(self, request: web.Request) -> web.Response:
        return self._gone(self.configs.pop(request.match_info["id"], None))

    @staticmethod
    def _gone(thing: object) -> web.Response:
        return web.Response(status=404 if thing is None else 204)

    def _empty(self, key: str) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            found = self.lists.get(request.path_qs.replace(PROJECT, "PROJECT"))
            return web.json_response({key: []} if found is None else found)

        return answer


async def _start(cloud: FakeCloud, runner: web.AppRunner) -> None:
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    assert isinstance(server, asyncio.Server)
    cloud.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@contextmanager
def served(cloud: FakeCloud) -> Iterator[FakeCloud]:
    """Serve a cloud from a thread."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(cloud.app(), handler_cancellation=True, shutdown_timeout=0.1)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(_start(cloud, runner), loop).result(10)
    try:
        yield cloud
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def clouds_file(cloud: FakeCloud, directory: Path, password: str = PASSWORD) -> Path:
    """Write a clouds.yaml for it."""
    auth = {
        "auth_url": f"{cloud.url}/identity/v3",
        "username": "admin",
        "password": password,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    path = directory / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"fake": {"auth": auth, "region_name": "one"}}}))
    return path
