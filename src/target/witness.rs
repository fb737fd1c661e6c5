//! Whether a database is as it was when it was cloned, without going there: to connect and to read its catalog costs the
//! server more than all else that is asked of it.
//!
//! Postgres counts the rows that are inserted, updated and deleted in a database, in its catalogs too and whatever came of
//! the transaction; a session that ends adds its share before it is gone. So where nobody is any more and nothing is
//! counted, every row and definition is as it was. Not counted are what is kept outside of databases: owner, rights,
//! settings and prepared transactions, which are asked for with the counts; and next values of sequences. But who takes
//! one reads the block that it is in, and the first block that is read of a relation makes its counters.
//!
//! A server that crashes forgets its counts. So it is a witness who is asked, a connection that has been there since before
//! the first clone: a crash ends it, and then nothing is known any more. Nor is it before Postgres 15, where counts came by
//! another process and late, nor on a server of somebody else, where they may be reset.

use super::cluster::connect;
use super::pool::Pool;
use super::presence::names;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use tokio::sync::Mutex;

/// A connection that saw all that was ever counted of the clones of a pool.
#[derive(Debug, Default)]
pub(super) struct Witness(Mutex<Seen>);

#[derive(Debug, Default)]
enum Seen {
    #[default]
    Nothing,
    All(Box<PgConnection>),
    /// Where counts prove nothing, or the witness is gone.
    Unknown,
}

const UNTOUCHED: &str = "select d.datname::text from pg_database d \
    where d.datname = any($1) and pg_stat_get_db_tuples_inserted(d.oid) = 0 \
    and pg_stat_get_db_tuples_updated(d.oid) = 0 and pg_stat_get_db_tuples_deleted(d.oid) = 0 \
    and d.datacl is null and d.datconnlimit = -1 and d.datdba::regrole::text = quote_ident($2) \
    and not exists (select from pg_db_role_setting where setdatabase = d.oid) \
    and not exists (select from pg_prepared_xacts p where p.database = d.datname)";

// The number is an oid for some versions, and an int8 for others: an int8 is taken for either.
const UNREAD: &str = "select not bool_or(pg_stat_have_stats('relation', d.oid, number)) \
    from pg_database d, unnest($2::int8[]) number where d.datname = $1";

impl Pool {
    /// Which of these clones nobody has written to since they were made, next values of sequences left aside. Nobody but
    /// ourselves may be connected to them. Without a witness there are none.
    pub async fn untouched(&self, clones: &[&str]) -> BTreeSet<String> {
        let mut seen = self.witness.0.lock().await;
        let Seen::All(connection) = &mut *seen else { return BTreeSet::new() };
        let query = sqlx::query_scalar(UNTOUCHED).bind(names(clones)).bind(self.cluster().tool_role());
        match query.fetch_all(&mut **connection).await {
            Ok(found) => found.into_iter().collect(),
            Err(_) => {
                *seen = Seen::Unknown;
                BTreeSet::new()
            }
        }
    }

    /// Whether nobody has read or written a block of these relations of a clone, by their object ids. Nobody but ourselves
    /// may be connected to it, and where we have read them, we count too. Without a witness nobody knows: false.
    pub async fn are_unread(&self, clone: &str, relations: &[i64]) -> bool {
        let mut seen = self.witness.0.lock().await;
        let Seen::All(connection) = &mut *seen else { return false };
        let query = sqlx::query_scalar::<_, Option<bool>>(UNREAD).bind(clone).bind(relations);
        match query.fetch_one(&mut **connection).await {
            Ok(unread) => unread.unwrap_or(false),
            Err(_) => {
                *seen = Seen::Unknown;
                false
            }
        }
    }

    /// Before a database is made: from here on it sees what is counted.
    pub(super) async fn call_witness(&self) {
        let mut seen = self.witness.0.lock().await;
        if matches!(*seen, Seen::Nothing) {
            let counts = self.cluster().is_ours() && self.major() >= 15;
            let called = if counts { connect(&self.aside()).await.ok() } else { None };
            *seen = called.map_or(Seen::Unknown, |connection| Seen::All(Box::new(connection)));
        }
    }
}
