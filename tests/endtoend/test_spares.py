"""An assigned spare and a fresh environment, from inside: everything that a function can see is the same."""

from __future__ import annotations

import asyncio
import ctypes.util
import io
import json
import subprocess
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.test_lifecycle import Stage
from tests.support import require_tool
from workbench.app.engine import open_engine
from workbench.client.project import Project
from workbench.model.invocations import InvocationResult, InvocationStatus
from workbench.model.layers import NewLayerVersion, layer_arn

BACKENDS = ["subprocess", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)]
#: What differs between any two environments of a function, or invocations.
OWN = ("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
OWN += ("_X_AMZN_TRACE_ID", "AWS_LAMBDA_RUNTIME_API")

#: What a Python function sees of its process, its interpreter and its sandbox.
SEES = """
import builtins, gc, locale, logging, os, random, resource, signal, sys, threading, time

def files(folder):
    return sorted((os.path.join(at, name), os.stat(os.path.join(at, name)).st_mode)
        for at, folders, names in os.walk(folder) for name in folders + names if name != "__pycache__")

def handler(event, context):
    root, opt = os.environ["LAMBDA_TASK_ROOT"], os.environ.get("WORKBENCH_OPT", "/opt")
    boxed = root == "/var/task"
    kept = ("NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "SigIgn", "SigCgt", "SigBlk",
        "Threads", "Groups", *(("NSpid",) if boxed else ()))
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    mounts = [line.split(" - ")[0].split()[3:6] for line in open("/proc/self/mountinfo")]
    lines = []
    class Keep(logging.Handler):
        def emit(self, record): lines.append(self.format(record))
    found = logging.getLogger().handlers
    return {
        "environ": list(os.environ.items()),
        "path": sys.path, "argv": sys.argv, "orig_argv": sys.orig_argv, "cwd": os.getcwd(), "flags": str(sys.flags),
        "options": sys._xoptions, "executable": sys.executable, "prefix": sys.prefix, "warnings": sys.warnoptions,
        "fds": sorted((fd, os.readlink("/proc/self/fd/" + fd).split(":")[0]) for fd in os.listdir("/proc/self/fd")
            if os.path.exists("/proc/self/fd/" + fd)),
        "modules": sorted(sys.modules), "main": sys.modules["__main__"].__file__,
        "hooks": [str(type(hook)) for hook in sys.meta_path + sys.path_hooks],
        "builtins": sorted(dir(builtins)), "globals": sorted(vars(sys.modules["__main__"])),
        "encodings": [sys.getfilesystemencoding(), locale.getpreferredencoding(), sys.stdout.encoding,
            sys.stdout.errors, str(locale.setlocale(locale.LC_CTYPE))],
        "time zone": [time.tzname, time.timezone, time.strftime("%H", time.localtime(0))],
        "logging": [[type(one).__name__, type(one.formatter).__name__, one.level] for one in found]
            + [logging.getLogger().level],
        "client": {name: str(value) for name, value in vars(sys.modules["awslambdaric.bootstrap"]).items()
            if name.startswith("_AWS") },
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
        "limits": [resource.getrlimit(number) for number in range(16)], "umask": [os.umask(0o22), os.umask(0o22)],
        "signals": [str(signal.getsignal(number)) for number in (2, 13, 15, 17)],
        "ids": [os.getuid() == os.geteuid(), os.getgid() == os.getegid(), os.getppid() if boxed else 0,
            os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid()],
        "threads": [thread.name for thread in threading.enumerate()],
        "status": {name: status[name].strip() for name in kept if name in status},
        "task": files(root), "opt": files(opt) if os.path.isdir(opt) else None,
        "tmp": os.listdir("/tmp") if boxed else None, "top": sorted(os.listdir("/")),
        # Without layers /opt is an empty folder of the root in one, and an empty folder that is mounted in the other.
        "mounts": [[place, options] for source, place, options in mounts if place != "/opt"] if boxed else None,
        "memory": os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        "random": [hash("a string"), random.random()],
    }
"""

NODE_SEES = """
import fs from "node:fs";
import { createRequire, builtinModules } from "node:module";
import v8 from "node:v8";
const require = createRequire(import.meta.url);
export const handler = async () => ({
  environ: Object.entries(process.env).sort(), argv: process.argv, execArgv: process.execArgv, cwd: process.cwd(),
  url: import.meta.url, globals: Object.getOwnPropertyNames(globalThis).sort(),
  heap: v8.getHeapStatistics().heap_size_limit, title: process.title,
  paths: require("node:module").globalPaths, listeners: process.eventNames().map(String).sort(),
  layer: (() => { try { return require("in-a-layer"); } catch (error) { return error.code; } })(),
  imported: await import("in-a-layer").then((it) => it.default, (error) => error.code),
  zone: new Date(0).getHours(),
  status: fs.readFileSync("/proc/self/status", "utf8").match(/^(Seccomp|Cap.*|NoNew.*)$/gm),
});
"""


@pytest.fixture
async def stage(backend: str, tmp_path: Path) -> AsyncIterator[Stage]:
    project = Project(root=tmp_path, state=tmp_path / "state", backend=backend, parameters={})
    async with open_engine(project, spares=1) as running:
        yield Stage(running)


async def both_roads(stage: Stage) -> tuple[InvocationResult, InvocationResult]:
    """Two first invocations of function f: in a fresh environment, and in what was a spare."""
    fresh = await stage.invoke()
    assert fresh.status is InvocationStatus.SUCCESS, fresh
    assert fresh.why.endswith("; fresh: no spare was waiting")
    return fresh, await in_a_spare(stage, fresh)


async def in_a_spare(stage: Stage, before: InvocationResult) -> InvocationResult:
    """A cold invocation that a spare serves, when one waits and the environment before is gone."""
    for _ in range(1500):
        (status,) = (await stage.port.status()).spares
        if "1 of 1 waiting" in status:
            break
        await asyncio.sleep(0.02)
    await stage.port.stop_environment(before.environment)
    for _ in range(500):
        if all(view.state.final for view in (await stage.port.changes(0)).environments):
            break
        await asyncio.sleep(0.02)
    spare = await stage.invoke()
    assert spare.status is InvocationStatus.SUCCESS, spare
    assert spare.why.endswith("; spare"), spare.why
    return spare


def seen(result: InvocationResult) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.payload)
    found["environ"] = [(name, "" if name in OWN else value) for name, value in found["environ"]]
    return found


