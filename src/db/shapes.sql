-- One line of JSON per table that a person would name: a partitioned table stands for its partitions. The key is the
-- primary one, or else a unique index over columns that are never null.
-- "portable": the binary form of the type means the same on every server. Not so a user's type, nor what is sent as an
-- oid (reg*, aclitem) or by a setting (money).
select json_build_object(
    'schema', n.nspname, 'name', c.relname,
    'whole', c.relkind = 'r' and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attgenerated <> ''),
    'only', c.relkind = 'r',
    'rows', c.reltuples::bigint,
    'columns', coalesce((select json_agg(json_build_object('name', a.attname,
            'type', format_type(a.atttypid, null),
            'family', case when t.typtype = 'e' or t.typtype = 'b' and t.typcategory = 'S' and t.oid >= 16384 then 'text'
                when t.typtype = 'd' then (select b.typname from pg_type b where b.oid = t.typbasetype and b.oid < 16384)
                when t.oid < 16384 then t.typname end,
            'portable', t.oid < 16384 and t.typtype in ('b', 'r', 'm') and t.typsend <> 0
                and t.typname !~ '^_?(reg.*|money|aclitem)$') order by a.attname collate "C")
        from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'),
    'key', coalesce((select json_agg(a.attname order by k.place)
        from (select i.indkey::int2[] as columns, i.indnkeyatts from pg_index i
            where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
                and not exists (select from unnest(i.indkey::int2[]) with ordinality as u (attnum, place)
                    join pg_attribute a on a.attrelid = c.oid and a.attnum = u.attnum
                    where u.place <= i.indnkeyatts and not a.attnotnull)
            order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1) best,
            unnest(best.columns) with ordinality as k (attnum, place)
            join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
        where k.place <= best.indnkeyatts), '[]'))::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and (c.relkind = 'r' and not c.relispartition or c.relkind = 'p' and not c.relispartition
        or c.relkind = 'm' and c.relispopulated)
order by n.nspname collate "C", c.relname collate "C"
