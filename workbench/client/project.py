"""Where things are: the project, its state folder, its settings, and the endpoint of its running engine."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.model.errors import UsageError
from workbench.model.file_systems import NAMES
from workbench.model.history import MAX_BYTES, MAX_INVOCATIONS

if TYPE_CHECKING:
    from workbench.model.prices import Prices

MARKERS = ("workbench.toml", ".workbench", "template.yaml")
NETWORKS = ("internet", "none", "host")
AUTH = ("any", "strict")
DEFAULT_ACCOUNT = "000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project's folders and the settings of its workbench.toml."""

    root: Path
    state: Path
    backend: str = "auto"
    account: str = DEFAULT_ACCOUNT
    region: str = "us-east-1"
    parameters: dict[str, str]
    concurrency_limit: int = 1000
    idle_stop: float = 300.0
    max_life: float = 7200.0
    services: str | None = None
    runtime_rollout: float = 300.0
    spares: int = 1
    #: `any` credentials pass at the Lambda API, or, `strict`, the state folder's own alone.
    auth: str = "any"
    runtimes: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    file_systems: dict[str, Path] = field(default_factory=dict)
    #: The network modes of functions, by their names; under the empty name that of all others.
    networks: dict[str, str] = field(default_factory=dict)
    history_invocations: int = MAX_INVOCATIONS
    history_bytes: int = MAX_BYTES
    #: The `[prices]` of workbench.toml, not looked at before they are needed.
    price_changes: Mapping[str, Any] = field(default_factory=dict)
    #: The `[keys]` of workbench.toml, not looked at before the terminal UI starts.
    keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def prices(self) -> Prices:
        """What AWS takes for it, with the project's own prices over the list prices.

        Raises:
            UsageError: workbench.toml has a price that is none.
        """
        from workbench.model.prices import prices_over

        return prices_over(self.price_changes, f"{self.root / 'workbench.toml'}: [prices]")

    @property
    def endpoint_file(self) -> Path:
        return self.state / "endpoint.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How to reach a running engine: its base URL, the bearer key of `/_workbench`, its process; whom it lets in."""

    url: str
    key: str
    pid: int
    state: str
    auth: str = "any"


def find_project(start: Path | None = None) -> Project:
    """The nearest folder upwards with a marker, else `start` itself.

    WORKBENCH_PROJECT names the folder outright and WORKBENCH_STATE the state folder. Template parameters come from
    WORKBENCH_PARAMETERS (`Key=Value,Key=Value`), over those of workbench.toml; WORKBENCH_NETWORK names the network mode
    of all functions in its place.

    Raises:
        UsageError: workbench.toml cannot be read or has a setting of the wrong kind.
    """
    named = os.environ.get("WORKBENCH_PROJECT")
    here = Path(named or start or Path.cwd()).resolve()
    if not here.is_dir():
        raise UsageError(f"the project {here} is no folder")
    root = here
    if not named:
        root = next((folder for folder in (here, *here.parents) if any((folder / m).exists() for m in MARKERS)), here)
    settings = _settings(root / "workbench.toml")
    state = os.environ.get("WORKBENCH_STATE")
    parameters = {str(key): str(value) for key, value in settings("parameters", dict, {}).items()}
    for pair in filter(None, os.environ.get("WORKBENCH_PARAMETERS", "").split(",")):
        key, _, value = pair.partition("=")
        parameters[key] = value
    history = settings("history", dict, {})
    state_folder = Path(state).absolute() if state else root / ".workbench"
    return Project(
        root=root,
        state=state_folder,
        backend=settings("backend", str, "auto"),
        account=settings("account", str, DEFAULT_ACCOUNT),
        region=settings("region", str, os.environ.get("AWS_REGION") or "us-east-1"),
        parameters=parameters,
        concurrency_limit=settings("concurrency", int, 1000),
        idle_stop=float(settings("idle_stop", (int, float), 300.0)),
        max_life=float(settings("max_life", (int, float), 7200.0)),
        services=settings("services", str, "") or None,
        runtime_rollout=float(settings("runtime_rollout", (int, float), 300.0)),
        spares=settings("spares", int, 1),
        auth=settings("auth", str, "any"),
        runtimes={
            runtime: tuple(root / Path(path).expanduser() for path in paths)
            for runtime, paths in settings("runtimes", dict, {}).items()
        },
        file_systems=_file_systems(root, state_folder, settings("file_systems", dict, {})),
        networks=_networks(root, os.environ.get("WORKBENCH_NETWORK") or settings("network", (str, dict), {})),
        history_invocations=history.get("invocations", MAX_INVOCATIONS),
        history_bytes=history.get("bytes", MAX_BYTES),
        price_changes=settings("prices", dict, {}),
        keys=settings("keys", dict, {}),
    )


