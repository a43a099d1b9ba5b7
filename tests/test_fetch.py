"""Downloads from a server in a thread of the test: whole, cut off, changed, wrong, unsafe, and not there."""

import hashlib
import io
import json
import socket
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from dermfeat import LesionImageError, config_context
from dermfeat.datasets import _download, dermamnist, fetch, ham10000, isic2017, isic2018, isic2019
from dermfeat.datasets._download import RECORD, obtain, unpack
from dermfeat.datasets.fetch import fetch_dermamnist, fetch_ham10000, fetch_isic
from dermfeat.reading import sources

PAYLOAD = np.random.default_rng(0).bytes(300_000)


class Server:
    """Files by path, what was asked for, and how it behaves."""

    def __init__(self):
        self.files, self.asked = {}, []
        self.ranges = self.etag = True  # whether it knows ranges and gives an ETag
        self.cuts = []  # after how many bytes of the body the next answers break off
        self.status = 200
        self.if_range = True  # whether it minds If-Range

    def paths(self):
        return [path for path, _ in self.asked]

    def last_range(self):
        return self.asked[-1][1]


def handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = self.path if self.path in server.files else urlsplit(self.path).path
            wanted = self.headers.get("Range")
            server.asked.append((self.path, wanted))
            if server.status != 200 or path not in server.files:
                return self.send_error(404 if server.status == 200 else server.status)
            data = server.files[path]
            tag = f'"{hashlib.md5(data).hexdigest()}"'
            start = self.start_of(wanted, tag)
            if start is not None and start >= len(data):
                return self.send_error(416)
            body = data[start or 0 :]
            self.send_response(200 if start is None else 206)
            self.send_header("Content-Length", str(len(body)))
            if start is not None:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            if server.etag:
                self.send_header("ETag", tag)
            self.end_headers()
            self.send(body)

        def start_of(self, wanted, tag):
            same = self.headers.get("If-Range", tag) == tag or not server.if_range
            return int(wanted[6:-1]) if wanted and server.ranges and same else None

        def send(self, body):
            cut = server.cuts.pop(0) if server.cuts else None
            self.wfile.write(body[:cut])
            self.wfile.flush()
            if cut is not None and cut < len(body):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_):
            """Stay quiet."""

    return Handler


@pytest.fixture
def server(monkeypatch):
    """Serve files at `server.url`; nothing else can be reached."""
    found = socket.getaddrinfo

    def only_here(host, *args, **kwargs):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(f"a test asked for {host}")
        return found(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    monkeypatch.setenv("NO_PROXY", "*")
    server = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(server)) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        server.url = f"http://127.0.0.1:{http.server_port}"
        yield server
        http.shutdown()


@pytest.fixture
def file(server, tmp_path):
    """Return where the payload, served as /a.bin, is to go."""
    server.files["/a.bin"] = PAYLOAD
    return tmp_path / "kept" / "a.bin"


def md5(data):
    return f"md5:{hashlib.md5(data).hexdigest()}"


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def get(server, file, **options):
    return obtain(f"{server.url}/a.bin", file, progress=False, **options)


def test_whole_download_and_none_the_second_time(server, file):
    for _ in range(2):
        assert get(server, file, checksum=md5(PAYLOAD)) == file
        assert file.read_bytes() == PAYLOAD
    assert server.asked == [("/a.bin", None)]
    assert left(file.parent) == ["a.bin"]


def test_progress_is_shown_unless_unwanted(server, file, capsys):
    get(server, file.with_name("b.bin"))
    assert capsys.readouterr().err == ""
    obtain(f"{server.url}/a.bin", file, checksum=md5(PAYLOAD))
    assert "a.bin: 100%" in capsys.readouterr().err


@contextmanager
def one_attempt(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_download, "ATTEMPTS", 1)
        yield


