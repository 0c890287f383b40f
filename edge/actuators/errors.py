"""What a device can do to its driver. One root, `ActuatorError`; the text says what is wrong."""


class ActuatorError(Exception):
    """A device could not be moved or asked."""


class DeviceLostError(ActuatorError):
    """It cannot be reached: everything on this connection is void."""


class DeviceRefusedError(ActuatorError):
    """It answers, but not with a yes: this one wish is void, the connection is good."""


class UnknownRequestError(DeviceRefusedError):
    """It does not know what it is asked, and never will."""
