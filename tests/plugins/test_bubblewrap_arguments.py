"""Bubblewrap's arguments, from what an environment should be. No sandbox is made here."""

import errno
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.backends.api import EnvironmentSpec, Network
from workbench.backends.box import seccomp
from workbench.model.errors import BackendError
from workbench.model.runtimes import RuntimeVersion
from workbench_bubblewrap import arguments, probe
from workbench_bubblewrap.arguments import Machine, Place, place

ROOT = Machine(
    root=True,
    version=(0, 8, 0),
    python=Path("/home/u/python/bin/python3.13"),
    python_prefix=Path("/home/u/python"),
    links={"/bin": "usr/bin", "/lib": "usr/lib"},
    etc=("/etc/ld.so.cache", "/etc/pki/tls/certs"),
)
ORDINARY = replace(ROOT, root=False)


def runtime(interpreter: str = "/usr/bin/python3.12", prefix: str = "/usr") -> RuntimeVersion:
    return RuntimeVersion(
        runtime="python3.12",
        label="python:3.12",
        arn="arn",
        interpreter=Path(interpreter),
        prefix=Path(prefix),
        client=Path("/state/client"),
        command=("{interpreter}", "{runtime}/boot.py", "{handler}"),
    )


SPEC = EnvironmentSpec(
    id="e1",
    function="f",
    version="1",
    runtime=runtime(),
    task=Path("/state/task"),
    opt=None,
    memory_size=128,
    tmp_size=600,
)


def sandbox(spec: EnvironmentSpec = SPEC, machine: Machine = ROOT) -> list[str]:
    return arguments.sandbox(
        spec,
        machine,
        place(spec.runtime, machine),
        init=Path("/plugin/init.py"),
        data={"/etc/passwd": 7, "/etc/hosts": 8},
        seccomp=9,
    )


def values(options: list[str], option: str, count: int = 1) -> list[tuple[str, ...]]:
    return [tuple(options[index + 1 : index + 1 + count]) for index, value in enumerate(options) if value == option]


@pytest.mark.parametrize("machine", [ROOT, ORDINARY])
def test_every_namespace_is_new_and_nothing_is_kept(machine: Machine) -> None:
    options = sandbox(machine=machine)
    for option in ("ipc", "pid", "net", "uts", "cgroup-try"):
        assert f"--unshare-{option}" in options
    for option in ("--new-session", "--die-with-parent", "--as-pid-1", "--clearenv"):
        assert option in options
    assert values(options, "--cap-drop") == [("ALL",)]
    assert values(options, "--seccomp") == [("9",)]


def test_root_makes_no_user_namespace_and_leaves_init_what_it_needs_to_step_down() -> None:
    options = sandbox()
    assert "--unshare-user" not in options
    assert values(options, "--cap-add") == [("CAP_SETUID",), ("CAP_SETGID",), ("CAP_SETPCAP",)]


def test_an_ordinary_user_gets_a_user_namespace_and_no_further_one() -> None:
    options = sandbox(machine=ORDINARY)
    assert values(options, "--uid") == [("993",)]
    assert values(options, "--gid") == [("990",)]
    assert {"--unshare-user", "--disable-userns", "--assert-userns-disabled"} <= set(options)
    assert "--cap-add" not in options


@pytest.mark.parametrize("machine", [replace(ORDINARY, version=(0, 7, 0)), replace(ORDINARY, setuid=True)])
def test_what_this_bubblewrap_refuses_is_left_to_seccomp(machine: Machine) -> None:
    options = sandbox(machine=machine)
    assert "--unshare-user" in options
    assert "--disable-userns" not in options


@pytest.mark.parametrize(("version", "sizes"), [((0, 6, 1), []), ((0, 7, 0), [(str(600 << 20),)])])
def test_tmp_has_its_mode_and_size(version: tuple[int, ...], sizes: list[tuple[str]]) -> None:
    options = sandbox(machine=replace(ROOT, version=version))
    assert values(options, "--size") == sizes
    assert options[options.index("--perms") + 1] == "1777"
    assert values(options, "--tmpfs") == [("/tmp",)]


def test_what_is_mounted_is_read_only_and_closed_last() -> None:
    options = sandbox()
    assert "--bind" not in options
    assert "--dev-bind" not in options
    assert options[-4:] == ["--remount-ro", "/dev", "--remount-ro", "/"]
    assert values(options, "--ro-bind", 2) == [
        ("/usr", "/usr"),
        ("/proc/sys", "/proc/sys"),
        ("/state/client", "/var/runtime"),
        ("/state/task", "/var/task"),
        ("/plugin/init.py", "/run/workbench/init.py"),
    ]
    assert values(options, "--symlink", 2) == [("usr/bin", "/bin"), ("usr/lib", "/lib")]
    assert ("/opt",) in values(options, "--dir")


