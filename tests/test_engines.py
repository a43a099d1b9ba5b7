"""Every engine gives what plain Keras gives, computes while others work, and says what it cannot do."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel as Jobs
from joblib import delayed

from dermfeat import CNNEmbedding
from dermfeat.embedding import BACKBONES, find_backbone
from dermfeat.networks import NetworkSpec, compiled, network, packaged_network, probe, runtime
from dermfeat.networks.engine import Parallel
from dermfeat.networks.requests import AHEAD
from dermfeat.networks.runtime import EXPORTS_ONNX, KERAS_BACKENDS, Target, allowed_threads, choose

pytest.importorskip("openvino")

INSTALLED = [backend for backend in KERAS_BACKENDS if find_spec(backend)]
ENGINES = ["openvino", *(["onnx"] if all(map(find_spec, EXPORTS_ONNX)) else [])]
MOBILENETS = (
    ("mobilenet", 0.25),
    ("mobilenet", 0.5),
    ("mobilenet", 1.0),
    ("mobilenet_v2", 0.35),
    ("mobilenet_v2", 1.0),
)
SIDE = 64
needs_reference = pytest.mark.skipif(not INSTALLED, reason="needs TensorFlow, JAX or torch as the backend of Keras")

# What Keras itself makes of images, in its own words: its preprocessing, channels last, its prediction.
PLAIN = """
    import json, sys
    import numpy as np
    import keras
    from dermfeat.networks.trace import draw_weights

    folder, wanted = sys.argv[1], json.loads(sys.argv[2])
    images = np.load(folder + "/images.npy")
    for name, factory, size, stages, alpha, weights in wanted:
        build = getattr(keras.applications, factory)
        width = {} if alpha is None else {"alpha": alpha}
        model = build(weights=weights, include_top=False, input_shape=(size, size, 3), **width)
        if weights is None:
            draw_weights(model)
        pool = keras.layers.GlobalAveragePooling2D()
        named = [model.output if stage == "last" else model.get_layer(stage).output for stage in stages]
        cut = keras.Model(model.input, keras.layers.Concatenate()([pool(output) for output in named]))
        module = sys.modules[build.__module__]
        prepared = module.preprocess_input(images[:, :size, :size].astype("float32"))
        rows = cut.predict_on_batch(prepared) if keras.backend.backend() == "jax" else cut([prepared], training=False)
        np.save(f"{folder}/{name}.npy", keras.ops.convert_to_numpy(rows))
"""


def run_python(code, *arguments, **environment):
    """Run `code` in a new process with this checkout on its path; return what it printed."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


def plain_keras(folder, images, wanted, home):
    np.save(folder / "images.npy", images)
    run_python(PLAIN, folder, json.dumps(wanted), KERAS_BACKEND=INSTALLED[0], KERAS_HOME=str(home))
    return {name: np.load(folder / f"{name}.npy") for name, *_ in wanted}


def drawn_images(size, n=3):
    return np.concatenate([probe.images((size, size)), probe.images((size, size))[:, ::-1, ::-1]])[4 - n : 4 + n]


