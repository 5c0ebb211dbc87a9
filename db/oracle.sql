-- The tables of mflow for Oracle 12.1 and later, for a database administrator to read and run with SQL*Plus or SQLcl:
--
--     sqlplus system@//host:1521/service @oracle.sql
--
-- Rendered from db/versions by `python -m mflow.store.render`: do not edit. No password is in this file: it asks.
--
-- Part 1 makes the user that owns the tables, part 2 the tables, part 3 (optional, commented out) lets another user
-- work with them. Where the owner exists already, such as the user of the tool that mflow takes the place of, leave
-- out part 1. That tool's own tables, TASKS and TASKS_MASTER, may be in the same schema: nothing here touches them, and
-- mflow numbers its runs above those in TASKS_MASTER by itself. All objects made here begin with MFLOW_.

WHENEVER SQLERROR EXIT FAILURE ROLLBACK
SET DEFINE ON
SET VERIFY OFF

ACCEPT mflow_owner CHAR DEFAULT 'MFLOW' PROMPT 'Owner of the tables [MFLOW]: '

-- ------------------------------------------------------------------------------------------------------------------
-- Part 1, as an administrator: the owner. Least privilege: it may log in, and make tables and a sequence of its own.
-- Adapt the quota. With IDENTIFIED EXTERNALLY instead of a password, none exists that could be lost.

ACCEPT mflow_tablespace CHAR DEFAULT 'USERS' PROMPT 'Its tablespace [USERS]: '
ACCEPT mflow_password CHAR PROMPT 'Its password: ' HIDE

CREATE USER &&mflow_owner IDENTIFIED BY "&&mflow_password" DEFAULT TABLESPACE &&mflow_tablespace;

ALTER USER &&mflow_owner QUOTA 1G ON &&mflow_tablespace;

GRANT CREATE SESSION TO &&mflow_owner;

GRANT CREATE TABLE TO &&mflow_owner;

GRANT CREATE SEQUENCE TO &&mflow_owner;

UNDEFINE mflow_password

-- ------------------------------------------------------------------------------------------------------------------
-- Part 2, as an administrator or as the owner: the tables. `mflow db upgrade`, run as the owner, does the same.
-- A row for each task of each run, another for each of its attempts; mflow deletes none.

ALTER SESSION SET CURRENT_SCHEMA = &&mflow_owner;

