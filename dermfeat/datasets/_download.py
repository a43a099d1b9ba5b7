"""Download a file, going on where a download was cut off; check it, unpack it. Nothing half done counts as done."""

import json
import os
import shutil
import socket
import ssl
import stat
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from zipfile import BadZipFile, ZipFile

from dermfeat._errors import LesionImageError

RECORD = "checksums.json"  # SHA-256 of files whose publisher gives no checksum, from their first download
ATTEMPTS = 5  # at one download, each of which must bring it further
TIMEOUT = 20, 60  # seconds to connect, and without a byte
CHUNK = 2**16
MAX_GROWTH, MAX_SMALL = 100, 2**26  # an archive unpacks to at most this many times its size, and these bytes
ASIDE = "__MACOSX"
UNREACHABLE = {
    socket.gaierror: "name resolution failed",
    ConnectionRefusedError: "refused",
    TimeoutError: "timed out",
    ssl.SSLError: "no secure connection",
}


def obtain(address, file, *, checksum=None, progress=True):
    """Return the path of a file, or of the folder that an archive unpacks to; download what is not there.

    Parameters
    ----------
    address : str
    file : Path
        Where it is kept. ``a.zip`` is unpacked to the folder ``a`` beside, without the one folder that all of its files
        may lie in, and removed, unless it lay there before.
    checksum : str, optional
        "md5:..." as published. Without it the SHA-256 of the first download is recorded in `RECORD` beside the
        file, and checked ever after; the size is compared with the server's in any case.
    progress : bool
        Show a progress bar.

    Raises
    ------
    LesionImageError
        If the address cannot be reached, the file is not what it should be, or the archive is damaged or unsafe. It
        names the address and the place where the file can be put by hand.
    """
    archive = file.suffix == ".zip"
    if archive and file.with_suffix("").is_dir():
        return file.with_suffix("")
    by_hand = file.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    recorded = _recorded(file.parent)
    _download(address, file, checksum or recorded.get(file.name), progress)
    path = unpack(file, file.with_suffix("")) if archive else file
    if checksum is None and file.name not in recorded:
        _record(file)
    if archive and not by_hand:
        file.unlink()
    return path