def side_of(name):
    return 75 if name == "inception_v3" else SIDE


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What plain Keras makes of the images, by backbone, with random weights."""
    folder = tmp_path_factory.mktemp("plain")
    backbones = BACKBONES.values()
    wanted = [(b.name, b.factory, side_of(b.name), b.stages, b.alpha, None) for b in backbones]
    return plain_keras(folder, drawn_images(75), wanted, folder)


@needs_reference
@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_agrees_with_plain_keras(name, plain):
    size = side_of(name)
    net = compiled(find_backbone(name).spec(weights=None, size=size))
    rows = net.run(np.ascontiguousarray(drawn_images(75)[:, :size, :size]))
    found = probe.agreement(rows, plain[name], net.widths)
    assert found["cosine"] > 1 - 1e-7
    assert found["largest_difference"] < 5e-5
    assert np.ptp(rows, axis=0).max() > 0
    assert net.probe["reference"].endswith(f"on {INSTALLED[0]}")


@needs_reference
def test_real_weights_agree_with_plain_keras(shared_keras, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(shared_keras)
    wanted = [
        (f"{name}-{alpha}", BACKBONES[name].factory, 224, BACKBONES[name].stages, alpha, "imagenet")
        for name, alpha in MOBILENETS
    ]
    images = drawn_images(224)
    expected = plain_keras(tmp_path, images, wanted, tmp_path / "home")
    for name, alpha in MOBILENETS:
        net = compiled(find_backbone(name).spec(alpha=alpha))
        found = probe.agreement(net.run(images), expected[f"{name}-{alpha}"], net.widths)
        assert found["cosine"] > 1 - 1e-7
        assert found["largest_difference"] < 2e-5


TINY = {"alpha": 0.25, "weights": None, "size": 32, "stages": ("conv_pw_3_relu", "last")}


def tiny(**options):
    return compiled(find_backbone("mobilenet").spec(**TINY), **options)


@pytest.fixture(scope="module")
def images():
    return drawn_images(32, n=4)


@pytest.mark.skipif("onnx" not in ENGINES, reason="needs onnxruntime, and torch, onnx and onnxscript for the export")
@pytest.mark.parametrize("name", ["mobilenet", "resnet50", "convnext_tiny"])
def test_onnx_agrees_with_openvino(name):
    spec = find_backbone(name).spec(weights=None, size=32)
    there, here = (compiled(spec, runtime=name) for name in ("onnx", "openvino"))
    batch = drawn_images(32)
    found = probe.agreement(there.run(batch), here.run(batch), here.widths)
    assert found["cosine"] > 1 - 1e-7
    assert found["largest_difference"] < 5e-5
    assert there.digest == here.digest
    assert there.probe["reference"].endswith("on torch")


@pytest.mark.parametrize("engine", ENGINES)
def test_images_come_out_as_they_went_in(engine, images):
    net = tiny(runtime=engine)
    alone = np.concatenate([net.run(images[i : i + 1]) for i in range(len(images))])
    started = [net.start(image) for image in images]
    np.testing.assert_allclose(net.finish(started[::-1])[::-1], alone, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(net.run(images), alone, rtol=1e-4, atol=1e-6)
    assert net.finish([]).shape == (0, alone.shape[1])
    assert alone.dtype == np.float32


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_do_not_mix_their_images(engine, images):
    net = tiny(runtime=engine)
    expected = net.run(images)

    def mixed(seed):
        order = np.random.default_rng(seed).permutation(len(images))
        return np.abs(net.run(images[order]) - expected[order]).max()

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(mixed, range(20))) < 1e-6


class Recorded(Parallel):
    """An engine that adds up pixels and records what it is compiled for."""

    def __init__(self):
        super().__init__((1,))
        self.goals = []

    def _compile(self, many):
        self.goals.append("many" if many else "one")
        return ThreadPoolExecutor(2), self.compute

    def compute(self, image):
        if image.sum() == 0:
            raise RuntimeError("black image")
        return [image.sum()]


WHITE = np.ones((2, 2, 3), np.uint8)


def test_one_image_is_compiled_for_low_latency_and_many_for_throughput():
    engine = Recorded()
    assert engine.run([WHITE]) == engine.run([WHITE]) == [[12]]
    assert engine.goals == ["one"]
    np.testing.assert_array_equal(engine.run([WHITE, 2 * WHITE, 3 * WHITE])[:, 0], [12, 24, 36])
    assert engine.run([WHITE]) == [[12]]
    assert engine.goals == ["one", "many"]


def test_a_started_image_is_computed_without_others():
    first, second = Recorded(), Recorded()
    started = first.start(WHITE)
    assert not started.done()
    assert second.finish([started]) == [[12]]


def test_what_goes_wrong_in_a_request_is_raised_and_others_go_on():
    engine = Recorded()
    started = [engine.start(image) for image in (WHITE, 0 * WHITE, WHITE)]
    with pytest.raises(RuntimeError, match="black image"):
        engine.finish(started)
    assert engine.run([WHITE]) == [[12]]


def test_a_network_that_cannot_be_compiled_leaves_no_one_waiting(monkeypatch):
    engine = Recorded()
    monkeypatch.setattr(engine, "_compile", lambda many: 1 / 0)
    started = engine.start(WHITE)
    engine.start(WHITE)
    with pytest.raises(ZeroDivisionError):
        engine.finish([started])


def test_allowed_threads(monkeypatch):
    for text, number in {"3": 3, "4,2": 4, "": None, "0": None, "many": None}.items():
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert allowed_threads() == number
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert allowed_threads() is None


def streams_of_a_worker():
    engine = tiny()._engine
    engine.run(np.zeros((2, 32, 32, 3), np.uint8))
    return allowed_threads(), engine._many[0]._max_workers // AHEAD, len(packaged_network("segmenter").output)


def test_workers_use_their_share_of_the_processor():
    tiny()
    with Jobs(n_jobs=2, backend="loky", max_nbytes=None) as jobs:
        found = jobs(delayed(streams_of_a_worker)() for _ in range(2))
    share = max(1, (os.cpu_count() or 1) // 2)
    for threads, streams, _ in found:
        assert threads is not None
        assert threads <= share
        assert streams <= threads


def test_threads_are_part_of_what_is_kept(monkeypatch):
    monkeypatch.setattr(network, "_per_process", {})
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = tiny()
    assert tiny() is tiny(threads=1) is one
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert tiny() is not one


KERAS = """
    import json, os, sys
    import numpy as np
    os.environ["KERAS_BACKEND"] = sys.argv[2]
    import keras
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("float16")
    from dermfeat.embedding import find_backbone
    from dermfeat.networks import compiled, keras_engine, runtime

    runtime.is_installed = lambda module: module not in ("openvino", "onnxruntime")
    images = np.load(sys.argv[1] + "/images.npy")
    options = json.loads(sys.argv[3])
    spec = find_backbone("mobilenet").spec(**options)
    net = compiled(spec, batch_size=3)
    assert net.target.runtime == "keras" and net.target.backend == sys.argv[2]
    assert keras.config.image_data_format() == "channels_first"
    assert keras.config.dtype_policy().name == "float16"
    assert keras_engine.has_gpu() is False
    shapes = set()
    predict = net._engine._model.predict_on_batch
    net._engine._model.predict_on_batch = lambda batch: shapes.add(batch.shape) or predict(batch)
    rows = net.run(images)
    assert shapes == {(3, 32, 32, 3), (2, 32, 32, 3)}, shapes
    short = compiled(spec, precision="bfloat16")
    np.savez(sys.argv[1] + "/rows.npz", rows=rows, alone=net.run(images[:1]), short=short.run(images))
    print(net.digest, short.digest, net.probe["cosine"], short.probe["cosine"])
