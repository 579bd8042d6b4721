"""Network namespaces: one for each piece of work, gone with the process that made it."""

import ctypes
import os
import signal
import subprocess
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def enter_new() -> None:
    """Moves this process into a new network namespace with `lo` up."""
    if _LIBC.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")
    sh("ip link set lo up")


def in_child(work):
    """`work()` in a process of its own, in a network namespace of its own; what it returned."""
    import multiprocessing

    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def child():
        try:
            enter_new()
            send.send((True, work()))
        except BaseException as error:  # what went wrong belongs to the parent
            import traceback

            traceback.print_exc()
            send.send((False, f"{type(error).__name__}: {error}"))

    process = context.Process(target=child)
    process.start()
    send.close()
    try:
        good, value = receive.recv()
    except EOFError:
        good, value = False, "ended without a word"
    process.join()
    if not good:
        raise RuntimeError(value)
    return value


def sh(command: str, text: str | None = None) -> str:
    """Runs a shell command; its output. Raises with its errors if it fails."""
    done = subprocess.run(command, shell=True, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def ip_batch(lines) -> None:
    """`ip -batch` of lines."""
    sh("ip -batch -", "\n".join(lines) + "\n")


def veths(count: int, prefix: str = "v") -> None:
    """Interfaces PREFIX0 to PREFIX(count-1), veth pairs, up, each with an address of a /24 of its own."""
    lines = []
    for pair in range(0, count, 2):
        lines.append(f"link add {prefix}{pair} type veth peer name {prefix}{pair + 1}")
    for at in range(count):
        lines.append(f"address add 10.{100 + at // 250}.{at % 250}.1/24 dev {prefix}{at}")
        lines.append(f"link set {prefix}{at} up")
    ip_batch(lines)


def peer(interface: str, commands: list[str]) -> int:
    """Another namespace with `interface` moved into it and `commands` run there; its process number.

    It ends with the process that made it.
    """
    holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"], preexec_fn=_die_with_parent)
    own = os.readlink("/proc/self/ns/net")
    deadline = time.monotonic() + 10
    while os.readlink(f"/proc/{holder.pid}/ns/net") == own:
        if time.monotonic() > deadline:
            raise RuntimeError("the peer's namespace does not come")
        time.sleep(0.005)
    sh(f"ip link set {interface} netns {holder.pid}")
    for command in commands:
        sh(f"nsenter -t {holder.pid} -n {command}")
    return holder.pid


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    _LIBC.prctl(pr_set_pdeathsig, signal.SIGKILL)