def fetch_json(address, cure):
    """Return what a server answers as JSON; `cure` ends the error if it does not."""
    import requests

    try:
        answer = requests.get(address, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()
    except requests.RequestException as error:
        raise LesionImageError(address, _reason(error, address), cure) from None


def _download(address, file, checksum, progress):
    import pooch
    import requests

    by_hand = f"Call again, which goes on where it stopped, or put the file at {file} by hand."
    downloader = _Resuming(file.with_name(f"{file.name}.part"), progress)
    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(address, checksum, fname=file.name, path=file.parent, downloader=downloader)
    except LesionImageError:
        raise
    except requests.RequestException as error:
        raise LesionImageError(address, _reason(error, address), by_hand) from None
    except ValueError as error:
        found = f"what came is not the file expected, and was removed ({error})"
        cure = f"Call again; if the publisher changed the file, remove its line from {file.parent / RECORD}."
        raise LesionImageError(address, found, cure) from None


@contextmanager
def _quiet(logger):
    """Keep pooch from telling the user which of its arguments to use."""
    before = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(before)


def _reason(error, address):
    """Return in a few words why a request failed."""
    import requests

    answer = getattr(error, "response", None)
    if answer is not None and not answer.ok:
        return f"the server answers {answer.status_code} {answer.reason}"
    if isinstance(error, requests.JSONDecodeError):
        return "the server's answer is no JSON"
    host = urlsplit(address).hostname
    if isinstance(error, requests.exceptions.ProxyError):
        return f"{host} cannot be reached (the proxy does not let it through)"
    for cause in _causes(error):
        for kind, what in UNREACHABLE.items():
            if isinstance(cause, kind) or (kind is TimeoutError and isinstance(cause, requests.Timeout)):
                return f"{host} cannot be reached ({what})"
    return f"{host} cannot be reached or the download was cut off ({type(error).__name__})"


def _causes(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Resuming:
    """A downloader for pooch that keeps what came so far in a file of its own, and asks for the rest only.

    Beside it lies what the server calls this version of the file (ETag, else Last-Modified). A server without ranges,
    or a file that changed in between, begins anew.
    """

    def __init__(self, part, progress):
        self.part, self.version = part, part.with_name(f"{part.name}.version")
        self.progress = progress

    def __call__(self, url, output_file, pooch, check_only=False):
        import requests

        for left in reversed(range(ATTEMPTS)):
            before = self._size()
            try:
                self._go_on(url)
                break
            except requests.RequestException:
                if not left or self._size() <= before:
                    raise
        os.replace(self.part, output_file)
        self.version.unlink(missing_ok=True)

    def _size(self):
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, url):
        import requests

        have = self._size()
        version = self.version.read_text() if have and self.version.exists() else ""
        ask = {"Range": f"bytes={have}-", "If-Range": version} if version else {}
        with requests.get(url, headers={"Accept-Encoding": "identity", **ask}, stream=True, timeout=TIMEOUT) as answer:
            now = _version(answer)
            if ask and not self._fits(answer, have, version):
                self.part.unlink()
                return self._go_on(url)
            answer.raise_for_status()
            self.version.write_text(now)
            self._write(answer, have if answer.status_code == requests.codes.partial else 0)

    def _fits(self, answer, have, version):
        """Return whether the answer is the rest of the same file, or all of it."""
        if answer.status_code == 206:
            rest = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            return rest and _version(answer) in (version, "")
        return answer.status_code != 416

    def _write(self, answer, start):
        import requests
        from tqdm import tqdm

        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        require_space(self.part.parent, (total or start) - start)
        bar = tqdm(
            desc=self.part.stem, total=total, initial=start, unit="B", unit_scale=True, disable=not self.progress
        )
        with open(self.part, "ab" if start else "wb") as out, bar:
            for chunk in answer.iter_content(CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
        if total is not None and self._size() != total:
            raise requests.ConnectionError(f"{self._size()} of {total} bytes came")


def _version(answer):
    etag = answer.headers.get("ETag", "")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag


def require_space(folder, size):
    free = shutil.disk_usage(folder).free
    if size > free:
        raise LesionImageError(str(folder), f"{free:,} bytes free, {size:,} are needed", "Choose another folder=.")


def _recorded(folder):
    file = folder / RECORD
    try:
        return json.loads(file.read_text()) if file.exists() else {}
    except ValueError:
        raise LesionImageError(str(file), "no table of checksums", "Remove it; a new one is written.") from None


def _record(file):
    import pooch

    table = _recorded(file.parent) | {file.name: f"sha256:{pooch.file_hash(str(file), alg='sha256')}"}
    new = file.with_name(f"{RECORD}.new")
    new.write_text(json.dumps(table, indent=1, sort_keys=True))
    os.replace(new, file.with_name(RECORD))


def unpack(archive, folder):
    """Unpack a zip file to a folder, which is there only once all of it is; return the folder.

    Every file's CRC is checked. An archive that is damaged is removed.

    Raises
    ------
    LesionImageError
        If it is damaged, is not a zip file, has names that lead out of the folder, links, or far more bytes than its
        own size tells, or there is no space.
    """
    draft = folder.with_name(f".{folder.name}.unpacking")  # hidden: such folders are not searched for images
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with ZipFile(archive) as content:
            members = _members(content, archive)
            require_space(archive.parent, sum(member.file_size for member in members))
            content.extractall(draft, members)
        inside = list(draft.iterdir())
        os.replace(inside[0] if len(inside) == 1 and inside[0].is_dir() else draft, folder)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        archive.unlink()
        raise LesionImageError(str(archive), f"a damaged archive, now removed ({error})", "Call again.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _members(content, archive):
    """Return the archive's files; refuse names that lead out of the folder, links and bombs."""
    members = [member for member in content.infolist() if not member.filename.startswith(f"{ASIDE}/")]
    for member in members:
        name = member.filename.replace("\\", "/")
        out = name.startswith("/") or ":" in name or ".." in PurePosixPath(name).parts
        if out or stat.S_ISLNK(member.external_attr >> 16):
            found = f"holds {member.filename!r}, which would not be written below the folder"
            raise LesionImageError(str(archive), found, "Do not trust it; take it from its publisher.")
    total = sum(member.file_size for member in members)
    if not any(member.file_size for member in members):
        raise LesionImageError(str(archive), "an archive without files", "Remove it and call again.")
    if total > MAX_GROWTH * Path(archive).stat().st_size + MAX_SMALL:
        raise LesionImageError(str(archive), f"unpacks to {total:,} bytes", "Do not trust it; remove it.")
    return members
