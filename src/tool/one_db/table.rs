//! One planned table and the statements about it. Text in, text out.

use super::catalog::{Column, Qualified, Sequence, Shape, ident, qualified};
use super::layout::Job;

/// A table of which both sides are known and fit.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Index into the jobs and into the report's rows.
    pub(super) index: usize,
    pub(super) job: Job,
    /// Key first, then by name: the same on both sides, whatever order the tables have.
    columns: Vec<PlannedColumn>,
    /// Number of key columns, which come first.
    pub(super) key_columns: usize,
    pub(super) form: Form,
    /// The target has heirs of the table, which are tables of their own: of both sides only its own rows are meant.
    only: bool,
    /// Plain `COPY table` would not give all of it.
    query_source: bool,
    query_target: bool,
    pub(super) sequences: Vec<PlannedSequence>,
    /// Rows in the target when it was planned.
    pub(super) target_before: u64,
    /// The target holds exactly the source's rows: an earlier run got this far.
    pub(super) present: bool,
    /// Large enough to be filled without keys and indexes.
    pub(super) keys_after: bool,
}

#[derive(Debug, Clone)]
struct PlannedColumn {
    name: String,
    /// Computed by the target: compared, but not written.
    generated: bool,
    /// Can be inserted, never updated.
    identity: bool,
}

/// A sequence of the target, and how far the source's is.
#[derive(Debug, Clone)]
pub(super) struct PlannedSequence {
    pub(super) sequence: Sequence,
    /// The value before the source's next one.
    pub(super) source_last: Option<i128>,
    /// It serves another planned table too.
    pub(super) shared: bool,
}

/// How COPY speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The binary form of all types means the same on both sides.
    Binary,
    /// Some type is a user's, or names an object: an oid of its own on each side.
    Text,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Form::Binary => "binary",
            Form::Text => "text",
        }
    }
}

impl Table {
    pub(super) fn new(
        index: usize,
        job: &Job,
        source: &Shape,
        target: &Shape,
        sequences: Vec<PlannedSequence>,
    ) -> Table {
        let rest = target.columns.iter().map(|c| &c.name).filter(|name| !target.key.contains(name));
        let is = |name: &String, what: fn(&Column) -> bool| target.columns.iter().any(|c| c.name == *name && what(c));
        let planned = |name: &String| PlannedColumn {
            name: name.clone(),
            generated: is(name, |column| column.generated),
            identity: is(name, |column| column.identity),
        };
        let columns = target.key.iter().chain(rest).map(planned).collect();
        let only = target.is_parent();
        let computed = |shape: &Shape| shape.columns.iter().any(|c| c.generated);
        Table {
            index,
            job: job.clone(),
            columns,
            key_columns: target.key.len(),
            form: if target.columns.iter().all(|c| c.portable) { Form::Binary } else { Form::Text },
            only,
            query_source: source.partitioned || (source.inherited && !only) || computed(source),
            query_target: target.partitioned || computed(target),
            sequences,
            target_before: 0,
            present: false,
            keys_after: false,
        }
    }

    pub(super) fn name(&self) -> String {
        self.job.name()
    }

    pub(super) fn step(&self, step: &str) -> String {
        format!("{} {step}", self.job.name())
    }

    pub(super) fn target_name(&self) -> Qualified {
        (self.job.schema.clone(), self.job.table.clone())
    }

    pub(super) fn source(&self) -> String {
        qualified(&(self.job.source_schema.clone(), self.job.table.clone()))
    }

    pub(super) fn target(&self) -> String {
        qualified(&self.target_name())
    }

    /// The source as a query reads it.
    pub(super) fn source_rows(&self) -> String {
        self.own_rows(self.source())
    }

    /// The target as a query reads it, and as it is locked and emptied.
    pub(super) fn target_rows(&self) -> String {
        self.own_rows(self.target())
    }

    fn own_rows(&self, table: String) -> String {
        if self.only { format!("ONLY {table}") } else { table }
    }

    /// Reads what is to be written, from the source.
    pub(super) fn copy_out(&self) -> String {
        self.out(self.source(), &self.written(), self.query_source, self.form)
    }

    /// Writes it; into `stage` instead of the table if there is one.
    pub(super) fn copy_in(&self, stage: Option<&str>) -> String {
        let (target, columns) = (self.target(), self.written());
        let into = stage.unwrap_or(&target);
        format!("COPY {into} ({columns}) FROM STDIN (FORMAT {})", self.form.name())
    }

    /// Reads all columns, computed ones too, to compare.
    pub(super) fn read_source(&self, form: Form) -> String {
        self.out(self.source(), &self.all(), self.query_source, form)
    }

    /// The other side of [`Table::read_source`].
    pub(super) fn read_target(&self, form: Form) -> String {
        self.out(self.target(), &self.all(), self.query_target, form)
    }

