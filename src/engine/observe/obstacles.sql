-- What is left in this database and may block, and the command that takes it away: (what, unblock).
with locks as (
    select pid, virtualtransaction, granted,
        string_agg(distinct mode || ' on ' || coalesce(relation::regclass::text, locktype), ', ') as held
    from pg_locks
    where (database is null or database = (select oid from pg_database where datname = current_database()))
        and locktype not in ('virtualxid', 'transactionid')
    group by pid, virtualtransaction, granted
), prepared as (
    -- A prepared transaction has no process any more; its own number is locked under the name of what it was.
    select l.held, t.transactionid::text as transaction
    from pg_locks t join locks l on l.virtualtransaction = t.virtualtransaction and l.pid is null
    where t.locktype = 'transactionid' and t.granted and t.pid is null
)
select format('prepared transaction `%s`', p.gid) || coalesce(' holds ' || l.held, ''),
    format('ROLLBACK PREPARED %L', p.gid)
from pg_prepared_xacts p left join prepared l on l.transaction = p.transaction::text
where p.database = current_database()
union all
select format('a connection that is %s%s%s', a.state, coalesce(' holds ' || max(l.held) filter (where l.granted), ''),
        coalesce(', waits for ' || max(l.held) filter (where not l.granted), '')),
    case when a.state like 'idle%' then
        format('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = %L', a.state)
    end
from pg_stat_activity a left join locks l on l.pid = a.pid
where a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.application_name <> current_setting('application_name')
    and a.backend_type = 'client backend' and a.state is not null -- without a state it is only just coming in
group by a.pid, a.state
union all
select format('replication slot `%s` keeps the log', slot_name), format('SELECT pg_drop_replication_slot(%L)', slot_name)
from pg_replication_slots where database = current_database()
union all
select format('index %I.%I is invalid', n.nspname, c.relname), format('DROP INDEX %I.%I', n.nspname, c.relname)
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where not (i.indisvalid and i.indisready)
