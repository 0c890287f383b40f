"""One BACnet/IP stack for all devices of a room: bacpypes3 on an event loop of its own."""

import asyncio
import concurrent.futures
import logging
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from bacpypes3.apdu import AbortPDU, AbortReason, ErrorPDU, ErrorRejectAbortNack
from bacpypes3.ipv4.app import NormalApplication
from bacpypes3.local.device import DeviceObject
from bacpypes3.pdu import Address, IPv4Address
from bacpypes3.primitivedata import Null, ObjectIdentifier

from edge.actuators.bacnet.points import Point
from edge.actuators.errors import ActuatorError, DeviceLostError, DeviceRefusedError

log = structlog.get_logger()
# A malformed packet costs itself; anybody in the network could fill the disk with its traceback.
logging.getLogger("bacpypes3").setLevel(logging.CRITICAL)
T = TypeVar("T")

PORT = 47808
ANSWER_S = 3.0
TRY_S = 1.0
"""An unanswered request is said again after this long, while the answer is awaited."""
SUBSCRIBED_S = 300
RENEW_S = 120.0
SILENT = (int(AbortReason.noResponse), int(AbortReason.serverTimeout), int(AbortReason.tsmTimeout))


@dataclass(frozen=True, slots=True)
class StackSettings:
    """address: the appliance's own, with prefix and port; instance: its device number."""

    address: str
    instance: int
    answer_s: float = ANSWER_S


class BacnetStack:
    """Thread `driver:bacnet`: everything that is asynchronous. Its methods block their callers.

    They raise DeviceLostError when nobody answers in time, DeviceRefusedError for a plain no.
    """

    def __init__(self, settings: StackSettings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._app: NormalApplication | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="driver:bacnet", daemon=True)

    def start(self) -> None:
        """Start the loop; the network is not touched before somebody asks."""
        self._thread.start()
        self._ready.wait(5.0)

    def stop(self) -> None:
        """End within half a second; requests under way are given up."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread.is_alive():
            self._thread.join(0.5)

    def locate(self, address: str, instance: int | None) -> Address:
        """Return a device's address as it is given, or as the device with this number tells it."""
        if instance is None:
            return Address(address)
        return self._call(lambda app: self._find(app, instance), f"device {instance}")

    def read(self, address: Address, point: Point, what: str = "present-value") -> Any:
        """Return a property of an object, as bacpypes3 decodes it."""
        target = ObjectIdentifier(point.name)

        async def ask(app: NormalApplication) -> Any:
            return await app.read_property(address, target, what)

        return self._call(ask, f"{address}")

    def write(self, address: Address, point: Point, value: float | int | None, slot: int) -> None:
        """Write the present value at a priority; None gives the slot back."""
        target = ObjectIdentifier(point.name)
        written = Null(()) if value is None else value

        async def say(app: NormalApplication) -> None:
            await app.write_property(address, target, "present-value", written, None, slot)

        self._call(say, f"{address}")

    def watch(
        self, address: Address, point: Point, changed: Callable[[], None]
    ) -> Callable[[], object]:
        """Call `changed` at each notification; return what ends it. Without COV nothing happens."""
        loop = self._running()

        watching = self._watch(address, ObjectIdentifier(point.name), changed)
        future = asyncio.run_coroutine_threadsafe(watching, loop)
        return future.cancel

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(_surprised)
        asyncio.set_event_loop(loop)
        self._loop = loop
        loop.call_soon(self._ready.set)
        try:
            loop.run_forever()
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            if self._app is not None:
                self._app.close()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None or not self._loop.is_running():
            raise DeviceLostError("BACnet has ended")
        return self._loop

    def _call(self, ask: Callable[[NormalApplication], Coroutine[Any, Any, T]], who: str) -> T:
        seconds = self._settings.answer_s

        async def bounded() -> T:
            try:
                async with asyncio.timeout(seconds):
                    return await ask(await self._application())
            except ErrorRejectAbortNack as error:
                # Not even an Exception: nothing may let it through.
                raise _no(error) from None

        loop = self._running()
        future = asyncio.run_coroutine_threadsafe(bounded(), loop)
        try:
            return future.result(seconds + 1.0)
        except (TimeoutError, concurrent.futures.TimeoutError) as error:
            future.cancel()
            text = f"{who} does not answer: check its address and that UDP {PORT} gets through"
            raise DeviceLostError(text) from error
        except concurrent.futures.CancelledError as error:
            raise DeviceLostError("BACnet has ended") from error
        except OSError as error:
            raise DeviceLostError(f"{who} cannot be reached: {error}") from error

    async def _application(self) -> NormalApplication:
        if self._app is None:
            address = IPv4Address(self._settings.address)
            _check_free(address)
            device = DeviceObject(
                objectIdentifier=("device", self._settings.instance),
                objectName=f"roomkeeper-{self._settings.instance}",
                vendorIdentifier=999,
                apduTimeout=int(TRY_S * 1000),
                numberOfApduRetries=max(0, int(self._settings.answer_s / TRY_S) - 1),
            )
            self._app = NormalApplication(device, address)
        return self._app

    async def _find(self, app: NormalApplication, instance: int) -> Address:
        found = await app.who_is(instance, instance, timeout=self._settings.answer_s)
        if not found:
            raise TimeoutError
        return found[0].pduSource

    async def _watch(
        self, address: Address, target: ObjectIdentifier, changed: Callable[[], None]
    ) -> None:
        """Subscribe anew now and then: a device that restarted has forgotten."""
        app = await self._application()
        while True:
            try:
                async with app.change_of_value(address, target, None, False, SUBSCRIBED_S) as news:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(RENEW_S):
                            while True:
                                await news.get()
                                changed()
            except ErrorRejectAbortNack as error:
                log.debug("no notifications, asked instead", object=str(target), reason=str(error))
                await asyncio.sleep(RENEW_S)


def _no(answer: ErrorRejectAbortNack) -> ActuatorError:
    """Return what an answer that is no yes means."""
    if isinstance(answer, AbortPDU) and int(answer.apduAbortRejectReason) in SILENT:
        return DeviceLostError("it does not answer any more")
    if isinstance(answer, ErrorPDU):
        return DeviceRefusedError(f"the device says: {answer}")
    return DeviceRefusedError(f"the device cannot do this: {answer}")


def _check_free(address: IPv4Address) -> None:
    """Raise DeviceLostError when the address is not ours or taken: bacpypes3 would share it."""
    host, port = address.addrTuple
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, port))
    except OSError as error:
        text = f"[bacnet] address {host}:{port} cannot be used: {error.strerror}"
        raise DeviceLostError(text) from error


def _surprised(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Malformed packets end up here: they cost themselves only."""
    log.debug("bacnet", what=context.get("message"), error=repr(context.get("exception")))
