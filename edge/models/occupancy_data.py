"""Reads the public occupancy recordings into the features the model is told. Standard library only.

`root` is the folder that ROOMKEEPER_DATA names.
"""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.perception.occupancy_features import FeatureHistory, OccupancyFeatures

BOARDS = (1, 2, 3, 4)
STUDY_ROOMS = (1, 4)


@dataclass(frozen=True, slots=True)
class Row:
    """One instant of one sensor board: day it belongs to, seconds of that day, and the truth."""

    day: str
    second: float
    features: OccupancyFeatures
    occupied: bool


def office_uci864(root: Path) -> list[Row]:
    """Return the rows of UCI 864, one board (temperature, light, sound) after the other.

    Sound is recorded in volt, of which only the ratio to the quiet moments is used, in dB.
    """
    path = root / "occupancy" / "uci864" / "Occupancy_Estimation_train.csv"
    records = list(_records(path))
    rows: list[Row] = []
    for board in BOARDS:
        history, day = FeatureHistory(), ""
        for record in records:
            if record["Date"] != day:
                history, day = FeatureHistory(), record["Date"]
            second = _seconds(record["Time"])
            history.add(
                second,
                temperature=float(record[f"S{board}_Temp"]),
                illuminance=float(record[f"S{board}_Light"]),
                co2=float(record["S5_CO2"]),
                motion=record["S6_PIR"] == "1" or record["S7_PIR"] == "1",
                level_db=20 * math.log10(max(0.01, float(record[f"S{board}_Sound"]))),
            )
            occupied = record["Room_Occupancy_Count"] != "0"
            rows += _row(history, day, second, occupied)
    return rows


def office_uci357(root: Path) -> list[Row]:
    """Return the rows of UCI 357: another office, without motion and sound."""
    rows: list[Row] = []
    for name in ("datatraining.txt", "datatest.txt"):
        path = root / "occupancy" / "uci357" / name
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            next(lines)
            history, day = FeatureHistory(), ""
            for _, stamp, temperature, _humidity, light, co2, _ratio, occupied in lines:
                if stamp[:10] != day:
                    history, day = FeatureHistory(), stamp[:10]
                second = _seconds(stamp[11:])
                history.add(
                    second,
                    temperature=float(temperature),
                    illuminance=float(light),
                    co2=float(co2),
                )
                rows += _row(history, day, second, occupied == "1")
    return rows


def study_sdu2018(root: Path) -> list[Row]:
    """Return the rows of two teaching rooms of SDU 2018 with CO2 alone."""
    rows: list[Row] = []
    folder = root / "occupancy" / "sdu2018"
    for room in STUDY_ROOMS:
        air = _records(folder / f"co2_data_room_{room}.csv")
        people = _records(folder / f"occ_data_room_{room}.csv")
        history, day = FeatureHistory(), ""
        for measured, counted in zip(air, people, strict=True):
            if measured["DayId"] != day:
                history, day = FeatureHistory(), measured["DayId"]
            second = _seconds(measured["Time"])
            history.add(second, co2=float(measured[f"Room {room}"]))
            rows += _row(history, f"{room}/{day}", second, float(counted[f"Room {room}"]) >= 0.5)
    return rows


def _row(history: FeatureHistory, day: str, second: float, occupied: bool) -> Iterable[Row]:
    features = history.features(second)
    return () if features is None else (Row(day, second, features, occupied),)


def _records(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600.0 + int(minutes) * 60.0 + float(seconds)
