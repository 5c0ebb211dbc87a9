"""Keys of other schedulers that a task file must not have: who writes `hold` and is not heard may do great harm.

An unknown key is otherwise passed over with a warning. A word leaves this list when it becomes a key of mflow.
"""

from mflow.core.suggest import folded

_WORDS_BY_ADVICE = {
    'give what it waits for as "depends"': """
        depends_on depends_on_past needs needed_by after before follows requires required_by wait_for waits_for
        wait_for_downstream dependencies dependency upstream downstream predecessors successors parents children
        triggers triggered_by ready_when ready_if start_when start_if preconditions precondition inputs outputs
        consumes produces box_name""",
    "take the task out of the file, or put the condition into its command": """
        hold on_hold held on_ice is_held active is_active inactive is_inactive is_enabled is_disabled is_paused
        is_skipped halt halted frozen freeze enabled enable disabled disable skip skipped skip_if skip_when paused
        pause         suspended suspend manual confirm dry_run when when_all when_any if unless only only_if
        only_on except run_if         run_when run_on run_always always always_run optional is_optional on_skip
        on_skipped condition conditions rules trigger trigger_rule trigger_rules branch switch stage         stages
        success_condition fail_if failed_when changed_when until""",
    "let its command end with exit code 0 where a failure does not matter": """
        allow_failure allow_fail allowed_to_fail continue_on_error continue_on_failure ignore_error ignore_errors
        ignore_failure ignore_failures stop_on_failure stop_on_error         abort_on_failure abort_on_error
        halt_on_failure halt_on_error soft_fail fail_fast skip_on_exit_code skip_on_exit_codes success_exit_codes
        ok_exit_codes success_codes max_exit_success fail_codes""",
    '"max_process_concurrency" of config.json is the one limit there is; tasks start in the order of the file': """
        priority job_priority task_priority priority_weight order weight weight_rule pool pools pool_slots slots
        resource resources resource_group group         semaphore semaphores mutex mutexes lock locks exclusive
        singleton concurrency max_concurrency max_concurrent         max_parallel parallel parallelism
        concurrency_group concurrency_policy max_active_tasks max_active_runs         max_active_tis_per_dag
        task_concurrency queue sequential serial""",
    "leave times to cron, or to the scheduler that starts mflow": """
        cron crontab timezone time_zone hold_until held_until wait_until wait_till schedule schedules
        schedule_interval scheduled_at calendar calendars run_calendar         exclude_calendar timetable start_at
        start_after start_time start_times start_date start_in not_before         not_after earliest_start
        latest_start end_date end_time end_at must_start_by must_end_by must_finish_by         deadline sla
        expire_after date_conditions days_of_week catchup backfill cyclic rerun repeat interval delay
        delay_seconds start_delay""",
    '"timeout_seconds" limits a task': """
        timeout timeout_minutes timeout_hours execution_timeout max_run_time max_runtime max_duration time_limit
        term_run_time max_run_alarm min_run_alarm kill_after""",
    '"retry" says when a task is tried again': """
        retry_delay retry_wait retry_delay_seconds retry_interval retry_exponential_backoff max_retry_delay
        max_retries n_retrys max_attempts tries restart restart_policy retry_on retry_if""",
    "look at the exit code of mflow, or at `mflow status --json`": """
        on_failure on_success on_error on_retry on_start on_end on_finish on_complete on_cancel on_timeout
        on_failure_callback on_success_callback on_retry_callback notify notify_on notification notifications alert
        alerts alarm alarm_if_fail email_on_failure email_on_retry webhook finally cleanup rollback rescue
        compensate""",
    'write one task for each, and give values by "env"': """
        foreach for_each loop with_items with_param with_params with_sequence matrix strategy params param
        variables         vars args arguments template templates extends include includes macro macros""",
    "write it into the command": """
        before_script after_script pre_command post_command pre_script post_script setup teardown run_as
        run_as_user run_as_group user username         become become_user sudo delegate_to host hosts machine node
        runs_on executor image container docker""",
}

_REFUSED = {folded(word): advice for advice, words in _WORDS_BY_ADVICE.items() for word in words.split()}


def refusal(key: str) -> str | None:
    """Why an unknown key of a task file must not be passed over, and what to do; None if it may be."""
    advice = _REFUSED.get(folded(key))
    return advice and f"this mflow does not know it, and running without it could do harm; {advice}"
