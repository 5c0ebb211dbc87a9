"""Which kernel, boot and machine a process belongs to, seen from another process. Pure; decided here and nowhere else.

A pid can be looked up where boot id and pid namespace agree (`Identity.same_kernel`), whatever the host is called.

    boot id    pid namespace  what else agrees               the other process
    ---------  -------------  -----------------------------  ------------------------------------------------
    equal      equal          -                              can be looked up
    equal      another        -                              is in a container: cannot be seen
    another    equal          machine id (known), host name  is over: this machine was restarted
    another    any            -                              is on another machine: cannot be seen

All that a machine keeps over a restart must agree before a restart is believed: names are given twice, disks are
cloned with their machine id, and images of containers bring one along. Two that agree in all of it are one machine
to us, and only a lease can tell that the other one lives: so a run's owner is never dead by this table, it is dead
when its lease has run out.
"""

from mflow.core.model import Identity


def was_restarted(process: Identity, here: Identity) -> bool:
    """Whether the process ran on this machine before its last restart: no process outlives its kernel."""
    return (
        process.boot_id != here.boot_id
        and process.machine_id is not None
        and (process.machine_id, process.host, process.pid_ns) == (here.machine_id, here.host, here.pid_ns)
    )


def difference(process: Identity, here: Identity) -> str:
    """Why a process of another kernel cannot be seen from here, for a person: what differs, and how it is known."""
    if process.boot_id == here.boot_id:
        return f"in a container or pid namespace ({process.pid_ns}) that cannot be seen from this one ({here.pid_ns})"
    if process.host != here.host:
        return f"which cannot be seen from host {here.host} ({_another_boot(process, here)})"
    return f"but not on this machine as it runs now ({_another_boot(process, here)}): {_not_proven(process, here)}"


def _another_boot(process: Identity, here: Identity) -> str:
    return f"boot {process.boot_id[:8]} there, {here.boot_id[:8]} here"


def _not_proven(process: Identity, here: Identity) -> str:
    """Of an equal name, why this is no proof of a restart."""
    if process.machine_id is None or here.machine_id is None:
        return "it has the same name, but that it was restarted cannot be told without a machine id of both"
    if process.machine_id != here.machine_id:
        return (
            "another machine of the same name "
            f"(machine id {process.machine_id[:8]} there, {here.machine_id[:8]} here)"
        )
    return f"in a container or pid namespace ({process.pid_ns} there, {here.pid_ns} here)"
