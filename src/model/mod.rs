//! The words of a rehearsal as plain data. No IO, no clock, no async.

mod address;
mod ambiguity;
mod asked;
mod baseline;
pub mod canonical;
mod checklist;
mod criterion;
mod cutover;
mod diagnosis;
mod digest;
mod event;
mod event_case;
mod event_line;
mod fact;
mod finding;
mod frozen;
mod golden_share;
mod history;
mod moment;
mod picture;
mod plan;
mod problem;
mod question;
mod record;
mod record_case;
mod scenario;
mod scenario_file;
mod scenario_lower;
mod shard;
mod span;
mod sqlstate;
mod stage;
mod start;
mod step;
mod step_time;
mod token;
mod verdict;
mod way_back;
mod writers;

pub use address::{Address, Axis, BadAddress, FaultPoint, Fingerprint, Place, is_name, is_shell_safe, parse_kind};
pub use ambiguity::ambiguity;
pub use asked::{Asked, AskedFile};
pub use baseline::{Baseline, Change};
pub use checklist::{Half, Ruled, SECRET_FOUND, checklist};
pub use criterion::{
    Claimed, ClaimedValues, CriteriaFile, CriteriaSet, Criterion, Observed, Op, Severity, values_at, words,
};
pub use cutover::{Cutover, RECORD_TIER};
pub use diagnosis::{Beside, Fate, Lost, Obstacle, Row, RowDifference, Standing, TableDifference};
pub use digest::{DatabaseState, Difference, RowSum, TableDigest, compare};
pub use event::Body;
pub use event_line::Event;
pub use fact::{
    Coverage, ExpectRecord, FileRecord, Omitted, Proof, ReportAge, SequenceUse, ServerBusy, Unvisited, WentBack,
};
pub use finding::{CheckResult, Finding, MAX_FINDINGS};
pub use frozen::{Checkout, EnvironmentFile, PlanFile, ServerFile};
pub use golden_share::GoldenShare;
pub use history::{CaseEvents, History, States, StepEnd};
pub use moment::{Moment, Phase};
pub use picture::{Picture, SourceWrite};
pub use plan::{Parity, Plan, TableCopy};
pub use problem::{Problem, guess, render};
pub use question::{Ask, Guard, OwnCheck, matches};
pub use record::{RunRecord, ScenarioRecord};
pub use record_case::CaseRecord;
pub use scenario::{
    At, Engine, Expect, FaultSpec, Landmark, Map, Recovery, Rerun, Scenario, Service, TargetSpec, Then, Tool, Volatile,
};
pub use scenario_file::{Known, KnownFlow};
pub use shard::{Shard, ShardMerged, SharePlan};
pub use span::{SPAN_FORMS, parse_span};
pub use sqlstate::SqlState;
pub use stage::Stage;
pub use start::{Classification, ScenarioStart};
pub use step::{Claims, Condition, Role, Step};
pub use step_time::{StepTimes, step_times};
pub use token::{Token, TokenDigests};
pub use verdict::{Outcome, Verdict};
pub use way_back::{Return, WayBack, not_shown, ways_back};
pub use writers::{Met, WriteWindow, Writer, write_windows, writer};