def test_what_the_kernel_shows_by_user_cannot_be_opened() -> None:
    options = sandbox(machine=replace(ORDINARY, masked=("/proc/keys",)))
    assert ("/dev/null", "/proc/keys") in values(options, "--ro-bind", 2)
    assert options.index("/proc/keys") > options.index("--proc")


def test_parents_are_made_before_what_is_in_them() -> None:
    folders = [folder for (folder,) in values(sandbox(), "--dir")]
    assert {"/etc", "/etc/pki", "/etc/pki/tls", "/var", "/run", "/run/workbench"} <= set(folders)
    assert folders == sorted(folders)


def test_layers_are_mounted() -> None:
    assert ("/state/opt", "/opt") in values(sandbox(replace(SPEC, opt=Path("/state/opt"))), "--ro-bind", 2)


def test_a_file_system_alone_can_be_written() -> None:
    options = sandbox(replace(SPEC, file_systems={"/mnt/shared": Path("/home/u/shared")}))
    assert values(options, "--bind", 2) == [("/home/u/shared", "/mnt/shared")]
    assert ("/mnt",) in values(options, "--dir")
    assert options.index("--bind") < options.index("--remount-ro")


def test_a_host_without_merged_usr() -> None:
    options = sandbox(machine=replace(ROOT, links={}, folders=("/bin", "/lib")))
    assert {("/bin", "/bin"), ("/lib", "/lib")} <= set(values(options, "--ro-bind", 2))
    assert "--symlink" not in options


def test_the_host_network_is_not_unshared_and_has_names() -> None:
    options = sandbox(replace(SPEC, network=Network.HOST))
    assert "--unshare-net" not in options
    assert ("/etc/resolv.conf", "/etc/resolv.conf") in values(options, "--ro-bind-try", 2)
    assert "/etc/resolv.conf" not in sandbox()


class TestInterpreter:
    def test_of_the_distribution_stays_where_it_is(self) -> None:
        assert place(runtime(), ROOT) == Place("/usr/bin/python3.12", None)
        assert place(runtime("/usr/local/bin/python3", "/usr/local"), ROOT).tree is None
        assert arguments.layout(place(runtime(), ROOT)).interpreter == "/usr/bin/python3.12"

    def test_of_another_tree_is_shown_at_var_lang(self) -> None:
        spec = replace(
            SPEC, runtime=runtime("/home/u/.pyenv/versions/3.12.1/bin/python3", "/home/u/.pyenv/versions/3.12.1")
        )
        assert place(spec.runtime, ROOT).interpreter == "/var/lang/bin/python3"
        assert ("/home/u/.pyenv/versions/3.12.1", "/var/lang") in values(sandbox(spec), "--ro-bind", 2)

    def test_through_a_link_into_its_tree(self, tmp_path: Path) -> None:
        tree = tmp_path / "real"
        (tree / "bin").mkdir(parents=True)
        (tree / "bin" / "python3").touch()
        (tmp_path / "link").symlink_to(tree / "bin" / "python3")
        assert place(runtime(str(tmp_path / "link"), str(tree)), ROOT).interpreter == "/var/lang/bin/python3"

    @pytest.mark.parametrize("prefix", ["/somewhere/else", "/"])
    def test_outside_of_its_tree_is_refused(self, prefix: str) -> None:
        with pytest.raises(BackendError, match="is not below"):
            place(runtime("/opt/python/bin/python3", prefix), ROOT)


