-- As postgres.sql, for a SQLite file: (mutation, object, statement), the best candidates of a mutation first.
-- A statement that begins with a definition applies if SQLite takes it; `writable_schema` is on.
with t as (
    select l.name, '"' || replace(l.name, '"', '""') || '"' as rel, l.wr as no_rowid,
        exists (select 1 from pragma_index_list(l.name) i where i."unique") or exists (select 1 from pragma_table_xinfo(l.name) x where x.pk) as has_key
    from pragma_table_list l where l.schema = 'main' and l.type = 'table' and l.name not like 'sqlite\_%' escape '\'
), c as (
    select t.*, x.cid, x.name as attname, '"' || replace(x.name, '"', '""') || '"' as col, upper(x.type) as type, x."notnull" as not_null,
        x.dflt_value, x.pk,
        x.pk > 0 or exists (select 1 from pragma_index_list(t.name) i, pragma_index_info(i.name) n where i."unique" and n.name = x.name) as in_key
    from t, pragma_table_xinfo(t.name) x where x.hidden = 0
), edit (mutation, value, condition) as (values
    ('integer-by-one', '$ + 1', 'typeof($) = ''integer'' and $ < 9223372036854775807'),
    ('double-last-bit', '$ * (1 + 2.220446049250313e-16)', 'typeof($) = ''real'' and abs($) between 1e-300 and 1e300 and $ * (1 + 2.220446049250313e-16) <> $'),
    ('trailing-blank', '$ || '' ''', 'typeof($) = ''text'''),
    ('null-for-empty', 'null', 'typeof($) = ''text'' and $ = '''''),
    ('empty-for-null', '''''', '$ is null'),
    ('letter-case', 'case when upper($) <> $ then upper($) else lower($) end', 'typeof($) = ''text'' and upper($) <> lower($)'),
    ('unicode-form', 'replace($, char(233), ''e'' || char(769))', 'typeof($) = ''text'' and instr($, char(233)) > 0'),
    ('line-end', 'replace($, char(10), char(13, 10))', 'typeof($) = ''text'' and instr($, char(10)) > 0'),
    ('text-for-bytes', 'cast($ as text)', 'typeof($) = ''blob'''),
    ('bytes-for-text', 'cast($ as blob)', 'typeof($) = ''text'''),
    ('number-for-text', 'cast($ as numeric)', 'typeof($) = ''text'' and cast(cast($ as numeric) as text) = $'),
    ('double-for-integer', 'cast($ as real)', 'typeof($) = ''integer'''),
    ('bytes-changed', 'cast(x''ff'' || $ as blob)', 'typeof($) = ''blob'''),
    ('control-same-value', '$', '$ is not null')
), candidate (mutation, object, statement, rank) as (
    select e.mutation, 'table ' || name, printf('update %s set %s = %s where rowid = (select rowid from %s where %s limit 1)', rel, col,
            replace(e.value, '$', col), rel, replace(e.condition, '$', col)), in_key
    -- Elsewhere the column would turn it back.
    from edit e, c where not no_rowid and (e.mutation not in ('number-for-text', 'double-for-integer') or type in ('', 'BLOB', 'ANY'))
    union all
    select 'row-missing', 'table ' || name, printf('delete from %s where rowid = (select rowid from %s limit 1)', rel, rel), 0 from t where not no_rowid
    union all
    select 'row-extra', 'table ' || t.name, printf('insert into %s (%s) select %s from %s limit 1', rel,
        (select group_concat(o.col, ', ') from c o where o.name = t.name),
        (select group_concat(case when not o.pk then o.col when o.type = 'INTEGER' then printf('(select max(%s) + 1 from %s)', o.col, rel)
            else o.col || ' || ''~''' end, ', ') from c o where o.name = t.name), rel), 0
    from t where has_key
    union all
    select 'row-doubled', 'table ' || name, printf('insert into %s select * from %s limit 1', rel, rel), 0 from t where not has_key
    union all
    select 'row-twice-more', 'table ' || name, printf('insert into %s select r.* from (select * from %s limit 1) r, (select 1 union all select 2)', rel, rel), 0
    from t where not has_key
    union all
    select 'rows-exchanged', 'table ' || name, replace(replace(
        'with one as (select rowid as place, $ as value from @ where $ is not null limit 1), '
        || 'other as (select rowid as place, $ as value from @ where $ <> (select value from one) limit 1) '
        || 'update @ set $ = case when rowid = (select place from one) then (select value from other) else (select value from one) end '
        || 'where exists (select 1 from other) and rowid in ((select place from one), (select place from other))', '@', rel), '$', col), in_key
    from c where not no_rowid and not pk and exists (select 1 from c k where k.name = c.name and k.pk)
    union all
    select 'columns-exchanged', 'table ' || one.name, replace(replace(replace(
        'update @ set $ = &, & = $ where rowid = (select rowid from @ where $ <> & limit 1)', '@', one.rel), '$', one.col), '&', other.col),
        one.in_key or other.in_key
    from c one, c other where other.name = one.name and other.cid > one.cid and other.type = one.type and not one.no_rowid
    union all
    select 'table-extra', 'table surplus of rehearsal', 'create table "surplus of rehearsal" (x)', 0
    union all
    select 'table-lost', 'table ' || name, printf('drop table %s', rel), 0 from t
    union all
    select 'sequence-behind', 'sequence ' || name, printf('update sqlite_sequence set seq = seq - 1 where name = %Q', name), 0
    from t where exists (select 1 from sqlite_master where name = 'sqlite_sequence')
    union all
    select type || '-lost', type || ' ' || tbl_name || '.' || name, printf('drop %s "%w"', type, name), 0
    from sqlite_master where type in ('index', 'trigger') and sql is not null
    union all
    select 'view-lost', 'view ' || name, printf('drop view "%w"', name), 0 from sqlite_master where type = 'view'
    union all
    select 'column-lost', 'table ' || name, printf('alter table %s drop column %s', rel, col), in_key from c
    union all
    select m.mutation, 'table ' || s.name, printf('update sqlite_schema set sql = replace(sql, %Q, %Q) where type = ''table'' and name = %Q and instr(sql, %Q) > 0',
        m.old, m.new, s.name, m.old), 0
    from sqlite_master s, (select 'not-null-lost' as mutation, ' not null' as old, '' as new
        union all select 'type-widened', ' real', ' numeric' union all select 'collation-changed', ' collate nocase', '') m
    where s.type = 'table' and s.sql is not null
    union all
    select 'default-lost', 'table ' || name, printf('update sqlite_schema set sql = replace(sql, %Q, %Q) where type = ''table'' and name = %Q and instr(sql, %Q) > 0',
        ' default ' || dflt_value, '', name, ' default ' || dflt_value), 0
    from c where dflt_value is not null
    union all
    select 'setting-changed', 'setting user_version', 'pragma user_version = 77', 0
), ranked as (
    select mutation, object, statement, row_number() over (partition by mutation order by rank, object, statement) as place from candidate
)
select mutation, object, statement from ranked where place <= 60 order by mutation, place
