"""What a room needs, looked at one by one: each finding says what is wrong and what to do."""

import os
import queue
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from edge import models
from edge.brokers import broker
from edge.config import ConfigError, RoomConfig, load_policy, read_secret
from edge.config_schema import BrokerSection
from edge.decide.policy_text import PolicyError, parse
from edge.doctor_broker import broker_devices
from edge.doctor_devices import devices
from edge.findings import Finding
from edge.perception.errors import PerceptionError
from edge.perception.tflite import read_checked
from edge.plugins.errors import PluginError
from edge.plugins.install import load_plugins
from edge.process.dav import Dav, DavAccount, DavError
from edge.process.link import Link
from edge.signals.clock import MARKER, RTC, kernel_synchronised
from edge.signals.keeper import SourceError
from edge.signals.sound import open_input
from edge.signals.video import Video, without_password

ANSWER_S = 3.0
FREE_BYTES = 200 * 1024 * 1024


def examine(config: RoomConfig) -> tuple[Finding, ...]:
    """Return every finding, in the order of CHECKS; takes about as long as the slowest check."""
    with ThreadPoolExecutor(len(CHECKS), thread_name_prefix="doctor") as pool:
        running = [(check, pool.submit(_all, check, config)) for check in CHECKS]
        return tuple(finding for check, future in running for finding in _results(check, future))


def _all(check: "Check", config: RoomConfig) -> list[Finding]:
    return list(check(config))


def _results(check: "Check", future: Future[list[Finding]]) -> list[Finding]:
    """A library's surprise is a finding too, and must not hide the others."""
    error = future.exception()
    if error is None:
        return future.result()
    name = check.__name__
    return [Finding(name, False, f"the check itself failed: {error!r}", "report this")]


def camera(config: RoomConfig) -> Iterator[Finding]:
    """The camera opens and gives a picture."""
    device = config.camera.device
    if not device:
        yield Finding("camera", True, "none configured")
        return
    try:
        with Video(device) as video:
            shape = video.picture().shape if video.next() else None
    except SourceError as error:
        advice = "name another device in [camera], or allow access (group video)"
        yield Finding("camera", False, str(error), advice)
        return
    if shape is None:
        yield Finding("camera", False, f"{without_password(device)} holds no picture", "replace it")
    else:
        size = f"{shape[1]} x {shape[0]}"
        yield Finding("camera", True, f"{without_password(device)} gives {size} pictures")


def microphone(config: RoomConfig) -> Iterator[Finding]:
    """The audio input opens and gives sound."""
    device = config.microphone.device
    if not device:
        yield Finding("microphone", True, "none configured")
        return
    heard = threading.Event()
    try:
        source = open_input(device, lambda _block: heard.set(), False)
    except SourceError as error:
        advice = "name another device in [microphone], or allow access (group audio)"
        yield Finding("microphone", False, str(error), advice)
        return
    try:
        sounds = heard.wait(ANSWER_S)
    finally:
        source.close()
    detail = f"{device} gives {source.rate} samples/s" if sounds else f"{device} stays silent"
    yield Finding("microphone", sounds, detail, "" if sounds else "is another program using it?")


def brokers(config: RoomConfig) -> Iterator[Finding]:
    """Both brokers accept this room as it will come: MQTT 5, its name, its certificate."""
    yield _broker("broker", config.broker)
    yield _broker("site", config.site)


def _broker(name: str, section: BrokerSection) -> Finding:
    where = f"{section.host}:{section.port}"
    title = f"{name} ({where})"
    try:
        socket.create_connection((section.host, section.port), ANSWER_S).close()
    except OSError as error:
        advice = f"start a broker there, or correct host and port in [{name}]"
        return Finding(title, False, f"cannot be reached: {error}", advice)
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    link = Link(
        f"doctor-{name}-{os.getpid()}",
        broker(section),
        on_health=lambda health, reason: said.put(f"{health} {reason}".strip()),
    )
    link.start()
    try:
        answer = said.get(timeout=ANSWER_S)
    except queue.Empty:
        answer = "no answer"
    finally:
        link.stop()
    if answer == "ok":
        return Finding(title, True, "accepts this room")
    advice = f"check username, password_file, ca, cert and key in [{name}]"
    return Finding(title, False, f"refuses this room: {answer}", advice)


