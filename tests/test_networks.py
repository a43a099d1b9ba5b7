"""Traced networks agree with Keras itself, are kept soundly, and leave the user's Keras alone."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dermfeat.embedding import BACKBONES, PREPROCESSINGS, find_backbone
from dermfeat.networks import LAST, NetworkSpec, compiled, graphs, network, trace, weights
from dermfeat.networks.runtime import Target

pytest.importorskip("openvino")

REPRESENTATIVE = ("mobilenet_v3_small", "efficientnet_b0")
NAMES = tuple(BACKBONES) if os.environ.get("DERMFEAT_TEST_ALL") == "1" else REPRESENTATIVE
ALL_STAGES = ("block_3_expand_relu", "block_13_expand_relu", LAST)

# Keras in its own words, in a process of its own: channels last, its own preprocessing and pooling.
REFERENCE = """
    import json, sys
    import numpy as np
    import keras

    if keras.backend.backend() == "openvino":  # which computes in bfloat16 where the CPU can
        import openvino
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        openvino.compile_model = lambda model, device, config=None: openvino.Core().compile_model(model, "CPU", exact)

    folder, mobilenet = sys.argv[1:]
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(3)
    images = np.load(folder + "/images.npy")

    def features(model, stages, images):
        outputs = [model.get_layer(stage).output for stage in stages]
        avg = keras.layers.GlobalAveragePooling2D()
        top = keras.layers.GlobalMaxPooling2D()
        cut = keras.Model(model.input, keras.layers.Concatenate()([f(o) for o in outputs for f in (avg, top)]))
        return cut.predict_on_batch(images)

    def lively(model):
        random = np.random.default_rng(0)
        model.set_weights([w * random.uniform(1, 3, w.shape) for w in model.get_weights()])
        return model

    v2 = keras.applications.MobileNetV2(weights=None, alpha=0.35, include_top=False, input_shape=(96, 96, 3))
    lively(v2).save_weights(folder + "/v2.weights.h5")
    stages = ("block_3_expand_relu", "block_13_expand_relu", "out_relu")
    prepared = keras.applications.mobilenet_v2.preprocess_input(images[:, :96, :96].astype("float32"))
    result = {"v2": features(v2, stages, prepared)}

    if mobilenet:
        v1 = keras.applications.MobileNet(weights=mobilenet, alpha=0.5, include_top=False, input_shape=(224, 224, 3))
        stages = ("conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu")
        prepared = keras.applications.mobilenet.preprocess_input(images.astype("float32"))
        result["v1"] = features(v1, stages, prepared)

    for name, side in {"first": 16, "second": 16, "free": None}.items():
        inputs = keras.Input((side, side, 3))
        x = keras.layers.Rescaling([1 / 255, 1 / 128, 1 / 64])(inputs)
        x = keras.layers.Conv2D(5, 3, activation="relu", name="conv")(x)
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        x = keras.layers.Dense(4, activation="relu", name="hidden")(x)
        x = keras.layers.Dropout(0.5)(x)
        model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(2)(x)))
        lively(model).save(folder + f"/{name}.keras")
        cut = keras.Model(inputs, model.get_layer("hidden").output)
        result[name] = cut.predict_on_batch(images[:, :16, :16].astype("float32"))
    np.savez(folder + "/result.npz", **result)

    modes = {"inside": None, "signed": "tf", "caffe": "caffe", "torch": "torch"}
    prepare = keras.applications.imagenet_utils.preprocess_input
    pixels = images[:, :16, :16].astype("float32")
    prepared = {name: prepare(pixels.copy(), mode=mode) if mode else pixels for name, mode in modes.items()}
    np.savez(folder + "/prepared.npz", **prepared)
"""


def run_python(code, *arguments, **environment):
    """Run `code` in a new process with this checkout on its path; return what it printed."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


@pytest.fixture(scope="module")
def mobilenet_weights():
    folder = os.environ.get("DERMFEAT_SHARED_KERAS") or Path(__file__).parents[2] / "shared" / "keras" / "models"
    file = Path(folder, "mobilenet_5_0_224_tf_no_top.h5")
    return file if file.is_file() else None


@pytest.fixture(scope="module")
def reference(tmp_path_factory, mobilenet_weights):
    """Folder with images, `.keras` files, weights, and what Keras itself makes of them."""
    folder = tmp_path_factory.mktemp("reference")
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (5, 28, 28, 3))
    np.save(folder / "images.npy", np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8))
    home = {"KERAS_HOME": str(folder / "home"), "KERAS_BACKEND": "openvino"}
    run_python(REFERENCE, folder, mobilenet_weights or "", **home)
    return folder


@pytest.fixture(scope="module")
def images(reference):
    return np.load(reference / "images.npy")