    /// Counts the rows of the target.
    pub(super) fn count_target(&self) -> String {
        format!("SELECT count(*)::text FROM {}", self.target_rows())
    }

    fn out(&self, table: String, columns: &str, query: bool, form: Form) -> String {
        let from = if query {
            format!("(SELECT {columns} FROM {})", self.own_rows(table))
        } else {
            format!("{table} ({columns})")
        };
        format!("COPY {from} TO STDOUT (FORMAT {})", form.name())
    }

    /// Names of the columns by which a row is known, in the order in which COPY gives them: the key's, or all.
    pub(super) fn key_names(&self) -> Vec<&str> {
        let columns = if self.key_columns == 0 { self.columns.len() } else { self.key_columns };
        self.columns[..columns].iter().map(|column| column.name.as_str()).collect()
    }

    pub(super) fn stage(&self, stage: &str) -> String {
        format!(
            "CREATE TEMP TABLE {stage} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            self.written(),
            self.target()
        )
    }

    pub(super) fn upsert(&self, stage: &str) -> String {
        let key = self.list(|position, _| position < self.key_columns);
        let rest = self.columns[self.key_columns..].iter().filter(|column| !column.generated && !column.identity);
        let set: Vec<String> = rest.map(|c| ident(&c.name)).map(|name| format!("{name} = excluded.{name}")).collect();
        let act = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
        let (target, columns) = (self.target(), self.written());
        format!(
            "INSERT INTO {target} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {stage} \
            ON CONFLICT ({key}) DO {act}"
        )
    }

    /// Counts rows whose identity column would have to change, which Postgres does not allow; `None`: no such column.
    pub(super) fn stuck_identities(&self, stage: &str) -> Option<String> {
        let fixed = self.columns[self.key_columns..].iter().filter(|column| column.identity);
        let differs: Vec<String> = fixed.map(|c| ident(&c.name)).map(|name| format!("t.{name} <> s.{name}")).collect();
        let key: Vec<String> =
            self.key_names().into_iter().map(ident).map(|name| format!("t.{name} = s.{name}")).collect();
        let (target, key, differs) = (self.target_rows(), key.join(" AND "), (!differs.is_empty()).then_some(differs)?);
        let differs = differs.join(" OR ");
        Some(format!("SELECT count(*)::text FROM {target} t JOIN {stage} s ON {key} WHERE {differs}"))
    }

    fn written(&self) -> String {
        self.list(|_, column| !column.generated)
    }

    fn all(&self) -> String {
        self.list(|_, _| true)
    }

    fn list(&self, wanted: impl Fn(usize, &PlannedColumn) -> bool) -> String {
        let columns = self.columns.iter().enumerate().filter(|(position, column)| wanted(*position, column));
        columns.map(|(_, column)| ident(&column.name)).collect::<Vec<_>>().join(", ")
    }
}

/// The class of our advisory locks on sequences: "seq " in ASCII.
const SEQUENCE_LOCKS: i32 = 0x7365_7120;

impl PlannedSequence {
    /// One after the other: a sequence that two tables move at the same time could go back. `None`: nobody else moves it.
    pub(super) fn lock(&self) -> Option<String> {
        let name = super::catalog::literal(&qualified(&self.sequence.name));
        self.shared
            .then(|| format!("SELECT pg_catalog.pg_advisory_xact_lock({SEQUENCE_LOCKS}, {name}::regclass::oid::int)"))
    }

    /// Moves the sequence past the rows and up to the source's, never back: `setval` is not undone by a rollback, and
    /// a sequence that is too far ahead harms nobody.
    pub(super) fn advance(&self, table: &str) -> String {
        let sequence = &self.sequence;
        let (extreme, farther, beyond) =
            if sequence.increment > 0 { ("max", "GREATEST", ">") } else { ("min", "LEAST", "<") };
        let (name, column) = (qualified(&sequence.name), ident(&sequence.column));
        let source_last = self.source_last.map_or("NULL".to_owned(), |last| last.to_string());
        format!(
            "SELECT pg_catalog.setval({}::regclass, GREATEST(LEAST(w.last, {}), {}), true)::text \
            FROM (SELECT {farther}({extreme}({column})::bigint, {source_last}) AS last FROM {table}) w, {name} s \
            WHERE w.last {beyond} CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - ({}) END",
            super::catalog::literal(&name),
            sequence.max,
            sequence.min,
            sequence.increment,
        )
    }

    /// Back to where an untouched target starts.
    pub(super) fn restart(&self) -> String {
        let name = super::catalog::literal(&qualified(&self.sequence.name));
        format!("SELECT pg_catalog.setval({name}::regclass, {}, false)::text", self.sequence.start)
    }
}
