"""Trains `occupancy.tflite` on UCI 864 and says how well it does on days it never saw.

    ROOMKEEPER_DATA=... python -m edge.models.train_occupancy [OUTPUT.tflite]

Runs in an environment of its own (`lock/train.txt`). Seeded: the same recording, the same bytes.
With scikit-learn installed it prints a forest's figures on the same folds beside its own.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped,import-not-found,unused-ignore]
from numpy.typing import NDArray

from edge.models.occupancy_data import Row, office_uci357, office_uci864, study_sdu2018
from edge.perception.occupancy_features import NAMES, vector

OUTPUT = Path(__file__).parent / "occupancy.tflite"
SEED = 864
INPUTS = len(NAMES)
EPOCHS = 12
DROP = 0.35
BLOCK_S = 2 * 3600.0
MARGIN_S = 900.0

Floats = NDArray[np.float32]
Predict = Callable[[Floats], Floats]
Fit = Callable[[Floats, Floats], Predict]


def arrays(rows: list[Row]) -> tuple[Floats, Floats]:
    """Return inputs (n, 12) and truth (n,)."""
    inputs = np.array([vector(row.features) for row in rows], np.float32)
    return inputs, np.array([row.occupied for row in rows], np.float32)


def build() -> Any:
    """Return the untrained net: no input's rise can make presence less likely."""
    whole = tf.keras.Input((2 * INPUTS,), name="features")
    values, marks = whole[:, :INPUTS], whole[:, INPUTS:]
    rising = tf.keras.constraints.NonNeg()
    start = tf.keras.initializers.RandomUniform(0.0, 0.5, seed=SEED)
    dense = tf.keras.layers.Dense
    hidden = dense(16, kernel_constraint=rising, kernel_initializer=start)(values)
    hidden = tf.keras.layers.Activation("tanh")(hidden + dense(16, use_bias=False)(marks))
    logit = dense(1, kernel_constraint=rising, kernel_initializer=start)(hidden)
    logit += dense(1, use_bias=False)(marks)
    return tf.keras.Model(whole, tf.keras.layers.Activation("sigmoid")(logit))


def disturb(inputs: Floats, rng: np.random.Generator) -> Floats:
    """Return inputs with some missing and the rest as another room's sensors might say them."""
    values, marks = inputs[:, :INPUTS].copy(), inputs[:, INPUTS:].copy()
    light, air = NAMES.index("illuminance"), NAMES.index("co2")
    values[:, light] += rng.normal(0.0, 0.3, len(values))
    values[:, air] += rng.normal(0.0, 0.25, len(values))
    values += rng.normal(0.0, 0.05, values.shape)
    marks *= rng.random(marks.shape) >= DROP
    both: Floats = np.concatenate([np.clip(values, -3, 3) * marks, marks], axis=1, dtype=np.float32)
    return both


def fit_net(inputs: Floats, truth: Floats) -> Any:
    """Return the trained net; present and absent weigh the same, whatever their number."""
    tf.keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    net = build()
    net.compile(tf.keras.optimizers.Adam(0.005), "binary_crossentropy")
    share = float(truth.mean())
    weights = np.where(truth > 0.5, 0.5 / share, 0.5 / (1.0 - share)).astype(np.float32)
    for _ in range(EPOCHS):
        net.fit(
            disturb(inputs, rng), truth, sample_weight=weights, batch_size=128, epochs=1, verbose=0
        )
    return net


def net(inputs: Floats, truth: Floats) -> Predict:
    """Train the net; return its predictor."""
    trained = fit_net(inputs, truth)
    return lambda other: np.asarray(trained(other)).ravel()


def forest() -> Fit | None:
    """Return the comparison, or None without scikit-learn."""
    try:
        ensemble = importlib.import_module("sklearn.ensemble")
    except ModuleNotFoundError:
        return None

    def fit(inputs: Floats, truth: Floats) -> Predict:
        trees = ensemble.RandomForestClassifier(200, random_state=SEED, min_samples_leaf=5)
        trees.fit(inputs, truth)
        return lambda other: np.asarray(trees.predict_proba(other)[:, 1], np.float32)

    return fit