@pytest.mark.parametrize("backend", BACKENDS)
class TestPython:
    @pytest.mark.parametrize(
        "configuration",
        [
            {},
            {
                "memory_size": 512,
                "environment": {"TZ": "Asia/Tokyo", "PATH": "/mine:/usr/bin:/bin", "PWD": "/x"},
                "settings": {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}},
            },
        ],
        ids=["plain", "its own"],
    )
    async def test_nothing_that_it_sees_differs(self, stage: Stage, configuration: dict[str, Any]) -> None:
        await stage.create({"app.py": SEES, "folder/data.txt": "x"}, **configuration)
        fresh, spare = map(seen, await both_roads(stage))
        numbers = fresh.pop("random"), spare.pop("random")
        loaded = set(spare.pop("modules")) ^ set(fresh.pop("modules"))
        assert loaded <= {"_socket", "json.scanner"}
        for name, value in fresh.items():
            assert spare[name] == value, name
        # Hash seed and generator are an interpreter's own.
        assert numbers[0][0] != numbers[1][0]
        assert numbers[0][1] != numbers[1][1]

    async def test_a_layer_s_modules_and_libraries_are_found(self, stage: Stage) -> None:
        content = some_library()
        layer = await stage.port.publish_layer_version(
            NewLayerVersion(
                name="l",
                code=archive_of({"python/in_a_layer.py": "NAME = 'found'", "lib/libonlyhere.so.1": content}),
            )
        )
        code = (
            "import ctypes, in_a_layer\ndef handler(event, context):\n"
            "    ctypes.CDLL('libonlyhere.so.1')\n    return in_a_layer.NAME"
        )
        account = await stage.port.account()
        await stage.create(code, layers=(layer_arn(account, "l", layer.version),))
        fresh = await stage.invoke()
        assert (fresh.status, fresh.payload) == (InvocationStatus.SUCCESS, b'"found"')
        if not (await stage.port.status()).isolated:
            return  # without mounts, the place of libraries is known too late: it takes the fresh road
        assert (await in_a_spare(stage, fresh)).payload == b'"found"'


