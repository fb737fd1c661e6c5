//! The sites of a run: its own, and one for each version of Postgres that an endpoint asks for.

use super::base::Base;
use super::site::Site;
use super::wanted::Wanted;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// See the module.
pub struct Sites {
    base: Base,
    wanted: Wanted,
    own: Arc<Site>,
    others: Mutex<BTreeMap<u32, Arc<Site>>>,
}

impl Sites {
    /// Nothing is looked for yet.
    pub fn new(base: Base, wanted: Wanted) -> Sites {
        let own = Arc::new(Site::new(base.clone(), wanted.clone()));
        Sites { base, wanted, own, others: Mutex::default() }
    }

    /// Where servers and sessions live.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// By which version the servers of an endpoint are known that asks for `version`; nothing: they are the run's own,
    /// because it asks for none, or for theirs.
    pub fn version(&self, version: Option<u32>) -> Option<u32> {
        let is_own = |major: &u32| self.own.offer().is_ok_and(|offer| offer.major == Some(*major));
        version.filter(|major| !is_own(major))
    }

    /// Where they come from.
    pub fn of(&self, version: Option<u32>) -> Arc<Site> {
        self.version(version).map_or_else(|| Arc::clone(&self.own), |major| self.other(major))
    }

    fn other(&self, major: u32) -> Arc<Site> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let site = others.entry(major).or_insert_with(|| Arc::new(Site::new(self.base.clone(), self.wanted.of(major))));
        Arc::clone(site)
    }

    /// Whether a server would have to be fetched for endpoints that ask for these versions: its version.
    pub fn would_fetch(&self, versions: &BTreeSet<Option<u32>>) -> Option<&'static str> {
        // Not by what the run's own is: to ask for that may fetch it.
        let site = |version: &Option<u32>| version.map_or_else(|| Arc::clone(&self.own), |major| self.other(major));
        versions.iter().find_map(|version| site(version).would_fetch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Provider;

    fn sites(image: &str) -> Sites {
        let wanted = Wanted { provider: Provider::Local, major: None, image: Some(image.to_owned()) };
        Sites::new(Base::find(), wanted)
    }

    #[test]
    fn an_endpoint_of_the_version_of_all_is_on_their_server() {
        let sites = sites("pg:15");
        let own = sites.of(None);
        let major = own.offer().expect("needs Postgres server binaries").major;
        assert!(Arc::ptr_eq(&own, &sites.of(major)));
        assert_eq!(sites.version(major), None);
    }

    #[test]
    fn an_endpoint_of_another_version_is_elsewhere_and_always_there() {
        let sites = sites("pg:15");
        let other = sites.of(Some(99));
        assert!(!Arc::ptr_eq(&other, &sites.of(None)) && Arc::ptr_eq(&other, &sites.of(Some(99))));
        let why = other.offer().unwrap_err().to_string();
        assert!(why.contains("of version 99 found"), "{why}");
    }

    #[test]
    fn another_version_is_another_tag_of_the_same_image() {
        let of = |image: &str| Wanted { image: Some(image.to_owned()), ..Wanted::default() }.of(18).image;
        assert_eq!(of("here:5000/pg:15").as_deref(), Some("here:5000/pg:18"));
        assert_eq!(of("pg").as_deref(), Some("pg:18"));
        assert_eq!(Wanted::default().of(18), Wanted { major: Some(18), ..Wanted::default() });
    }
}
