import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.actuators.device_values import followed, from_device, level_of, plausible, to_device
from edge.contracts.base import ContractError, Value
from edge.contracts.wire import DeviceField, DeviceMessage


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("brightness", 80, DeviceMessage(state="ON", brightness=203)),
        ("brightness", 0, DeviceMessage(state="OFF", brightness=0)),
        ("brightness", 100.0, DeviceMessage(state="ON", brightness=254)),
        ("state", True, DeviceMessage(state="ON")),
        ("state", "off", DeviceMessage(state="OFF")),
        ("color_temp", 250, DeviceMessage(color_temp=250)),
        ("occupied_heating_setpoint", 21.5, DeviceMessage(occupied_heating_setpoint=21.5)),
    ],
)
def test_a_value_is_said_in_the_devices_words(
    field: DeviceField, value: Value, message: DeviceMessage
):
    assert to_device(field, value) == message


@given(st.integers(0, 100))
def test_per_cent_survives_the_way_there_and_back(percent: int):
    message = to_device("brightness", percent)
    level = level_of("brightness", message)
    assert level is not None
    assert abs(float(from_device("brightness", level)) - percent) <= 0.5
    assert followed("brightness", message, level)


def test_a_light_that_is_off_is_at_nought_whatever_it_remembers():
    assert level_of("brightness", DeviceMessage(state="OFF", brightness=254)) == 0
    assert level_of("brightness", DeviceMessage(state="ON")) is None


def test_a_valve_that_knows_half_degrees_follows():
    wanted = to_device("occupied_heating_setpoint", 21.3)
    assert followed("occupied_heating_setpoint", wanted, 21.5)
    assert not followed("occupied_heating_setpoint", wanted, 22.0)


@pytest.mark.parametrize(
    ("field", "value"), [("brightness", "bright"), ("brightness", float("nan")), ("state", "dim")]
)
def test_a_value_that_fits_no_field_is_refused(field: DeviceField, value: Value):
    with pytest.raises(ContractError):
        to_device(field, value)


def test_impossible_levels():
    assert not plausible("brightness", -1)
    assert not plausible("brightness", 1e9)
    assert not plausible("occupied_heating_setpoint", float("inf"))
    assert plausible("occupied_heating_setpoint", 21.5)
