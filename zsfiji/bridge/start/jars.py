"""The Java libraries of the embedded ImageJ, fetched from Maven Central once and kept.

Every file is pinned to a version and a checksum, so nothing has to be asked when they are there,
and neither a broken download nor a changed file is ever used.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from zsfiji.errors import UserError
from zsfiji.folders import cache_folder
from zsfiji.progress import report

PINNED = {
    "net.imagej:ij:1.54p": "2e1a09961dfb41cee66ddc821b2577a41a072566ce45a49bae69267099741e20",
    "net.imagej:ij1-patcher:2.0.0": (
        "b68810263f9521ddb34bac272816613ebb71607775c1fc337079a0476c2b581a"
    ),
    "org.javassist:javassist:3.30.2-GA": (
        "eba37290994b5e4868f3af98ff113f6244a6b099385d9ad46881307d3cb01aaf"
    ),
    "net.imglib2:imglib2:8.0.1": "a6b0c2d87422fa45f8fcfb4d1794d6d85fa3766961cbf210040e513cdd6877fb",
    "io.github.classgraph:classgraph:4.8.181": (
        "62a6436d69710ef5fab6ec243781ce4c5b299047ed1841b5f92746ae852ce545"
    ),
    "org.scijava:scijava-common:2.100.1": (
        "af53bb31087dd46bfe15645c8b7cc69fe837795516816c60f5be78b9ff0ce6a3"
    ),
    "org.scijava:parsington:3.1.0": (
        "7943c91a1e62918ea47d0a08f6b5989a8b388e019216441002236528f769c72a"
    ),
}
"""Maven coordinate -> SHA-256 of its jar: ImageJ, what patches it for work without a display
(ij1-patcher, javassist), ImgLib2 and SciJava, with what these two need."""


def folder() -> Path:
    """Where the libraries are kept."""
    return cache_folder() / "java"


def present() -> list[Path]:
    """Those of the libraries that are there and whole."""
    return [
        path
        for coordinate, checksum in PINNED.items()
        if _checksum(path := folder() / _name(coordinate)) == checksum
    ]


def fetch() -> list[Path]:
    """Paths of all libraries, after fetching those that are missing or broken.

    Returns
    -------
    list of Path
        The class path of the embedded ImageJ.

    Raises
    ------
    UserError
        If Maven Central cannot be reached, or the cache folder not written.
    """
    there = set(present())
    missing = {c: s for c, s in PINNED.items() if folder() / _name(c) not in there}
    for done, (coordinate, checksum) in enumerate(missing.items()):
        report(done / len(missing), "Fetching ImageJ from Maven Central")
        _fetch_one(coordinate, checksum)
    return [folder() / _name(coordinate) for coordinate in PINNED]


def _name(coordinate: str) -> str:
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _fetch_one(coordinate: str, checksum: str) -> None:
    import requests
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    try:
        folder().mkdir(parents=True, exist_ok=True)
        # Fetched beside its place and moved there whole, so that a start that is interrupted, or
        # two at once, leave nothing half-written.
        with tempfile.TemporaryDirectory(dir=folder()) as scratch:
            # Without repositories named, this asks Maven Central and nothing else.
            context = MavenContext(repo_cache=Path(scratch), local_repos=[])
            jar = context.create_dependency(Coordinate.parse(coordinate)).artifact.resolve()
            if _checksum(jar) != checksum:
                raise UserError(
                    f"What arrived for {coordinate} is not the file that zsfiji knows; a proxy or "
                    "portal of your network may have answered in its place. Try another network."
                )
            os.replace(jar, folder() / _name(coordinate))
    except (requests.RequestException, RuntimeError) as error:
        raise UserError(
            "The first start fetches ImageJ (6 MB) from Maven Central, which cannot be reached: "
            "connect to the internet, or set HTTPS_PROXY to your network's proxy, and start again; "
            "every later start works offline."
        ) from error
    except OSError as error:
        raise UserError(
            f"ImageJ cannot be kept in {folder()} ({error.strerror or error}). Free some space or "
            "let ZSFIJI_CACHE name a folder that you may write to."
        ) from error