def calendar(config: RoomConfig) -> Iterator[Finding]:
    """The calendar answers and accepts user and password."""
    section = config.calendar
    account = DavAccount(section.url, section.username, read_secret(section.password_file))
    try:
        dav = Dav(account, timeout_s=ANSWER_S)
        try:
            count = len(dav.entries())
        finally:
            dav.close()
    except DavError as error:
        advice = "check [calendar]: the url of the calendar itself, username, password_file"
        yield Finding("calendar", False, str(error), advice)
        return
    yield Finding("calendar", True, f"answers, holds {count} events")


def clock(config: RoomConfig) -> Iterator[Finding]:
    """Something vouches for the wall clock: network time, a clock chip, or the installer."""
    if MARKER.exists() or kernel_synchronised():
        yield Finding("clock", True, "set by network time")
    elif RTC.exists():
        yield Finding("clock", True, "kept by a clock chip; no network time")
    elif config.clock.always_trust:
        yield Finding("clock", True, "trusted by [clock] always_trust")
    else:
        advice = "run: timedatectl set-ntp true; in a container set [clock] always_trust = true"
        yield Finding("clock", False, "neither network time nor a clock chip", advice)


def model_files(config: RoomConfig) -> Iterator[Finding]:
    """Every model is the file that was vouched for."""
    shipped = sorted(Path(models.__file__).parent.glob("*.tflite"))
    own = [Path(path) for path in (config.models.people, config.models.occupancy) if path]
    for path in (*shipped, *own):
        try:
            size = len(read_checked(path))
        except PerceptionError as error:
            advice = "install it again, or correct [models]"
            yield Finding(f"model {path.stem}", False, str(error), advice)
        else:
            yield Finding(f"model {path.stem}", True, f"{size} bytes, checksum as listed")


def disk(config: RoomConfig) -> Iterator[Finding]:
    """The journal can be written and has room."""
    path = Path(config.journal.path)
    folder = path.parent
    if not folder.is_dir():
        yield Finding("disk", False, f"{folder} does not exist", f"run: mkdir -p {folder}")
        return
    target = path if path.exists() else folder
    if not os.access(target, os.W_OK):
        yield Finding("disk", False, f"{target} cannot be written", "give it to this user: chown")
        return
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        detail = f"{free // 1024**2} MB free in {folder}"
        yield Finding("disk", False, detail, f"free {FREE_BYTES // 1024**2} MB there")
        return
    yield Finding("disk", True, f"{free // 1024**2} MB free for {path.name}")


def plugins(config: RoomConfig) -> Iterator[Finding]:
    """Every enabled plugin is signed by a known key, whole, and takes its settings."""
    section = config.plugins
    for name in section.enabled:
        try:
            (found,) = load_plugins(
                Path(section.folder), Path(section.keys), [name], section.settings
            )
        except PluginError as error:
            advice = "install it again, or take it out of [plugins] enabled"
            yield Finding(f"plugin {name}", False, str(error), advice)
        else:
            detail = f"{found.manifest.version}, signed by {found.signer}"
            yield Finding(f"plugin {name}", True, detail)


def policy(config: RoomConfig) -> Iterator[Finding]:
    """The policy can be read, and every rule of it has a name; otherwise people are denied."""
    path = Path(config.policy.file)
    try:
        count = len(parse(load_policy(path)).effects)
    except (ConfigError, PolicyError) as error:
        advice = "run: roomkeeper-edge policy check; until then only schedule and safety act"
        yield Finding("policy", False, f"{path.name}: {error}", advice)
    else:
        yield Finding("policy", True, f"{path.name}: {count} rules, each with a name")


Check = Callable[[RoomConfig], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    camera, microphone, brokers, calendar, clock, model_files, disk, plugins, devices,
    broker_devices, policy,
)  # fmt: skip
