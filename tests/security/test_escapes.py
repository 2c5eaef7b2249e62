"""Attacks on the boundary through the public API: a real engine on bubblewrap, as root and as an ordinary user.

The table of attacks is in programs/; docs/security.md says which row of the threat model each belongs to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endtoend.conftest import eventually
from tests.security.arena import MEMORY_SIZE, Arena, arena, programs
from tests.security.table import SPECIAL, attacks
from tests.support import OFTEN

pytestmark = pytest.mark.bubblewrap
ATTACKS = attacks()


ORDINARY = pytest.param("ordinary", marks=pytest.mark.soak)
ROADS = [
    pytest.param(("root", "spare"), id="root on a spare"),
    pytest.param(("root", "fresh"), id="root on a fresh one", marks=pytest.mark.soak),
    pytest.param(("ordinary", "spare"), id="ordinary on a spare", marks=pytest.mark.soak),
    pytest.param(("ordinary", "fresh"), id="ordinary on a fresh one", marks=pytest.mark.soak),
]


@pytest.fixture(scope="module", params=ROADS)
def host(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """An engine, and its function `attacker` in an environment that was made ahead, or was not."""
    user, road = request.param
    with arena(user=user, settings=f'network = "none"\nspares = {int(road == "spare")}\n') as opened:
        eventually(lambda: took(road, opened), 30)
        yield opened
        shared = [path for path in opened.state.rglob("*.txt") if path.name in ("shared.txt", "layer.txt")]
        assert len(shared) >= 2
        for path in shared:  # the code and the layer that functions have in common
            assert path.read_text() == "good"
            assert path.stat().st_mode & 0o022 == 0
        assert opened.victim.poll() is None
        os.kill(opened.facts["keeper"], 0)


def took(road: str, host: Arena) -> bool:
    """Has a new environment of `attacker` come by that road?"""
    host.client.update_function_configuration(FunctionName="attacker", Description=str(uuid.uuid4()))
    host.client.get_waiter("function_updated_v2").wait(FunctionName="attacker", WaiterConfig=OFTEN)
    host.run("read_shadow")
    newest = json.loads(host.command("history", "attacker", "--json", "--limit", "1"))
    return ("; spare" in newest["why"]) == (road == "spare")  # without spares, no road is told


@pytest.mark.parametrize("name", [name for name in ATTACKS if name not in SPECIAL])
def test_nothing_is_got(name: str, host: Arena) -> None:
    assert host.got(name) == []


@pytest.mark.parametrize("user", ["root", ORDINARY])
def test_the_attacks_bite(user: str) -> None:
    """The positive control: where there is no boundary, the same programs get something."""
    tame = {name: attack for name, attack in ATTACKS.items() if attack.bites == "anyone" or attack.bites == user}
    if os.geteuid() != 0:
        tame = {name: attack for name, attack in tame.items() if attack.bites == "anyone"}
    with arena(user=user, backend="subprocess", settings="") as opened:
        blunt = [name for name in tame if not opened.got(name)]
    assert blunt == []
    assert len(tame) >= 20


# -- resources -------------------------------------------------------------------------------------------------------


def killed(answer: dict[str, object]) -> bool:
    return answer.get("FunctionError") == "Unhandled" and "signal: killed" in str(answer["Payload"])


def test_a_fork_bomb_meets_its_limit_and_others_go_on(host: Arena) -> None:
    answers: list[object] = []
    bomb = threading.Thread(target=lambda: answers.append(host.run("fork_bomb", "large")))
    bomb.start()
    while bomb.is_alive():
        subprocess.run([sys.executable, "-c", ""], check=True)
        assert "request" in host.invoke("other")
        bomb.join(0.1)
    (answer,) = answers
    assert answer["Payload"].get("got") == [], answer["Payload"]  # type: ignore[index]


@pytest.mark.parametrize(
    "name",
    [
        "eat_memory",
        pytest.param("eat_memory_in_children", marks=pytest.mark.soak),
        pytest.param("eat_memory_in_files", marks=pytest.mark.soak),
        pytest.param("eat_memory_without_a_leader", marks=pytest.mark.soak),
    ],
)
def test_memory_ends_where_it_was_promised_to(name: str, host: Arena) -> None:
    assert killed(host.run(name))
    assert host.got("read_home") == []  # the next environment is as good


def test_inodes_are_memory(host: Arena) -> None:
    answer = host.run("fill_inodes")
    assert killed(answer) or answer["Payload"].get("got") == []


def test_memory_of_files_in_tmp_is_no_memory_of_the_function(host: Arena) -> None:
    """/tmp has its own size: filling it ends nobody, although it is larger than the function's memory."""
    assert host.facts["tmp_size"] > MEMORY_SIZE
    before = host.run("read_shadow")["Payload"]["id"]
    assert host.got("fill_disk") == []
    assert host.run("read_shadow")["Payload"]["id"] == before


