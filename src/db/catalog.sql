-- Every definition of a database as (name, definition), by the server's own words.
-- Names begin with their kind. System schemas and what belongs to an extension are left out.
-- search_path is empty, so that all definitions are qualified. A part that is `only with` a kind is left out where
-- census.sql says that there is nothing of that kind: parsing and planning it would cost more than the answer.
with ns as materialized (
    select oid, nspname, nspowner, nspacl from pg_namespace
    where nspname !~ '^pg_' and nspname <> 'information_schema'
), rel as materialized (
    select n.nspname || '.' || c.relname as name, c.*
    from pg_class c join ns n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c')
), owned as materialized (
    select classid, objid from pg_depend where deptype = 'e'
)
select 'database', concat_ws(' ', 'owner', datdba::regrole, 'acl', datacl, 'encoding', pg_encoding_to_char(encoding),
    'collate', datcollate, datctype, to_jsonb(d) ->> 'datlocprovider', 'limit', datconnlimit)
from pg_database d where datname = current_database()
union all
-- only with setting
select concat_ws(' ', 'setting', nullif(setrole, 0)::regrole, split_part(line, '=', 1)), line
from pg_db_role_setting, unnest(setconfig) line
where setdatabase = (select oid from pg_database where datname = current_database())
union all
select 'schema ' || nspname, concat_ws(' ', 'owner', nspowner::regrole, 'acl', nspacl) from ns
union all
select 'relation ' || name, concat_ws(' ',
    case relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
        when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table' else 'type' end,
    'persistence', relpersistence, 'owner', relowner::regrole, 'acl', relacl, 'options', reloptions,
    case when relrowsecurity then 'row security' end, case when relforcerowsecurity then 'forced' end,
    case when relreplident <> 'd' then 'replica identity ' || relreplident::text end,
    case when relkind = 'm' and not relispopulated then 'not populated' end,
    case when relkind = 'p' then pg_get_partkeydef(oid) end,
    case when relispartition then pg_get_expr(relpartbound, oid) end,
    case when relkind in ('v', 'm') then pg_get_viewdef(oid) end)
from rel
union all
-- only with inheritance
select 'inheritance ' || r.name || ' ' || i.inhseqno, p.name
from pg_inherits i join rel r on r.oid = i.inhrelid join rel p on p.oid = i.inhparent
union all
select 'column ' || r.name || '.' || a.attname, concat_ws(' ',
    format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
    case when a.attcollation not in (0, t.typcollation) then 'collate ' || a.attcollation::regcollation end,
    case a.attgenerated when 's' then 'generated' when '' then case when d.oid is not null then 'default' end end,
    pg_get_expr(d.adbin, d.adrelid),
    case a.attidentity when 'a' then 'identity always' when 'd' then 'identity by default' end,
    'acl ' || a.attacl::text)
from rel r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where r.relkind <> 'S'
union all
select 'constraint ' || coalesce(r.name || '.', 'domain ' || k.contypid::regtype::text || ' ') || k.conname,
    concat_ws(' ', pg_get_constraintdef(k.oid), case when not k.convalidated then '(not validated)' end)
from pg_constraint k join ns n on n.oid = k.connamespace left join rel r on r.oid = k.conrelid
-- Since 18 each NOT NULL is a constraint with a name that nobody chose; the column says it already.
where k.contype <> 'n' or not k.convalidated or k.connoinherit
union all
select 'index ' || r.name || '.' || c.relname, concat_ws(' ', pg_get_indexdef(i.indexrelid),
    case when not i.indisvalid then '(invalid)' end, case when not i.indisready then '(not ready)' end,
    case when i.indisclustered then '(clustered)' end, case when i.indisreplident then '(replica identity)' end)
from rel r join pg_index i on i.indrelid = r.oid join pg_class c on c.oid = i.indexrelid
union all
-- only with sequence
select 'sequence ' || r.name, concat_ws(' ', 'as', s.seqtypid::regtype, 'start', s.seqstart, 'by', s.seqincrement,
    'from', s.seqmin, 'to', s.seqmax, 'cache', s.seqcache, case when s.seqcycle then 'cycle' end,
    'owned by ' || (select o.name || '.' || a.attname
        from pg_depend p join rel o on o.oid = p.refobjid
        join pg_attribute a on a.attrelid = p.refobjid and a.attnum = p.refobjsubid
        where p.classid = 'pg_class'::regclass and p.objid = r.oid and p.refclassid = 'pg_class'::regclass
            and p.deptype in ('a', 'i') limit 1))
