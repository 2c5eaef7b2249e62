"""`python engine_to_kill.py BACKEND COUNT FOLDER [without-cgroups]`: busy environments, to be killed with -9.

Prints the process ids of its whole family on one line when all run.
"""

import asyncio
import os
import sys
from pathlib import Path

from workbench.backends import cgroups, proctable, registry
from workbench.backends.api import EnvironmentSpec, Host, Network, ProcessSpec
from workbench.backends.cgroups import Support
from workbench.backends.keeper import Keeper
from workbench.testing.conformance import this_python

# One child in the process's own group, one that took itself out of it.
CODE = """
import os
if os.fork() == 0 and OUT: os.setsid()
os.write(1, b"up\\n")
while True: pass
"""


async def main(name: str, count: int, folder: Path) -> None:
    keeper = Keeper()
    backend = registry.create(name)
    await backend.open(Host(run_dir=folder, guard=keeper.guard, unguard=keeper.unguard))
    runtime = this_python(folder)
    network = Network.NONE if Network.NONE in backend.capabilities.networks else Network.HOST
    read, write = os.pipe()
    escapes = backend.capabilities.isolation or bool(cgroups.claim().trees)
    code = CODE.replace("OUT", str(escapes))
    for number in range(count):
        environment = await backend.launch(
            EnvironmentSpec(
                id=f"killed-{number}",
                function="f",
                version="1",
                runtime=runtime,
                task=folder,
                opt=None,
                memory_size=128,
                network=network,
            )
        )
        layout = environment.layout
        await environment.start(
            ProcessSpec(
                name="busy",
                argv=(layout.interpreter, "-I", "-S", "-c", code),
                env={"LD_LIBRARY_PATH": "/var/lang/lib"} if backend.capabilities.mounts else {},
                cwd=layout.task,
                output=write,
            )
        )
    said = b""
    while said.count(b"up") < 2 * count:
        said += await asyncio.to_thread(os.read, read, 1000)
    await environment.freeze()  # the last one is frozen when the engine dies
    family = [row.pid for row in proctable.family(proctable.table(), [os.getpid()])]
    print(*(pid for pid in family if pid != os.getpid()), flush=True)
    await asyncio.sleep(60)


if "without-cgroups" in sys.argv:
    cgroups.claim = lambda: Support((), "switched off for a test")  # type: ignore[assignment]
asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
