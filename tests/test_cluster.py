"""A real cluster of worker processes: the same rows, also where a worker dies."""

import os
import signal

import joblib
import numpy as np
import pytest
from counted import counting, measured, worker_killed_after

from dermfeat import config_context, datasets

pytest.importorskip("pyarrow", reason="Parquet output needs pyarrow: pip install 'dermfeat[dask]'")
distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'dermfeat[dask]'")
COUNT = 40


@pytest.fixture
def client(tmp_path):
    """A client of two worker processes of one thread each, with a store of their own."""
    with config_context(cache_folder=tmp_path / "cache"):
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, local_directory=str(tmp_path), dashboard_address=None
        )
        with cluster, distributed.Client(cluster) as client, joblib.parallel_config(backend="dask"):
            yield client


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_worker_is_killed_in_mid_run(client, tmp_path):
    X = [*datasets.make_lesions(COUNT, size=(96, 128), random_state=4).X, tmp_path / "missing.jpg"]
    log = tmp_path / "log"
    features = counting(log, 0.02)
    before = set(client.run(os.getpid).values())
    assert set(client.run(os.environ.get, "OMP_NUM_THREADS").values()) == {"1"}
    with pytest.warns(UserWarning, match=r"missing\.jpg.*1 of 41 images"), worker_killed_after(log, 10):
        result = features.extract(X, tmp_path / "rows", partition_size=5)
    seen = set(measured(log))
    assert os.getpid() not in seen
    assert len(seen & before) == 2  # both have worked, and one of them is gone
    assert len(before & set(client.run(os.getpid).values())) == 1
    assert result.written in (len(X), len(X) - 5)  # the dead worker may have written a part and not said so
    assert [position for position, *_ in result.unreadable] == [COUNT]
    assert COUNT <= len(measured(log)) <= COUNT + features.batch_size
    table = result.read()
    assert list(table["position"]) == list(range(len(X)))
    with config_context(store=False), joblib.parallel_config(backend="sequential"):
        alone = features.transform(X[:COUNT])
    np.testing.assert_array_equal(table[list(features.get_feature_names_out())].to_numpy()[:COUNT], alone)
    with config_context(store=False):
        np.testing.assert_array_equal(features.transform(X[:6]), alone[:6])  # the cluster measures, nothing is written
