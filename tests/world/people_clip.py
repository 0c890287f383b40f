"""Draws the demo's room: an empty meeting room, and people who come, sit and leave.

The people are cut out of scikit-image's `astronaut.png` (NASA, public domain), which is part of
its wheel; nothing is downloaded.
"""

from bisect import bisect_right
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

WIDTH, HEIGHT, FPS = 640, 360, 5
WALK_S = 1.0
SEATS = ((10, 0.32, False), (320, 0.32, True), (165, 0.32, False), (475, 0.32, True))
"""Per person: left edge in px, size of the cut-out, mirrored."""
HUES = (0, 100, 55, 140)
TABLE_TOP = 300

OUTLINE = (
    (118, 205), (125, 175), (150, 155), (182, 150), (176, 120), (158, 100), (153, 70), (165, 45),
    (195, 22), (235, 14), (275, 28), (298, 60), (300, 95), (285, 120), (270, 130), (262, 170),
    (285, 190), (303, 225), (305, 250), (340, 275), (358, 310), (362, 345), (400, 343), (450, 360),
    (490, 410), (498, 470), (500, 511), (22, 511), (22, 470), (30, 380), (35, 320), (50, 265),
    (75, 235), (112, 212),
)  # fmt: skip

Picture = NDArray[np.uint8]
Timeline = Sequence[tuple[float, int]]
"""(second, people from then on), rising seconds, 0 to 4 people; the last entry ends the clip."""


def people_at(timeline: Timeline, second: float) -> int:
    """Return how many people the timeline has in the room at `second`."""
    place = bisect_right([start for start, _ in timeline], second) - 1
    return timeline[max(0, place)][1]


def empty_room() -> Picture:
    """Return the background: wall, window, screen, plant."""
    shade = np.linspace(205, 165, HEIGHT)[:, None, None] * np.ones((1, WIDTH, 3))
    room = (shade * np.array([0.93, 0.97, 1.0])).astype(np.uint8)
    cv2.rectangle(room, (20, 25), (150, 150), (225, 210, 190), -1)
    cv2.rectangle(room, (20, 25), (150, 150), (120, 125, 130), 4)
    cv2.line(room, (85, 25), (85, 150), (120, 125, 130), 3)
    cv2.rectangle(room, (240, 20), (400, 110), (48, 42, 40), -1)
    cv2.rectangle(room, (246, 26), (394, 104), (96, 74, 52), -1)
    cv2.rectangle(room, (590, 190), (615, 250), (60, 80, 110), -1)
    cv2.ellipse(room, (602, 165), (26, 34), 0, 0, 360, (70, 120, 70), -1)
    return room


def draw_table(frame: Picture) -> None:
    """Draw the table, which hides the lower part of whoever sits behind it."""
    cv2.rectangle(frame, (0, TABLE_TOP), (WIDTH, HEIGHT), (70, 105, 150), -1)
    cv2.rectangle(frame, (0, TABLE_TOP), (WIDTH, TABLE_TOP + 6), (95, 135, 185), -1)


def person(index: int) -> tuple[Picture, NDArray[np.float64]]:
    """Return the index-th person's picture and its opacity (0..1), both of the seat's size."""
    _, size, mirrored = SEATS[index]
    picture = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2HSV)
    suit = picture[:, :, 1] > 170
    suit[:200] = False
    picture[:, :, 0][suit] = (picture[:, :, 0][suit].astype(int) + HUES[index]) % 180
    picture = cv2.cvtColor(picture, cv2.COLOR_HSV2BGR)
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(OUTLINE, np.int32)], 255)
    if mirrored:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    side = round(512 * size)
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    opacity = cv2.resize(np.ascontiguousarray(mask), (side, side), interpolation=cv2.INTER_AREA)
    return small, opacity[:, :, None] / 255.0


def paste(frame: Picture, picture: Picture, opacity: NDArray[np.float64], x: int, y: int) -> None:
    """Draw the picture with its upper left corner at (x, y), cut off at the frame's edges."""
    height, width = picture.shape[:2]
    left, right = max(0, -x), min(width, WIDTH - x)
    if right <= left:
        return
    visible = min(height, HEIGHT - y)
    part = frame[y : y + visible, x + left : x + right]
    alpha = opacity[:visible, left:right]
    part[:] = (part * (1 - alpha) + picture[:visible, left:right] * alpha).astype(np.uint8)


def position(index: int, present_s: float, leaving_s: float, second: float) -> tuple[int, int]:
    """Return where a person is, so many seconds after coming and before (or after) leaving."""
    seat, size, _ = SEATS[index]
    side = round(512 * size)
    outside = -side if seat < WIDTH / 2 else WIDTH
    progress = min(1.0, present_s / WALK_S, leaving_s / WALK_S)
    x = outside + (seat - outside) * max(0.0, progress)
    sway = 1.5 * np.sin(0.7 * second + index)
    return round(x + sway), TABLE_TOP + 40 - side


def stays(timeline: Timeline, index: int) -> list[tuple[float, float]]:
    """Return the index-th person's stays: (comes, has left) in seconds."""
    found, came = [], None
    for start, count in timeline:
        if count > index and came is None:
            came = start
        if count <= index and came is not None:
            found.append((came, start))
            came = None
    if came is not None:
        found.append((came, timeline[-1][0] + WALK_S))
    return found
