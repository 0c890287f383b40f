"""The compiled hostile guest (`hostile/hostile.c`): one component, a case chosen by its data."""

from tests.plugins.hostile_build import WASM

CASES = {
    "loop": "ran over its deadline",
    "burn": "ran over its deadline",
    "grow": "unreachable",
    "recurse": "call stack exhausted",
    "trap": "unreachable",
    "bounds": "out of bounds",
    "wild": "out of bounds",
    "divide": "divide by zero",
    "flood": "too many calls to the host",
    "long": "its manifest allows 131072",
    "nojson": "answered no PluginOutput",
    "deep": "answered no PluginOutput",
    "field": "exec",
    "schema": "schema 9",
    "noutf8": "stopped",
    "state": "answered no PluginOutput",
    "other": "which it was not given",
    "many": "65 commands for one event",
    "lease": "lease of 1e+09 s",
    "huge": "sets 'light.main' to",
    "foreign": "does not list door.lock",
    "range": "its manifest allows 0 to 100",
    "below": "its manifest allows 0 to 100",
}
"""Case -> what is said of it: by the sandbox, by the reader of answers, or by the rules."""
AFTER_THE_ANSWER = ("foreign", "range", "below")
LIMITS = "[limits]\ndeadline_ms = 200"


def named(case: str) -> str:
    """Return the plugin's id in that case."""
    return f"h-{case:-<14}"


def hostile(case: str) -> bytes:
    """Return the component in that case."""
    mark = case.encode().ljust(14, b"-")
    wasm = WASM.read_bytes()
    changed = wasm.replace(b"h-@@case@@------", b"h-" + mark).replace(
        b"@@case@@------..", case.encode().ljust(16, b"\0")
    )
    assert len(changed) == len(wasm)
    return changed
