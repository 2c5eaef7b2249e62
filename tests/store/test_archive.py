"""Archives that nobody vouches for: refused whole, or unpacked inside the folder only."""

from __future__ import annotations

import io
import os
import stat
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.model.errors import InvalidParameterValue
from workbench.store import archive as archives
from workbench.store.archive import MAX_ENTRIES, MAX_UNZIPPED, check, extract

UNREADABLE = "Could not unzip uploaded file"
LINK = stat.S_IFLNK | 0o777
Entry = tuple[str, bytes, int]


def zipped(*entries: Entry | str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive with these entries: a name, or name, content and mode. Nothing is made harmless."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that appear twice
        with zipfile.ZipFile(buffer, "w") as package:
            for entry in entries:
                name, content, mode = (entry, b"content", 0o100644) if isinstance(entry, str) else entry
                info = zipfile.ZipInfo("x", (1980, 1, 1, 0, 0, 0))
                info.filename = name
                info.create_system = 3
                info.external_attr = mode << 16
                info.compress_type = method
                package.writestr(info, content)
    return buffer.getvalue()


def central(archive: bytes, number: int = 0) -> int:
    """Where the central directory's entry of this number begins."""
    at = archive.index(b"PK\x01\x02")
    for _ in range(number):
        at = archive.index(b"PK\x01\x02", at + 4)
    return at


def lying(archive: bytes, offset: int, layout: str, value: int, number: int = 0) -> bytes:
    """The archive with one field of an entry in the central directory overwritten."""
    at = central(archive, number) + offset
    return archive[:at] + struct.pack(layout, value) + archive[at + struct.calcsize(layout) :]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in a folder, so that what leaves it is seen."""
    folder = tmp_path / "state" / "trees"
    folder.mkdir(parents=True)
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(found.relative_to(folder)): found.read_bytes() if found.is_file() else None
        for found in sorted(folder.rglob("*"))
    }


def refused(archive: bytes, place: Path) -> str:
    """Unpack, which must be refused without a trace; what was said."""
    root = place.parent.parent
    before = tree(root)
    with pytest.raises(InvalidParameterValue) as caught:
        extract(archive, place / "tree")
    assert tree(root) == before
    with pytest.raises(InvalidParameterValue) as checked:
        check(archive)
    assert checked.value.message == caught.value.message
    return caught.value.message


# -- what is unpacked
def test_files_and_folders_appear_with_lambdas_modes(place: Path) -> None:
    archive = zipped(
        ("app.py", b"code", 0o100600),
        ("bin/run", b"#!", 0o100711),
        ("empty/", b"", 0o040700),
        ("läng/ünï\U0001f600.txt", b"", 0),
    )
    extract(archive, place / "tree")
    assert tree(place / "tree") == {
        "app.py": b"code",
        "bin": None,
        "bin/run": b"#!",
        "empty": None,
        "läng": None,
        "läng/ünï\U0001f600.txt": b"",
    }
    modes = {str(p.relative_to(place)): stat.S_IMODE(p.stat().st_mode) for p in [*place.rglob("*")]}
    assert modes["tree"] == modes["tree/bin"] == modes["tree/empty"] == modes["tree/bin/run"] == 0o755
    assert modes["tree/app.py"] == 0o644


def test_links_that_stay_inside_are_made(place: Path) -> None:
    """As npm packs `node_modules/.bin`, whichever comes first."""
    links = {
        "node_modules/.bin/tool": "../tool/cli.js",
        "lib/libx.so": "libx.so.1",
        "lib64": "lib",
        "deep/er/root": "../..",
        "self": ".",
        "dangling": "nowhere/at/all",
        "round": "round",
    }
    archive = zipped(
        *((path, target.encode(), LINK) for path, target in links.items()),
        ("node_modules/tool/cli.js", b"#!", 0o100755),
        ("lib/libx.so.1", b"elf", 0o100644),
    )
    extract(archive, place / "tree")
    assert {path: os.readlink(place / "tree" / path) for path in links} == links
    assert (place / "tree" / "node_modules/.bin/tool").read_bytes() == b"#!"
    assert (place / "tree" / "lib64" / "libx.so").read_bytes() == b"elf"


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask(place: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        extract(zipped("a/b.py"), place / "tree")
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "tree").stat().st_mode) == 0o755
    assert stat.S_IMODE((place / "tree" / "a").stat().st_mode) == 0o755
    assert stat.S_IMODE((place / "tree" / "a" / "b.py").stat().st_mode) == 0o644


@pytest.mark.parametrize("mode", [0o104755, 0o102755, 0o101777, 0o107777])
def test_setuid_setgid_and_sticky_bits_are_dropped(place: Path, mode: int) -> None:
    extract(zipped(("run", b"", mode)), place / "tree")
    assert stat.S_IMODE((place / "tree" / "run").stat().st_mode) == 0o755


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated_entries_are_read(place: Path, method: int) -> None:
    extract(zipped(("app.py", b"x" * 5000, 0o100644), method=method), place / "tree")
    assert (place / "tree" / "app.py").read_bytes() == b"x" * 5000


def test_an_empty_archive_gives_an_empty_folder(place: Path) -> None:
    extract(zipped(), place / "tree")
    assert tree(place) == {"tree": None}


def test_something_before_the_archive_is_skipped_as_unzip_does(place: Path) -> None:
    extract(b"#!/bin/sh\n" + zipped("app.py"), place / "tree")
    assert tree(place / "tree") == {"app.py": b"content"}


def test_a_folder_that_somebody_else_unpacked_meanwhile_is_kept(place: Path) -> None:
    extract(zipped(("a", b"first", 0)), place / "tree")
    extract(zipped(("a", b"second", 0)), place / "tree")
    assert tree(place) == {"tree": None, "tree/a": b"first"}


# -- what is refused
@pytest.mark.parametrize(
    "name",
    [
        "../canary",
        "../" * 12 + "tmp/canary",
        "a/../../canary",
        "a/..",
        "..",
        "/tmp/canary",
        "//tmp/canary",
        "/",
        "..\\canary",
        "a\\b",
        "\\\\host\\share",
        "C:\\canary",
        "C:canary",
        "c:/canary",
        "a\0b",
        "app.py\0.txt",
        "\0",
        "",
    ],
)
def test_a_name_that_leads_out_is_refused(place: Path, name: str) -> None:
    assert "would be written outside the function's folder" in refused(zipped("app.py", name), place)


@pytest.mark.parametrize(
    "kind",
    [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, 0o030000, 0o170000],
)
def test_what_is_no_file_folder_or_link_is_refused(place: Path, kind: int) -> None:
    archive = zipped("app.py", ("l", b"/tmp", kind | 0o777))
    assert refused(archive, place) == "The archive's entry 'l' is no file, folder or link"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("l", b"/tmp"),
        ("l", b"/etc/shadow"),
        ("l", b".."),
        ("l", b"../tree/app.py"),
        ("a/l", b"../../canary"),
        ("./l", b"../x"),
        ("a//l", b"../../x"),
        ("l", b"a/../../x"),
        ("l", b"a/../app.py"),  # inside by its letters; not if `a` is a link
        ("l", b"./../x"),
        ("l", b"app.py\0"),
        ("l", b""),
        ("l", b"n" * 256),
    ],
)
def test_a_link_that_leads_out_is_refused(place: Path, path: str, target: bytes) -> None:
    archive = zipped("app.py", (path, target, LINK))
    assert "leads outside the function's folder" in refused(archive, place)


@pytest.mark.parametrize("target", [b"\xff", b"d/" * 600], ids=["no text", "too long"])
def test_a_link_whose_target_is_no_path_is_refused(place: Path, target: bytes) -> None:
    refused(zipped(("l", target, LINK)), place)


@pytest.mark.parametrize("below", ["l/canary", "l/", "l/d/canary", "l"])
@pytest.mark.parametrize("first", [True, False])
def test_nothing_is_written_through_a_link(place: Path, below: str, first: bool) -> None:
    entries: list[Entry | str] = [("l", b"d", LINK), below]
    refused(zipped("d/x", *(entries if first else entries[::-1])), place)


def test_a_chain_of_links_does_not_lead_out(place: Path) -> None:
    """Each is inside by its letters; the second passes through the first and climbs from where that leads."""
    refused(zipped("app.py", ("a/b/l", b"../..", LINK), ("m", b"a/b/l/../../etc", LINK)), place)


@pytest.mark.parametrize(
    "names",
    [
        ("a", "a"),
        ("a", "./a"),
        ("a/b", "a//b"),
        ("a", "a/."),
        ("a", "a/b"),
        ("a/b", "a"),
        ("a/b", "a/b/c"),
        ("a", "a/"),
    ],
)
def test_a_name_that_appears_twice_or_as_file_and_folder_is_refused(place: Path, names: tuple[str, ...]) -> None:
    assert any(text in refused(zipped(*names), place) for text in ("twice", "as a file and as a folder"))


@pytest.mark.parametrize("name", [".", "./."])
def test_an_entry_that_is_the_folder_itself_is_refused(place: Path, name: str) -> None:
    assert UNREADABLE in refused(zipped(name), place)


@pytest.mark.parametrize(
    "name", ["n" * 256, "ü" * 128, "d/" * 600 + "f", "a/" + "n" * 300 + "/b", "x/" * 32_000], ids=lambda name: len(name)
)
def test_a_name_that_no_file_system_takes_is_refused(place: Path, name: str) -> None:
    assert "has too long a name" in refused(zipped(name), place)


def test_deep_folders_do_not_multiply(place: Path) -> None:
    """Each entry implies hundreds of folders of its own; they count."""
    archive = zipped(*((f"{n}/" + "d/" * 500 + "f", b"", 0) for n in range(200)))
    assert len(archive) < 1_000_000
    assert f"more than {MAX_ENTRIES} files and folders" in refused(archive, place)


def test_a_hundred_thousand_entries_are_refused(place: Path) -> None:
    count = 100_000
    record = struct.pack("<4sBBHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 3, 20, *[0] * 7, 6, *[0] * 6)
    directory = b"".join(record + b"%06d" % n for n in range(count))
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(directory), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    message = refused(directory + end64 + locator + end, place)
    assert message == f"The archive has 100000 entries; at most {MAX_ENTRIES} are accepted"


def test_an_announced_size_beyond_the_limit_is_refused_at_once(place: Path) -> None:
    archive = lying(zipped("app.py"), 24, "<I", MAX_UNZIPPED + 1)
    assert refused(archive, place) == f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes"


def bomb(size: int, announced: int) -> bytes:
    """An entry that inflates to `size` bytes and announces another size, in both its headers."""
    archive = zipped(("app.py", b"\0" * size, 0o100644))
    archive = lying(archive, 24, "<I", announced)
    return archive[:22] + struct.pack("<I", announced) + archive[26:]


def test_real_bytes_are_counted_whatever_was_announced(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNZIPPED", 5_000_000)
    assert "Unzipped size" in refused(zipped(*((str(n), b"\0" * 1_100_000, 0) for n in range(5))), place)
    for announced in (0, 1, 100, 4_999_999):
        assert UNREADABLE in refused(bomb(6_000_000, announced), place)


def test_a_bomb_beyond_lambdas_limit_is_refused(place: Path) -> None:
    archive = bomb(280_000_000, 140_000_000)
    assert len(archive) < 300_000
    assert UNREADABLE in refused(archive, place)


def test_a_bomb_costs_no_memory(place: Path) -> None:
    archive = bomb(60_000_000, 30_000_000)
    tracemalloc.start()
    try:
        assert UNREADABLE in refused(archive, place)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_methods_that_lambda_does_not_unpack_are_refused(place: Path, method: int) -> None:
    """A bzip2 block of a few bytes inflates to 46 MB in one step, before anybody can count."""
    assert UNREADABLE in refused(zipped(("app.py", b"\0" * 1000, 0o100644), method=method), place)


@pytest.mark.parametrize("method", [1, 6, 9, 93, 95, 98, 99, 0xFFFF])
def test_unknown_methods_are_refused(place: Path, method: int) -> None:
    assert UNREADABLE in refused(lying(zipped("app.py"), 10, "<H", method), place)


def overlapping(copies: int) -> bytes:
    """Many entries over one and the same compressed data."""
    archive = zipped(("0", b"\0" * 100_000, 0o100644))
    at, end = central(archive), archive.index(b"PK\x05\x06")
    record = archive[at:end]
    records = b"".join(record[:46] + b"%c" % (48 + n) for n in range(copies))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, copies, copies, len(records), at, 0)
    return archive[:at] + records + tail


def test_overlapping_entries_are_refused(place: Path) -> None:
    assert UNREADABLE in refused(overlapping(9), place)


def test_quoted_overlapping_entries_are_refused(place: Path) -> None:
    """Fifield's bomb: each file's data contains the next file's header."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = kernel.compress(b"a" * 100_000) + kernel.flush()

    def local(name: bytes, compressed: int, size: int) -> bytes:
        return struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0x21, 0, compressed, size, len(name), 0) + name

    second = local(b"b", len(data), 100_000)
    quote = struct.pack("<BHH", 0, len(second), len(second) ^ 0xFFFF)
    first = local(b"a", len(quote) + len(second) + len(data), 100_000 + len(second))
    body = first + quote + second + data
    records = b""
    for name, offset, compressed, size in (
        (b"a", 0, len(quote) + len(second) + len(data), 100_000 + len(second)),
        (b"b", len(first) + len(quote), len(data), 100_000),
    ):
        records += (
            struct.pack(
                "<4sBBHHHHHIIIHHHHHII",
                b"PK\x01\x02",
                20,
                3,
                20,
                0,
                8,
                0,
                0x21,
                0,
                compressed,
                size,
                1,
                0,
                0,
                0,
                0,
                0,
                offset,
            )
            + name
        )
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 2, 2, len(records), len(body), 0)
    assert zipfile.ZipFile(io.BytesIO(body + records + tail)).namelist() == ["a", "b"]
    assert UNREADABLE in refused(body + records + tail, place)


