"""Processes in an environment: their output, their ends, what they are given."""

from __future__ import annotations

import json
import os
import signal

from workbench.backends.api import Exited, ProcessSpec
from workbench.model.errors import BackendError
from workbench.testing.kit import SLEEP, NotConforming, Subject, check, expect, in_time


@check
async def output_comes_in_order_and_exit_code(subject: Subject) -> None:
    async with subject.environment() as running:
        program = await running.start(
            "import os\nfor n in range(200): os.write(1 + n % 2, b'%d\\n' % n)\nraise SystemExit(7)"
        )
        event = await running.exit_of(program)
        expect((event.code, event.signal, event.oom) == (7, None, False), f"exit code 7 was told as {event}")
        lines = (await program.output.all()).split()
        expect(lines == [str(n) for n in range(200)], "stdout and stderr do not come in the order of their writing")


@check
async def a_flood_arrives_whole_and_holds_up_nobody(subject: Subject) -> None:
    lines = 2048
    code = f"""
import os
for n in range({lines}): os.write(1, b'%d %s\\n' % (n, b'x' * 1000))
"""
    async with subject.environment() as running:
        flood = await running.start(code, read=False)
        beside = await running.start("print('beside')")
        expect(await beside.output.line() == "beside", "beside a process whose output nobody reads, no other runs")
        await in_time(running.environment.usage(), "usage while nobody reads the output")
        flood.output.resume()
        numbers = [line.partition(" ")[0] for line in (await flood.output.all()).splitlines()]
        expect(numbers == [str(n) for n in range(lines)], f"{len(numbers)} of {lines} lines arrived, or in disorder")
        expect((await running.exit_of(flood)).code == 0, "the process that wrote them did not end by itself")


@check
async def signal_reaches_the_process(subject: Subject) -> None:
    async with subject.environment() as running:
        program = await running.start(SLEEP)
        await program.output.line()
        await in_time(running.environment.signal(program.handle, signal.SIGTERM), "signal")
        event = await running.exit_of(program)
        expect((event.code, event.signal) == (None, signal.SIGTERM), f"an end by SIGTERM was told as {event}")


@check
async def a_signal_to_one_that_is_gone_is_no_error(subject: Subject) -> None:
    async with subject.environment() as running:
        program = await running.start("pass")
        await running.exit_of(program)
        try:
            await in_time(running.environment.signal(program.handle, signal.SIGTERM), "signal to one that is gone")
        except BackendError as error:
            raise NotConforming(f"a signal to a process that is gone raised {error}") from error


@check
async def several_processes_one_after_and_beside_another(subject: Subject) -> None:
    async with subject.environment() as running:
        first = await running.start("print(1)")
        await running.exit_of(first)
        second, third = await running.start(SLEEP), await running.start("print(3)")
        expect(len({first.handle, second.handle, third.handle}) == 3, "two processes have one id")
        await running.exit_of(third)
        expect(await second.output.line() == "up", "the second process does not run")
        expect(all(not isinstance(event, Exited) for event in running.events), "the end of a process ended it all")


@check
async def what_cannot_start_raises_and_harms_nothing(subject: Subject) -> None:
    async with subject.environment() as running:
        read, write = os.pipe()
        spec = ProcessSpec(name="missing", argv=("/nowhere/program",), env={}, cwd="/", output=write)
        try:
            await in_time(running.environment.start(spec), "start")
        except BackendError as error:
            expect("/nowhere/program" in str(error), f"the error does not name the program: {error}")
        else:
            raise NotConforming("a program that does not exist was started")
        finally:
            os.close(read)
            os.close(write)
        program = await running.start("print('still')")
        expect(await program.output.line() == "still", "after a failed start nothing starts")


@check
async def environment_variables_and_folder_are_as_given(subject: Subject) -> None:
    async with subject.environment() as running:
        odd = {
            "_HANDLER": "app.handler",
            "SPACED": "a b=c 'd' \"e\" $f",
            "LINES": "one\ntwo",
            "UMLAUT": "grün",
            "EMPTY": "",
        }
        program = await running.start("import json, os; print(json.dumps([dict(os.environ), os.getcwd()]))", env=odd)
        env, folder = json.loads(await program.output.line())
        env.pop("__CF_USER_TEXT_ENCODING", None)  # macOS adds it to every process
        more, less = set(env.items()) - set(program.env.items()), set(program.env.items()) - set(env.items())
        expect(not more and not less, f"variables that were not given: {sorted(more)}; missing: {sorted(less)}")
        task = running.environment.layout.task
        expect(folder.endswith(task), f"the working directory is {folder}, not {task}")  # macOS: /private before it


@check
async def no_descriptors_but_the_first_three(subject: Subject) -> None:
    code = """
import os
found = []
for fd in range(1024):
    try: os.fstat(fd)
    except OSError: continue
    found.append(fd)
print(found, os.read(0, 1))
"""
    async with subject.environment() as running:
        program = await running.start(code)
        expect(await program.output.line() == "[0, 1, 2] b''", "open descriptors beyond 0-2, or stdin is not empty")