@pytest.fixture(scope="module")
def result(reference):
    with np.load(reference / "result.npz") as file:
        return dict(file)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Use an empty cache folder, and no network compiled before."""
    monkeypatch.setenv("DERMFEAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(network, "_per_process", {})
    return tmp_path / "cache"


def kept_graphs(cache):
    return sorted(cache.glob("networks/*/graph-*"))


@pytest.mark.parametrize("name", NAMES)
def test_backbone_is_traced_at_every_stage(name):
    size = 75 if name == "inception_v3" else 32
    backbone = find_backbone(name)
    net = compiled(backbone.spec(weights=None, size=size))
    assert list(net.widths) == [f"{stage}_avg" for stage in backbone.stages]
    batch = np.random.default_rng(0).integers(0, 256, (5, size, size, 3), dtype=np.uint8)
    rows = net.run(batch)
    assert rows.shape == (5, sum(net.widths.values()))
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert np.ptp(rows, axis=0).max() > 0
    np.testing.assert_array_equal(rows, np.concatenate([net.run(batch[i : i + 1]) for i in range(5)]))
    assert net.run(batch[:0]).shape == (0, rows.shape[1])


def test_channels_first_graph_agrees_with_keras_channels_last(reference, images, result):
    options = {"weights": str(reference / "v2.weights.h5"), "alpha": 0.35, "size": 96, "stages": ALL_STAGES}
    net = compiled(find_backbone("MobileNetV2").spec(pooling="avg+max", **options))
    assert list(net.widths) == [f"{stage}_{kind}" for stage in ALL_STAGES for kind in ("avg", "max")]
    rows = net.run(images[:, :96, :96])
    assert np.ptp(result["v2"], axis=0).max() > 0.1
    np.testing.assert_allclose(rows, result["v2"], atol=1e-4 * np.abs(result["v2"]).max())


def test_imagenet_weights_give_what_keras_gives(shared_keras, tmp_path, monkeypatch, images, result, own_cache):
    home = tmp_path / "keras"
    (home / "models").mkdir(parents=True)
    name = "mobilenet_5_0_224_tf_no_top.h5"
    (home / "models" / name).write_bytes((shared_keras / name).read_bytes())
    (home / "keras.json").write_text('{"backend": "of the user"}')
    monkeypatch.setenv("KERAS_HOME", str(home))
    net = compiled(find_backbone("mobilenet").spec(alpha=0.5, pooling="avg+max"))
    assert list(net.widths.values()) == [64, 64, 128, 128, 256, 256, 512, 512]
    np.testing.assert_allclose(net.run(images), result["v1"], atol=1e-4)
    assert (home / "keras.json").read_text() == '{"backend": "of the user"}'
    assert sorted(path.name for path in home.rglob("*")) == ["keras.json", name, "models"]


TURNED = """
    import numpy as np
    import openvino as ov
    from keras.src.applications.densenet import DenseNet
    from dermfeat.networks import trace

    model = DenseNet([1, 1, 1, 1], include_top=False, weights=None, input_shape=(32, 32, 3))
    trace.draw_weights(model)
    turned = trace.with_channels_first(model)
    assert turned.input_shape == (None, 3, 32, 32)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    found = []
    for network, batch in ((model, images), (turned, np.ascontiguousarray(images.transpose(0, 3, 1, 2)))):
        graph = trace.to_openvino(network, batch.shape[1:])
        found.append(ov.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(batch)[0])
    print(np.ptp(found[0]), np.abs(found[0] - found[1].transpose(0, 2, 3, 1)).max())
