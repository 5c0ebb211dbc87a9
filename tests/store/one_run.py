"""A process that makes a run and drives it to its end, started by a line on stdin: `... one_run URL TASKS`."""

import sys
from functools import partial

from mflow.core.model import Batch
from mflow.core.states import RunState
from mflow.store.connect import open_store
from mflow.store.patience import patient
from tests.store.samples import claim, new_run, success


def main(where: str, count: int) -> None:
    """One batch a transition, as a supervisor of short tasks would write them; StoreUnavailable is waited out."""
    print("ready", flush=True)
    sys.stdin.readline()
    store = patient(lambda: open_store(where, create=True))
    new = new_run(count)
    run = patient(lambda: store.create_run(new, log_directory="/srv/logs"))
    batches = [Batch(1, run_state=RunState.RUNNING)]
    for no in range(count):
        ended = (success(no - 1),) if no else ()
        batches.append(Batch(len(batches) + 1, claims=(claim(no),), endings=ended))
    over = Batch(len(batches) + 1, endings=(success(count - 1),), run_state=RunState.SUCCESS, release=True)
    for batch in [*batches, over]:
        patient(partial(store.apply, run.id, 1, batch))
    store.close()
    print(run.id, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
