"""The panel's web server, on a thread of its own."""

from flask import Flask

from edge.panel import PanelError
from edge.process.web import WebError
from edge.process.web.pulse import Pulse
from edge.process.web.server import WebServer


class PanelServer(WebServer):
    """Serves `app` until `stop`; `port` 0 takes a free one; raises PanelError when it cannot."""

    def __init__(self, host: str, port: int, app: Flask, pulse: Pulse, streams: int = 8) -> None:
        try:
            super().__init__("panel", host, port, app, pulse, streams)
        except WebError as error:
            raise PanelError(str(error)) from error