class TestPrivateFolders:
    """A program in ~/bin or ~/.local/bin would bring all that is beside it."""

    MACHINE = replace(ROOT, private=(Path("/home/u"), Path("/home/u/.local/share")))

    @pytest.mark.parametrize("prefix", ["/home/u", "/home", "/home/u/.local"])
    def test_what_holds_one_is_not_shown(self, prefix: str) -> None:
        with pytest.raises(BackendError, match=f"its folder {prefix} holds /home/u"):
            place(runtime(f"{prefix}/bin/python3.12", prefix), self.MACHINE)
        node = replace(runtime(), runtime="nodejs20.x", interpreter=Path(f"{prefix}/bin/node"), prefix=Path(prefix))
        where = place(node, self.MACHINE)
        assert where == Place("/var/lang/bin/node", Path(f"{prefix}/bin/node"), "/var/lang/bin/node")
        options = sandbox(replace(SPEC, runtime=node), self.MACHINE)
        assert (f"{prefix}/bin/node", "/var/lang/bin/node") in values(options, "--ro-bind", 2)
        assert ("/var/lang/bin",) in values(options, "--dir")
        assert prefix not in options

    def test_nor_what_holds_the_function(self) -> None:
        where = place(runtime("/srv/bin/python3", "/srv"), self.MACHINE)
        assert where.tree == Path("/srv")
        with pytest.raises(BackendError, match="holds /srv/project/trees/1"):
            place(runtime("/srv/bin/python3", "/srv"), self.MACHINE, Path("/srv/project/trees/1"))

    def test_nor_for_init(self) -> None:
        machine = replace(self.MACHINE, python=Path("/home/u/bin/python3"), python_prefix=Path("/home/u"))
        other = replace(runtime(), runtime="provided.al2023", interpreter=None, prefix=None)
        with pytest.raises(BackendError, match="cannot be shown"):
            arguments.init_place(other, place(other, machine), machine)

    def test_are_the_home_and_what_it_keeps(self) -> None:
        found = probe._private({"HOME": "/home/u", "XDG_DATA_HOME": "/data/u"})
        assert found == (Path("/home/u"), Path("/home/u/.config"), Path("/home/u/.local/share"), Path("/data/u"))
        assert probe._private({})[0].is_absolute()


class TestInitsPython:
    def test_is_a_python_function_s_own(self) -> None:
        where = place(runtime(), ROOT)
        assert arguments.init_place(runtime(), where, ROOT) == where
        assert "/var/workbench" not in " ".join(sandbox())

    @pytest.mark.parametrize(
        ("interpreter", "prefix"), [(Path("/home/u/node/bin/node"), Path("/home/u/node")), (None, None)]
    )
    def test_is_workbench_s_for_another_language(self, interpreter: Path | None, prefix: Path | None) -> None:
        other = replace(runtime(), runtime="nodejs20.x", interpreter=interpreter, prefix=prefix)
        spec = replace(SPEC, runtime=other)
        assert (
            arguments.init_place(other, place(other, ROOT), ROOT).interpreter == "/var/workbench/python/bin/python3.13"
        )
        options = sandbox(spec)
        assert ("/home/u/python", "/var/workbench/python") in values(options, "--ro-bind", 2)
        assert values(options, "--setenv", 2) == [("LD_LIBRARY_PATH", "/var/workbench/python/lib")]
        assert (("/home/u/node", "/var/lang") in values(options, "--ro-bind", 2)) == (interpreter is not None)
        assert place(other, ROOT).interpreter == ("/var/lang/bin/node" if interpreter else "")

    def test_of_the_distribution_needs_no_mount(self) -> None:
        machine = replace(ROOT, python=Path("/usr/bin/python3.11"), python_prefix=Path("/usr"))
        other = replace(runtime(), runtime="provided.al2023", interpreter=None, prefix=None)
        assert arguments.init_place(other, place(other, ROOT), machine).interpreter == "/usr/bin/python3.11"
        assert values(sandbox(replace(SPEC, runtime=other), machine), "--setenv", 2) == []


def test_init_s_command_line() -> None:
    command = arguments.init_command("/usr/bin/python3", channel=5, uid=2_000_001, listen=True, max_processes=None)
    assert command == ["/usr/bin/python3", "-I", "-S", "/run/workbench/init.py", "5", "2000001", "1", "0"]
    command = arguments.init_command("/usr/bin/python3", channel=5, uid=None, listen=False, max_processes=1024)
    assert command[-4:] == ["5", "0", "0", "1024"]


def test_users_are_named_as_on_aws() -> None:
    files = arguments.etc_files(993, 990)
    assert "sbx_user1051:x:993:990:" in files["/etc/passwd"]
    assert "localhost" in files["/etc/hosts"]


