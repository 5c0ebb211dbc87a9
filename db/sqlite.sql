-- The tables of mflow for SQLite. Rendered from db/versions by `python -m mflow.store.render`: do not edit.
-- `mflow run` makes a new file from this; to make one by hand: sqlite3 mflow.db < sqlite.sql

CREATE TABLE mflow_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT mflow_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE mflow_runs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run_uid VARCHAR(32) NOT NULL,
    state VARCHAR(10) NOT NULL,
    taskfile VARCHAR(4000) NOT NULL,
    cwd VARCHAR(4000) NOT NULL,
    config_path VARCHAR(4000),
    datasources VARCHAR(4000),
    oneshot VARCHAR(1000),
    folder VARCHAR(4000) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by VARCHAR(255) NOT NULL,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    fence INTEGER NOT NULL,
    batch_no INTEGER NOT NULL,
    owner_host VARCHAR(255),
    owner_boot_id VARCHAR(64),
    owner_pid_ns INTEGER,
    owner_pid INTEGER,
    owner_start_ticks INTEGER,
    owner_user VARCHAR(255),
    owner_since_at TIMESTAMP,
    lease_until_at TIMESTAMP,
    cancelled_by VARCHAR(255),
    cancelled_at TIMESTAMP,
    parent_run INTEGER,
    parent_task VARCHAR(1000),
    parent_attempt INTEGER,
    CONSTRAINT mflow_runs_uid_uk UNIQUE (run_uid),
    CONSTRAINT mflow_runs_state_ck CHECK (state IN ('PENDING', 'RUNNING', 'SUCCESS', 'FAILED'))
);

CREATE TABLE mflow_definitions (
    run_id INTEGER NOT NULL,
    definition TEXT NOT NULL,
    CONSTRAINT mflow_definitions_pk PRIMARY KEY (run_id),
    CONSTRAINT mflow_definitions_run_fk FOREIGN KEY(run_id) REFERENCES mflow_runs (id)
);

CREATE TABLE mflow_tasks (
    run_id INTEGER NOT NULL,
    task_no INTEGER NOT NULL,
    task_id VARCHAR(1000) NOT NULL,
    task_type VARCHAR(100) NOT NULL,
    state VARCHAR(10) NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    not_before TIMESTAMP,
    changed_at TIMESTAMP NOT NULL,
    CONSTRAINT mflow_tasks_pk PRIMARY KEY (run_id, task_no),
    CONSTRAINT mflow_tasks_run_fk FOREIGN KEY(run_id) REFERENCES mflow_runs (id),
    CONSTRAINT mflow_tasks_state_ck CHECK (state IN ('PENDING', 'RUNNING', 'SUCCESS', 'FAILED'))
) WITHOUT ROWID;

CREATE TABLE mflow_attempts (
    run_id INTEGER NOT NULL,
    task_no INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker_host VARCHAR(255),
    worker_boot_id VARCHAR(64),
    worker_pid_ns INTEGER,
    worker_pid INTEGER,
    worker_start_ticks INTEGER,
    log_path VARCHAR(4000) NOT NULL,
    claimed_at TIMESTAMP NOT NULL,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    pid INTEGER,
    outcome VARCHAR(12),
    exit_code INTEGER,
    signal_name VARCHAR(30),
    error_code VARCHAR(200),
    message VARCHAR(4000),
    cpu_seconds NUMERIC(14, 6),
    max_rss_bytes INTEGER,
    survivors VARCHAR(4000),
    leftovers VARCHAR(4000),
    facts TEXT,
    CONSTRAINT mflow_attempts_pk PRIMARY KEY (run_id, task_no, attempt),
    CONSTRAINT mflow_attempts_task_fk FOREIGN KEY(run_id, task_no) REFERENCES mflow_tasks (run_id, task_no),
    CONSTRAINT mflow_attempts_outcome_ck CHECK (outcome IN ('EXITED', 'SIGNALLED', 'ERROR', 'TIMED_OUT', 'NOT_STARTED', 'CANCELLED', 'LOST', 'UNKNOWN'))
) WITHOUT ROWID;

INSERT INTO mflow_version (version_num) VALUES ('0001');

-- Running upgrade 0001 -> 0002

ALTER TABLE mflow_runs ADD COLUMN owner_machine_id VARCHAR(64);

ALTER TABLE mflow_runs ADD COLUMN parent_uid VARCHAR(32);

ALTER TABLE mflow_runs ADD COLUMN call_digest VARCHAR(64);

ALTER TABLE mflow_runs ADD COLUMN call_no INTEGER;

ALTER TABLE mflow_runs ADD COLUMN interrupted_at TIMESTAMP;

ALTER TABLE mflow_runs ADD COLUMN interrupted_by VARCHAR(255);

ALTER TABLE mflow_runs ADD COLUMN idle_seconds NUMERIC(14, 3);

ALTER TABLE mflow_attempts ADD COLUMN worker_machine_id VARCHAR(64);

ALTER TABLE mflow_attempts ADD COLUMN leader_start_ticks BIGINT;

CREATE TABLE mflow_environments (
    run_id INTEGER NOT NULL,
    environment TEXT NOT NULL,
    CONSTRAINT mflow_environments_pk PRIMARY KEY (run_id),
    CONSTRAINT mflow_environments_run_fk FOREIGN KEY(run_id) REFERENCES mflow_runs (id)
);

CREATE INDEX mflow_runs_parent_ix ON mflow_runs (parent_run, parent_uid);

CREATE INDEX mflow_runs_created_ix ON mflow_runs (created_at, id);

CREATE INDEX mflow_tasks_id_ix ON mflow_tasks (run_id, task_id);

UPDATE mflow_version SET version_num='0002' WHERE mflow_version.version_num = '0001';
