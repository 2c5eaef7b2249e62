"""The system call filter of a sandbox, as a classic BPF program: `bwrap --seccomp` loads it, or init.

It refuses what no function needs and what has been the way out of sandboxes: new namespaces and mounts, tracing, kernel
keys, eBPF, io_uring, terminal injection, unusual socket families and protocols. A call newer than this list does not
exist (ENOSYS), so that a new kernel opens nothing by itself.
"""

from __future__ import annotations

import errno
import functools
import platform
import struct

#: Refused with EPERM: name, number on x86_64, number on aarch64 (None: not there).
REFUSED: tuple[tuple[str, int, int | None], ...] = (
    # namespaces, mounts, roots
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("open_tree", 428, 428),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fspick", 433, 433),
    ("mount_setattr", 442, 442),
    ("statmount", 457, 457),
    ("listmount", 458, 458),
    ("name_to_handle_at", 303, 264),
    ("open_by_handle_at", 304, 265),
    ("fanotify_init", 300, 262),
    ("quotactl", 179, 60),
    ("quotactl_fd", 443, 443),
    # other processes
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("process_madvise", 440, 440),
    ("pidfd_getfd", 438, 438),
    ("kcmp", 312, 272),
    ("move_pages", 279, 239),
    ("migrate_pages", 256, 238),
    ("mbind", 237, 235),
    ("get_mempolicy", 239, 236),
    ("set_mempolicy", 238, 237),
    ("set_mempolicy_home_node", 450, 450),
    # kernel keys
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    # large attack surfaces
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("io_setup", 206, 0),  # what the machine has of these is counted for all users together
    ("lookup_dcookie", 212, 18),
    ("sysfs", 139, None),
    ("uselib", 134, None),
    ("ustat", 136, None),
    ("vhangup", 153, 58),
    ("syslog", 103, 116),
    # the machine itself
    ("acct", 163, 89),
    ("clock_settime", 227, 112),
    ("clock_adjtime", 305, 266),
    ("settimeofday", 164, 170),
    ("init_module", 175, 105),
    ("finit_module", 313, 273),
    ("delete_module", 176, 106),
    ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294),
    ("iopl", 172, None),
    ("ioperm", 173, None),
    ("modify_ldt", 154, None),
    ("reboot", 169, 142),
    ("sethostname", 170, 161),
    ("setdomainname", 171, 162),
    ("swapon", 167, 224),
    ("swapoff", 168, 225),
)
#: Calls that are looked at more closely: x86_64, aarch64.
CLONE, IOCTL, PERSONALITY, FCNTL = (56, 220), (16, 29), (135, 92), (72, 25)
SOCKETS = ((41, 198), (53, 199))  # socket, socketpair
SETRLIMIT, PRLIMIT = (160, 164), (302, 261)
CLONE3 = 435
#: The numbers that were not assigned when this list was made: from one to below another, and from one on.
UNKNOWN, UNKNOWN_FROM = ((335, 424), (295, 424)), 464

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NEW_NAMESPACE = 0x7E020000  # every CLONE_NEW* that clone() takes
FAMILIES = (1, 2, 10, 16)  # unix, inet, inet6, netlink
#: By family. 0 is a family's own; ICMP, TCP, UDP, ICMPv6; of netlink only what tells the interfaces.
PROTOCOLS = {2: (0, 1, 6, 17), 10: (0, 6, 17, 58), 16: (0,)}
LEASES = (1024, 1040)  # F_SETLEASE, F_SETDELEG: whoever opens the file, in another sandbox or outside, would wait
RLIMIT_CORE = 4
TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
PERSONALITIES = (0, 0xFFFFFFFF)  # plain Linux, and the question which one it is

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
# Offsets in struct seccomp_data. Arguments are compared by their low 32 bits, as the kernel reads these commands:
# TIOCSTI | 1 << 32 is TIOCSTI (CVE-2019-10063).
_NUMBER, _ARCH, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32


def supported(machine: str | None = None) -> bool:
    """Is there a filter for this machine's processor?"""
    return (machine or platform.machine()) in AUDIT_ARCH


