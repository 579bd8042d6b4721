"""Proxy entries added and deleted."""

import os
import shutil
import tempfile

from ..build import BENCHES, OUT, RELEASE, VENV
from ..contender import Contender, Taken, Void
from ..namespace import ip_batch, sh
from ..row import Reach, Row

OURS, FLOOR = str(RELEASE / "arpflux-bench"), str(OUT / "floor-proxies")
STATE = tempfile.gettempdir() + "/arpflux-bench-state"


def address(at: int) -> str:
    """10.0.0.0 and on."""
    return f"10.{at >> 16}.{at >> 8 & 255}.{at & 255}"


def batch(edit: str, size: int) -> str:
    """For `ip -batch`; deletes the newest first."""
    order = range(size) if edit == "add" else reversed(range(size))
    return "".join(f"neigh {edit} proxy {address(at)} dev v0\n" for at in order)


def rows(reasons: dict) -> list[Row]:
    """Both directions, with and without a journal."""
    return [
        *(_row(edit, reasons) for edit in ("add", "del")),
        *(_journalled(edit) for edit in ("add", "del")),
        *(_python(edit, reasons) for edit in ("add", "del")),
    ]


def _setup(_size: int) -> None:
    ip_batch(["link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"])


def _entries() -> int:
    return len(sh("ip neigh show proxy").splitlines())


def _flush() -> None:
    # Changes of other namespaces make the tool meet an entry twice; the second time it is gone, and that ends the tool.
    for _ in range(20):
        sh("ip neigh flush proxy dev v0 || true")
        if not _entries():
            return
    raise RuntimeError("entries stay")


def _before(edit: str):
    def before(_contender: Contender, size: int) -> None:
        want = 0 if edit == "add" else size
        if _entries() != want:
            # The floor program makes the state before; its own figures are taken elsewhere.
            _flush()
            if want:
                sh(f"{FLOOR} add v0 {size}")

    return before


def _check(edit: str):
    def check(_contender: Contender, size: int, _taken: Taken) -> None:
        there, want = _entries(), size if edit == "add" else 0
        if there != want:
            raise Void(f"left {there} entries, not {want}")

    return check


def _row(edit: str, reasons: dict) -> Row:
    return Row(
        key=f"proxies-{edit}",
        work=f"Proxy entries: {'add' if edit == 'add' else 'delete'}, checked",
        unit="entries",
        sizes=[100, 1_000, 10_000],
        reach=Reach(times=1.3),
        setup=_setup,
        before=_before(edit),
        check=_check(edit),
        note="Ours reads the entries again to check them; the floor does not.",
        contenders=[
            Contender("arpflux (Rust)", "ours", lambda n: [OURS, "proxies", edit, "v0", str(n)]),
            Contender("floor", "floor", lambda n: [FLOOR, edit, "v0", str(n)]),
            Contender(
                "rtnetlink crate",
                "peer",
                lambda n: [str(OUT / "rtnetlink/release/arpflux-bench-rtnetlink"), "proxies", edit, "v0", str(n)],
                needs=reasons.get("rtnetlink"),
            ),
            Contender(
                "ip -batch", "peer", lambda n: ["ip", "-batch", "-"], tells=False, stdin=lambda n: batch(edit, n)
            ),
            _pyroute2(edit, reasons),
            Contender(
                "ip for each entry",
                "peer",
                lambda n: ["sh", "-c", "set -e\n" + "".join(f"ip {line}\n" for line in batch(edit, n).splitlines())],
                tells=False,
                largest=1_000,
                rounds=2,
            ),
        ],
    )


def _before_transaction(edit: str):
    def before(contender: Contender, size: int) -> None:
        shutil.rmtree(STATE, ignore_errors=True)
        os.makedirs(STATE, mode=0o755)
        _before(edit)(contender, size)

    return before


def _pyroute2(edit: str, reasons: dict) -> Contender:
    return Contender(
        "pyroute2",
        "peer",
        lambda n: [str(VENV / "bin" / "python"), str(BENCHES / "python/pyroute2_peer.py"), "proxies", edit, "v0", str(n)],
        needs=reasons.get("python"),
    )


def _transaction(edit: str, key: str, work: str, ours: Contender, *others: Contender) -> Row:
    """A journalled change, beside the floor and `ip -batch`."""
    return Row(
        key=f"{key}-{edit}",
        leaves=(STATE,),
        work=f"{work}: {'add' if edit == 'add' else 'delete'} (journal synced, rollback ready)",
        unit="entries",
        sizes=[100, 1_000, 10_000],
        reach=Reach(times=1.0, of="ip -batch"),
        setup=_setup,
        before=_before_transaction(edit),
        check=_check(edit),
        contenders=[
            ours,
            Contender("floor", "floor", lambda n: [FLOOR, edit, "v0", str(n)]),
            Contender(
                "ip -batch", "peer", lambda n: ["ip", "-batch", "-"], tells=False, stdin=lambda n: batch(edit, n)
            ),
            *others,
        ],
    )


def _journalled(edit: str) -> Row:
    rust = [OURS, "proxies-journalled", edit, "v0"]
    ours = Contender("arpflux (transaction)", "ours", lambda n: [*rust, str(n), STATE])
    return _transaction(edit, "journalled", "Proxy entries as a transaction", ours)


def _python(edit: str, reasons: dict) -> Row:
    python = [str(VENV / "bin" / "python"), str(BENCHES / "python/ours.py"), "proxies", edit, "v0"]
    ours = Contender(
        "arpflux (Python)", "ours", lambda n: [*python, str(n), STATE], needs=reasons.get("python")
    )
    return _transaction(edit, "python", "The same transaction from Python", ours, _pyroute2(edit, reasons))
