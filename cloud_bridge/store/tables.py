"""The tables. Times are wall seconds; payloads are JSON as it came or as it was told."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

metadata = MetaData()


class Text(TypeDecorator[str]):
    """A text of bounded length, cut to it and freed of NUL, which PostgreSQL refuses.

    SQLite takes both: what one database keeps, the other keeps too, and no row blocks its batch.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return what is stored."""
        return None if value is None else value.replace("\0", "")[: self._length]


ROOM = Text(128)
KEY = Text(64)
NUMBER = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "events",
    metadata,
    Column("room", ROOM, primary_key=True),
    Column("journal", Text(64), primary_key=True),
    Column("sequence", NUMBER, primary_key=True, autoincrement=False),
    Column("id", Text(256), nullable=False),
    Column("type", Text(128), nullable=False),
    Column("received", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

rooms = Table(
    "rooms",
    metadata,
    Column("room", ROOM, primary_key=True),
    # Of the journal that the room writes now; `journals` knows all of them.
    Column("stored", NUMBER, nullable=False, default=0),
    Column("online", Boolean, nullable=False, default=False),
    Column("seen", Float, nullable=False, default=0.0),
    Column("version", Text(64), nullable=False, default=""),
)

journals = Table(
    "journals",
    metadata,
    Column("room", ROOM, primary_key=True),
    Column("journal", Text(64), primary_key=True),
    # Every row up to here is stored; later ones may be, behind a gap.
    Column("stored", NUMBER, nullable=False, default=0),
    Column("heard", Float, nullable=False, default=0.0),
)

wanted = Table(
    "wanted",
    metadata,
    Column("room", ROOM, primary_key=True),
    Column("version", NUMBER, nullable=False),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("topic", Text(512), nullable=False),
    Column("reason", Text(512), nullable=False),
    Column("at", Float, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("given_up", Boolean, nullable=False),
    Column("reason", Text(512), nullable=False),
)

# Templates whose last machine failed, until one answers.
pools = Table(
    "pools",
    metadata,
    Column("template", Text(128), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("reason", Text(512), nullable=False),
)

# Questions to a person about costly machines, and the answers, which are kept to be looked up.
approvals = Table(
    "approvals",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("state", Text(16), nullable=False),
    Column("deadline", Float, nullable=False),
    Column("meeting", Text(1024), nullable=False),
    Column("template", Text(128), nullable=False),
    Column("cost", Float, nullable=False),
    Column("asked", Float, nullable=False),
    Column("answered", Float, nullable=False, default=0.0),
    Column("who", Text(64), nullable=False, default=""),
    Column("reason", Text(512), nullable=False, default=""),
)

# Seconds from the request for a machine to its answer, or to giving up on one.
boots = Table(
    "boots",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("template", Text(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
)

# When a key was first wanted: who came first is admitted first.
heard = Table(
    "heard",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("at", Float, nullable=False),
)

intended = Table(
    "intended",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("at", Float, nullable=False),
    Column("begun", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("owner", Text(128), nullable=False),
    Column("until", Float, nullable=False),
)

# When a machine was first seen in each phase: what is left once its report is gone.
steps = Table(
    "steps",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("phase", Text(16), primary_key=True),
    Column("room", ROOM, primary_key=True),
    Column("meeting", Text(1024), nullable=False),
    Column("template", Text(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("detail", Text(512), nullable=False),
)

# What the rows of a room up to `sequence` add up to.
live = Table(
    "live",
    metadata,
    Column("room", ROOM, primary_key=True),
    Column("sequence", NUMBER, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", Text(64), primary_key=True),
    Column("password", Text(256), nullable=False),
    Column("role", Text(16), nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("changed", Float, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    # The SHA-256 of what the browser holds: the file alone opens nothing.
    Column("digest", Text(64), primary_key=True),
    Column("name", Text(64), nullable=False),
    Column("expires", Float, nullable=False),
)

# The latest look at what each machine uses.
usage = Table(
    "usage",
    metadata,
    Column("key", KEY, primary_key=True),
    Column("token", Text(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("created", Float, nullable=False),
    Column("cpu", Float, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("network", NUMBER, nullable=False),
    Column("idle_since", Float, nullable=False),
    Column("cost_per_hour", Float, nullable=False),
)

# Connect codes that were tried at the door, by their seal: never the code. used: 0 until it was.
tried_codes = Table(
    "tried_codes",
    metadata,
    Column("seal", Text(64), primary_key=True),
    Column("wrong", Integer, nullable=False),
    Column("used", Float, nullable=False),
    Column("at", Float, nullable=False),
)

# Who may visit which machine: the SHA-256 of what the browser holds, and the machine's own token.
visits = Table(
    "visits",
    metadata,
    Column("digest", Text(64), primary_key=True),
    Column("key", KEY, nullable=False),
    Column("token", Text(64), nullable=False),
    Column("expires", Float, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("room", ROOM, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
