"""The configuration files of the services, each in `folder`/etc."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.world.mosquitto import free_port

PARTS = ("keystone", "placement", "glance", "neutron", "nova")
DATABASES = ("keystone", "placement", "glance", "neutron", "nova", "nova_api", "nova_cell0")
REGION = "here"
HOST = "host1"

Section = Mapping[str, object]


def _ports() -> dict[str, int]:
    names = (*PARTS, "mysql", "amqp", "dist", "epmd")
    ports: dict[str, int] = {}
    while len(ports) < len(names):
        port = free_port()
        if port not in ports.values():
            ports[names[len(ports)]] = port
    return ports


@dataclass(frozen=True)
class Settings:
    """Where everything is. password: of the administrator and of the database."""

    folder: Path
    venv: Path
    password: str
    ports: Mapping[str, int] = field(default_factory=_ports)

    def url(self, part: str) -> str:
        """Return the address of a service."""
        path = {"keystone": "/v3", "nova": "/v2.1"}.get(part, "")
        return f"http://127.0.0.1:{self.ports[part]}{path}"

    def database(self, name: str) -> str:
        """Return SQLAlchemy's URL of a database."""
        where = f"127.0.0.1:{self.ports['mysql']}"
        return f"mysql+pymysql://openstack:{self.password}@{where}/{name}"

    def write(self) -> None:
        """Write the files."""
        (self.folder / "etc").mkdir(parents=True)
        files = {
            "keystone": self._keystone(),
            "placement": self._placement(),
            "glance-api": self._glance(),
            "neutron": self._neutron(),
            "nova": self._nova(),
        }
        for name, sections in files.items():
            lines = []
            for section, values in sections.items():
                lines.append(f"[{section}]")
                lines += [f"{key} = {value}" for key, value in values.items()]
            (self.folder / "etc" / f"{name}.conf").write_text("\n".join([*lines, ""]))
        # Nova alone looks for it beside its configuration, whatever that says.
        shutil.copy(self.venv / "etc/nova/api-paste.ini", self.folder / "etc")

    def _defaults(self, **more: object) -> Section:
        return {"use_stderr": True, "debug": False, **more}

    def _login(self) -> Section:
        return {
            "auth_url": self.url("keystone"),
            "auth_type": "password",
            "username": "admin",
            "password": self.password,
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": REGION,
        }

    def _door(self) -> Section:
        """Return how a service asks Keystone about tokens: what it says counts for 10 s."""
        more = {"www_authenticate_uri": self.url("keystone"), "token_cache_time": 10}
        return {**self._login(), **more, "service_token_roles_required": False}

    def _rabbit(self) -> str:
        return f"rabbit://guest:guest@127.0.0.1:{self.ports['amqp']}/"

    def _keystone(self) -> dict[str, Section]:
        keys = self.folder / "keys"
        return {
            "DEFAULT": self._defaults(),
            "database": {"connection": self.database("keystone")},
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": keys / "tokens"},
            "credential": {"key_repository": keys / "credentials"},
        }

    def _placement(self) -> dict[str, Section]:
        return {
            "DEFAULT": self._defaults(),
            "api": {"auth_strategy": "keystone"},
            "placement_database": {"connection": self.database("placement")},
            "keystone_authtoken": self._door(),
        }

    def _glance(self) -> dict[str, Section]:
        store = self.folder / "images"
        return {
            "DEFAULT": self._defaults(enabled_backends="files:file"),
            "database": {"connection": self.database("glance")},
            "glance_store": {"default_backend": "files"},
            "files": {"filesystem_store_datadir": store},
            "os_glance_staging_store": {"filesystem_store_datadir": store / "staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": store / "tasks"},
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": self.venv / "etc/glance/glance-api-paste.ini",
            },
            "keystone_authtoken": self._door(),
        }

    def _neutron(self) -> dict[str, Section]:
        state = self.folder / "neutron"
        return {
            "DEFAULT": self._defaults(
                core_plugin="ml2",
                service_plugins="",
                transport_url=self._rabbit(),
                state_path=state,
                api_paste_config=self.venv / "etc/neutron/api-paste.ini",
                notify_nova_on_port_status_changes=False,
                notify_nova_on_port_data_changes=False,
            ),
            "database": {"connection": self.database("neutron")},
            "ml2": {
                "type_drivers": "local",
                "tenant_network_types": "local",
                "mechanism_drivers": "",
            },
            "oslo_concurrency": {"lock_path": state / "lock"},
            "keystone_authtoken": self._door(),
        }

    def _nova(self) -> dict[str, Section]:
        state = self.folder / "nova"
        peers = ("placement", "neutron", "glance", "service_user", "cinder")
        return {
            "DEFAULT": self._defaults(
                host=HOST,
                my_ip="127.0.0.1",
                state_path=state,
                transport_url=self._rabbit(),
                compute_driver="fake.FakeDriver",
                enabled_apis="osapi_compute",
                vif_plugging_is_fatal=False,
                vif_plugging_timeout=0,
                reclaim_instance_interval=0,
                report_interval=2,
                service_down_time=30,
            ),
            "api_database": {"connection": self.database("nova_api")},
            "database": {"connection": self.database("nova")},
            "vnc": {"enabled": False},
            "scheduler": {"discover_hosts_in_cells_interval": 5, "workers": 1},
            "conductor": {"workers": 1},
            "oslo_concurrency": {"lock_path": state / "lock"},
            "keystone_authtoken": self._door(),
            **{peer: self._login() for peer in peers},
        }