def _networks(root: Path, given: str | dict[str, Any]) -> dict[str, str]:
    networks = {"": given} if isinstance(given, str) else {("" if name == "*" else name): given[name] for name in given}
    for name, mode in networks.items():
        if mode not in NETWORKS:
            raise UsageError(
                f"{root / 'workbench.toml'}: network takes one of {', '.join(NETWORKS)}, for all functions or in a "
                f"table by their names; not {name or '*'} = {mode!r}"
            )
    return networks


def _file_systems(root: Path, state: Path, given: dict[str, Any]) -> dict[str, Path]:
    found = {}
    for name, text in given.items():
        if not NAMES.fullmatch(name) or not isinstance(text, str) or not text:
            raise UsageError(
                f"{root / 'workbench.toml'}: [file_systems] takes a folder for an access point, by its ARN, its id "
                f"or the id of its file system; not {name} = {text!r}"
            )
        folder = (root / Path(text).expanduser()).resolve()
        if folder.is_relative_to(state.resolve()) or state.resolve().is_relative_to(folder):
            raise UsageError(
                f"{root / 'workbench.toml'}: [file_systems]: {folder} would show Workbench's own state, {state}, to "
                "functions"
            )
        found[name] = folder
    return found


def _settings(path: Path) -> Any:
    values: dict[str, Any] = {}
    if path.exists():
        import tomli

        try:
            values = tomli.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: {error}") from error
    known = {
        "backend",
        "account",
        "auth",
        "region",
        "parameters",
        "concurrency",
        "idle_stop",
        "max_life",
        "history",
        "keys",
        "prices",
        "services",
        "runtime_rollout",
        "runtimes",
        "file_systems",
        "network",
        "spares",
    }
    if unknown := sorted(set(values) - known):
        raise UsageError(f"{path}: unknown setting '{unknown[0]}'; known: {', '.join(sorted(known))}")

    def setting(name: str, kind: Any, default: Any) -> Any:
        value = values.get(name, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UsageError(f"{path}: '{name}' has a value of the wrong kind: {value!r}")
        return value

    account = setting("account", str, DEFAULT_ACCOUNT)
    if len(account) != 12 or not account.isdigit():
        raise UsageError(f"{path}: 'account' must be twelve digits, not {account!r}")
    if (auth := setting("auth", str, "any")) not in AUTH:
        raise UsageError(f"{path}: 'auth' is one of {', '.join(AUTH)}, not {auth!r}")
    if setting("spares", int, 1) < 0:
        raise UsageError(f"{path}: 'spares' must be 0 or more")
    for runtime, paths in setting("runtimes", dict, {}).items():
        if not isinstance(paths, list) or not all(isinstance(program, str) for program in paths):
            raise UsageError(f"{path}: [runtimes] takes a list of programs for each runtime; not {runtime} = {paths!r}")
    for name, bound in setting("history", dict, {}).items():
        if name not in ("invocations", "bytes") or not isinstance(bound, int) or isinstance(bound, bool) or bound < 0:
            raise UsageError(
                f"{path}: [history] takes 'invocations' and 'bytes', each a number; not {name} = {bound!r}"
            )
    return setting


def read_endpoint(project: Project) -> Endpoint | None:
    """The endpoint that a running engine wrote; None when there is none, or its engine is gone."""
    # The lock first: what an engine that was killed left is gone once the next one has it.
    if not os.path.exists(project.endpoint_file) or not engine_holds(project):
        return None
    try:
        data = json.loads(project.endpoint_file.read_text())
        endpoint = Endpoint(
            url=data["url"], key=data["key"], pid=int(data["pid"]), state=data["state"], auth=data.get("auth", "any")
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return endpoint


def engine_holds(project: Project) -> bool:
    """Does a living engine hold the state folder's lock? The kernel lets go of it however an engine ends."""
    try:
        descriptor = os.open(project.state / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def runtime_folder() -> Path:
    """The private folder for sockets and scratch files; paths of sockets are short, so never under the project."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    usable = base and os.path.isdir(base) and os.access(base, os.W_OK | os.X_OK)
    return Path(base if base and usable else tempfile.gettempdir())


def cache_folder() -> Path:
    """What can be made again: prepared runtime clients."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "workbench" if base else Path.home() / ".cache" / "workbench"