from rel r join pg_sequence s on s.seqrelid = r.oid
union all
-- only with trigger
-- Internal triggers are listed only when somebody switched them off.
select 'trigger ' || r.name || '.' || case when g.tgisinternal
        then coalesce(k.conname::text, g.tgname::text) || ' (internal ' || g.tgfoid::regproc::text || ')' else g.tgname::text end,
    concat_ws(' ', case when not g.tgisinternal then pg_get_triggerdef(g.oid) end, 'enabled', g.tgenabled)
from rel r join pg_trigger g on g.tgrelid = r.oid left join pg_constraint k on k.oid = g.tgconstraint
where not g.tgisinternal or g.tgenabled <> 'O'
union all
-- only with rule
select 'rule ' || r.name || '.' || w.rulename, concat_ws(' ', pg_get_ruledef(w.oid), 'enabled', w.ev_enabled)
from rel r join pg_rewrite w on w.ev_class = r.oid where w.rulename <> '_RETURN'
union all
-- only with policy
select 'policy ' || r.name || '.' || p.polname, concat_ws(' ', p.polcmd,
    case when p.polpermissive then 'permissive' else 'restrictive' end, p.polroles::regrole[],
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))
from rel r join pg_policy p on p.polrelid = r.oid
union all
-- only with statistics
select 'statistics ' || n.nspname || '.' || s.stxname, pg_get_statisticsobjdef(s.oid)
from pg_statistic_ext s join ns n on n.oid = s.stxnamespace
union all
-- only with function
select 'function ' || n.nspname || '.' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')',
    concat_ws(' ', 'digest', md5(case when f.prokind = 'a' then f.prosrc else pg_get_functiondef(f.oid) end),
        'owner', f.proowner::regrole, 'acl', f.proacl)
from pg_proc f join ns n on n.oid = f.pronamespace
where (f.tableoid, f.oid) not in (select classid, objid from owned)
union all
select 'extension ' || e.extname, concat_ws(' ', e.extversion, 'in', e.extnamespace::regnamespace) from pg_extension e
union all
-- only with type
select 'type ' || n.nspname || '.' || t.typname, concat_ws(' ',
    case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'r' then 'range' else 'type' end,
    (select array_agg(e.enumlabel order by e.enumsortorder)::text from pg_enum e where e.enumtypid = t.oid),
    case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
    'of ' || (select concat_ws(' ', format_type(g.rngsubtype, null), nullif(g.rngcollation, 0)::regcollation)
        from pg_range g where g.rngtypid = t.oid),
    case when t.typnotnull then 'not null' end, 'default ' || t.typdefault,
    'owner', t.typowner::regrole, 'acl', t.typacl)
from pg_type t join ns n on n.oid = t.typnamespace
where t.typtype in ('e', 'd', 'r') and (t.tableoid, t.oid) not in (select classid, objid from owned)
union all
-- only with collation
select 'collation ' || n.nspname || '.' || l.collname, concat_ws(' ', l.collprovider,
    case when not l.collisdeterministic then 'not deterministic' end, l.collcollate, l.collctype,
    coalesce(to_jsonb(l) ->> 'colliculocale', to_jsonb(l) ->> 'colllocale'))
from pg_collation l join ns n on n.oid = l.collnamespace
union all
-- only with comment
select 'comment ' || i.type || ' ' || i.identity, d.description
from pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
where d.objoid >= 16384 and coalesce(i.schema, '') !~ '^pg_' and (d.classoid, d.objoid) not in (select classid, objid from owned)
union all
-- only with default-privileges
select concat_ws(' ', 'default privileges', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace, defaclobjtype),
    defaclacl::text
from pg_default_acl
union all
-- only with event-trigger
select 'event trigger ' || evtname, concat_ws(' ', evtevent, evtfoid::regproc, evttags, 'enabled', evtenabled)
from pg_event_trigger
union all
-- only with publication
select 'publication ' || pubname, concat_ws(' ', puballtables, pubinsert, pubupdate, pubdelete, pubtruncate,
    (select array_agg(r.prrelid::regclass::text order by r.prrelid::regclass::text)
     from pg_publication_rel r where r.prpubid = p.oid))
from pg_publication p
