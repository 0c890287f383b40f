"""A machine's own things on this host, made before it and removed with it."""

from collections.abc import Sequence
from pathlib import Path

from cloud_bridge.types import Create
from cloud_bridge.vms import disks
from cloud_bridge.vms.base import VmError, VmRefusedError
from cloud_bridge.vms.disks import Checksums
from cloud_bridge.vms.files import LINE, SCREEN, Files, socket_in
from cloud_bridge.vms.image import Image, Local
from cloud_bridge.vms.seed import seed


class Maker:
    """Makes what a machine needs in its folder of `files`, out of checked images."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._checksums = Checksums()

    def check(self, template: str, image: Image) -> None:
        """Raise VmRefusedError unless the image's files are there and the right ones."""
        files = image.files()
        for path in files.values():
            if not path.is_file():
                raise VmRefusedError(
                    f"template {template!r}: {path} is missing: run `roomkeeper-cloud image`, "
                    "or put it there"
                )
        self._checksums.check(template, files, image.checksums)

    def make(self, spec: Create, token: str, port: int, image: Image) -> Local:
        """Return what the machine has of its own; raise VmError, and nothing is left then."""
        if not (image.egress or image.tells or image.disk or image.screen):
            return Local()
        folder = self._files.folder(spec.key, token)
        try:
            return self._make(folder, spec, token, (port, image.port), image)
        except (VmError, OSError) as error:
            self._files.remove(spec.key, token)
            if isinstance(error, VmError):
                raise
            raise VmError(f"machine {spec.key}: {error}") from error

    def _make(
        self, folder: Path, spec: Create, token: str, ports: Sequence[int], image: Image
    ) -> Local:
        wire = line = disk = volume = None
        if image.egress:
            wire = self._files.network(spec.key, folder, ports, image.egress)
        if image.tells:
            line = folder / LINE
        if image.disk is not None:
            disk = disks.overlay(image.disk, folder, image.disk_gib)
            volume = folder / disks.SEED
            volume.write_bytes(seed(spec, spec.key, token, image.user_data))
            # Read by QEMU, which may be somebody else; who does not know the path cannot.
            disk.chmod(0o666)
            volume.chmod(0o644)
        screen = socket_in(folder, SCREEN) if image.screen else None
        return Local(wire, line, disk, volume, screen)