"""


def test_densenet_gives_the_same_with_its_channels_first(tmp_path):
    spread, difference = map(float, run_python(TURNED, KERAS_BACKEND="openvino", KERAS_HOME=str(tmp_path)).split())
    assert difference < 1e-5 * spread


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_preprocessing_agrees_with_keras(name, reference, images):
    import openvino as ov

    pixels = ov.op.Parameter(ov.Type.f32, ov.PartialShape([-1, 3, 16, 16]))
    graph = ov.Model([ov.opset13.relu(pixels).output(0), pixels.output(0)], [pixels], "identity")
    preprocessing = vars(PREPROCESSINGS[name])
    graph = trace.with_preprocessing(graph, preprocessing, channels_first=True)
    run = ov.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = run(images[:, :16, :16])[1].transpose(0, 2, 3, 1)
    with np.load(reference / "prepared.npz") as expected:
        np.testing.assert_allclose(found, expected[name], atol=1e-4)


def test_keras_file_gives_the_input_of_its_head(reference, images, result):
    net = compiled(NetworkSpec(source=str(reference / "first.keras")))
    assert net.widths == {LAST: 4}
    assert net.size == (16, 16)
    np.testing.assert_allclose(net.run(images[:, :16, :16]), result["first"], rtol=1e-5)


def test_keras_file_of_free_size_is_cut_at_named_layers(reference, images, result):
    net = compiled(NetworkSpec(source=str(reference / "free.keras"), size=16, stages=("conv", "pool", "hidden")))
    assert net.size == (16, 16)
    assert net.widths == {"conv_avg": 5, "pool": 5, "hidden": 4}
    rows = net.run(images[:, :16, :16])
    np.testing.assert_allclose(rows[:, :5], rows[:, 5:10], rtol=1e-5)
    np.testing.assert_allclose(rows[:, 10:], result["free"], rtol=1e-5)


def test_keras_is_never_imported_in_the_parent(reference, tmp_path):
    code = """
        import sys
        import numpy as np
        from dermfeat.networks import NetworkSpec, compiled
        assert "openvino" not in sys.modules
        net = compiled(NetworkSpec(source=sys.argv[1]))
        assert net.run(np.zeros((2, 16, 16, 3), np.uint8)).shape == (2, 4)
        assert "openvino" in sys.modules
        assert not {"keras", "tensorflow", "torch", "jax"} & set(sys.modules)
    """
    home = {"KERAS_HOME": str(tmp_path / "keras"), "KERAS_BACKEND": "torch"}
    run_python(code, reference / "first.keras", **home, DERMFEAT_CACHE=str(tmp_path / "cache"))
    assert not (tmp_path / "keras").exists()


def test_missing_weights_say_which_file_goes_where(tmp_path, monkeypatch, own_cache):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(FileNotFoundError) as caught:
        compiled(find_backbone("mobilenet_v2").spec(alpha=0.35))
    message = str(caught.value)
    assert "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5" in message
    assert str(tmp_path / "keras" / "models") in message
    assert "https://storage.googleapis.com" in message
    assert "Traceback" not in message
    assert "Traceback" in caught.value.__cause__.stderr
    assert not kept_graphs(own_cache)


def test_weights_with_a_wrong_checksum_are_refused_and_left_alone(tmp_path):
    file = tmp_path / "net.h5"
    file.write_bytes(b"half a file")
    weights._check(file, weights.digest_file(file, "md5"))
    with pytest.raises(ValueError, match="checksum"):
        weights._check(file, "0" * 64)
    assert file.read_bytes() == b"half a file"


def test_download_is_put_in_place_when_whole(tmp_path):
    def download(name, origin, file_hash, cache_subdir):
        fetched = tmp_path / name
        fetched.write_bytes(b"weights")
        return str(fetched)

    target = tmp_path / "keras" / "models" / "net.h5"
    weights._fetch(download, target, "https://example.org/net.h5", None)
    assert [path.name for path in target.parent.iterdir()] == ["net.h5"]
    assert target.read_bytes() == b"weights"


def test_weights_of_another_network_are_refused(reference):
    spec = find_backbone("mobilenet").spec(weights=str(reference / "v2.weights.h5"), alpha=0.25, size=32)
    with pytest.raises(ValueError, match=r"v2\.weights\.h5: does not fit MobileNet.*0\.25"):
        compiled(spec)


def test_unknown_stage_lists_the_layers(reference):
    with pytest.raises(ValueError, match=r"stage 'pol' is no layer of .* it has .*conv, pool, hidden"):
        compiled(NetworkSpec(source=str(reference / "first.keras"), stages=("pol",)))


@pytest.fixture
def graph_of_first(reference):
    """Folder of the graph of first.keras in the cache of the session."""
    return graphs.traced(NetworkSpec(source=str(reference / "first.keras")))[0]


def test_damaged_graphs_are_traced_again(graph_of_first, reference, images, result, own_cache):
    damaged = own_cache / "networks" / graph_of_first.parent.name / graph_of_first.name
    shutil.copytree(graph_of_first, damaged)
    assert graphs._read(damaged) is not None
    (damaged / "network.bin").write_bytes(bytes((damaged / "network.bin").stat().st_size))
    net = compiled(NetworkSpec(source=str(reference / "first.keras")))
    np.testing.assert_allclose(net.run(images[:, :16, :16]), result["first"], rtol=1e-5)
    (traced_again,) = kept_graphs(own_cache)
    assert traced_again != damaged
    for damage in ("", "{}", "[]", '{"files": {"network.bin": "0"}}'):
        (traced_again / "meta.json").write_text(damage)
        assert graphs._read(traced_again) is None


def test_changed_file_is_traced_again_and_a_touched_one_is_not(reference, images, result, own_cache, tmp_path):
    file = tmp_path / "net.keras"
    file.write_bytes((reference / "first.keras").read_bytes())
    spec = NetworkSpec(source=str(file))
    first = compiled(spec)
    os.utime(file, (1, 1))
    assert compiled(spec) is first
    file.write_bytes((reference / "second.keras").read_bytes())
    second = compiled(spec)
    assert second.digest != first.digest
    np.testing.assert_allclose(second.run(images[:, :16, :16]), result["second"], rtol=1e-5)
    assert len(kept_graphs(own_cache)) == 1
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"net\.keras"):
        NetworkSpec(source=str(file))


def test_two_tracings_at_once_do_not_disturb_each_other(graph_of_first, reference, own_cache, monkeypatch):
    both_here = threading.Barrier(2, timeout=30)

    def trace_at_once(spec, target, graph, keras_home):
        shutil.copytree(graph_of_first, graph, dirs_exist_ok=True)
        both_here.wait()

    monkeypatch.setattr(graphs, "_trace_in_child", trace_at_once)
    spec = NetworkSpec(source=str(reference / "first.keras"))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: graphs.traced(spec), range(2)))
    assert [meta["widths"] for _, meta in found] == [{LAST: 4}] * 2
    assert graphs.traced(spec)[0] in [folder for folder, _ in found]
    assert not list(own_cache.glob("networks/*/tracing-*"))


def test_compiled_networks_are_kept_per_process(reference, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    spec = NetworkSpec(source=str(reference / "first.keras"))
    net = compiled(spec)
    assert compiled(spec) is net
    batch = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    single = compiled(spec, threads=1)
    assert single is not net
    np.testing.assert_array_equal(single.run(batch), net.run(batch))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert compiled(spec) is not net


@pytest.mark.parametrize(
    "batch",
    [np.zeros((1, 16, 16, 3)), np.zeros((16, 16, 3), np.uint8), np.zeros((1, 17, 16, 3), np.uint8)],
    ids=["float", "one image", "size"],
)
def test_unfit_batches_are_refused(reference, batch):
    with pytest.raises(ValueError, match=r"takes \(n, 16, 16, 3\) uint8"):
        compiled(NetworkSpec(source=str(reference / "first.keras"))).run(batch)


def test_digest_tells_cuts_and_preprocessing_apart():
    meta = {"weights": {"sha256": "a"}, "size": [32, 32]}
    backbone = find_backbone("mobilenet")
    specs = [backbone.spec(weights=None, **change) for change in ({}, {"pooling": "max"}, {"stages": (LAST,)})]
    specs.append(NetworkSpec(source="MobileNet", size=224, weights=None, alpha=1.0, stages=backbone.stages))
    assert len({network._digest(spec, Target(), meta) for spec in specs}) == len(specs)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"pooling": "sum"}, "pooling='sum'"),
        ({"order": "GBR"}, "order='GBR'"),
        ({"stages": ("a", "a")}, "twice"),
        ({"size": None}, "size is missing"),
    ],
)
def test_unfit_specs_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        NetworkSpec(**{"source": "MobileNet", "size": 32} | options)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        NetworkSpec(source="MobileNet", size=32, weights=str(tmp_path / "none.h5"))


def test_backbones_answer_to_both_spellings():
    assert find_backbone("MobileNetV2") is find_backbone("mobilenet_v2") is BACKBONES["mobilenet_v2"]
    with pytest.raises(ValueError, match=r"'mobilenet_v9' is unknown.*mobilenet_v2.*vgg16"):
        find_backbone("mobilenet_v9")


def test_a_width_that_a_network_cannot_have_is_refused():
    with pytest.raises(ValueError, match=r"alpha=0\.5: resnet50 has no width multiplier; leave alpha out"):
        find_backbone("resnet50").spec(alpha=0.5)


def test_specs_survive_json():
    spec = find_backbone("vgg16").spec(weights=None)
    assert json.loads(json.dumps(vars(spec)))["order"] == "BGR"


def test_nothing_is_sent_and_nothing_written_to_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys; import numpy as np\n"
        "from dermfeat.embedding import find_backbone; from dermfeat.networks import compiled\n"
        "net = compiled(find_backbone('mobilenet').spec(weights=None, size=32, alpha=0.25))\n"
        "net.run(np.zeros((1, 32, 32, 3), np.uint8))\n"
        "assert 'openvino' in sys.modules and 'openvino_telemetry' not in sys.modules\n"
    )
    environment = os.environ | {"HOME": str(home), "USERPROFILE": str(home), "DERMFEAT_CACHE": str(tmp_path / "cache")}
    environment.pop("KERAS_HOME", None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert not {"intel", ".keras"} & {path.name for path in home.iterdir()}
