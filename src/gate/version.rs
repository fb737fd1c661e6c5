//! Bundles that another build of `rehearse` has written. What follows from a journal is what its own build makes of it:
//! where this one makes something else of it, nothing is said against anybody.

use crate::engine::SOURCE_SHA256;
use crate::gate::told::Told;
use crate::gate::{Code, Complaint};
use crate::model::EnvironmentFile;

/// What does not follow by this build: as it is, or, where another one has written the bundle, as a word about that.
pub(super) fn judged(told: &Told, follows: Vec<Complaint>) -> Vec<Complaint> {
    let Some(writer) = told.environment.as_ref().and_then(writer) else { return follows };
    let other = |complaint: Complaint| {
        let expected = format!("what {writer} makes of the journal; this version would write {}", complaint.expected);
        Complaint { code: Code::OtherVersion, expected, ..complaint }
    };
    follows.into_iter().map(other).collect()
}

/// Whether a complaint says no more than that versions differ: a later one knows faults and checks that an earlier one did
/// not.
pub(super) fn is_of_another(complaint: &Complaint, environment: Option<&EnvironmentFile>) -> bool {
    let is_other = environment.and_then(writer).is_some();
    is_other && matches!(complaint.code, Code::OtherVersion | Code::CatalogueDowngraded)
}

/// The build that has written it, for people; nothing where it is this one.
fn writer(file: &EnvironmentFile) -> Option<String> {
    let build = file.source_sha256.get(..12).unwrap_or(&file.source_sha256);
    (file.source_sha256 != SOURCE_SHA256).then(|| format!("version {} (build {build})", file.rehearsal))
}
