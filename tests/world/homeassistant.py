"""A real Home Assistant on a free loopback port, with one MQTT broker, in a folder of its own.

It stands in an environment of its own (lock/homeassistant.txt), which `prepare` makes; the
configuration is as small as it takes: MQTT, automations, the HTTP interface.
"""

import base64
import hashlib
import hmac
import http.client
import json
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from tests.world.mosquitto import free_port
from tests.world.server import Server

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build/peers/homeassistant/bin/python"
STARTS_S = 90.0

CONFIG = """
homeassistant:
  name: Room
  unit_system: metric
  time_zone: UTC
  country: DE
  latitude: 0
  longitude: 0
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
logger:
  default: warning
"""

SECRET, TOKEN_ID, USER = "0" * 128, "1" * 32, "2" * 32


def prepare() -> None:
    """Install it under build/peers if it is not there; raise RuntimeError when that fails."""
    command = [str(ROOT / "tests/world/bootstrap.sh"), "homeassistant"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Home Assistant cannot be installed: {done.stderr[:3000]}")


def available() -> bool:
    """Whether `prepare` has been done on this machine."""
    return PYTHON.exists()


class HomeAssistant(Server):
    """Start and stop one; `states` and `call` use its HTTP interface as an administrator.

    broker: the MQTT broker's port on the loopback. configuration: YAML added to the least one
    (such as `automation:`). Discovery over MQTT is on, under `homeassistant/`.
    """

    name = "Home Assistant"

    def __init__(self, broker: int, configuration: str = "") -> None:
        super().__init__()
        self.port = free_port()
        text = CONFIG.format(port=self.port) + configuration
        (self.folder / "configuration.yaml").write_text(text)
        for name, version, data in _storage(broker):
            self._store(name, version, data)

    def _store(self, name: str, version: int, data: dict[str, Any]) -> None:
        storage = self.folder / ".storage"
        storage.mkdir(exist_ok=True)
        whole = {"version": version, "minor_version": 1, "key": name, "data": data}
        (storage / name).write_text(json.dumps(whole))

    def start(self) -> Self:
        """Start, and wait until it runs and its MQTT integration is loaded.

        Its subscriptions stand up to two seconds later: ask until it answers.
        """
        line = [str(PYTHON), "-m", "homeassistant", "-c", str(self.folder), "--skip-pip"]
        self._launch(line, self._runs, STARTS_S)
        return self

    def _runs(self) -> bool:
        try:
            told = self.get("/api/config")
        except (OSError, http.client.HTTPException, RuntimeError):
            return False
        return bool(told["state"] == "RUNNING" and "mqtt" in told["components"])

    def get(self, path: str) -> Any:
        """Return the JSON that GET answers; RuntimeError for any status but 200."""
        return self._request("GET", path, None)

    def state(self, entity: str) -> dict[str, Any] | None:
        """Return one entity's state object, None while there is no such entity."""
        return next((s for s in self.states() if s["entity_id"] == entity), None)

    def states(self) -> list[dict[str, Any]]:
        """Return every entity's state object."""
        found: list[dict[str, Any]] = self.get("/api/states")
        return found

    def call(self, service: str, **data: object) -> None:
        """Call a service such as `light.turn_on`."""
        self._request("POST", f"/api/services/{service.replace('.', '/', 1)}", data)

    def _request(self, method: str, path: str, data: object | None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {_token()}", "Content-Type": "application/json"}
            body = None if data is None else json.dumps(data)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"Home Assistant: {method} {path}: {answer.status} {text[:300]!r}")
        return json.loads(text)


def _storage(broker: int) -> list[tuple[str, int, dict[str, Any]]]:
    """Return what a person would have clicked together: (file, version, data)."""
    entry = {
        "entry_id": "3" * 32, "version": 1, "minor_version": 1, "domain": "mqtt",
        "title": "broker", "source": "user", "unique_id": None, "disabled_by": None,
        "pref_disable_new_entities": False, "pref_disable_polling": False, "options": {},
        "data": {
            "broker": "127.0.0.1", "port": broker, "protocol": "5",
            "discovery": True, "discovery_prefix": "homeassistant",
        },
    }  # fmt: skip
    user = {
        "id": USER, "group_ids": ["system-admin"], "is_owner": True, "is_active": True,
        "name": "owner", "system_generated": False, "local_only": False,
    }  # fmt: skip
    token = {
        "id": TOKEN_ID, "user_id": USER, "client_id": None, "client_name": "test",
        "client_icon": None, "token_type": "long_lived_access_token",
        "created_at": "2024-01-01T00:00:00+00:00", "access_token_expiration": 315360000.0,
        "token": SECRET, "jwt_key": SECRET, "last_used_at": None, "last_used_ip": None,
        "credential_id": None, "version": "2024.3.3", "expire_at": None,
    }  # fmt: skip
    group = {"id": "system-admin", "name": "Administrators"}
    auth = {"users": [user], "groups": [group], "credentials": [], "refresh_tokens": [token]}
    return [
        ("core.config_entries", 1, {"entries": [entry]}),
        ("auth", 1, auth),
        ("onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]}),
    ]


def _token() -> str:
    """Return an access token that belongs to the stored one."""

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now = int(time.time())
    header = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = {"iss": TOKEN_ID, "iat": now - 60, "exp": now + 3600}
    signed = header + b"." + part(json.dumps(claims).encode())
    signature = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + part(signature)).decode()