# -- what is left behind ---------------------------------------------------------------------------------------------


def test_a_daemon_does_not_outlive_its_function(host: Arena) -> None:
    host.create("breeder", "attack.handler", programs())
    host.run("daemonize", "breeder")
    assert len(eventually(host.strays)) == 1
    host.client.delete_function(FunctionName="breeder")
    eventually(lambda: not host.strays(), 5)


def test_who_overstays_is_ended_with_all_children(host: Arena) -> None:
    host.create("sleeper", "attack.handler", programs(), Timeout=1)
    answer = host.run("overstay", "sleeper")
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in answer["Payload"]["errorMessage"]
    eventually(lambda: not host.strays(), 5)
    assert host.run("read_shadow", "sleeper")["Payload"]["got"] == []


def test_nothing_runs_between_invocations(host: Arena) -> None:
    host.create("burner", "attack.handler", programs())
    begun = float(host.run("burn", "burner")["Payload"]["got"][1])
    time.sleep(1.5)
    counted, used = map(float, host.run("burn", "burner")["Payload"]["got"])
    assert counted > 1
    assert used - begun < 0.5  # a thread that nobody stops has most of the time


@pytest.mark.soak
def test_what_cannot_be_stopped_between_invocations_is_ended(host: Arena) -> None:
    host.create("sleepless", "attack.handler", programs())
    first = host.run("stay_awake", "sleepless")["Payload"]
    time.sleep(4)
    second = host.run("stay_awake", "sleepless")["Payload"]
    if host.is_root:  # there it is the kernel that lets nothing run
        assert second["id"] == first["id"]
        assert float(second["got"][0]) - float(first["got"][0]) < 0.5
    else:
        assert second["id"] != first["id"]


@pytest.mark.soak
def test_descriptors_on_their_way_keep_no_other_function_from_starting(host: Arena) -> None:
    host.create("hoarder", "attack.handler", programs())
    sent = int(host.run("descriptors_in_flight", "hoarder")["Payload"]["got"][0])
    assert sent > 1000
    host.create("later", "app.handler", {"app.py": "def handler(event, context):\n    return 'here'\n"})
    for _ in range(3):  # no spare that was there before
        host.client.update_function_configuration(FunctionName="later", Description=str(uuid.uuid4()))
        host.client.get_waiter("function_updated_v2").wait(FunctionName="later")
        assert host.invoke("later") == "here"
    host.client.delete_function(FunctionName="hoarder")


def test_a_flood_of_output_is_cut(host: Arena) -> None:
    before = resident(host.pid)
    assert host.got("flood") == []
    assert resident(host.pid) - before < 50 << 20
    assert "request" in host.invoke("other")


def test_a_response_that_is_too_large_is_an_error_and_the_next_one_is_not(host: Arena) -> None:
    host.create("talker", "app.handler", {"app.py": "def handler(event, context):\n    return 'x' * event['size']\n"})
    answer = host.answer("talker", {"size": 7 << 20})
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Function.ResponseSizeTooLarge"
    assert host.invoke("talker", {"size": 3}) == "xxx"


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_forged_report_is_a_line_like_any_other(host: Arena) -> None:
    forged = str(uuid.uuid4())
    answer = host.run("forge_log", forged=forged)
    assert answer["Payload"]["got"] == []
    newest = json.loads(host.command("history", "--json", "--limit", "1"))
    assert newest["request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert forged not in json.dumps({key: value for key, value in newest.items() if key != "event"})