"""


@needs_reference
@pytest.mark.parametrize("backend", INSTALLED or ["none"])
def test_keras_runs_on_the_backend_of_the_user(backend, images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    digest, short_digest, *cosines = run_python(
        KERAS, tmp_path, backend, json.dumps(TINY), KERAS_HOME=str(tmp_path / "home")
    ).split()[-4:]
    net = tiny()
    with np.load(tmp_path / "rows.npz") as found:
        agreement = probe.agreement(found["rows"], net.run(images), net.widths)
        np.testing.assert_allclose(found["alone"], found["rows"][:1], rtol=1e-4, atol=1e-5)
        short = probe.agreement(found["short"], found["rows"], net.widths)
    assert agreement["largest_difference"] < 5e-5
    assert 1e-5 < short["largest_difference"] < 0.2
    assert short["cosine"] > 0.99
    assert float(cosines[0]) > 1 - 1e-7
    assert digest == net.digest
    assert short_digest != digest


def test_bfloat16_is_close_or_refused(images, monkeypatch):
    from dermfeat.networks import requests

    core = __import__("openvino").Core()
    exact = tiny()
    if requests.has_bfloat16(core):
        short = tiny(precision="bfloat16")
        found = probe.agreement(short.run(images), exact.run(images), exact.widths)
        assert found["cosine"] > 0.99
        assert 1e-5 < found["largest_difference"] < 0.2
        assert short.digest != exact.digest
        assert short.probe["cosine"] < exact.probe["cosine"]
    monkeypatch.setattr(requests, "has_bfloat16", lambda core: False)
    graph = packaged_network("segmenter") and Path(runtime.__file__).parents[1] / "weights" / "segmenter.xml"
    with pytest.raises(ValueError, match=r"precision='bfloat16': this processor .*leave precision out"):
        requests.Requests(graph, precision="bfloat16")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"runtime": "tensorrt"}, r"runtime='tensorrt' is unknown; choose one of \('auto', 'openvino'"),
        ({"batch_size": 0}, "batch_size=0: give 1 or more"),
        ({"precision": "int8"}, r"precision='int8' is unknown; choose one of \('float32', 'bfloat16'\)"),
        ({"runtime": "onnx", "precision": "bfloat16"}, r"use runtime='openvino' or 'keras'"),
    ],
)
def test_unfit_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        CNNEmbedding(weights=None, **options).names()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"runtime": "openvino"}, "pip install openvino"),
        ({"runtime": "onnx"}, r"pip install 'dermfeat\[onnx\]'"),
        ({}, r"there is no engine.*dermfeat\[onnx\].*dermfeat\[jax\]"),
    ],
)
def test_missing_engines_are_named(options, match, monkeypatch):
    monkeypatch.setattr(runtime, "is_installed", lambda module: False)
    with pytest.raises(ImportError, match=match):
        CNNEmbedding(weights=None, **options).names()


def test_auto_takes_the_fastest_that_is_installed(monkeypatch):
    def with_installed(*modules):
        monkeypatch.setattr(runtime, "is_installed", lambda module: module in modules)
        monkeypatch.setattr(runtime, "keras_backend", lambda: "jax")
        monkeypatch.setattr(runtime, "load_keras", lambda: None)

    with_installed("openvino", *EXPORTS_ONNX)
    assert choose() == Target("openvino", "float32", "openvino")
    with_installed(*EXPORTS_ONNX)
    assert choose() == Target("onnx", "float32", "torch")
    assert choose(precision="bfloat16") == Target("keras", "bfloat16", "jax")
    with_installed("onnxruntime", "jax")
    assert choose() == Target("keras", "float32", "jax")


def test_a_keras_that_cannot_run_networks_is_refused(tmp_path):
    code = """
        from dermfeat.networks.runtime import choose
        try:
            choose("keras")
        except ValueError as error:
            print(error)
    """
    printed = run_python(code, KERAS_BACKEND="openvino", KERAS_HOME=str(tmp_path))
    assert "the backend of Keras in this process is 'openvino'; set the environment variable KERAS_BACKEND" in printed


WRONG = """
    import sys
    from pathlib import Path
    from dataclasses import asdict
    from dermfeat.embedding import find_backbone
    from dermfeat.networks import export, trace

    right = trace.with_preprocessing
    trace.with_preprocessing = lambda graph, request, first: right(graph, request | {"mean": (99.0, 0.0, 9.0)}, first)
    spec = find_backbone("mobilenet").spec(size=32, weights=None, alpha=0.25)
    request = asdict(spec) | {"is_file": False, "models": "", "target": {}, "folder": sys.argv[1]}
    try:
        export.export(request, Path(sys.argv[1]))
    except ArithmeticError as error:
        print(error)