@functools.cache
def program(machine: str | None = None) -> bytes:
    """The filter: an array of `struct sock_filter`."""
    machine = machine or platform.machine()
    column = list(AUDIT_ARCH).index(machine)
    code: list[tuple[int, int, int, int]] = []

    def add(operation: int, value: int, then: int = 0, otherwise: int = 0) -> None:
        code.append((operation, then, otherwise, value))

    def refuse(number: int = errno.EPERM) -> None:
        add(_RETURN, _ERRNO | number)

    def argument_check(number: int, offset: int, allowed: tuple[int, ...], error: int) -> None:
        """Refuse the call unless its argument is one of these."""
        add(_EQUAL, number, 0, len(allowed) + 3)
        add(_LOAD, offset)
        for index, value in enumerate(allowed):
            add(_EQUAL, value, len(allowed) - index, 0)
        refuse(error)
        add(_LOAD, _NUMBER)

    add(_LOAD, _ARCH)
    add(_EQUAL, AUDIT_ARCH[machine], 1, 0)
    add(_RETURN, _KILL_PROCESS)  # another calling convention, such as int 0x80, has other numbers
    add(_LOAD, _NUMBER)
    add(_AT_LEAST, UNKNOWN_FROM, 0, 1)  # x32's numbers are far above, too
    refuse(errno.ENOSYS)
    first, end = UNKNOWN[column]
    add(_AT_LEAST, first, 0, 2)
    add(_AT_LEAST, end, 1, 0)
    refuse(errno.ENOSYS)
    add(_EQUAL, CLONE3, 0, 1)
    refuse(errno.ENOSYS)  # its flags are in memory, out of a filter's sight; C libraries fall back to clone
    for _, *numbers in REFUSED:
        if (refused := numbers[column]) is not None:
            add(_EQUAL, refused, 0, 1)
            refuse()
    add(_EQUAL, CLONE[column], 0, 4)
    add(_LOAD, _FIRST)
    add(_ANY_BIT, NEW_NAMESPACE, 0, 1)
    refuse()
    add(_LOAD, _NUMBER)
    for call, commands in ((IOCTL, TERMINAL_INJECTION), (FCNTL, LEASES)):
        add(_EQUAL, call[column], 0, 2 * len(commands) + 2)
        add(_LOAD, _SECOND)
        for command in commands:
            add(_EQUAL, command, 0, 1)
            refuse()
        add(_LOAD, _NUMBER)
    argument_check(PERSONALITY[column], _FIRST, PERSONALITIES, errno.EPERM)
    for call in SOCKETS:
        argument_check(call[column], _FIRST, FAMILIES, errno.EAFNOSUPPORT)
        for family, protocols in PROTOCOLS.items():
            add(_EQUAL, call[column], 0, len(protocols) + 5)
            add(_LOAD, _FIRST)
            add(_EQUAL, family, 0, len(protocols) + 2)
            add(_LOAD, _THIRD)
            for index, value in enumerate(protocols):
                add(_EQUAL, value, len(protocols) - index, 0)
            refuse(errno.EPROTONOSUPPORT)
            add(_LOAD, _NUMBER)
    # Who sees to it that there are no core dumps must not be undone: with a limit of 0 bytes the kernel would start a
    # helper that the host names for them. Many programs set 0, so it succeeds, and changes nothing.
    add(_EQUAL, SETRLIMIT[column], 0, 4)
    add(_LOAD, _FIRST)
    add(_EQUAL, RLIMIT_CORE, 0, 1)
    refuse(0)
    add(_LOAD, _NUMBER)
    add(_EQUAL, PRLIMIT[column], 0, 8)
    add(_LOAD, _SECOND)
    add(_EQUAL, RLIMIT_CORE, 0, 5)
    add(_LOAD, _THIRD)
    add(_EQUAL, 0, 0, 2)
    add(_LOAD, _THIRD + 4)
    add(_EQUAL, 0, 1, 0)  # no new value: a question
    refuse(0)
    add(_LOAD, _NUMBER)
    add(_RETURN, _ALLOW)
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)
