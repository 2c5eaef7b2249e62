"""The environment variables of a function's runtime.

Source: Lambda Developer Guide, "Using Lambda environment variables", and the precedence of AWS's runtime interface
emulator: the customer's, over those of the platform that are not reserved, under those that are.
"""

from __future__ import annotations

import base64
import hashlib
import time

from workbench.backends.api import Layout
from workbench.model.functions import FunctionConfiguration, FunctionVersion
from workbench.model.names import Account
from workbench.model.platform import InitializationType
from workbench.model.runtimes import RuntimeVersion

#: The PATH of an image that says none, as Docker has it.
IMAGE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Where X-Ray's daemon would listen; nobody does, and its clients do not wait for an answer.
_XRAY_PORT = "2000"
#: Where a function's layers are when that is not /opt: on a backend that has no mounts.
LAYERS_AT = "WORKBENCH_OPT"


def log_stream(version: FunctionVersion, environment: str, now: float) -> str:
    """`YYYY/MM/DD/[version]<32 hex>`: one stream an environment. In a log group that functions may share, their names
    are in it (Lambda Developer Guide, "Configuring CloudWatch log groups")."""
    day = time.strftime("%Y/%m/%d", time.gmtime(now))
    identity = hashlib.md5(environment.encode(), usedforsecurity=False).hexdigest()
    if log_group(version) != f"/aws/lambda/{version.name}":
        return f"{day}/{version.name}[{version.version}][{identity}]"
    return f"{day}/[{version.version}]{identity}"


def log_group(version: FunctionVersion) -> str:
    """The one that LoggingConfig names, or the function's own."""
    return version.configuration.settings.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{version.name}"


def runtime_variables(
    version: FunctionVersion,
    account: Account,
    layout: Layout,
    address: str,
    environment: str,
    now: float,
    initialization: InitializationType = InitializationType.ON_DEMAND,
    services: str | None = None,
) -> dict[str, str]:
    """Everything that the runtime's process gets, and nothing else. `services`: the URL of their endpoint inside."""
    configuration = version.configuration
    task, client = layout.task, layout.runtime
    logging = configuration.settings.get("LoggingConfig", {})
    host = address.rpartition(":")[0]
    customer = dict(configuration.environment or {})
    xray = {
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": f"{host}:{_XRAY_PORT}",
        "_AWS_XRAY_DAEMON_ADDRESS": host,
        "_AWS_XRAY_DAEMON_PORT": _XRAY_PORT,
    }
    unreserved = {
        **_system_variables(layout),
        **xray,
        **_language_variables(configuration.runtime, layout),
        **({"AWS_ENDPOINT_URL": services} if services else {}),
    }
    reserved = {
        "_HANDLER": configuration.handler,
        "AWS_REGION": account.region,
        "AWS_DEFAULT_REGION": account.region,
        "AWS_LAMBDA_FUNCTION_NAME": version.name,
        "AWS_LAMBDA_FUNCTION_VERSION": version.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": initialization.value,
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(version),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream(version, environment, now),
        "AWS_LAMBDA_RUNTIME_API": address,
        **_credentials(environment),
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": client,
    }
    if layout.opt not in ("", "/opt"):
        reserved[LAYERS_AT] = layout.opt
    if layout.image is not None:
        # Its own variables stand in for those that a runtime brings, and the handler is its command's business.
        unreserved = {"PATH": IMAGE_PATH, **xray, **layout.image.environment}
        del reserved["_HANDLER"]
    elif not configuration.runtime.startswith("provided"):
        unreserved |= {"PWD": task, "SHLVL": "0"}  # AWS starts these runtimes by a shell
        reserved["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{configuration.runtime}"
    if logging.get("LogFormat") == "JSON":
        reserved["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        reserved["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    if customer.get("PYTHONPATH") and "PYTHONPATH" in unreserved:
        customer["PYTHONPATH"] = f"{customer['PYTHONPATH']}:{client}"
    return {**unreserved, **customer, **reserved}


def boot_variables(runtime: RuntimeVersion, layout: Layout) -> dict[str, str]:
    """What the runtime of a spare is booted with: what it reads before it can be told, and is of no function.

    AWS's client for Python reads the name of the runtime when it is loaded.
    """
    return {
        **_system_variables(layout),
        **_language_variables(runtime.runtime, layout),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime.runtime}",
    }


#: Variables that a program, its C library or its interpreter reads when it starts, by how they begin.
_READ_AT_START = (
    *("LD_", "GLIBC_", "MALLOC_", "LC_", "LANG", "LOCPATH", "GCONV_PATH", "OPENSSL_"),
    *("PYTHON", "NODE_", "UV_", "AWS_LAMBDA_EXEC_WRAPPER"),
)


def read_at_start(configuration: FunctionConfiguration) -> str | None:
    """A variable of the function that a process must be started with: set later, it has no effect, or another."""
    return next((name for name in configuration.environment or {} if name.startswith(_READ_AT_START)), None)


def _system_variables(layout: Layout) -> dict[str, str]:
    task, client = layout.task, layout.runtime
    # Without mounts there is nothing at all in place of /opt for a function without layers.
    binaries, libraries = (f":{layout.opt}/{name}" if layout.opt else "" for name in ("bin", "lib"))
    return {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": f"/var/lang/bin:/usr/local/bin:/usr/bin/:/bin{binaries}",
        "LD_LIBRARY_PATH": f"/var/lang/lib:/lib64:/usr/lib64:{client}:{client}/lib:{task}:{task}/lib{libraries}",
    }


def _credentials(environment: str) -> dict[str, str]:
    """Credentials as STS makes them, another set for each environment: every local service accepts them, and they open
    nothing real."""
    noise = base64.b32encode(hashlib.sha512(environment.encode()).digest()).decode().rstrip("=")
    return {
        "AWS_ACCESS_KEY_ID": f"ASIA{noise[:16]}",
        "AWS_SECRET_ACCESS_KEY": noise[16:56],
        "AWS_SESSION_TOKEN": f"workbench-{noise[56:]}",
    }


#: What belongs to the runtime's process alone (Lambda Developer Guide, "Permissions and configuration" of extensions).
_RUNTIME_ONLY = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


def extension_variables(runtime: dict[str, str]) -> dict[str, str]:
    """What an extension gets of the variables of the runtime's process."""
    return {
        name: value
        for name, value in runtime.items()
        if name not in _RUNTIME_ONLY and not name.startswith(("_", "AWS_XRAY_"))
    }


def _language_variables(runtime: str, layout: Layout) -> dict[str, str]:
    """Where the language looks for libraries."""
    if runtime.startswith("python"):
        return {"PYTHONPATH": layout.runtime}
    if runtime.startswith("nodejs"):
        major = runtime.removeprefix("nodejs").removesuffix(".x")
        layers = f"{layout.opt}/nodejs"
        folders = [f"{layers}/node{major}/node_modules", f"{layers}/node_modules"] if layout.opt else []
        return {"NODE_PATH": ":".join((*folders, f"{layout.runtime}/node_modules", layout.runtime, layout.task))}
    return {}
