"""Every mitigation is needed: without it an attack of the table gets through."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.security import ablated
from tests.security.arena import Arena, arena

pytestmark = [pytest.mark.bubblewrap, pytest.mark.soak]
ABLATED = str(Path(ablated.__file__))
BOTH, ROOT, ORDINARY = ("root", "ordinary"), ("root",), ("ordinary",)
FILTER = "the filter of system calls"


@dataclass(frozen=True)
class Ablation:
    """Without `remove` the attack gets something; with it, and only what is `given` removed, nothing.

    Where two mitigations hold the same attack, each is shown to hold it alone.
    """

    remove: str
    attack: str
    users: tuple[str, ...] = BOTH
    given: tuple[str, ...] = ()
    function: str = "attacker"
    facts: dict[str, Any] = field(default_factory=dict)


ABLATIONS = (
    Ablation("a view of nothing but what is needed", "read_home", ORDINARY),
    Ablation("a view of nothing but what is needed", "docker_socket", ORDINARY),
    Ablation("a view of nothing but what is needed", "other_function", ORDINARY),
    Ablation("a few files of /etc", "read_etc"),
    Ablation("a few files of /etc", "read_shadow"),
    Ablation("code is mounted read-only", "rewrite_own_code", ORDINARY),
    Ablation("a read-only root", "write_outside_tmp", ORDINARY),
    Ablation("a read-only /dev", "write_outside_tmp", ORDINARY),  # in a root engine's it is root's
    Ablation("a read-only /dev", "fill_disk", ORDINARY),
    Ablation("read-only settings of the kernel", "kernel_settings"),
    Ablation("kernel keys are masked", "keyring", ORDINARY),
    Ablation("a private /tmp", "other_function"),
    Ablation("a private /tmp", "plant_links"),
    Ablation("the size of /tmp", "fill_disk"),
    # Of an ordinary user's, init would end all his processes.
    Ablation("a process namespace", "see_other_pids", ROOT),
    Ablation("a network namespace", "abstract_unix"),
    Ablation("a network namespace", "control_api"),
    Ablation("a network namespace", "interfaces"),
    Ablation("no user namespaces", "new_user_namespace", ORDINARY, given=(FILTER,)),
    Ablation(FILTER, "new_user_namespace", ORDINARY, given=("no user namespaces",)),
    Ablation(FILTER, "new_user_namespace", ROOT),
    Ablation("a name of its own", "time_and_names"),
    Ablation("no capabilities", "privileges", ORDINARY),
    Ablation("a user of its own", "privileges", ROOT),
    Ablation("init cannot be looked into", "kill_and_trace"),
    Ablation("a launcher without an environment", "engine_env_leak", given=("init cannot be looked into",)),
    Ablation("init closes what it inherits", "inherited_fds", given=("no descriptors but those that are named",)),
    Ablation("no descriptors but those that are named", "inherited_fds", given=("init closes what it inherits",)),
    Ablation("no core dumps", "core_dumps"),
    Ablation("filter: core limit", "core_dumps"),
    Ablation("filter: refused calls", "trace_calls"),
    Ablation("filter: refused calls", "mount_ops"),
    Ablation("filter: refused calls", "keyring"),
    Ablation("filter: refused calls", "dangerous_syscalls"),
    Ablation("filter: refused calls", "time_and_names"),
    Ablation("filter: calls of tomorrow", "dangerous_syscalls"),
    Ablation("filter: clone", "new_namespaces", ROOT),
    Ablation("filter: clone3", "new_namespaces", ROOT),
    Ablation("filter: terminals", "tiocsti"),
    Ablation("filter: personalities", "personalities"),
    Ablation("filter: families", "odd_sockets"),
    Ablation("filter: protocols", "odd_sockets"),
    Ablation("filter: leases", "leases", ORDINARY),
    Ablation("filter: calling convention", "other_calling_convention"),
    Ablation("a limit of processes", "fork_bomb", ROOT, function="large"),
    Ablation("a limit of memory", "eat_memory_in_files", ROOT),
    Ablation("memory is watched", "eat_memory", ORDINARY),
    Ablation("memory is watched", "eat_memory", ROOT, facts={"times": 2}),
    Ablation("files of /tmp are counted", "fill_inodes"),
    Ablation("files without a name are counted", "eat_memory_in_files", ORDINARY),
    Ablation("everything in the group is killed", "daemonize", ROOT, given=("a process namespace",)),
    Ablation("a process is more than its first thread", "eat_memory_without_a_leader", ORDINARY, facts={"times": 2}),
    Ablation("what is idle is frozen", "burn"),
    Ablation("who is continued is stopped again", "stay_awake", ORDINARY),
)


@dataclass(frozen=True)
class Case:
    """One run of an ablation's attack, on an engine without `removed`: does it get through?"""

    user: str
    removed: tuple[str, ...]
    ablation: Ablation
    through: bool

    def __str__(self) -> str:
        return (
            f"{self.user}-{self.ablation.attack}-{'' if self.through else 'held '}without {' and '.join(self.removed)}"
        )


def cases() -> Iterator[Case]:
    for one in ABLATIONS:
        for user in one.users:
            if one.given:
                yield Case(user, one.given, one, False)
            yield Case(user, (*one.given, one.remove), one, True)


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """The engine, kept for all attacks on it."""
    user, removed = request.param
    with arena(user=user, launcher=[ABLATED, ",".join(removed)]) as opened:
        yield opened


CASES = list(cases())


@pytest.mark.parametrize(
    ("host", "case"), [((case.user, case.removed), case) for case in CASES], indirect=["host"], ids=map(str, CASES)
)
def test_every_mitigation_is_needed(host: Arena, case: Case) -> None:
    if case.ablation.remove == "filter: calls of tomorrow" and not tomorrow():
        pytest.skip("this kernel knows no call that is newer than the filter")
    assert gets_through(host, case.ablation) == case.through


def test_every_mitigation_is_tried() -> None:
    assert {one.remove for one in ABLATIONS} == ablated.MITIGATIONS.keys()


def tomorrow() -> bool:
    """Does the kernel know listxattrat, the call that stands for all that are newer than the filter?"""
    release = tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])
    return release >= (6, 13)


def gets_through(host: Arena, ablation: Ablation) -> bool:
    answer = host.run(ablation.attack, ablation.function, **ablation.facts)
    match ablation.attack:
        case "daemonize":
            host.client.delete_function(FunctionName=ablation.function)
            deadline = time.monotonic() + 5
            while host.strays() and time.monotonic() < deadline:
                time.sleep(0.1)
            return bool(host.strays())
        case "burn" | "stay_awake" as name:
            time.sleep(6)  # on a busy machine it has a small part of the processor
            used = float(host.run(name)["Payload"]["got"][-1]) - float(answer["Payload"]["got"][-1])
            return used > 0.5
        case "eat_memory" | "eat_memory_in_files" | "eat_memory_without_a_leader":
            return "got" in answer["Payload"]
        case _:
            return answer["Payload"].get("got") != []
