"""A broker from its section of the configuration, with the password its file holds."""

from edge.config_schema import BrokerSection
from edge.process.link import Broker
from edge.process.toml import read_secret


def broker(section: BrokerSection) -> Broker:
    """Return where and as whom to connect; raise ConfigError when the secret cannot be read."""
    return Broker(
        host=section.host,
        port=section.port,
        username=section.username,
        password=read_secret(section.password_file),
        ca=section.ca,
        cert=section.cert,
        key=section.key,
    )