class TestMends:
    @pytest.mark.parametrize(
        ("text", "command"),
        [
            ("ID=debian\n", "sudo apt-get install bubblewrap"),
            ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "sudo apt-get install bubblewrap"),
            ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf install bubblewrap"),
            ("ID=arch\n", "sudo pacman -S bubblewrap"),
            ("ID=unheard-of\n", "install the package bubblewrap"),
        ],
    )
    def test_the_package_manager_of_the_distribution(self, text: str, command: str, tmp_path: Path) -> None:
        (tmp_path / "os-release").write_text(text)
        assert probe.install_command(tmp_path / "os-release") == command

    def test_no_os_release(self, tmp_path: Path) -> None:
        assert probe.install_command(tmp_path / "none") == "install the package bubblewrap"

    def test_apparmor_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "switch_apparmor").write_text("1\n")
        switch = (str(tmp_path / "switch_apparmor"), "1", "AppArmor forbids it user namespaces", "sudo sysctl -w x=0")
        monkeypatch.setattr(probe, "_SWITCHES", (switch,))
        monkeypatch.setattr(probe, "_PROFILE", tmp_path / "profile")
        said = "bwrap: setting up uid map: Permission denied"
        assert probe.explain(said, root=False) == (
            f"AppArmor forbids it user namespaces ({said})",
            "sudo sysctl -w x=0",
        )
        (tmp_path / "profile").touch()
        assert "apparmor_parser" in probe.explain(said, root=False)[1]

    def test_bubblewrap_s_own_words_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probe, "_SWITCHES", ())
        assert "No space left" in probe.explain("bwrap: No space left", root=False)[0]


class TestSeccomp:
    @pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
    def test_is_a_program_whose_jumps_stay_inside(self, machine: str) -> None:
        code = list(struct.iter_unpack("<HBBI", seccomp.program(machine)))
        assert len(code) < 4096
        assert code[-1] == (0x06, 0, 0, 0x7FFF0000)
        for index, (operation, then, otherwise, _) in enumerate(code):
            if operation & 0x07 == 0x05:  # a jump
                assert index + 1 + max(then, otherwise) < len(code)

    @pytest.mark.parametrize(
        ("call", "arguments", "answer"),
        [
            ((39, 172), (), "allowed"),  # getpid
            ((72, 25), (5, 3), "allowed"),  # F_GETFL
            ((72, 25), (5, 1024, 1), "EPERM"),  # F_SETLEASE
            ((72, 25), (5, 1040, 1), "EPERM"),  # F_SETDELEG
            ((16, 29), (0, 0x5401), "allowed"),  # TCGETS
            ((16, 29), (0, 0x5412 | 1 << 32), "EPERM"),
            ((41, 198), (1, 1, 0), "allowed"),
            ((41, 198), (2, 1, 6), "allowed"),
            ((41, 198), (10, 2, 17), "allowed"),
            ((41, 198), (16, 3, 0), "allowed"),
            ((41, 198), (2, 1, 262), "EPROTONOSUPPORT"),  # multipath TCP
            ((41, 198), (10, 2, 136), "EPROTONOSUPPORT"),  # UDP-Lite
            ((41, 198), (16, 3, 9), "EPROTONOSUPPORT"),
            ((41, 198), (38, 5, 0), "EAFNOSUPPORT"),
            ((53, 199), (1, 1, 0), "allowed"),
            ((56, 220), (0x10000000,), "EPERM"),
            ((435, 435), (), "ENOSYS"),
            ((334, 294), (), "allowed"),  # the last of those in old order: rseq, kexec_file_load is refused
            ((335, 295), (), "ENOSYS"),
            ((423, 423), (), "ENOSYS"),
            ((424, 424), (), "allowed"),  # pidfd_send_signal
            ((463, 463), (), "allowed"),
            ((464, 464), (), "ENOSYS"),
            ((206, 0), (), "EPERM"),  # io_setup
        ],
    )
    @pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
    def test_answers(self, machine: str, call: tuple[int, int], arguments: tuple[int, ...], answer: str) -> None:
        number = call[machine == "aarch64"]
        if number == 294:
            answer = "EPERM"
        assert outcome(seccomp.program(machine), machine, number, arguments) == answer

    def test_is_not_there_for_every_processor(self) -> None:
        assert seccomp.supported("aarch64")
        assert not seccomp.supported("riscv64")

    @pytest.mark.parametrize("column", [1, 2])
    def test_names_each_call_once(self, column: int) -> None:
        numbers = [entry[column] for entry in seccomp.REFUSED if entry[column] is not None]
        assert len(numbers) == len(set(numbers))


def outcome(program: bytes, machine: str, number: int, arguments: tuple[int, ...]) -> str:
    """What the kernel would answer: the few instructions of a filter, interpreted."""
    given = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, seccomp.AUDIT_ARCH[machine], 0, *given)
    code = list(struct.iter_unpack("<HBBI", program))
    at = held = 0
    while True:
        operation, then, otherwise, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (held,) = struct.unpack_from("<I", data, value)
            case 0x06:
                return "allowed" if value == 0x7FFF0000 else errno.errorcode[value & 0xFFFF]
            case _:
                holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[operation]
                at += then if holds else otherwise
