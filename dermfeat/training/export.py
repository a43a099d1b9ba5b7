"""Write a trained segmenter as an OpenVINO graph: ``python -m dermfeat.training.export TRAINED.keras FILE.xml``.

Needs ``KERAS_BACKEND=openvino`` in the environment, so it is a process of its own.
"""

import sys

import keras
import openvino
from openvino.preprocess import PrePostProcessor

from dermfeat.networks.trace import to_openvino
from dermfeat.training.segmenter import build


def main(trained, out):
    weights = keras.saving.load_model(trained, compile=False).get_weights()
    keras.config.set_image_data_format("channels_first")
    network = build()  # channels first is what OpenVINO computes fastest
    network.set_weights(weights)
    openvino.save_model(with_pixels(to_openvino(network, network.input_shape[1:])), out, compress_to_fp16=True)


def with_pixels(graph):
    """Return the graph with (n, H, W, 3) uint8 input and (n, H, W, 1) output."""
    processor = PrePostProcessor(graph)
    processor.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    processor.input().preprocess().convert_element_type(openvino.Type.f32)
    processor.input().model().set_layout(openvino.Layout("NCHW"))
    processor.output().model().set_layout(openvino.Layout("NCHW"))
    processor.output().tensor().set_layout(openvino.Layout("NHWC"))
    return processor.build()


if __name__ == "__main__":
    main(*sys.argv[1:])