"""


def test_a_graph_that_computes_something_else_is_refused(tmp_path):
    (tmp_path / "graph").mkdir()
    printed = run_python(WRONG, tmp_path / "graph", KERAS_BACKEND="openvino", KERAS_HOME=str(tmp_path / "home"))
    assert "runtime='openvino' in float32 gives other features than Keras on " in printed
    assert "use another runtime, such as 'keras'" in printed


def test_agreement_is_that_of_the_worst_group():
    expected = np.array([[1.0, 0.0, 100.0], [0.0, 1.0, 100.0]])
    assert probe.agreement(expected, expected, {"a": 2, "b": 1}) == {"cosine": 1.0, "largest_difference": 0.0}
    rows = expected + np.array([[0.0, 0.1, 0.1], [0.0, 0.0, 0.0]])
    found = probe.agreement(rows, expected, {"a": 2, "b": 1})
    assert found["largest_difference"] == pytest.approx(0.1)
    assert found["cosine"] == pytest.approx(1 / np.sqrt(1.01))
    silent = probe.agreement(np.zeros((1, 2)), np.zeros((1, 2)), {"a": 2})
    assert silent == {"cosine": 1.0, "largest_difference": 0.0}
    lost = probe.agreement(np.full((1, 2), np.nan), np.ones((1, 2)), {"a": 2})
    with pytest.raises(ArithmeticError):
        probe.refuse(lost, Target(), "jax")


def test_precision_is_part_of_what_is_stored_and_runtime_is_not(monkeypatch):
    monkeypatch.setattr(network, "has_gpu", lambda: False)
    meta = {"weights": {"sha256": "a"}, "size": [32, 32]}
    spec = NetworkSpec(source="MobileNet", size=32, weights=None)

    def digests(precision):
        return {network._digest(spec, Target(runtime, precision), meta) for runtime in ("openvino", "onnx", "keras")}

    assert len(digests("float32")) == 1
    assert len(digests("bfloat16")) == 3
    assert digests("float32").isdisjoint(digests("bfloat16"))
    monkeypatch.setattr(network, "has_gpu", lambda: True)  # which may shorten float32
    assert len(digests("float32")) == 2


def test_images_are_computed_while_the_caller_goes_on(images):
    """What is started has begun before `finish` is called."""
    net = tiny()
    net.run(images)
    started = [net.start(image) for image in images]
    done = threading.Event()
    started[-1].add_done_callback(lambda _: done.set())
    assert done.wait(20)
