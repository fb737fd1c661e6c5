//! The news that an armed fault has struck, and what it struck.

use crate::Result;
use crate::engine::files::Shim;
use crate::engine::proxy::Armed;
use std::time::Duration;

/// Where it comes from.
pub(in crate::engine) enum News<'s> {
    Proxy(Armed),
    File(&'s Shim),
}

/// How often the shim's page is looked at while the tool runs. At the tool's end it is looked at anyway: this is for
/// what outlives a struck process, and for somebody who waits to look inside.
const LOOK: Duration = Duration::from_millis(20);

impl News<'_> {
    /// Resolves once it has struck, with what it struck. Cancel safe; once per fault.
    ///
    /// # Errors
    /// The shim's page cannot be read.
    pub(in crate::engine) async fn come(&mut self) -> Result<String> {
        match self {
            News::Proxy(armed) => Ok(armed.fired().await.what.to_string()),
            News::File(shim) => loop {
                if let Some(what) = shim.struck()? {
                    return Ok(what);
                }
                tokio::time::sleep(LOOK).await;
            },
        }
    }

    /// Whether [`News::come`] resolves at once.
    pub(in crate::engine) fn is_there(&self) -> Result<bool> {
        match self {
            News::Proxy(armed) => Ok(armed.has_fired()),
            News::File(shim) => shim.struck().map(|what| what.is_some()),
        }
    }
}
