-- Which kinds of definition there may be in a database; those that are not named cannot be there. A catalog without
-- rows has no page, and asking for its length is the cheapest question of all.
with ns as materialized (
    select array_agg(oid) as oids from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
)
select concat_ws(' ',
    case when exists (select from pg_class, ns where relnamespace = any (oids) and relkind = 'S') then 'sequence' end,
    case when exists (select from pg_proc, ns where pronamespace = any (oids)) then 'function' end,
    case when exists (select from pg_type, ns where typnamespace = any (oids) and typtype in ('e', 'd', 'r')) then 'type' end,
    case when exists (select from pg_collation, ns where collnamespace = any (oids)) then 'collation' end,
    case when exists (select from pg_description where objoid >= 16384) then 'comment' end,
    case when exists (select from pg_trigger where not tgisinternal or tgenabled <> 'O') then 'trigger' end,
    -- The system has two rules, both on this view.
    case when exists (select from pg_rewrite where rulename <> '_RETURN' and ev_class <> 'pg_catalog.pg_settings'::regclass) then 'rule' end,
    case when pg_relation_size('pg_catalog.pg_inherits') > 0 then 'inheritance' end,
    case when pg_relation_size('pg_catalog.pg_policy') > 0 then 'policy' end,
    case when pg_relation_size('pg_catalog.pg_statistic_ext') > 0 then 'statistics' end,
    case when pg_relation_size('pg_catalog.pg_default_acl') > 0 then 'default-privileges' end,
    case when pg_relation_size('pg_catalog.pg_event_trigger') > 0 then 'event-trigger' end,
    case when pg_relation_size('pg_catalog.pg_publication') > 0 then 'publication' end,
    case when pg_relation_size('pg_catalog.pg_db_role_setting') > 0 then 'setting' end)
