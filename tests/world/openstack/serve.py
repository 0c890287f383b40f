"""One web service of OpenStack on the loopback, run by its own Python: NAME PORT MODULE."""

import importlib
import sys
from pathlib import Path


def main() -> None:
    name, port, module = sys.argv[1:4]
    # The services read their own options from the command line, and find their files by its name.
    sys.argv = [str(Path(sys.executable).parent / name)]
    application = importlib.import_module(module).application
    if name == "neutron":
        import neutron.db.models.port_forwarding  # noqa: F401
        import sqlalchemy.orm

        # Its models name each other: all must be known before the first question.
        sqlalchemy.orm.configure_mappers()
    from waitress import serve

    serve(application, host="127.0.0.1", port=int(port), threads=8, ident=None)


if __name__ == "__main__":
    main()
