-- What lets mflow end its own sessions in the database when a task runs over its time or is cancelled.
--
-- A DBA reads this file and runs it once per database (in a pluggable database: connected to it) with SQL*Plus or
-- SQL Developer. It needs the privileges to create a user, procedures in it, public synonyms, and to grant.
--
-- Why: ending a session takes ALTER SYSTEM, which is seldom granted, and rightly so. Here it stays with an account that
-- nobody can log in to. Its procedure ends nothing but
--   * sessions of the very user who calls it,
--   * that mflow has opened (MODULE 'mflow', or a CLIENT_IDENTIFIER that begins with 'mflow:', since a task's own
--     code may set another module).
-- Without this file mflow only cancels the running call, and reports as UNKNOWN what does not heed that.

-- It may be run again, e.g. in a newer version.

-- 1. The owner. Before 18c there is no NO AUTHENTICATION: create it with any password and ACCOUNT LOCK instead.
--    ORA-01920 (it is there already) does no harm; any other error is met again at the next step, which ends this.
WHENEVER SQLERROR CONTINUE
CREATE USER mflow_sessions NO AUTHENTICATION;
WHENEVER SQLERROR EXIT FAILURE ROLLBACK

-- Directly, not through a role: roles do not count in a definer's procedure.
GRANT ALTER SYSTEM TO mflow_sessions;
GRANT SELECT ON sys.gv_$session TO mflow_sessions;

-- 2. Ends one session; does nothing if it is not there any more.
CREATE OR REPLACE PROCEDURE mflow_sessions.mflow_kill_session (
  p_sid IN NUMBER,
  p_serial IN NUMBER,
  p_instance IN NUMBER
) AUTHID DEFINER IS
  l_there NUMBER;
  l_allowed NUMBER;
BEGIN
  SELECT COUNT(*) INTO l_there FROM sys.gv_$session
  WHERE inst_id = p_instance AND sid = p_sid AND serial# = p_serial;
  IF l_there = 0 THEN
    RETURN;
  END IF;
  SELECT COUNT(*) INTO l_allowed FROM sys.gv_$session
  WHERE inst_id = p_instance AND sid = p_sid AND serial# = p_serial
    AND type = 'USER' AND username = SYS_CONTEXT('USERENV', 'SESSION_USER')
    AND (module = 'mflow' OR client_identifier LIKE 'mflow:%');
  IF l_allowed = 0 THEN
    RAISE_APPLICATION_ERROR(-20030, 'session ' || p_sid || ',' || p_serial || ' is none of yours that mflow has opened');
  END IF;
  EXECUTE IMMEDIATE
    'ALTER SYSTEM KILL SESSION ''' || p_sid || ',' || p_serial || ',@' || p_instance || ''' IMMEDIATE';
END;
/

SHOW ERRORS PROCEDURE mflow_sessions.mflow_kill_session

-- 3. Tells what has become of one: GONE, or STATUS of V$SESSION; of another user's only that it is there (HIDDEN).
CREATE OR REPLACE FUNCTION mflow_sessions.mflow_session_state (
  p_sid IN NUMBER,
  p_serial IN NUMBER,
  p_instance IN NUMBER
) RETURN VARCHAR2 AUTHID DEFINER IS
  l_there NUMBER;
  l_state VARCHAR2(20);
BEGIN
  SELECT COUNT(*) INTO l_there FROM sys.gv_$session
  WHERE inst_id = p_instance AND sid = p_sid AND serial# = p_serial;
  IF l_there = 0 THEN
    RETURN 'GONE';
  END IF;
  SELECT COALESCE(MAX(status), 'HIDDEN') INTO l_state FROM sys.gv_$session
  WHERE inst_id = p_instance AND sid = p_sid AND serial# = p_serial
    AND username = SYS_CONTEXT('USERENV', 'SESSION_USER');
  RETURN l_state;
END;
/

SHOW ERRORS FUNCTION mflow_sessions.mflow_session_state

-- 4. mflow calls both without an owner's name.
CREATE OR REPLACE PUBLIC SYNONYM mflow_kill_session FOR mflow_sessions.mflow_kill_session;
CREATE OR REPLACE PUBLIC SYNONYM mflow_session_state FOR mflow_sessions.mflow_session_state;

-- 5. For each user of oracle.json whose tasks mflow may end; here SIPER:
-- GRANT EXECUTE ON mflow_sessions.mflow_kill_session TO siper;
-- GRANT EXECUTE ON mflow_sessions.mflow_session_state TO siper;
