//! A record as traces, as those of the proxies: each operation once on each axis on which it counts.

use super::{FileOp, OpKind, belongs, counts};
use crate::engine::Traces;
use crate::engine::proxy::{Point, Trace};
use crate::model::Axis;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The points of each endpoint, in the order of the record. `files` holds the path of each below the watched folder.
///
/// An endpoint counts what the shim counts for it: whatever belongs to it.
pub fn traces(ops: &[FileOp], files: &BTreeMap<String, String>) -> Traces {
    let mut labels = Labels::default();
    files.iter().map(|(endpoint, file)| (endpoint.clone(), trace(ops, file, &mut labels))).collect()
}

fn trace(ops: &[FileOp], file: &str, labels: &mut Labels) -> Trace {
    let of_file = ops.iter().filter(|op| belongs(op.counted_path(), file));
    let points = of_file.flat_map(|op| {
        let label = labels.of(op);
        let axes = Axis::ALL.into_iter().filter(|axis| counts(op.kind, *axis));
        axes.map(move |axis| Point { conn: 0, axis, fingerprint: None, label: Arc::clone(&label) })
    });
    Trace { points: points.collect(), ..Trace::default() }
}

/// What a write is called that has no half.
const BYTE: &str = "write a byte of ";

/// Whether half of the operation of this label can be done.
pub fn has_halves(label: &str) -> bool {
    label.starts_with("write ") && !label.starts_with(BYTE)
}

/// Few files, many operations: a label is shared.
#[derive(Default)]
struct Labels(BTreeMap<(OpKind, bool, String), Arc<str>>);

impl Labels {
    /// What is done to which file, without its folder.
    fn of(&mut self, op: &FileOp) -> Arc<str> {
        let path = op.counted_path();
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_whole = op.kind == OpKind::Write && op.bytes < 2;
        let label = || Arc::from(if is_whole { format!("{BYTE}{name}") } else { format!("{} {name}", op.kind.word()) });
        Arc::clone(self.0.entry((op.kind, is_whole, path.to_owned())).or_insert_with(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(kind: OpKind, path: &str, other: &str) -> FileOp {
        let (path, other) = (path.to_owned(), other.to_owned());
        FileOp { kind, path, other, offset: 0, bytes: 0, data: Vec::new(), has_failed: kind == OpKind::Unlink }
    }

    #[test]
    fn an_operation_counts_on_each_of_its_axes_at_the_endpoint_whose_path_begins_it() {
        let ops = [
            op(OpKind::Create, "files/new.sqlite-journal", ""),
            op(OpKind::Write, "work/report.json", ""),
            op(OpKind::Lock, "files/old.sqlite", ""),
            op(OpKind::Rename, "work/x", "files/new.sqlite"),
            op(OpKind::Unlink, "files/new.sqlite-wal", ""),
        ];
        let files = ["old", "new"].map(|name| (format!("file.{name}"), format!("files/{name}.sqlite")));
        let traces = traces(&ops, &files.into());
        let points = |endpoint: &str| -> Vec<(Axis, String)> {
            traces[endpoint].points.iter().map(|point| (point.axis, point.label.to_string())).collect()
        };
        assert_eq!(points("file.old"), [(Axis::Lock, "lock old.sqlite".to_owned())]);
        let expected = [
            (Axis::Op, "create new.sqlite-journal"),
            (Axis::Write, "create new.sqlite-journal"),
            (Axis::Op, "rename new.sqlite"),
            (Axis::Rename, "rename new.sqlite"),
            (Axis::Op, "unlink new.sqlite-wal"),
            (Axis::Unlink, "unlink new.sqlite-wal"),
        ];
        assert_eq!(points("file.new"), expected.map(|(axis, label)| (axis, label.to_owned())));
    }
}