@pytest.mark.bubblewrap
@pytest.mark.parametrize("backend", ["bubblewrap"])
async def test_code_cannot_be_changed_from_inside(stage: Stage) -> None:
    code = """
import os
def handler(event, context):
    refused = 0
    for attempt in (lambda: open("/var/task/app.py", "a"), lambda: os.unlink("/var/task/app.py"),
                    lambda: os.chmod("/var/task/app.py", 0o666), lambda: os.link("/var/task/app.py", "/tmp/x"),
                    lambda: os.rename("/var/task/app.py", "/var/task/y"), lambda: open("/var/task/new", "w"),
                    lambda: open("/opt/new", "w"), lambda: os.truncate("/var/task/app.py", 0),
                    lambda: os.utime("/var/task/app.py")):
        try: attempt()
        except OSError: refused += 1
    return refused
"""
    await stage.create(code)
    assert [result.payload for result in await both_roads(stage)] == [b"9", b"9"]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_nothing_that_a_node_function_sees_differs(stage: Stage) -> None:
    code = archive_of({"nodejs/node_modules/in-a-layer/index.js": "module.exports = 'found';"})
    layer = await stage.port.publish_layer_version(NewLayerVersion(name="l", code=code))
    await stage.create(
        NODE_SEES,
        file="index.mjs",
        runtime=node_runtime(),
        handler="index.handler",
        environment={"TZ": "Asia/Tokyo"},
        memory_size=256,
        layers=(layer_arn(await stage.port.account(), "l", layer.version),),
    )
    fresh, spare = map(seen, await both_roads(stage))
    assert fresh["layer"] == fresh["imported"] == "found"
    assert fresh["zone"] == 9
    for name, value in fresh.items():
        assert spare[name] == value, name


BOOTSTRAP = r"""#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while id=$(curl -sD - -o /dev/null "$api/next" | tr -d '\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip'); do
  { env | sort | grep -v '^_='; pwd; tr '\0' ' ' < /proc/$$/cmdline; ls -A .; } |
    grep -Ev '^(OWN)=' | curl -s --data-binary @- "$api/$id/response" >/dev/null
done
""".replace("OWN", "|".join(OWN))


@pytest.mark.parametrize("backend", BACKENDS)
async def test_nothing_that_a_bootstrap_sees_differs(stage: Stage) -> None:
    require_tool("curl")
    await stage.create(BOOTSTRAP, file="bootstrap", runtime="provided.al2023", handler="mine", environment={"A": "1"})
    fresh, spare = await both_roads(stage)
    assert b"_HANDLER=mine" in fresh.payload
    assert fresh.payload == spare.payload


@pytest.mark.parametrize("backend", BACKENDS)
async def test_spares_end_with_their_engine(backend: str, tmp_path: Path) -> None:
    project = Project(root=tmp_path, state=tmp_path / "state", backend=backend, parameters={})
    async with open_engine(project, spares=1) as running:
        stage = Stage(running)
        await stage.create("def handler(event, context): return event")
        await stage.invoke()
        for _ in range(1500):
            if "1 of 1 waiting" in str((await stage.port.status()).spares):
                break
            await asyncio.sleep(0.02)
        await stage.create({"app.py": "def handler(event, context): return event", "folder/x.txt": ""}, name="g")
        assert (await stage.invoke(name="g")).why.endswith("; spare")
        assert list((tmp_path / "state" / "spares").iterdir())
    assert not list((tmp_path / "state" / "spares").iterdir())


def some_library() -> str:
    """A shared library of this machine, its bytes as Latin-1."""
    name = ctypes.util.find_library("z") or ctypes.util.find_library("m")
    assert name is not None
    found = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = next(line.rpartition(" => ")[2] for line in found.splitlines() if line.strip().startswith(f"{name} "))
    return Path(path).read_bytes().decode("latin-1")


def node_runtime() -> str:
    """The runtime of this machine's node."""
    version = subprocess.run([require_tool("node"), "--version"], capture_output=True, text=True, check=True).stdout
    return f"nodejs{version.removeprefix('v').split('.')[0]}.x"


def archive_of(files: dict[str, str]) -> bytes:
    """An archive of text, or of bytes that were read as Latin-1."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, content in files.items():
            package.writestr(name, content.encode("latin-1"))
    return buffer.getvalue()
