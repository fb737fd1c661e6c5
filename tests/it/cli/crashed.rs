//! A tool that connects anew the moment its server is gone.

use super::Scratch;
use rstest::rstest;

/// At whatever statement; without a question about TLS, to which the answer would be held back.
#[rstest]
#[case::while_it_reads("pg.source:stmt.1")]
#[case::while_it_writes("pg.target:stmt.2")]
#[case::at_the_last("pg.target:commit.1")]
fn who_tries_once_more_at_once_finds_the_server_back(#[case] place: &str) {
    let scratch = Scratch::with("crash", &AT_ONCE.replace("{place}", place));
    scratch.rehearse(&["run"]).has(0, "srv.crash 1/1 (1 absorbed)");
}

const AT_ONCE: &str = r#"format = 1
about = "a copy that is tried twice"
dataset = "ledger-small"
needs = ["psql"]
[targets]
source = { postgres = "old" }
target = { postgres = "new" }
[[step]]
name = "copy"
role = "apply"
argv = ["sh", "-c", "sh $0 || sh $0", "{fixtures}/tools/ledger-copy.sh"]
env = { OLD_URL = "{source}", NEW_URL = "{target}", PGSSLMODE = "disable" }
[[fault]]
kind = "srv.crash"
during = "copy"
at = "{place}"
"#;
