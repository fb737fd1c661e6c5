//! The stand-in application: what its pages say in each mode, and a restore under it.

use super::*;
use std::process::{Child, Stdio};

struct Application {
    child: Child,
    url: String,
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Started, and answering.
fn serve(stage: &Stage, variables: &[(&str, &str)]) -> Application {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = stage.command(&["serve", "--listen", &address.to_string()]);
    command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
    let application = Application { child: command.spawn().unwrap(), url: format!("http://{address}") };
    for _ in 0..2000 {
        if std::net::TcpStream::connect(address).is_ok() {
            return application;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("the application does not listen on {address}");
}

impl Application {
    fn page(&self, stage: &Stage, page: &str) -> (bool, String) {
        let output = stage.run(&["health", "--url", &format!("{}{page}", self.url)]);
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

const PAGES: [&str; 3] = ["/readyz", "/api/v1/health/database", "/api/v1/health/startup"];

#[test]
fn it_is_well_over_the_files_of_its_mode_and_not_over_those_of_the_other() {
    let stage = Stage::new();
    let (legacy, consolidated) = ([("ARAGORA_DB_MODE", "legacy")], [("ARAGORA_DB_MODE", "consolidated")]);
    let application = serve(&stage, &legacy);
    PAGES.iter().for_each(|page| assert!(application.page(&stage, page).0, "{page}"));
    drop(application);
    let application = serve(&stage, &consolidated);
    for page in PAGES {
        let (is_green, said) = application.page(&stage, page);
        assert!(!is_green && said.contains("503"), "{page}: {said}");
    }
    drop(application);
    stage.ok(&["migrate"]);
    let application = serve(&stage, &consolidated);
    PAGES.iter().for_each(|page| assert!(application.page(&stage, page).0, "{page}"));
    let (_, said) = application.page(&stage, "/api/v1/counts");
    for table in ["debates", "continuum_memory", "ratings", "personas"] {
        assert!(said.contains(table), "{said}");
    }
}

#[test]
fn a_skipped_validation_lets_it_work_and_is_red_on_the_health_pages() {
    let stage = Stage::new();
    stage.ok(&["migrate"]);
    let application = serve(&stage, &[("ARAGORA_SKIP_SCHEMA_VALIDATION", "1")]);
    assert!(application.page(&stage, "/readyz").0);
    for page in &PAGES[1..] {
        let (is_green, said) = application.page(&stage, page);
        assert!(!is_green && said.contains("ARAGORA_SKIP_SCHEMA_VALIDATION is set"), "{page}: {said}");
    }
}

#[test]
fn a_missing_table_is_named_and_keeps_it_from_starting_where_that_is_asked_for() {
    let stage = Stage::new();
    stage.ok(&["migrate"]);
    stage.sql("agents.db", "drop table personas");
    let output = stage.command(&["serve"]).env("ARAGORA_REQUIRE_VALID_SCHEMA", "true").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("agents.db: table personas is missing"));
    let application = serve(&stage, &[]);
    let (is_green, said) = application.page(&stage, "/api/v1/health/database");
    assert!(!is_green && said.contains("agents.db: table personas is missing"), "{said}");
    assert!(!application.page(&stage, "/readyz").0);
}

#[test]
fn nothing_is_replaced_under_a_running_application() {
    let stage = Stage::new();
    stage.ok(&["backup"]);
    stage.ok(&["migrate"]);
    let application = serve(&stage, &[]);
    let restore = ["restore", "--confirm-restore", "RESTORE"];
    let said = stage.refused(&restore, 1);
    assert!(said.contains("is open in process") && said.contains("stop it first"), "{said}");
    stage.refused(&["migrate", "--replace-target"], 1);
    drop(application);
    stage.ok(&restore);
}
