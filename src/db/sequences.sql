-- Sequences that feed columns of whole numbers, with the query for the next value and the furthest one in the column.
with ns as (
    select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
), used as (
    select d.objid as sequence, d.refobjid as relation, d.refobjsubid as attnum
    from pg_depend d
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
        and d.refobjsubid > 0
    union
    select d.refobjid, ad.adrelid, ad.adnum
    from pg_depend d join pg_attrdef ad on ad.oid = d.objid
    where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
)
select sn.nspname || '.' || s.relname, tn.nspname || '.' || t.relname, a.attname::text,
    format('select (s.last_value::numeric + case when s.is_called then %s else 0 end)::text, '
        || '(select %s(c.%I)::text from %I.%I c) from %I.%I s',
        q.seqincrement, case when q.seqincrement > 0 then 'max' else 'min' end, a.attname, tn.nspname, t.relname,
        sn.nspname, s.relname),
    q.seqincrement > 0
from used u
    join pg_sequence q on q.seqrelid = u.sequence
    join pg_class s on s.oid = u.sequence join ns sn on sn.oid = s.relnamespace
    join pg_class t on t.oid = u.relation join ns tn on tn.oid = t.relnamespace
    join pg_attribute a on a.attrelid = t.oid and a.attnum = u.attnum and not a.attisdropped
where t.relkind in ('r', 'p')
    and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
order by 1, 2, 3
