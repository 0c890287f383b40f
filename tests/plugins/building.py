"""A meeting room as physics: air, warmth, sun through a window, lamps, a radiator, a fan, a blind.

First-order balances, coarse but of the right size; everything that is random comes from one seed.
"""

import math
import random
from dataclasses import dataclass, field

from edge.decide.sky import sun

BERLIN = (52.52, 13.405)
VOLUME_M3 = 75.0
LEAKS_PER_H = 0.3
FAN_PER_H = 5.0
WINDOW_PER_H = 10.0
OUTSIDE_PPM = 420.0
CO2_M3_S = 0.0052 / 1000
"""What a seated person breathes out."""
HEAT_J_K = 1.8e6
LOSS_W_K = 45.0
WINDOW_LOSS_W_K = 180.0
PERSON_W = 80.0
RADIATOR_W = 1500.0
SOLAR_W = 1400.0
LAMP_LX = 450.0
"""What the lamps at 100 % give the sensor."""
SKY_LX = 1500.0
"""What a clear sky with the sun in the window gives it."""


@dataclass
class Building:
    """The room at an instant; `step` lets time pass with people in it.

    window_azimuth: where it faces; cloud: 0 clear to 1 dark, a function of wall seconds.
    """

    wall: float
    seed: int = 1
    window_azimuth: float = 180.0
    outside: float = 4.0
    temperature: float = 18.0
    co2: float = 430.0
    cloud: float = 0.4
    window_open: bool = False
    lamps: float = 0.0
    setpoint: float = 18.0
    fan: float = 0.0
    blind: float = 0.0
    gain: float = 60.0
    heat_j: float = 0.0
    lux: float = 0.0
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    @property
    def sunlight(self) -> float:
        """Share (0..1) of full sun that falls on the window."""
        azimuth, elevation = sun(*BERLIN, self.wall)
        beside = abs((azimuth - self.window_azimuth + 180) % 360 - 180)
        if elevation <= 0 or beside >= 90:
            return 0.0
        facing = math.cos(math.radians(beside)) * math.cos(math.radians(elevation))
        return facing * min(1.0, elevation / 10)

    @property
    def daylight(self) -> float:
        """Lux that the window gives the sensor."""
        _, elevation = sun(*BERLIN, self.wall)
        diffuse = 0.25 * max(0.0, math.sin(math.radians(elevation)))
        clear = (1 - self.cloud) * self.sunlight + diffuse * (1 - 0.5 * self.cloud)
        return SKY_LX * clear * (1 - 0.85 * self.blind / 100)

    def step(self, people: int, seconds: float) -> None:
        """Let `seconds` pass."""
        self.wall += seconds
        changes = LEAKS_PER_H + FAN_PER_H * self.fan / 100
        changes += WINDOW_PER_H if self.window_open else 0.0
        self.co2 += people * CO2_M3_S / VOLUME_M3 * 1e6 * seconds
        self.co2 += (OUTSIDE_PPM - self.co2) * (1 - math.exp(-changes * seconds / 3600))
        radiator = RADIATOR_W * min(1.0, max(0.0, (self.setpoint - self.temperature) / 0.3))
        self.heat_j += radiator * seconds
        gain = radiator + people * PERSON_W
        gain += SOLAR_W * (1 - self.cloud) * self.sunlight * (1 - 0.8 * self.blind / 100)
        loss = LOSS_W_K + (WINDOW_LOSS_W_K if self.window_open else 0.0)
        gain -= loss * (self.temperature - self.outside)
        self.temperature += gain * seconds / HEAT_J_K
        self.lux = self.daylight + LAMP_LX * self.lamps / 100

    def readings(self) -> dict[str, float]:
        """Return what a board with real sensors' noise says."""
        return {
            "temperature": round(self.temperature + self.rng.gauss(0, 0.04), 2),
            "co2": float(round(max(400.0, self.co2 + self.rng.gauss(0, 6)))),
            "illuminance": round(max(0.0, self.lux * self.rng.gauss(1, 0.04)), 1),
        }
