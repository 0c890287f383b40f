"""What perception refuses."""


class PerceptionError(Exception):
    """A model, frame or sound that cannot be used; the text says which and what to do."""


class ModelError(PerceptionError):
    """A model file that is missing, changed or not a TFLite model of the expected form."""


class FrameError(PerceptionError):
    """A picture that cannot be judged: wrong form, or without any detail."""


class SoundError(PerceptionError):
    """Samples that are not what the meter was promised."""


class FeatureError(PerceptionError):
    """Readings of which none can be used."""
