import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from edge.contracts.wire import NodeMessage

MAIN = Path(__file__).parents[2] / "firmware" / "sensor_node" / "main.py"


@pytest.fixture(scope="module")
def board() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sensor_node_main", MAIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_checksum_is_the_data_sheets(board: ModuleType):
    assert board.crc8(b"\xbe\xef") == 0x92


def test_a_measurement_is_the_data_sheets_example(board: ModuleType):
    co2, temperature, humidity = board.scd4x_values(bytes.fromhex("01f4336667a25eb93c"))
    assert co2 == 500
    assert temperature == pytest.approx(25.0, abs=0.01)
    assert humidity == pytest.approx(37.0, abs=0.01)
    assert board.scd4x_values(bytes.fromhex("01f4346667a25eb93c")) is None


def test_the_appliance_reads_what_the_board_sends(board: ModuleType):
    sent = board.encode((500, 25.0, 37.0), 320.04, 1)
    decoded = msgspec.json.decode(sent, type=NodeMessage)
    assert decoded == NodeMessage(25.0, 37.0, 500, 320.0, True)
    blind = msgspec.json.decode(board.encode(None, None, 0), type=NodeMessage)
    assert blind == NodeMessage(occupancy=False)
    guarded = msgspec.json.decode(board.encode(None, None, 0, 1, 0), type=NodeMessage)
    assert guarded == NodeMessage(occupancy=False, window=True, door=False)
