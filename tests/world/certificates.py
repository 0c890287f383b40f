"""A certificate authority for one test: who it signed may connect."""

import subprocess
from pathlib import Path


def authority(folder: Path) -> Path:
    """Make an authority in `folder`; return its certificate's path."""
    _openssl(
        *("req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=test authority"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-keyout", folder / "ca.key", "-out", folder / "ca.pem"),
    )
    return folder / "ca.pem"


def signed(folder: Path, name: str) -> tuple[Path, Path]:
    """Return (certificate, key) for `name`, valid for 127.0.0.1, signed by the authority."""
    key, request = folder / f"{name}.key", folder / f"{name}.csr"
    certificate, names = folder / f"{name}.pem", folder / f"{name}.ext"
    names.write_text("subjectAltName=IP:127.0.0.1")
    _openssl(
        *("req", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    )
    _openssl(
        *("x509", "-req", "-days", "1", "-in", request, "-out", certificate, "-extfile", names),
        *("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial"),
    )
    return certificate, key


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
