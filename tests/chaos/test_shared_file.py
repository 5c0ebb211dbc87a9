"""Eight runs share one SQLite file while everybody looks at it, and two of them are cancelled."""

from tests.chaos.ledger import TASK, Ledger
from tests.chaos.site import Site

RUNS = 8
CANCELLED = 2
TASKS = 12


def test_eight_runs_on_one_file_while_it_is_looked_at_all_the_time(site: Site) -> None:
    gate = site.gate("last")
    (site.folder / "locks").mkdir()
    site.file("task.sh", TASK)
    script = f"exec bash {site.folder}/task.sh"
    names = [f"t{no}" for no in range(TASKS)]
    site.tasks(
        **{
            name: {"command": f"{script} 0.0{no}", "depends": names[:no][-1:]}
            for no, name in enumerate(names)
        },
        last={"command": gate.command(), "depends": names[-1:]},
    )
    runs = [site.run() for _ in range(RUNS)]
    ids = [run.id for run in runs]
    assert sorted(ids) == list(range(1, RUNS + 1))
    looked = 0
    waiting = RUNS
    while waiting:
        for words in (["runs", "--json"], ["status", str(ids[looked % RUNS]), "--json"]):
            done = site.mflow(*words)
            assert done.code == 0, done
            looked += 1
        rows = [site.states(run_id)["last"] for run_id in ids]
        waiting = RUNS - rows.count("RUNNING")
    for run_id in ids[:CANCELLED]:
        assert site.mflow("cancel", str(run_id)).code == 0
    for _ in range(RUNS):
        gate.told()
    for _ in range(RUNS - CANCELLED):
        gate.open()
    assert [run.end().code for run in runs] == [1] * CANCELLED + [0] * (RUNS - CANCELLED)
    states = {one["id"]: one["state"] for one in site.mflow("runs", "--json").json["runs"]}
    assert states == {run_id: "FAILED" if run_id in ids[:CANCELLED] else "SUCCESS" for run_id in ids}
    ledger = Ledger.read(site.folder / "ledger")
    assert ledger.overlaps == []
    assert len(ledger.started) == len(ledger.ended) == RUNS * TASKS
    for run_id in ids:
        places = [ledger.started[run_id, name, 1] for name in names]
        assert places == sorted(places), "each after the one that it depends on"
    site.assert_nobody_left()
