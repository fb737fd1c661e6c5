//! What somebody has found out about a template, kept with it for the sessions to come: it ends with the template.
//!
//! It is the comment on the database, so that nothing of it is in the clones. That it cannot be read or written costs
//! finding out once more, and nothing else.

use super::pool::{Pool, Template};
use super::presence::refused;

const REMARK: &str =
    "select shobj_description(oid, 'pg_database') from pg_database where datname = $1 and datistemplate";

impl Pool {
    /// What [`Pool::remark`] has written, in this session or an earlier one.
    pub async fn remarked(&self, template: &Template) -> Option<String> {
        if !template.lasts() {
            return None;
        }
        let query = sqlx::query_scalar::<_, Option<String>>(REMARK).bind(&template.name);
        self.quick(async |connection| query.fetch_optional(connection).await.map_err(refused)).await.ok()?.flatten()
    }

    /// Writes down something about a template in place of what was there; nothing where it ends with this session.
    pub async fn remark(&self, template: &Template, text: &str) {
        if template.lasts() {
            let text = text.replace('\'', "''");
            let _ = self.order(&format!("comment on database \"{}\" is '{text}'", template.name)).await;
        }
    }
}
