//! What happened, one line each: the only record that reports and checks read.

use crate::model::{
    Address, Baseline, CheckResult, ClaimedValues, Coverage, CriteriaSet, Cutover, FileRecord, GoldenShare, Moment,
    Obstacle, Omitted, Outcome, Phase, Proof, ReportAge, Role, ScenarioStart, SequenceUse, ServerBusy, ShardMerged,
    SharePlan, TableDifference, TableDigest, Unvisited, Verdict, WentBack,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Body {
    /// A run begins.
    #[serde(rename = "run.started")]
    RunStarted {
        /// Its id, the name of its directory without `run-`.
        run: String,
        /// Version of this format.
        format: u32,
        /// Version of the harness.
        version: String,
        /// `quick`, `full` or `nightly`.
        tier: String,
    },
    /// The real migration begins, or a step of it: what follows is no rehearsal.
    #[serde(rename = "cutover.started")]
    CutoverStarted(Cutover),
    /// A scenario begins.
    #[serde(rename = "scenario.started")]
    ScenarioStarted(ScenarioStart),
    /// The comparison was tried on changed copies of a dataset, or it is known that it was.
    #[serde(rename = "checks.proved")]
    ChecksProved {
        /// Dataset and size.
        dataset: String,
        /// What was seen of it.
        #[serde(flatten)]
        proof: Proof,
        /// Whether an earlier run of the same code on the same data has shown it.
        cached: bool,
    },
    /// A scenario has the golden runs of another one.
    #[serde(rename = "golden.shared")]
    GoldenShared(GoldenShare),
    /// The points of a fault are known.
    #[serde(rename = "scenario.planned")]
    ScenarioPlanned {
        /// The scenario.
        scenario: String,
        /// The kind of fault.
        kind: String,
        /// The step during which it strikes.
        during: String,
        /// How many and which.
        #[serde(flatten)]
        coverage: Coverage,
    },
    /// The time for the run was over before all planned cases of a fault had begun.
    #[serde(rename = "budget.over")]
    BudgetOver(Unvisited),
    /// A scenario was not rehearsed, as the caller allowed.
    #[serde(rename = "scenario.omitted")]
    ScenarioOmitted(Omitted),
    /// The last green run, with which this one is compared.
    #[serde(rename = "baseline")]
    Baseline(Baseline),
    /// What the runbook of a scenario demands.
    #[serde(rename = "criteria")]
    Criteria(CriteriaSet),
    /// What the report of a step holds, where a rule asks for it.
    #[serde(rename = "claimed")]
    Claimed(ClaimedValues),
    /// All cases of a fault, of which this run takes its part.
    #[serde(rename = "shard.planned")]
    ShardPlanned(SharePlan),
    /// A merged run holds this part.
    #[serde(rename = "shard.merged")]
    ShardMerged(ShardMerged),
    /// A scenario ended.
    #[serde(rename = "scenario.finished")]
    ScenarioFinished {
        /// The scenario.
        scenario: String,
        /// The worst of its cases; for a canary, whether it turned red what it must.
        verdict: Verdict,
        /// Why, for people; empty when it is plain.
        why: String,
    },
    /// A case begins.
    #[serde(rename = "case.started")]
    CaseStarted {
        /// Its name: the scenario, `/`, and `golden-1` or an ordinal and a short hash.
        case: String,
        /// Its scenario.
        scenario: String,
        /// Where it is injured; nothing for golden cases.
        address: Option<Address>,
        /// What strikes there, for people: the head of the statement.
        label: Option<String>,
        /// The word that replays it.
        token: Option<String>,
    },
    /// A step is about to be started.
    #[serde(rename = "step.started")]
    StepStarted {
        /// The case.
        case: String,
        /// The step.
        step: String,
        /// Its role.
        role: Role,
        /// Why it runs.
        phase: Phase,
        /// The command line, with placeholders for URLs.
        argv: Vec<String>,
    },
    /// A step ended.
    #[serde(rename = "step.finished")]
    StepFinished {
        /// The case.
        case: String,
        /// The step.
        step: String,
        /// Why it ran.
        phase: Phase,
        /// Its exit code, if it exited.
        exit: Option<i32>,
        /// The signal that ended it, if one did.
        signal: Option<i32>,
        /// Whether the exit code is one that means success.
        success: bool,
        /// Whether it was ended because it did not end within its bound.
        timed_out: bool,
        /// How long it took.
        duration_us: u64,
    },
    /// A fault is about to be armed.
    #[serde(rename = "fault.armed")]
    FaultArmed {
        /// The case.
        case: String,
        /// The place.
        address: Address,
    },
    /// A fault struck: the proof.
    #[serde(rename = "fault.fired")]
    FaultFired {
        /// The case.
        case: String,
        /// The place.
        address: Address,
        /// What was held, refused or cut: a statement with its literals left out.
        what: String,
    },
    /// The fault is healed and no backend of the tool is left.
    #[serde(rename = "fault.cleared")]
    FaultCleared {
        /// The case.
        case: String,
        /// How long backends of the dead tool went on.
        waited_us: u64,
    },
    /// Somebody who writes comes to a source while the tool is parked (`src.write`). Where `source.written` does not
    /// follow, the tool has kept them out.
    #[serde(rename = "writer.came")]
    WriterCame {
        /// The case.
        case: String,
        /// The endpoint.
        endpoint: String,
    },
    /// The harness wrote to a source, as an application would (`src.write`).
    #[serde(rename = "source.written")]
    SourceWritten {
        /// The case.
        case: String,
        /// The endpoint.
        endpoint: String,
        /// What, in which tables.
        what: String,
        /// Digest of the state right before.
        before: String,
        /// Digest of the state right after.
        after: String,
    },
    /// What a database held.
    #[serde(rename = "probe")]
    Probe {
        /// The case.
        case: String,
        /// When.
        moment: Moment,
        /// The endpoint.
        endpoint: String,
        /// Digest of the state; its text is `states/<digest>.json`.
        state: String,
    },
    /// Both sides of a declared transformation.
    #[serde(rename = "parity")]
    Mapped {
        /// The case.
        case: String,
        /// When.
        moment: Moment,
        /// The number of the map in the plan, from 1.
        map: u32,
        /// What the source query gives.
        source: TableDigest,
        /// What the target query gives.
        target: TableDigest,
    },
    /// A server refused a side of a declared transformation.
    #[serde(rename = "parity.refused")]
    MapRefused {
        /// The case.
        case: String,
        /// When.
        moment: Moment,
        /// The number of the map in the plan, from 1.
        map: u32,
        /// The endpoint and the server's words.
        why: String,
    },
    /// The rows in which both sides of a declared transformation differ, by the key that it names.
    #[serde(rename = "keys")]
    MapKeys {
        /// The case.
        case: String,
        /// When.
        moment: Moment,
        /// The number of the map in the plan, from 1.
        map: u32,
        /// The first few: `missing`, `extra` or `changed`, and the key.
        keys: Vec<String>,
        /// How many there are.
        total: u64,
    },
    /// What a step says of itself.
    #[serde(rename = "claim")]
    Claim {
        /// The case.
        case: String,
        /// The step.
        step: String,
        /// Why it ran.
        phase: Phase,
        /// What its report says; nothing when there is no readable report of this step.
        ok: Option<bool>,
        /// The reason, for people.
        note: String,
    },
    /// What a report says of its own age. Nothing is said where there is no report.
    #[serde(rename = "report")]
    Report(ReportAge),
    /// What passed the proxies, and what was done to files, while a step of the plan ran.
    #[serde(rename = "traffic")]
    Traffic {
        /// The case.
        case: String,
        /// The step.
        step: String,
        /// Statements by endpoint, of a file operations; endpoints that nobody watches are left out.
        statements: BTreeMap<String, u64>,
    },
    /// What was recorded of files while a step of the plan ran.
    #[serde(rename = "files")]
    Files(FileRecord),
    /// What a server was still busy with for a step that had ended. Empty is good.
    #[serde(rename = "server")]
    Server(ServerBusy),
    /// Sequences that feed columns of a target.
    #[serde(rename = "sequences")]
    Sequences {
        /// The case.
        case: String,
        /// When.
        moment: Moment,
        /// The endpoint.
        endpoint: String,
        /// One per sequence and column.
        uses: Vec<SequenceUse>,
    },
    /// A command that must refuse has ended.
    #[serde(rename = "guard")]
    Guarded {
        /// The case.
        case: String,
        /// Its name.
        guard: String,
        /// The exit codes of a refusal.
        refusals: Vec<i32>,
        /// Its exit code; nothing when it did not end by itself.
        exit: Option<i32>,
        /// Whether its output holds what it must.
        said: bool,
    },
    /// The answer to a check of the scenario's own.
    #[serde(rename = "asked")]
    Asked {
        /// The case.
        case: String,
        /// When.
        moment: Moment,
        /// Its name.
        check: String,
        /// Whether the answer is the expected one.
        holds: bool,
        /// What was expected.
        expected: String,
        /// The answer.
        found: String,
    },
    /// What was left after the case: processes, backends, prepared transactions. Empty is good.
    #[serde(rename = "leftovers")]
    Leftovers {
        /// The case.
        case: String,
        /// One sentence each.
        found: Vec<String>,
    },
    /// What is in the way, of a red case or of a step that went over its bound.
    #[serde(rename = "obstacles")]
    Obstacles {
        /// The case.
        case: String,
        /// When it was looked for, in words.
        when: String,
        /// What was found; never empty.
        found: Vec<Obstacle>,
    },
    /// In which rows a red case differs from what it should hold.
    #[serde(rename = "differences")]
    Differences {
        /// The case.
        case: String,
        /// When.
        moment: Moment,
        /// The tables whose rows could be compared, each with a few of them.
        tables: Vec<TableDifference>,
        /// SHA-256 of `diff.jsonl` in the case's folder, 64 hexadecimal digits.
        diff_sha256: String,
    },
    /// An uninjured step went back, and this is what went with it.
    #[serde(rename = "went.back")]
    WentBack(WentBack),
    /// Something worth knowing.
    #[serde(rename = "note")]
    Note {
        /// The case, if it concerns one.
        case: Option<String>,
        /// One sentence.
        text: String,
    },
    /// A case ended.
    #[serde(rename = "case.finished")]
    CaseFinished {
        /// The case.
        case: String,
        /// What became of it.
        outcome: Outcome,
        /// The checks that were asked, by name.
        checks: Vec<CheckResult>,
        /// Why the harness could not finish it.
        error: Option<String>,
    },
    /// A run was asked to end before its end; what had not begun was not rehearsed.
    #[serde(rename = "run.interrupted")]
    RunInterrupted {},
    /// A run ended.
    #[serde(rename = "run.finished")]
    RunFinished {
        /// The worst of everything.
        verdict: Verdict,
        /// Digest of the part that two people with the same inputs must agree on.
        outcome_sha256: String,
    },
}
