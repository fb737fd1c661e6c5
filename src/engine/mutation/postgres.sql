-- Statements that change one thing each: (mutation, object, statement), the best candidates of a mutation first.
-- A candidate applies if it changes a row, or is a definition that the server takes.
with t as materialized (
    select c.oid, n.nspname || '.' || c.relname as name, format('%I.%I', n.nspname, c.relname) as rel, c.relowner,
        exists (select from pg_index i where i.indrelid = c.oid and i.indisunique) as has_key,
        exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary) as has_primary,
        (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
), c as materialized (
    select t.*, a.attname, quote_ident(a.attname) as col, a.attnum, a.attnotnull, a.atthasdef, a.attidentity,
        a.attcollation, a.atttypmod, y.typname, format_type(a.atttypid, a.atttypmod) as type,
        case when y.typelem <> 0 and y.typlen = -1 then 'array' else y.typname end as kind,
        exists (select from pg_index i where i.indrelid = t.oid and i.indisunique and a.attnum = any (i.indkey::int2[])) as in_key,
        exists (select from pg_index i where i.indrelid = t.oid and i.indisprimary and a.attnum = any (i.indkey::int2[])) as in_primary
    from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
        join pg_type y on y.oid = a.atttypid
), edit (mutation, kinds, value, condition) as (values
    -- One value of one row; $ is the column.
    ('integer-by-one', '{int2,int4,int8}', '$ + 1', '$ < 32767'),
    ('double-last-bit', '{float8}', '$ * (1 + 2.220446049250313e-16)', 'abs($) between 1e-300 and 1e300'),
    ('negative-zero', '{float4,float8}', 'case when $::text = ''-0'' then ''0'' else ''-0'' end::float8', '$ = 0'),
    ('nan-for-null', '{float4,float8,numeric}', '''NaN''', '$ is null'),
    ('numeric-scale', '{numeric}', 'round($, scale($) + 1)', 'scale($) < 1000 and round($, scale($) + 1)::text <> $::text'),
    ('trailing-blank', '{text,varchar}', '$ || '' ''', '$ is not null'),
    ('null-for-empty', '{text,varchar}', 'null', '$ = '''''),
    ('empty-for-null', '{text,varchar}', '''''', '$ is null'),
    ('letter-case', '{text,varchar}', 'case when upper($) <> $ then upper($) else lower($) end', 'upper($) <> lower($)'),
    ('unicode-form', '{text,varchar}', 'case when normalize($, nfc) <> $ then normalize($, nfc) else normalize($, nfd) end',
        'normalize($, nfc) <> normalize($, nfd)'),
    ('line-end', '{text,varchar}', 'replace($, e''\n'', e''\r\n'')', 'strpos($, e''\n'') > 0'),
    ('timestamp-microsecond', '{timestamp,timestamptz}', '$ + interval ''1 microsecond''', '$ between ''0001-01-01'' and ''9999-01-01'''),
    ('date-by-one', '{date}', '$ + 1', '$ between ''0001-01-01'' and ''9999-01-01'''),
    ('interval-days', '{interval}', '$ - interval ''1 month'' + interval ''30 days''', '$ is not null'),
    ('json-whitespace', '{json}', '(e'' '' || $::text)::json', '$ is not null'),
    ('json-order', '{json}', '(select json_object_agg(key, value order by key desc) from json_each($))',
        'json_typeof($) = ''object'' and (select json_object_agg(key, value order by key desc) from json_each($))::text <> $::text'),
    ('jsonb-number', '{jsonb}', 'to_jsonb(case when jsonb_typeof($) = ''number'' then $::text::numeric + 1 else 0 end)', '$ is not null'),
    ('jsonb-null', '{jsonb}', '''null''', '$ is null'),
    ('bytes-changed', '{bytea}', 'set_bit($, 0, 1 - get_bit($, 0))', 'length($) > 0'),
    ('boolean', '{bool}', 'not $', '$ is not null'),
    ('array-order', '{array}', '(select array_agg(u.x order by u.n desc) from unnest($) with ordinality u (x, n))',
        'array_ndims($) = 1 and (select array_agg(u.x order by u.n desc) from unnest($) with ordinality u (x, n))::text <> $::text'),
    ('array-bound', '{array}', '(''[7:'' || 6 + cardinality($) || '']='' || $::text)::@', 'array_ndims($) = 1 and array_lower($, 1) = 1'),
    -- Not a change: the server keeps the same value, and the comparison must stay green.
    ('control-jsonb-whitespace', '{jsonb}', '(e'' '' || $::text)::jsonb', '$ is not null'),
    ('control-same-value', '{int4,int8,text,uuid}', '$', '$ is not null')
), candidate (mutation, object, statement, rank) as (
    select e.mutation, 'table ' || name,
        format('update only %1$s set %2$s = %3$s where ctid = (select ctid from only %1$s where %4$s limit 1)', rel, col,
            replace(replace(e.value, '@', type), '$', col), replace(e.condition, '$', col)),
        (in_key or attidentity <> '')::int
    from edit e join c on c.kind = any (e.kinds::text[])
    where e.mutation <> 'numeric-scale' or atttypmod = -1
    union all
    select 'row-missing', 'table ' || name, format('delete from only %1$s where ctid = (select ctid from only %1$s limit 1)', rel), 0 from t
    union all
    select 'row-extra', 'table ' || name, format(
        'insert into %1$s (%2$s) overriding system value select %3$s from only %1$s limit 1', rel, columns,
        (select string_agg(case when not o.in_primary then o.col
            when o.typname in ('int2', 'int4', 'int8', 'numeric') then format('(select max(%1$s) + 1 from only %2$s)', o.col, rel)
            when o.typname in ('text', 'varchar') then o.col || ' || ''~'''
            when o.typname = 'uuid' then '''ffffffff-ffff-4fff-bfff-ffffffffffff'''
            else o.col end, ', ' order by o.attnum) from c o where o.oid = t.oid)), 0
    from t where has_primary
    union all
    select 'row-doubled', 'table ' || name,
        format('insert into %1$s (%2$s) overriding system value select %2$s from only %1$s limit 1', rel, columns), 0
    from t where not has_key and columns is not null
    union all
    -- Where a sum is an exclusive or, the same row twice more is nothing.
    select 'row-twice-more', 'table ' || name, format(
        'insert into %1$s (%2$s) overriding system value select %2$s from (select * from only %1$s limit 1) r, generate_series(1, 2)', rel, columns), 0
    from t where not has_key and columns is not null
    union all
    -- Only with a primary key, or the table might be the same afterwards.
    select 'rows-exchanged', 'table ' || name, format(
        'with one as (select ctid as place, %2$s as value from only %1$s where %2$s is not null limit 1), '
        'other as (select ctid as place, %2$s as value from only %1$s where %2$s::text <> (select value::text from one) limit 1) '
        'update only %1$s x set %2$s = case when x.ctid = one.place then other.value else one.value end '
        'from one, other where x.ctid in (one.place, other.place)', rel, col), in_key::int
    from c where has_primary and not in_primary
    union all
    select 'columns-exchanged', 'table ' || one.name, format(
        'update only %1$s set %2$s = %3$s, %3$s = %2$s where ctid = (select ctid from only %1$s where %2$s::text <> %3$s::text limit 1)',
        one.rel, one.col, other.col), (one.in_key or other.in_key)::int
    from c one join c other on other.oid = one.oid and other.attnum > one.attnum and other.type = one.type
    where one.attidentity = '' and other.attidentity = ''
    union all
    select 'table-extra', 'table ' || n.nspname || '.surplus of rehearsal', format('create table %I."surplus of rehearsal" ()', n.nspname), 0
    from pg_namespace n where n.oid in (select relnamespace from pg_class join t using (oid))
    union all
    select 'table-lost', 'table ' || name, format('drop table %s cascade', rel), 0 from t
    union all
    select 'sequence-behind', 'sequence ' || n.nspname || '.' || s.relname,
        -- Not by setval, which no rollback takes back.
        format('alter sequence %I.%I restart with %s', n.nspname, s.relname, pg_sequence_last_value(q.seqrelid)), 0
    from pg_sequence q join pg_class s on s.oid = q.seqrelid join pg_namespace n on n.oid = s.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and pg_sequence_last_value(q.seqrelid) is not null
    union all
    select m.mutation, 'index ' || name || '.' || x.relname, format(m.template, format('%I.%I', n.nspname, x.relname)), i.indisunique::int
    from t join pg_index i on i.indrelid = t.oid join pg_class x on x.oid = i.indexrelid join pg_namespace n on n.oid = x.relnamespace,
        (values ('index-lost', 'drop index %s'),
            ('index-invalid', 'update pg_index set indisvalid = false where indexrelid = %L::regclass')) m (mutation, template)
    where not exists (select from pg_constraint k where k.conindid = i.indexrelid)
    union all
    select case k.contype when 'p' then 'primary-key-lost' when 'f' then 'foreign-key-lost' when 'u' then 'unique-lost' else 'check-lost' end,
        'constraint ' || name || '.' || k.conname, format('alter table %s drop constraint %I cascade', rel, k.conname), 0
    from t join pg_constraint k on k.conrelid = t.oid where k.contype in ('p', 'f', 'u', 'c')
    union all
    select 'type-widened', 'column ' || name || '.' || attname, format('alter table %s alter %s type %s', rel, col,
        case typname when 'int2' then 'integer' when 'int4' then 'bigint' when 'varchar' then 'text' else 'double precision' end), in_key::int
    from c where typname in ('int2', 'int4', 'varchar', 'float4')
    union all
    select 'column-lost', 'column ' || name || '.' || attname, format('alter table %s drop %s cascade', rel, col), in_key::int from c
    union all
    select 'default-lost', 'column ' || name || '.' || attname, format('alter table %s alter %s drop default', rel, col), 0
    from c where atthasdef
    union all
    select 'not-null-lost', 'column ' || name || '.' || attname, format('alter table %s alter %s drop not null', rel, col), 0
    from c where attnotnull and not in_primary and attidentity = ''
    union all
    select 'collation-changed', 'column ' || name || '.' || attname, format('alter table %s alter %s type %s collate %s', rel, col, type,
        case when attcollation = '"C"'::regcollation then '"POSIX"' else '"C"' end), in_key::int
    from c where typname in ('text', 'varchar')
    union all
    select 'grant-lost', 'relation ' || name,
        format('revoke %s on %s from %s', a.privilege_type, rel, case a.grantee when 0 then 'public' else a.grantee::regrole::text end), 0
    from t join pg_class r using (oid), aclexplode(r.relacl) a where a.grantee <> r.relowner
    union all
    select 'grant-gained', 'relation ' || name, format('grant insert on %s to public', rel), 0 from t
    union all
    select 'owner-changed', 'relation ' || name, format('alter table %s owner to pg_monitor', rel), 0 from t
    union all
    select m.mutation, 'trigger ' || name || '.' || g.tgname, format(m.template, g.tgname, rel), 0
    from t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal,
        (values ('trigger-lost', 'drop trigger %I on %s'), ('trigger-disabled', 'alter table %2$s disable trigger %1$I')) m (mutation, template)
    union all
    select 'comment-changed', 'comment table ' || rel, format('comment on table %s is ''said by a rehearsal''', rel), 0 from t
), ranked as (
    select mutation, object, statement,
        row_number() over (partition by mutation order by rank, object collate "C", statement collate "C") as place from candidate
)
select mutation, object, statement from ranked where place <= 60 order by mutation collate "C", place
