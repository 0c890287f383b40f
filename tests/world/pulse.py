"""A private PulseAudio server with one room: what is played into it, PortAudio hears."""

import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.world.waiting import until

ASOUNDRC = """
pcm.!default { type pulse }
ctl.!default { type pulse }
"""
SINK = "sink_name=room rate=16000 channels=1"


class PulseServer:
    """Started and stopped as a context; `env` is for the processes that play and listen."""

    def __enter__(self) -> "PulseServer":
        self._folder = tempfile.TemporaryDirectory(prefix="room-sound-")
        root = Path(self._folder.name)
        (root / "asoundrc").write_text(f"</usr/share/alsa/alsa.conf>\n{ASOUNDRC}")
        self.socket = root / "native"
        self.env = {
            **os.environ,
            "HOME": str(root),
            "XDG_RUNTIME_DIR": str(root),
            "PULSE_RUNTIME_PATH": str(root),
            "PULSE_SERVER": f"unix:{self.socket}",
            "PULSE_STATE_PATH": str(root),
            "TMPDIR": str(root),
            "ALSA_CONFIG_PATH": str(root / "asoundrc"),
        }
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--disable-shm=yes", "--use-pid-file=no", "--log-level=error"]
        command += [f"--load=module-native-protocol-unix socket={self.socket} auth-anonymous=1"]
        command += [f"--load=module-null-sink {SINK}"]
        self.process = subprocess.Popen(
            command, env=self.env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers, what="pulseaudio answers")

    def _answers(self) -> bool:
        command = ["pactl", "set-default-source", "room.monitor"]
        return (
            subprocess.run(command, env=self.env, check=False, capture_output=True).returncode == 0
        )

    def play(self, wav: Path) -> "subprocess.Popen[bytes]":
        """Begin to play a sound file in the room."""
        return subprocess.Popen(["paplay", "-d", "room", str(wav)], env=self.env)

    def stop(self) -> None:
        """End the server."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()
