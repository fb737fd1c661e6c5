//! Targets: disposable databases, made by us and ended by us.
//!
//! All processes of a user share one cluster per server binary. Files, in the base directory ([`Base`]):
//!
//! ```text
//! start.lock              held to decide about start and end
//! supervisor.lock         held by the supervisor, the one process that cleans up after the others
//! supervisor.socket       where it answers that it is alive
//! sessions/<id>/lock      held by a session; free means that its owner is dead
//! sessions/<id>/kept.json what a session keeps beyond its owner's life
//! clusters/<key>/         data/ socket/ log ready.json
//! sessions/<id>/clusters/ the same, of one session alone: seeds, and the servers of cases that copy them ([`Server`])
//! sqlite/                 template files
//! ```

mod base;
mod binaries;
mod capability;
mod cluster;
mod copy;
mod docker;
mod fetched;
mod guest;
mod image;
mod kept;
mod liveness;
mod lock;
mod orphans;
mod own;
mod pool;
mod postmaster;
mod presence;
mod reach;
mod remark;
mod remote;
mod session;
mod site;
mod sites;
mod sqlite;
mod stay;
mod supervisor;
mod wanted;
mod witness;

pub use base::Base;
pub use binaries::Binaries;
pub use capability::Capability;
pub use cluster::Cluster;
pub use image::ADMIN_ROLE;
pub use kept::{Kept, cached, clean, clean_cache, kept};
pub use own::{Seed, Server};
pub use pool::{Access, Database, Pool, Template};
pub use presence::{Backend, Prepared};
pub use reach::Reach;
pub use remote::{Remote, Rights};
pub use session::Session;
pub(crate) use session::random;
pub use site::{Offer, Site};
pub use sites::Sites;
pub use sqlite::{SqliteTemplate, SqliteTemplates};
pub use supervisor::{Leftovers, leftovers, supervise};
pub use wanted::{Provider, Wanted};
