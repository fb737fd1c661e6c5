//! What runs beside the steps.

use super::Lowering;
use crate::model::scenario_file::ServiceFile;
use crate::model::{Service, Step, is_name};
use std::collections::BTreeSet;
use toml::Spanned;

impl Lowering<'_> {
    pub(super) fn services(&mut self, files: Vec<ServiceFile>) -> Vec<Service> {
        let mut seen = BTreeSet::new();
        files.into_iter().map(|file| self.service(file, &mut seen)).collect()
    }

    fn service(&mut self, file: ServiceFile, seen: &mut BTreeSet<String>) -> Service {
        if !is_name(file.name.get_ref()) {
            self.problem(&file.name, "a service's name has letters, digits, `.`, `_` and `-` only");
        }
        if !seen.insert(file.name.get_ref().clone()) {
            self.problem(&file.name, "this name is taken by an earlier service");
        }
        if !file.ready.get_ref().starts_with("http://") {
            self.problem(
                &file.ready,
                "a service is ready when a page says so: ready = \"http://{service.<name>}/...\"",
            );
        }
        self.has_program(&file.argv);
        self.known_step(&file.from);
        if let Some(until) = &file.until {
            self.known_step(until);
        }
        let timeout = file.timeout.as_ref().and_then(|timeout| self.duration(timeout));
        let mut command = Step::question(file.name.get_ref(), file.argv.into_inner(), file.env, vec![0]);
        command.timeout = timeout.or(command.timeout);
        let until = file.until.map(Spanned::into_inner);
        Service { command, ready: file.ready.into_inner(), from: file.from.into_inner(), until }
    }
}