@pytest.mark.parametrize("seed", range(8))
def test_goes_on_where_it_was_cut_off(server, file, monkeypatch, seed):
    cut = int(np.random.default_rng(seed).integers(1, len(PAYLOAD)))
    server.cuts = [cut]
    with one_attempt(monkeypatch), pytest.raises(LesionImageError, match=r"cut off .* Call again, which goes on"):
        get(server, file, checksum=md5(PAYLOAD))
    assert not file.exists()
    have = (file.parent / "a.bin.part").stat().st_size
    assert max(0, cut - _download.CHUNK) <= have <= cut
    get(server, file, checksum=md5(PAYLOAD))
    assert server.last_range() == (f"bytes={have}-" if have else None)
    assert file.read_bytes() == PAYLOAD
    assert left(file.parent) == ["a.bin"]


def test_goes_on_by_itself_as_long_as_bytes_come(server, file):
    server.cuts = [100_000, 100_000]
    get(server, file, checksum=md5(PAYLOAD))
    assert file.read_bytes() == PAYLOAD
    assert len(server.asked) == 3
    assert all(asked for _, asked in server.asked[1:])


def cut_once(server, file, monkeypatch):
    server.cuts = [200_000]
    with one_attempt(monkeypatch), pytest.raises(LesionImageError, match="cut off"):
        get(server, file)
    assert (file.parent / "a.bin.part").stat().st_size > 100_000


def test_begins_anew_where_the_server_knows_no_ranges(server, file, monkeypatch):
    cut_once(server, file, monkeypatch)
    server.ranges = False
    get(server, file, checksum=md5(PAYLOAD))
    assert file.read_bytes() == PAYLOAD


@pytest.mark.parametrize("if_range", [True, False])
def test_begins_anew_where_the_file_changed(server, file, monkeypatch, if_range):
    cut_once(server, file, monkeypatch)
    server.files["/a.bin"] = new = PAYLOAD[::-1]
    server.if_range = if_range
    get(server, file)
    assert file.read_bytes() == new


def test_begins_anew_where_the_file_became_shorter(server, file, monkeypatch):
    cut_once(server, file, monkeypatch)
    server.files["/a.bin"] = new = PAYLOAD[:1000]
    server.if_range = False
    get(server, file)
    assert file.read_bytes() == new


def test_begins_anew_without_a_name_for_the_version(server, file, monkeypatch):
    server.etag = False
    cut_once(server, file, monkeypatch)
    get(server, file)
    assert server.last_range() is None
    assert file.read_bytes() == PAYLOAD


def test_wrong_checksum_leaves_nothing(server, file):
    with pytest.raises(LesionImageError, match=r"a\.bin: what came is not the file expected, and was removed"):
        get(server, file, checksum=md5(b"other"))
    assert left(file.parent) == []


def test_first_checksum_is_kept_and_checked_ever_after(server, file):
    get(server, file)
    recorded = json.loads((file.parent / RECORD).read_text())
    assert recorded == {"a.bin": f"sha256:{hashlib.sha256(PAYLOAD).hexdigest()}"}
    get(server, file)
    assert len(server.asked) == 1
    file.write_bytes(b"spoiled")
    get(server, file)
    assert file.read_bytes() == PAYLOAD
    server.files["/a.bin"] = b"changed by the publisher"
    file.unlink()
    with pytest.raises(LesionImageError, match=rf"if the publisher changed the file, remove its line from .*{RECORD}"):
        get(server, file)
    assert left(file.parent) == [RECORD]
    (file.parent / RECORD).write_text("{")
    with pytest.raises(LesionImageError, match="no table of checksums"):
        get(server, file)


def test_offline_names_the_address_and_the_place(tmp_path, server):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/a.bin"
    with pytest.raises(LesionImageError) as caught:
        obtain(address, tmp_path / "a.bin", progress=False)
    assert caught.value.item == address
    assert caught.value.found == "127.0.0.1 cannot be reached (refused)"
    assert str(tmp_path / "a.bin") in caught.value.cure
    with pytest.raises(LesionImageError, match=r"zenodo\.org cannot be reached \(name resolution failed\)\. Call"):
        fetch_dermamnist(folder=tmp_path, progress=False)