CREATE TABLE mflow_version (
    version_num VARCHAR2(32 CHAR) NOT NULL,
    CONSTRAINT mflow_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE SEQUENCE mflow_runs_seq NOCACHE ORDER;

COMMENT ON TABLE mflow_version IS 'Which version these tables are of; written by migrations alone';

COMMENT ON COLUMN mflow_version.version_num IS 'Name of the last migration applied';

CREATE TABLE mflow_runs (
    id INTEGER NOT NULL,
    run_uid VARCHAR2(32 CHAR) NOT NULL,
    state VARCHAR2(10 CHAR) NOT NULL,
    taskfile VARCHAR2(4000 CHAR) NOT NULL,
    cwd VARCHAR2(4000 CHAR) NOT NULL,
    config_path VARCHAR2(4000 CHAR),
    datasources VARCHAR2(4000 CHAR),
    oneshot VARCHAR2(1000 CHAR),
    folder VARCHAR2(4000 CHAR) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by VARCHAR2(255 CHAR) NOT NULL,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    fence INTEGER NOT NULL,
    batch_no INTEGER NOT NULL,
    owner_host VARCHAR2(255 CHAR),
    owner_boot_id VARCHAR2(64 CHAR),
    owner_pid_ns INTEGER,
    owner_pid INTEGER,
    owner_start_ticks INTEGER,
    owner_user VARCHAR2(255 CHAR),
    owner_since_at TIMESTAMP,
    lease_until_at TIMESTAMP,
    cancelled_by VARCHAR2(255 CHAR),
    cancelled_at TIMESTAMP,
    parent_run INTEGER,
    parent_task VARCHAR2(1000 CHAR),
    parent_attempt INTEGER,
    CONSTRAINT mflow_runs_pk PRIMARY KEY (id),
    CONSTRAINT mflow_runs_uid_uk UNIQUE (run_uid),
    CONSTRAINT mflow_runs_state_ck CHECK (state IN ('PENDING', 'RUNNING', 'SUCCESS', 'FAILED'))
);

COMMENT ON TABLE mflow_runs IS 'A run of a task file by mflow';

COMMENT ON COLUMN mflow_runs.id IS 'Number of the run, as mflow prints it';

COMMENT ON COLUMN mflow_runs.run_uid IS 'Random, so that runs of two databases differ';

COMMENT ON COLUMN mflow_runs.state IS 'PENDING, RUNNING, SUCCESS or FAILED';

COMMENT ON COLUMN mflow_runs.taskfile IS 'Path of the task file';

COMMENT ON COLUMN mflow_runs.cwd IS 'What relative paths are relative to';

COMMENT ON COLUMN mflow_runs.config_path IS 'Path of config.json';

COMMENT ON COLUMN mflow_runs.datasources IS 'Path of oracle.json';

COMMENT ON COLUMN mflow_runs.oneshot IS 'The one task the run was made for';

COMMENT ON COLUMN mflow_runs.folder IS 'Where the logs of its attempts are';

COMMENT ON COLUMN mflow_runs.created_at IS 'UTC, by the database''s clock';

COMMENT ON COLUMN mflow_runs.created_by IS 'User who started it';

COMMENT ON COLUMN mflow_runs.started_at IS 'UTC; when it first went RUNNING';

COMMENT ON COLUMN mflow_runs.ended_at IS 'UTC; when it ended, NULL while it goes on';

COMMENT ON COLUMN mflow_runs.fence IS 'Grows with every change of owner, guards every write';

COMMENT ON COLUMN mflow_runs.batch_no IS 'Last batch of transitions its owner committed';

COMMENT ON COLUMN mflow_runs.owner_host IS 'Host of the owner';

COMMENT ON COLUMN mflow_runs.owner_boot_id IS 'Random id of that host''s boot';

COMMENT ON COLUMN mflow_runs.owner_pid_ns IS 'Inode of its pid namespace';

COMMENT ON COLUMN mflow_runs.owner_pid IS 'Process id of the owner';

COMMENT ON COLUMN mflow_runs.owner_start_ticks IS 'When it started, in clock ticks since that boot';

COMMENT ON COLUMN mflow_runs.owner_user IS 'User of the supervisor that owns the run';

COMMENT ON COLUMN mflow_runs.owner_since_at IS 'UTC; since when it owns the run';

COMMENT ON COLUMN mflow_runs.lease_until_at IS 'UTC; after it the owner may be taken for dead';

COMMENT ON COLUMN mflow_runs.cancelled_by IS 'Who asked for the end of the run';

COMMENT ON COLUMN mflow_runs.cancelled_at IS 'UTC; when they did';

COMMENT ON COLUMN mflow_runs.parent_run IS 'The run whose task started this one';

COMMENT ON COLUMN mflow_runs.parent_task IS 'That task';

COMMENT ON COLUMN mflow_runs.parent_attempt IS 'That attempt of it';

CREATE TABLE mflow_definitions (
    run_id INTEGER NOT NULL,
    definition CLOB NOT NULL,
    CONSTRAINT mflow_definitions_pk PRIMARY KEY (run_id),
    CONSTRAINT mflow_definitions_run_fk FOREIGN KEY(run_id) REFERENCES mflow_runs (id)
);

COMMENT ON TABLE mflow_definitions IS 'What each run executes, as it was when it started or was last edited';

COMMENT ON COLUMN mflow_definitions.run_id IS 'The run';

COMMENT ON COLUMN mflow_definitions.definition IS 'The tasks as they were read: JSON, ASCII only';

CREATE TABLE mflow_tasks (
    run_id INTEGER NOT NULL,
    task_no INTEGER NOT NULL,
    task_id VARCHAR2(1000 CHAR) NOT NULL,
    task_type VARCHAR2(100 CHAR) NOT NULL,
    state VARCHAR2(10 CHAR) NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    not_before TIMESTAMP,
    changed_at TIMESTAMP NOT NULL,
    CONSTRAINT mflow_tasks_pk PRIMARY KEY (run_id, task_no),
    CONSTRAINT mflow_tasks_run_fk FOREIGN KEY(run_id) REFERENCES mflow_runs (id),
    CONSTRAINT mflow_tasks_state_ck CHECK (state IN ('PENDING', 'RUNNING', 'SUCCESS', 'FAILED'))
);

COMMENT ON TABLE mflow_tasks IS 'The tasks of each run and where they are';

COMMENT ON COLUMN mflow_tasks.run_id IS 'The run';

COMMENT ON COLUMN mflow_tasks.task_no IS 'Number of the task in the run';

COMMENT ON COLUMN mflow_tasks.task_id IS 'Its id in the task file';

COMMENT ON COLUMN mflow_tasks.task_type IS 'bash, oracle, spark ...';

COMMENT ON COLUMN mflow_tasks.state IS 'PENDING, RUNNING, SUCCESS or FAILED';

COMMENT ON COLUMN mflow_tasks.attempts IS 'Number of the last attempt; 0 if there is none';

COMMENT ON COLUMN mflow_tasks.tries IS 'Used up of the tries that its retry policy allows';

COMMENT ON COLUMN mflow_tasks.max_attempts IS 'Tries that its retry policy allows';

COMMENT ON COLUMN mflow_tasks.not_before IS 'UTC; the next try does not start earlier';

COMMENT ON COLUMN mflow_tasks.changed_at IS 'UTC; last change, by the database''s clock';

CREATE TABLE mflow_attempts (
    run_id INTEGER NOT NULL,
    task_no INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker_host VARCHAR2(255 CHAR),
    worker_boot_id VARCHAR2(64 CHAR),
    worker_pid_ns INTEGER,
    worker_pid INTEGER,
    worker_start_ticks INTEGER,
    log_path VARCHAR2(4000 CHAR) NOT NULL,
    claimed_at TIMESTAMP NOT NULL,
    started_at TIMESTAMP,
    ended_at TIMESTAMP,
    pid INTEGER,
    outcome VARCHAR2(12 CHAR),
    exit_code INTEGER,
    signal_name VARCHAR2(30 CHAR),
    error_code VARCHAR2(200 CHAR),
    message VARCHAR2(4000 CHAR),
    cpu_seconds NUMERIC(14, 6),
    max_rss_bytes INTEGER,
    survivors VARCHAR2(4000 CHAR),
    leftovers VARCHAR2(4000 CHAR),
    facts CLOB,
    CONSTRAINT mflow_attempts_pk PRIMARY KEY (run_id, task_no, attempt),
    CONSTRAINT mflow_attempts_task_fk FOREIGN KEY(run_id, task_no) REFERENCES mflow_tasks (run_id, task_no),
    CONSTRAINT mflow_attempts_outcome_ck CHECK (outcome IN ('EXITED', 'SIGNALLED', 'ERROR', 'TIMED_OUT', 'NOT_STARTED', 'CANCELLED', 'LOST', 'UNKNOWN'))
);

COMMENT ON TABLE mflow_attempts IS 'Every try of every task';

COMMENT ON COLUMN mflow_attempts.run_id IS 'The run';

COMMENT ON COLUMN mflow_attempts.task_no IS 'Number of the task in the run';

COMMENT ON COLUMN mflow_attempts.attempt IS 'Number of the attempt, from 1';

COMMENT ON COLUMN mflow_attempts.worker_host IS 'Host of the worker';

COMMENT ON COLUMN mflow_attempts.worker_boot_id IS 'Random id of that host''s boot';

COMMENT ON COLUMN mflow_attempts.worker_pid_ns IS 'Inode of its pid namespace';

COMMENT ON COLUMN mflow_attempts.worker_pid IS 'Process id of the worker';

COMMENT ON COLUMN mflow_attempts.worker_start_ticks IS 'When it started, in clock ticks since that boot';

COMMENT ON COLUMN mflow_attempts.log_path IS 'File with its output';

COMMENT ON COLUMN mflow_attempts.claimed_at IS 'UTC; when it was given to its worker';

COMMENT ON COLUMN mflow_attempts.started_at IS 'UTC; when it began, by its worker''s word';

COMMENT ON COLUMN mflow_attempts.ended_at IS 'UTC; when it ended, by its worker''s word';

COMMENT ON COLUMN mflow_attempts.pid IS 'Leader of its processes';

COMMENT ON COLUMN mflow_attempts.outcome IS 'Why it ended; NULL while it goes on';

COMMENT ON COLUMN mflow_attempts.exit_code IS 'Exit code of its leader';

COMMENT ON COLUMN mflow_attempts.signal_name IS 'The signal that ended its leader';

COMMENT ON COLUMN mflow_attempts.error_code IS 'A database''s or cluster''s own code, such as ORA-01403';

COMMENT ON COLUMN mflow_attempts.message IS 'What happened, in one line';

COMMENT ON COLUMN mflow_attempts.cpu_seconds IS 'CPU seconds of its processes';

COMMENT ON COLUMN mflow_attempts.max_rss_bytes IS 'Peak memory of its largest process, in bytes';

COMMENT ON COLUMN mflow_attempts.survivors IS 'Process ids that could not be ended';

COMMENT ON COLUMN mflow_attempts.leftovers IS 'Process ids left behind on purpose';

COMMENT ON COLUMN mflow_attempts.facts IS 'What identifies its work elsewhere: JSON, ASCII only';

INSERT INTO mflow_version (version_num) VALUES ('0001');

-- Running upgrade 0001 -> 0002

ALTER TABLE mflow_runs ADD owner_machine_id VARCHAR2(64 CHAR);

COMMENT ON COLUMN mflow_runs.owner_machine_id IS 'Id of the installed system of the owner';

ALTER TABLE mflow_runs ADD parent_uid VARCHAR2(32 CHAR);

COMMENT ON COLUMN mflow_runs.parent_uid IS 'Random id of the parent run: numbers may be equal';

ALTER TABLE mflow_runs ADD call_digest VARCHAR2(64 CHAR);

COMMENT ON COLUMN mflow_runs.call_digest IS 'What the parent''s task called: file, date, variables';

ALTER TABLE mflow_runs ADD call_no INTEGER;

COMMENT ON COLUMN mflow_runs.call_no IS 'Which of the equal calls of that task it was, from 1';

ALTER TABLE mflow_runs ADD interrupted_at TIMESTAMP;

COMMENT ON COLUMN mflow_runs.interrupted_at IS 'UTC; when its supervisor let go of it unfinished';

ALTER TABLE mflow_runs ADD interrupted_by VARCHAR2(255 CHAR);

COMMENT ON COLUMN mflow_runs.interrupted_by IS 'What stopped that supervisor';

ALTER TABLE mflow_runs ADD idle_seconds NUMERIC(14, 3);

COMMENT ON COLUMN mflow_runs.idle_seconds IS 'How long in all nobody drove it';

ALTER TABLE mflow_attempts ADD worker_machine_id VARCHAR2(64 CHAR);

COMMENT ON COLUMN mflow_attempts.worker_machine_id IS 'Id of the installed system of the worker';

ALTER TABLE mflow_attempts ADD leader_start_ticks NUMBER(19);

COMMENT ON COLUMN mflow_attempts.leader_start_ticks IS 'When that leader started, in ticks since the boot';

CREATE TABLE mflow_environments (
    run_id INTEGER NOT NULL,
    environment CLOB NOT NULL,
    CONSTRAINT mflow_environments_pk PRIMARY KEY (run_id),
    CONSTRAINT mflow_environments_run_fk FOREIGN KEY(run_id) REFERENCES mflow_runs (id)
);

COMMENT ON TABLE mflow_environments IS 'The environment each run was started in, secrets left out';

COMMENT ON COLUMN mflow_environments.run_id IS 'The run';

COMMENT ON COLUMN mflow_environments.environment IS 'What its files took from it: JSON, ASCII only';

CREATE INDEX mflow_runs_parent_ix ON mflow_runs (parent_run, parent_uid);

CREATE INDEX mflow_runs_created_ix ON mflow_runs (created_at, id);

CREATE INDEX mflow_tasks_id_ix ON mflow_tasks (run_id, task_id);

ALTER SEQUENCE mflow_runs_seq NOCACHE ORDER INCREMENT BY 1;

ALTER TABLE mflow_attempts NOPARALLEL PCTFREE 60;

UPDATE mflow_version SET version_num='0002' WHERE mflow_version.version_num = '0001';

COMMIT;

-- ------------------------------------------------------------------------------------------------------------------
-- Part 3, optional: mflow may also log in as another user, which can neither drop nor alter anything. Name the owner
-- as `schema` of the connection `mflow` in oracle.json then. Only the owner or an administrator upgrades the tables.
--
-- CREATE USER mflow_app IDENTIFIED BY ...;
-- GRANT CREATE SESSION TO mflow_app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON mflow_attempts TO mflow_app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON mflow_definitions TO mflow_app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON mflow_environments TO mflow_app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON mflow_runs TO mflow_app;
-- GRANT SELECT, INSERT, UPDATE, DELETE ON mflow_tasks TO mflow_app;
-- GRANT SELECT ON mflow_version TO mflow_app;
-- GRANT SELECT ON mflow_runs_seq TO mflow_app;

UNDEFINE mflow_owner
UNDEFINE mflow_tablespace