@pytest.mark.parametrize(
    ("what", "offset", "layout", "value"),
    [
        ("a smaller size", 24, "<I", 3),
        ("a larger size", 24, "<I", 70_000),
        ("a smaller compressed size", 20, "<I", 4),
        ("a larger compressed size", 20, "<I", 60_000),
        ("another checksum", 16, "<I", 0xDEADBEEF),
        ("encrypted", 8, "<H", 1),
        ("strongly encrypted", 8, "<H", 0x41),
        ("patched", 8, "<H", 0x20),
        ("another entry's data", 42, "<I", 7),
        ("data beyond the end", 42, "<I", 0x7FFFFFFF),
        ("data that runs into the directory", 20, "<I", 50_100),
        ("a later version of zip", 6, "<H", 900),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_lying_central_directory_is_refused(
    place: Path, what: str, offset: int, layout: str, value: int, alone: bool
) -> None:
    entries = [("app.py", os.urandom(50_000), 0o100644), ("b.py", b"b", 0o100644)]
    refused(lying(zipped(*entries[: 1 if alone else 2]), offset, layout, value), place)


def test_a_name_that_swallows_the_next_entry_is_refused(place: Path) -> None:
    refused(lying(zipped("app.py", "b.py"), 28, "<H", 60_000), place)


@pytest.mark.parametrize("value", [2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("field", ["size", "compressed size", "offset"])
def test_zip64_numbers_beyond_reason_are_refused(place: Path, field: str, value: int) -> None:
    archive = zipped("app.py")
    at, end = central(archive), archive.index(b"PK\x05\x06")
    record = bytearray(archive[at:end])
    offset = {"size": 24, "compressed size": 20, "offset": 42}[field]
    record[offset : offset + 4] = b"\xff" * 4
    record[30:32] = struct.pack("<H", 12)
    record += struct.pack("<HHQ", 1, 8, value)
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(record), at, 0)
    refused(archive[:at] + bytes(record) + tail, place)


def test_a_name_that_differs_between_the_two_headers_is_refused(place: Path) -> None:
    assert UNREADABLE in refused(zipped("app.py").replace(b"app.py", b"bad.py", 1), place)


def test_a_name_that_is_not_the_utf8_it_claims_is_refused(place: Path) -> None:
    assert UNREADABLE in refused(zipped("äb").replace("äb".encode(), b"\xff\xfeb"), place)


def test_a_bad_checksum_in_the_last_entry_leaves_nothing_of_the_first(place: Path) -> None:
    archive = zipped("first", "last", method=zipfile.ZIP_STORED)
    at = archive.rindex(b"content", 0, central(archive))
    assert UNREADABLE in refused(archive[:at] + b"CONTENT" + archive[at + 7 :], place)


def test_every_truncation_is_refused_or_harmless(place: Path) -> None:
    archive = zipped("app.py", "lib/b.py", ("c/", b"", 0o040755))
    for length in range(len(archive)):
        refused(archive[:length], place)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x05\x06", b"not a zip", b"\x1f\x8b" + b"\0" * 100, b"PK\x03\x04" * 99]
)
def test_what_is_no_zip_is_refused_in_lambdas_words(place: Path, content: bytes) -> None:
    assert refused(content, place) == f"{UNREADABLE}. Please check your file, then try to upload again."


def test_a_disk_that_is_full_is_no_fault_of_the_archive_and_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *args: object, **more: object) -> io.BytesIO:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(OSError, match="No space left"):
            extract(zipped("app.py"), place / "tree")
    assert tree(place) == {}


# -- anything at all
SEEDS = [
    zipped("app.py", "lib/b.py"),
    zipped(("a", b"x" * 3000, 0o100755), ("d/", b"", 0o040755), ("d/ü", b"", 0o100644)),
    zipped(("s", bytes(range(256)), 0o100644), method=zipfile.ZIP_STORED),
    zipped(("z", b"\0" * 2000, 0o100644), method=zipfile.ZIP_BZIP2),
    zipped(("z", b"\0" * 2000, 0o100644), method=zipfile.ZIP_LZMA),
    zipped(("d/l", b"../f", LINK), ("f", b"", 0o100644)),
    overlapping(3),
]
INTERESTING = [b"\0", b"\xff", b"\x80", b"..", b"/", b"\\", b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"]


@st.composite
def mutated(draw: Callable[..., int]) -> bytes:
    """A real archive with some of its bytes changed, cut, doubled or moved."""
    archive = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(archive) - 1, 0)))
        match draw(st.integers(0, 4)):
            case 0:
                piece = draw(st.sampled_from(INTERESTING))
                archive[at : at + len(piece)] = piece
            case 1:
                archive[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 2:
                del archive[at : at + draw(st.integers(1, 40))]
            case 3:
                archive[at:at] = archive[at : at + draw(st.integers(1, 80))]
            case 4:
                width = draw(st.sampled_from([2, 4, 8]))
                archive[at : at + width] = draw(st.integers(0, 2 ** (8 * width) - 1)).to_bytes(width, "little")
    return bytes(archive)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(archive=mutated() | st.binary(max_size=200))
def test_no_bytes_raise_anything_else_or_write_anywhere_else(tmp_path: Path, archive: bytes) -> None:
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    (tmp_path / "canary").write_text("alive")
    target = state / "tree"
    try:
        extract(archive, target)
    except InvalidParameterValue:
        assert list(state.iterdir()) == []
    else:
        check(archive)
        assert [found.name for found in state.iterdir()] == ["tree"]
        for found in target.rglob("*"):
            if found.is_symlink():
                assert Path(os.path.normpath(found.parent / found.readlink())).is_relative_to(target)
                continue
            assert found.is_file() or found.is_dir()
            assert stat.S_IMODE(found.stat().st_mode) in (0o755, 0o644)
        target.rename(tmp_path / "done")
        _remove(tmp_path / "done")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["canary", "state"]


def _remove(folder: Path) -> None:
    for found in sorted(folder.rglob("*"), reverse=True):
        found.rmdir() if found.is_dir() and not found.is_symlink() else found.unlink()
    folder.rmdir()
