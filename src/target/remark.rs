//! What somebody has found out about a template, kept with it for the sessions to come: it ends with the template.
//!
//! It is the comment on the database, so that nothing of it is in the clones. That it cannot be read or written costs
//! finding out once more, and nothing else.

use super::pool::{Pool, Template};
use super::presence::order;

const REMARK: &str =
    "select shobj_description(oid, 'pg_database') from pg_database where datname = $1 and datistemplate";

impl Pool {
    /// What [`Pool::remark`] has written, in this session or an earlier one.
    pub async fn remarked(&self, template: &Template) -> Option<String> {
        if !template.lasts() {
            return None;
        }
        let mut connection = self.take().await.ok()?;
        let query = sqlx::query_scalar::<_, Option<String>>(REMARK).bind(&template.name);
        let found = query.fetch_optional(&mut connection).await.ok()?;
        self.put(connection);
        found.flatten()
    }

    /// Writes down something about a template in place of what was there; nothing where it ends with this session.
    pub async fn remark(&self, template: &Template, text: &str) {
        if !template.lasts() {
            return;
        }
        let Ok(mut connection) = self.take().await else { return };
        let text = text.replace('\'', "''");
        let sql = format!("comment on database \"{}\" is '{text}'", template.name);
        if order(&mut connection, &sql).await.is_ok() {
            self.put(connection);
        }
    }
}