def folds(rows: list[Row]) -> list[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return (name, train, test) masks: whole days, and two-hour blocks of days with people.

    Only one day of the recording has people. Left out whole, nothing would be left to learn
    presence from; so it is left out by blocks, with 15 min on both sides in neither part.
    """
    days = np.array([row.day for row in rows])
    seconds = np.array([row.second for row in rows])
    occupied = np.array([row.occupied for row in rows])
    found = []
    for day in sorted(set(days)):
        inside = days == day
        if not occupied[inside].any():
            found.append((str(day), ~inside, inside))
            continue
        for start in np.arange(seconds[inside].min(), seconds[inside].max(), BLOCK_S):
            test = inside & (seconds >= start) & (seconds < start + BLOCK_S)
            near = (seconds >= start - MARGIN_S) & (seconds < start + BLOCK_S + MARGIN_S)
            hours = f"{start / 3600:.1f}h"
            found.append((f"{day} {hours}", ~(inside & near), test))
    return found


def figures(truth: Floats, chance: Floats) -> str:
    """Return accuracy, macro-F1 and area under the curve in words."""
    said, real = chance >= 0.5, truth >= 0.5
    scores = []
    for kind in (True, False):
        hit = float(np.sum((said == kind) & (real == kind)))
        scores.append(2 * hit / max(1.0, float(np.sum(said == kind) + np.sum(real == kind))))
    order = np.argsort(chance, kind="stable")
    ranks = np.empty(len(chance))
    ranks[order] = np.arange(1, len(chance) + 1)
    for value in np.unique(chance):
        same = chance == value
        ranks[same] = ranks[same].mean()
    ones = float(real.sum())
    area = (ranks[real].sum() - ones * (ones + 1) / 2) / max(1.0, ones * (len(real) - ones))
    return (
        f"accuracy {np.mean(said == real):.1%}, macro-F1 {np.mean(scores):.3f}, "
        f"AUC {area:.3f} (n={len(real)}, occupied {np.mean(real):.0%})"
    )


def without(inputs: Floats, *names: str) -> Floats:
    """Return the inputs as a room without these sensors would have them."""
    fewer = inputs.copy()
    for name in names:
        fewer[:, NAMES.index(name)] = 0.0
        fewer[:, INPUTS + NAMES.index(name)] = 0.0
    return fewer


def evaluate(name: str, fit: Fit, rows: list[Row], others: dict[str, list[Row]]) -> None:
    """Print the figures of one way of learning on days, and rooms, it did not learn from."""
    inputs, truth = arrays(rows)
    cases = {
        "all sensors": inputs,
        "without light": without(inputs, "illuminance"),
        "without sound and motion": without(inputs, "sound", "motion"),
        "air alone (CO2, temperature)": without(inputs, "illuminance", "sound", "motion"),
    }
    chances = {case: np.zeros_like(truth) for case in cases}
    for _, train, test in folds(rows):
        predict = fit(inputs[train], truth[train])
        for case, seen in cases.items():
            chances[case][test] = predict(seen[test])
    for case, chance in chances.items():
        _say(f"{name} | left-out days and blocks, {case} | {figures(truth, chance)}")
    predict = fit(inputs, truth)
    for room, theirs in others.items():
        seen, real = arrays(theirs)
        _say(f"{name} | {room} | {figures(real, predict(seen))}")


def convert(trained: Any) -> bytes:
    """Return the net as a float32 TFLite model of builtin operations."""
    function = tf.function(trained).get_concrete_function(
        tf.TensorSpec((1, 2 * INPUTS), tf.float32, name="features")
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    return bytes(converter.convert())


def main() -> None:
    """Evaluate, train on everything, write the model and print its checksum."""
    root = os.environ.get("ROOMKEEPER_DATA")
    if not root:
        sys.exit("ROOMKEEPER_DATA is not set: name the folder that holds occupancy/uci864")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    rows = office_uci864(Path(root))
    others = {
        "another office (UCI 357), no sound or motion": office_uci357(Path(root)),
        "two teaching rooms (SDU 2018), CO2 alone": study_sdu2018(Path(root)),
    }
    evaluate("net", net, rows, others)
    if (trees := forest()) is not None:
        evaluate("forest", trees, rows, others)
    data = convert(fit_net(*arrays(rows)))
    output = Path(sys.argv[1]) if len(sys.argv) == 2 else OUTPUT
    output.write_bytes(data)
    _say(f"{hashlib.sha256(data).hexdigest()}  {output.name}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