def test_a_server_that_does_not_answer(server, file, monkeypatch):
    monkeypatch.setattr(_download, "TIMEOUT", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.bin"
        with pytest.raises(LesionImageError, match=r"127\.0\.0\.1 cannot be reached \(timed out\)"):
            obtain(address, file, progress=False)


@pytest.mark.parametrize("status", [404, 503])
def test_refusals_of_the_server(server, file, status):
    server.status = status
    with pytest.raises(LesionImageError, match=f"the server answers {status}"):
        get(server, file)
    assert left(file.parent) == []


def test_no_space_left(server, file, monkeypatch):
    monkeypatch.setattr(_download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(LesionImageError, match="1,000 bytes free, 300,000 are needed"):
        get(server, file)
    assert not file.exists()


# Archives


def zipped(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def serve_archive(server, content):
    server.files["/a.zip"] = content
    return f"{server.url}/a.zip"


def test_an_archive_is_unpacked_once_and_removed(server, tmp_path):
    address = serve_archive(server, zipped({"a/x/1.txt": b"one", "a/2.txt": b"two", "__MACOSX/a/._2.txt": b"-"}))
    for _ in range(2):
        folder = obtain(address, tmp_path / "a.zip", progress=False)
        assert folder == tmp_path / "a"
    assert server.paths() == ["/a.zip"]
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*")) == ["2.txt", "x", "x/1.txt"]
    assert left(tmp_path) == ["a", RECORD]


def test_an_archive_put_there_by_hand_stays(server, tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"1.txt": b"one", "2.txt": b"two"}))
    obtain(f"{server.url}/a.zip", tmp_path / "a.zip", progress=False)
    assert server.asked == []
    assert left(tmp_path) == ["a", "a.zip", RECORD]
    assert left(tmp_path / "a") == ["1.txt", "2.txt"]


def spoil_content(data):
    """Return an archive with one byte of a stored file changed, so that its CRC is wrong."""
    place = data.index(b"twenty bytes of text")
    return data[:place] + b"T" + data[place + 1 :]


LONG = {"a/1.txt": b"twenty bytes of text", "a/2.txt": b"2"}
BAD = {
    "no archive": PAYLOAD,
    "empty file": b"",
    "truncated": zipped(LONG)[:-30],
    "wrong CRC": spoil_content(zipped(LONG, zipfile.ZIP_STORED)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_archive_is_removed(server, tmp_path, name):
    address = serve_archive(server, BAD[name])
    with pytest.raises(LesionImageError, match=r"a\.zip: a damaged archive, now removed"):
        obtain(address, tmp_path / "a.zip", progress=False)
    assert left(tmp_path) == []
    server.files["/a.zip"] = zipped(LONG)
    assert left(obtain(address, tmp_path / "a.zip", progress=False)) == ["1.txt", "2.txt"]


def linked():
    link = zipfile.ZipInfo("a/link")
    link.external_attr = 0o120777 << 16
    return {"a/1.txt": b"1", link: b"/etc/passwd"}


UNSAFE = {
    "parent": ({"../out.txt": b"x"}, "would not be written below the folder"),
    "parent within": ({"a/../../out.txt": b"x"}, "would not be written below the folder"),
    "absolute": ({"/out.txt": b"x"}, "would not be written below the folder"),
    "backslashes": ({"..\\out.txt": b"x"}, "would not be written below the folder"),
    "drive": ({"C:/out.txt": b"x"}, "would not be written below the folder"),
    "link": (linked(), "would not be written below the folder"),
    "bomb": ({"zeros": bytes(2**27)}, "unpacks to 134,217,728 bytes"),
    "nothing in it": ({}, "an archive without files"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_archive_writes_nothing(tmp_path, name):
    files, message = UNSAFE[name]
    archive = tmp_path / "deep" / "a.zip"
    archive.parent.mkdir()
    archive.write_bytes(zipped(files))
    with pytest.raises(LesionImageError, match=message):
        unpack(archive, archive.with_suffix(""))
    assert left(archive.parent) == ["a.zip"]
    assert left(tmp_path) == ["deep"]


def test_half_unpacked_is_not_taken_for_complete(server, tmp_path, monkeypatch):
    """What a killed process left is hidden from loaders, and replaced."""
    draft = tmp_path / ".a.unpacking"
    (draft / "a").mkdir(parents=True)
    (draft / "a" / "old.txt").write_text("old")
    folder = obtain(serve_archive(server, zipped(LONG)), tmp_path / "a.zip", progress=False)
    assert left(folder) == ["1.txt", "2.txt"]
    assert left(tmp_path) == ["a", RECORD]

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "extractall", killed)
    (tmp_path / "b.zip").write_bytes(zipped(LONG))
    with pytest.raises(KeyboardInterrupt):
        obtain(f"{server.url}/b.zip", tmp_path / "b.zip", progress=False)
    assert left(tmp_path) == ["a", "b.zip", RECORD]


# Data sets


def jpeg(value):
    out = io.BytesIO()
    Image.new("RGB", (16, 12), (value, 90, 60)).save(out, "JPEG")
    return out.getvalue()


def png():
    out = io.BytesIO()
    Image.fromarray(np.tri(12, 16, dtype=bool)).save(out, "PNG")
    return out.getvalue()


def publish(monkeypatch, module, counts):
    monkeypatch.setattr(module, "CARD", replace(module.CARD, counts=counts, labels={}))


@pytest.fixture
def npz(monkeypatch):
    rng, arrays = np.random.default_rng(0), {}
    for part, n in (("train", 3), ("val", 1), ("test", 2)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (n, 28, 28, 3), np.uint8)
        arrays[f"{part}_labels"] = np.arange(n, dtype=np.uint8)[:, None] + 4
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    publish(monkeypatch, dermamnist, {"train": 3, "validation": 1, "test": 2})
    monkeypatch.setitem(fetch.DERMAMNIST_MD5, 64, hashlib.md5(out.getvalue()).hexdigest())
    return out.getvalue()


def test_dermamnist(server, npz, tmp_path, monkeypatch):
    server.files["/dermamnist_64.npz"] = npz
    data = fetch_dermamnist(64, folder=tmp_path, base_url=server.url, progress=False, target="melanoma")
    assert data.y.tolist() == ["melanoma", "other", "other", "melanoma", "melanoma", "other"]
    assert data.licence in data.DESCR
    assert sources(data.X[:1])[0].read()[0].shape == (28, 28, 3)
    monkeypatch.setenv("DERMFEAT_ZENODO_URL", f"{server.url}/")
    with config_context(cache_folder=tmp_path / "cache"):
        data = fetch_dermamnist(64, progress=False)
        assert data.X[0].startswith(str(tmp_path / "cache/datasets/dermamnist/dermamnist_64.npz#"))
        fetch_dermamnist(64, progress=False)
    assert server.paths() == ["/dermamnist_64.npz"] * 2
    with pytest.raises(LesionImageError, match="size: 32"):
        fetch_dermamnist(32)


def test_the_home_folder(server, npz, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    server.files["/dermamnist_64.npz"] = npz
    data = fetch_dermamnist(64, folder="~/sets", base_url=server.url, progress=False)
    assert data.X[0].startswith(str(tmp_path / "sets" / "dermamnist_64.npz#"))


HAM = """\
lesion_id,image_id,dx,dx_type,age,sex,localization
HAM_1,ISIC_1,mel,histo,50,male,back
HAM_1,ISIC_2,mel,histo,50,male,back
HAM_2,ISIC_3,nv,follow_up,,unknown,unknown
"""


@pytest.fixture
def dataverse(server, monkeypatch):
    """Serve what the API of Dataverse answers for HAM10000: a listing, and files by number."""
    publish(monkeypatch, ham10000, {"all": 3})
    files = {
        "HAM10000_metadata.tab": HAM.encode(),
        "HAM10000_images_part_1.zip": zipped({"ISIC_1.jpg": jpeg(1), "ISIC_2.jpg": jpeg(2)}),
        "HAM10000_images_part_2.zip": zipped({"ISIC_3.jpg": jpeg(3)}),
        "HAM10000_segmentations_lesion_tschandl.zip": zipped({
            f"HAM10000_segmentations_lesion_tschandl/ISIC_{i}_segmentation.png": png() for i in (1, 2, 3)
        }),
        "ISIC2018_Task3_Test_Images.zip": b"not asked for",
    }  # fmt: skip
    listed = []
    for number, (name, content) in enumerate(files.items()):
        tabular = name.endswith(".tab")
        checksum = {"type": "MD5", "value": "0" * 32 if tabular else hashlib.md5(content).hexdigest()}
        listed.append({"dataFile": {"id": number, "filename": name, "checksum": checksum}})
        server.files[f"/api/access/datafile/{number}{'?format=original' * tabular}"] = content
    answer = {"status": "OK", "data": {"latestVersion": {"files": listed}}}
    server.files["/api/datasets/:persistentId/"] = json.dumps(answer).encode()
    return server


def test_ham10000(dataverse, tmp_path):
    for _ in range(2):
        data = fetch_ham10000(folder=tmp_path, base_url=dataverse.url, progress=False)
        assert data.y.tolist() == ["melanoma", "melanoma", "nevus"]
        assert data.groups.tolist() == ["HAM_1", "HAM_1", "HAM_2"]
        assert all(mask.endswith("_segmentation.png") for mask in data.masks)
        assert "CC BY-NC 4.0" in data.DESCR
    assert len(dataverse.asked) == 5
    assert "doi:10.7910/DVN/DBW86T" in dataverse.paths()[0]
    assert not list(tmp_path.glob("*.zip"))
    assert list(json.loads((tmp_path / RECORD).read_text())) == ["HAM10000_metadata.csv"]


def test_ham10000_put_there_by_hand(dataverse, tmp_path):
    served = list(dataverse.files.values())
    dataverse.status = 503
    with pytest.raises(
        LesionImageError, match=rf"answers 503.*or put HAM10000_metadata\.csv, .* into {tmp_path} by hand"
    ):
        fetch_ham10000(folder=tmp_path, base_url=dataverse.url, progress=False)
    for name, content in zip(fetch.HAM10000_FILES, served, strict=False):
        (tmp_path / name).write_bytes(content)
    for _ in range(2):
        assert len(fetch_ham10000(folder=tmp_path, base_url=dataverse.url, progress=False).X) == 3
    assert len(dataverse.asked) == 1


def test_ham10000_of_a_spoiled_archive(dataverse, tmp_path):
    dataverse.files["/api/access/datafile/2"] = zipped({"ISIC_3.jpg": jpeg(200)})
    with pytest.raises(LesionImageError, match="datafile/2: what came is not the file expected"):
        fetch_ham10000(folder=tmp_path, base_url=dataverse.url, progress=False)
    assert "HAM10000_images_part_2" not in " ".join(left(tmp_path))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"data": {"latestVersion": {"files": []}}}', "lists no HAM10000_metadata, only"),
        (b'{"status": "ERROR"}', "lists no files of doi"),
        (b"<html>", "the server's answer is no JSON"),
    ],
)
def test_ham10000_not_listed(dataverse, tmp_path, answer, message):
    dataverse.files["/api/datasets/:persistentId/"] = answer
    with pytest.raises(LesionImageError, match=message):
        fetch_ham10000(folder=tmp_path, base_url=dataverse.url, progress=False)


ONE_HOT = {2018: "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC", 2019: "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"}


def challenge_2017(name, ids):
    rows = "".join(f"{id_},{i % 2}.0,0.0\n" for i, id_ in enumerate(ids))
    about = "".join(f"{id_},40,female\n" for id_ in ids)
    folder = f"ISIC-2017_{name}_Data"
    photos = {f"{folder}/{id_}.jpg": jpeg(i) for i, id_ in enumerate(ids)}
    photos[f"{folder}/{folder}_metadata.csv"] = f"image_id,age_approximate,sex\n{about}".encode()
    part1 = f"ISIC-2017_{name}_Part1_GroundTruth"
    return {
        f"{folder}.zip": zipped(photos),
        f"{part1}.zip": zipped({f"{part1}/{id_}_segmentation.png": png() for id_ in ids}),
        f"ISIC-2017_{name}_Part3_GroundTruth.csv": f"image_id,melanoma,seborrheic_keratosis\n{rows}".encode(),
    }


def one_hot(year, ids):
    header = ONE_HOT[year]
    width = header.count(",")
    rows = [[id_, *("1.0" if j == i % 2 else "0.0" for j in range(width))] for i, id_ in enumerate(ids)]
    return "\n".join([header, *map(",".join, rows), ""]).encode()


def challenge_2018(name, ids):
    folder, truth = f"ISIC2018_Task3_{name}_Input", f"ISIC2018_Task3_{name}_GroundTruth"
    files = {
        f"{folder}.zip": zipped({f"{folder}/{id_}.jpg": jpeg(i) for i, id_ in enumerate(ids)}),
        f"{truth}.zip": zipped({f"{truth}/{truth}.csv": one_hot(2018, ids), f"{truth}/LICENSE.txt": b"CC"}),
    }
    if name == "Training":
        rows = "".join(f"{id_},HAM_1,histopathology\n" for id_ in ids)
        files["ISIC2018_Task3_Training_LesionGroupings.csv"] = (
            f"image,lesion_id,diagnosis_confirm_type\n{rows}".encode()
        )
    return files


def challenge_2019(name, ids):
    folder = f"ISIC_2019_{name}_Input"
    lesions = name == "Training"
    about = [f"{id_},50,back,{'BCN_1,' * lesions}male" for id_ in ids]
    header = f"image,age_approx,anatom_site_general,{'lesion_id,' * lesions}sex"
    return {
        f"{folder}.zip": zipped({f"{folder}/{id_}.jpg": jpeg(i) for i, id_ in enumerate(ids)}),
        f"ISIC_2019_{name}_GroundTruth.csv": one_hot(2019, ids),
        f"ISIC_2019_{name}_Metadata.csv": "\n".join([header, *about, ""]).encode(),
    }


CHALLENGES = {
    2017: (isic2017, challenge_2017, {"train": "Training", "validation": "Validation", "test": "Test_v2"}),
    2018: (isic2018, challenge_2018, {"train": "Training", "validation": "Validation", "test": "Test"}),
    2019: (isic2019, challenge_2019, {"train": "Training", "test": "Test"}),
}


@pytest.mark.parametrize("year", CHALLENGES)
def test_isic(server, tmp_path, monkeypatch, year):
    module, make, names = CHALLENGES[year]
    publish(monkeypatch, module, dict.fromkeys(names, 2))
    for i, name in enumerate(names.values()):
        ids = [f"ISIC_{i}{j}" for j in range(2)]
        server.files |= {f"/{year}/{file}": content for file, content in make(name, ids).items()}
    monkeypatch.setenv("DERMFEAT_ISIC_URL", server.url)
    for _ in range(2):
        data = fetch_isic(year, folder=tmp_path, progress=False, target="melanoma")
        assert data.y.tolist().count("melanoma") == len(names)
        assert sorted(set(data.split)) == sorted(names)
        assert all(image.read()[0].shape == (12, 16, 3) for image in sources(data.X))
    assert sorted(server.paths()) == sorted(server.files)
    if year == 2017:
        assert all(data.masks)


def test_one_part_of_isic(server, tmp_path, monkeypatch):
    publish(monkeypatch, isic2018, {"train": 2, "validation": 2, "test": 2})
    server.files = {f"/2018/{file}": data for file, data in challenge_2018("Training", ["ISIC_1", "ISIC_2"]).items()}
    data = fetch_isic(2018, parts=["train"], folder=tmp_path, base_url=server.url, progress=False)
    assert data.y.tolist() == ["melanoma", "nevus"]
    with pytest.raises(LesionImageError, match=r"ISIC2018_Task3_Validation_Input\.zip: the server answers 404"):
        fetch_isic(2018, folder=tmp_path, base_url=server.url, progress=False)


def test_wrong_years_and_parts():
    with pytest.raises(LesionImageError, match="year: 2016"):
        fetch_isic(2016)
    with pytest.raises(LesionImageError, match="Choose from"):
        fetch_isic(2019, parts=["validation"])
    with pytest.raises(LesionImageError, match="Choose from"):
        fetch_isic(2019, parts=[])
