"""A host with something to lose, a real engine on it, and functions that attack it through the public API."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import psutil

from tests.security import ordinary
from tests.support import OFTEN

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
MEMORY_SIZE, TMP_SIZE = 256, 512
#: A kernel key of the user's, to be found by nobody else.
#: `make` or `drop` a key in the user's keyring, which outlives whoever made it, and has room for 200.
_KEY = """
import ctypes, platform, sys
add, control = {"x86_64": (248, 250), "aarch64": (217, 219)}[platform.machine()]
call, name, keyring = ctypes.CDLL(None, use_errno=True).syscall, sys.argv[2].encode(), -4
if sys.argv[1] == "make":
    done = call(add, b"user", name, name, ctypes.c_long(len(name)), keyring)
else:
    done = call(control, 9, call(control, 10, keyring, b"user", name, 0), keyring)
raise SystemExit(done < 0 and ctypes.get_errno() != 38)
"""
CONFIG = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=120)


class Arena:
    """An engine with two functions: `attacker`, which runs the programs, and `other`, which has secrets."""

    def __init__(
        self,
        folder: Path,
        *,
        user: str,
        backend: str,
        launcher: list[str] | None = None,
        settings: str = "",
        port: int = 0,
    ) -> None:
        self.folder, self.backend = folder, backend
        self.is_root = user == "root" and os.geteuid() == 0
        self._settings, self._launcher, self._port = settings, launcher or ["-m", "workbench"], port
        self._stack = ExitStack()
        self._large = False
        self.mark = secrets.token_hex(8)
        self.stray_mark = f"stray-{self.mark}"

    def __enter__(self) -> Arena:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- the host ------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        mark = self.mark
        ordinarily = not self.is_root and os.geteuid() == 0
        for name in ("home", "project", "run"):
            (self.folder / name).mkdir()
        self._prefix = prefix = ordinary.command(ROOT) if ordinarily else []
        if ordinarily:
            self.folder.chmod(0o755)
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, ordinary.UID, ordinary.UID)
        (self.folder / "project" / "workbench.toml").write_text(self._settings)
        home = self.folder / "home"
        (home / f"canary-{mark}").write_text("secret")
        (home / ".aws").mkdir()
        self.state = self.folder / "project" / ".workbench"
        self._stack.callback(Path(f"/tmp/host-{mark}").unlink)
        self._stack.callback(Path(f"/tmp/canary-{mark}").unlink, missing_ok=True)  # of a function without a boundary
        Path(f"/tmp/host-{mark}").write_text("secret")
        abstract, datagram = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        service, local = socket.create_server(("0.0.0.0", 0)), socket.create_server(("127.0.0.1", 0))
        named = socket.socket(socket.AF_UNIX)
        for opened in (abstract, datagram, service, local, named):
            self._stack.callback(opened.close)
        abstract.bind(f"\0{mark}")
        datagram.bind(f"\0{mark}-datagram")
        named.bind(str(self.folder / "docker.sock"))
        (self.folder / "docker.sock").chmod(0o666)
        for listening in (abstract, named):
            listening.listen()
        victim = subprocess.Popen([*prefix, "sleep", f"3{int(mark[:6], 16)}"])
        self._stack.callback(victim.wait)
        self._stack.callback(victim.kill)
        self.victim = victim
        key = [*prefix, sys.executable, "-c", _KEY]
        subprocess.run([*key, "make", f"key-{mark}"], check=True)
        self._stack.callback(subprocess.run, [*key, "drop", f"key-{mark}"], check=True)
        self.engine_secret = f"engine-{mark}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYENV_ROOT": str(Path(sys.base_prefix).parents[1]),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(self.folder / "home" / "cache"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "WORKBENCH_PROJECT": str(self.folder / "project"),
            "ENGINE_SECRET": self.engine_secret,
            "AWS_SECRET_ACCESS_KEY": self.engine_secret,
            "PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in (".", "plugins", "runtimes")),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [*prefix, sys.executable, *self._launcher, "serve", "--json"]
        command += ["--port", str(self._port), "--gateway-port", "0"]
        engine = subprocess.Popen(
            [*command, "--backend", self.backend],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._stack.callback(self._end, engine)
        assert engine.stdout is not None
        self._stack.callback(engine.stdout.close)
        line = engine.stdout.readline()
        assert line, "the engine did not start"
        self.engine, said = engine, json.loads(line)
        self.pid: int = said["pid"]
        self.client = boto3.client(
            "lambda",
            endpoint_url=said["lambda"],
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=CONFIG,
        )
        self._stack.callback(self.client.close)
        self._deploy()
        ports = [int(said[name].rpartition(":")[2].strip("/")) for name in ("lambda", "gateway")]
        self.facts: dict[str, Any] = {
            "bounded": self.backend != "subprocess",
            "root": self.is_root,
            "home": str(home),
            "canary": f"canary-{mark}",
            "host_name": socket.gethostname(),
            "victim": victim.pid,
            "victim_mark": victim.args[-1],  # type: ignore[index]
            "engine": self.pid,
            "keeper": self.keeper(),
            "engine_secret": self.engine_secret,
            "engine_names": ["ENGINE_SECRET", "WORKBENCH_PROJECT"],
            "sockets": [str(self.folder / "docker.sock")],
            "key": f"key-{mark}",
            "abstract": mark,
            "abstract_datagram": f"{mark}-datagram",
            "state": str(self.state),
            "scratch": str(next((self.folder / "run").iterdir())),
            "code_folders": sorted({str(path.parent) for path in self.state.rglob("other_*.py")}),
            "tmp_canary": f"canary-{mark}",
            "tmp_of_the_host": f"/tmp/host-{mark}",
            "other_file": f"other_{mark}.py",
            "other_secret": f"other-{mark}",
            "other_request": self.other_request,
            "addresses": _addresses(),
            "ports": [*ports, service.getsockname()[1]],
            "local_ports": [*ports, local.getsockname()[1]],
            "tmp_size": TMP_SIZE,
            "stray_mark": self.stray_mark,
            "megabytes": 60,
            "times": 6,
            "forged": "00000000-0000-0000-0000-000000000000",
        }

    def keeper(self) -> int:
        """The engine's keeper process."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        for pid in (int(word) for file in children for word in file.read_text().split()):
            if "keeper.py" in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
        return self.pid

    def _end(self, engine: subprocess.Popen[bytes]) -> None:
        if engine.poll() is None:
            os.kill(getattr(self, "pid", engine.pid), signal.SIGTERM)
        try:
            engine.wait(20)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()

    def command(self, *arguments: str) -> bytes:
        """What a command of the project's own user prints."""
        command = [*self._prefix, sys.executable, "-m", "workbench", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=60).stdout

    # -- functions -----------------------------------------------------------------------------------------------------

    def _deploy(self) -> None:
        layer = self.client.publish_layer_version(LayerName="layer", Content={"ZipFile": zipped({"layer.txt": "good"})})
        self.create(
            "attacker", "attack.handler", {**programs(), "shared.txt": "good"}, Layers=[layer["LayerVersionArn"]]
        )
        other = f"""
import os
def handler(event, context):
    open("/tmp/canary-{self.mark}", "w").write("secret")
    return {{"request": context.aws_request_id}}
"""
        self.create(
            "other",
            f"other_{self.mark}.handler",
            {f"other_{self.mark}.py": other, "shared.txt": "good"},
            Environment={"Variables": {"OTHER": f"other-{self.mark}"}},
        )
        self.other_request = self.invoke("other")["request"]

    def create(self, name: str, handler: str, files: dict[str, str], **more: Any) -> None:
        """Make a function and wait until it can be invoked."""
        self.client.create_function(
            **{
                "FunctionName": name,
                "Runtime": "python{}.{}".format(*sys.version_info),
                "Role": "arn:aws:iam::000000000000:role/r",
                "Handler": handler,
                "Code": {"ZipFile": zipped(files)},
                "Timeout": 60,
                "MemorySize": MEMORY_SIZE,
                "EphemeralStorage": {"Size": TMP_SIZE},
                **more,
            }
        )
        self.client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=OFTEN)

    def answer(self, name: str, event: object = None) -> dict[str, Any]:
        """Invoke; the whole answer, its payload read."""
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event or {}).encode(), LogType="Tail")
        return {**answer, "Payload": json.loads(answer["Payload"].read() or b"null")}

    def invoke(self, name: str, event: object = None) -> Any:
        """Invoke a function that must succeed; what it returned."""
        answer = self.answer(name, event)
        assert "FunctionError" not in answer, answer["Payload"]
        return answer["Payload"]

    def run(self, attack: str, function: str = "attacker", **facts: Any) -> dict[str, Any]:
        """The answer to one attack; the function `large`, which has much memory, is made when it is needed."""
        if function == "large" and not self._large:
            self._large = True
            self.create("large", "attack.handler", programs(), MemorySize=2048)
        return self.answer(function, {"attack": attack, "facts": {**self.facts, **facts}})

    def got(self, attack: str, **facts: Any) -> list[str]:
        """What an attack got, which must come to an end of its own."""
        answer = self.run(attack, **facts)
        assert "FunctionError" not in answer, answer["Payload"]
        found: list[str] = answer["Payload"]["got"]
        return found

    def strays(self) -> list[int]:
        """Processes of the host that daemons and children of attacks are."""
        found = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdecimal() and self.stray_mark.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found


def programs() -> dict[str, str]:
    """The attack programs' files."""
    return {path.name: path.read_text() for path in PROGRAMS.glob("*.py")}


def zipped(files: dict[str, str]) -> bytes:
    """An archive of text files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _addresses() -> list[str]:
    found = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries if entry.family == 2]
    return [address for address in found if not address.startswith("127.")]


@contextmanager
def arena(
    *,
    user: str = "root",
    backend: str = "bubblewrap",
    launcher: list[str] | None = None,
    settings: str = 'network = "none"\n',
    port: int = 0,
) -> Iterator[Arena]:
    """An arena in a folder of its own; `user` is "root" (or whoever runs the tests) or "ordinary". `port`: AWS's."""
    folder = Path(tempfile.mkdtemp(prefix="workbench-security-"))
    try:
        with Arena(folder, user=user, backend=backend, launcher=launcher, settings=settings, port=port) as opened:
            yield opened
    finally:
        shutil.rmtree(folder)
