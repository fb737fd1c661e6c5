-- What holds rows or a next value: section, name, name as SQL takes it, and the columns (tables) or the step (sequences).
select case when c.relkind = 'S' then 'sequence' else 'table' end, n.nspname || '.' || c.relname,
    format('%I.%I', n.nspname, c.relname),
    case when c.relkind = 'S' then (select s.seqincrement::text from pg_sequence s where s.seqrelid = c.oid)
    else (select coalesce(json_agg(a.attname order by a.attname collate "C"), '[]')::text from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (c.relkind in ('r', 'S') or c.relkind = 'm' and c.relispopulated)
union all
-- Only where there are some: an ordinary role may not read them.
select 'table', 'large objects', 'pg_catalog.pg_largeobject', '["data", "loid", "pageno"]'
where exists (select from pg_largeobject_metadata)
