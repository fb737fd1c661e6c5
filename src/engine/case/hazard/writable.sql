select json_build_object('name', n.nspname || '.' || c.relname, 'from', format('%I.%I', n.nspname, c.relname), 'columns', (
    select json_agg(json_build_object('name', quote_ident(a.attname), 'kind', format_type(a.atttypid, null),
        'is_key', exists (
            select from pg_index i where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey)),
        'is_referring', exists (
            select from pg_constraint f where f.conrelid = c.oid and f.contype = 'f' and a.attnum = any (f.conkey)),
        'is_computed', a.attgenerated <> '',
        'numbers_itself', a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false)
    ) order by a.attnum)
    from pg_attribute a left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname <> 'information_schema' and n.nspname not like 'pg\_%'
order by n.nspname, c.relname
