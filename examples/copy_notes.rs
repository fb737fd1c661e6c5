//! A migration of notes from one SQLite file to another, as somebody else would write it: `copy_notes OLD NEW [BUG]`.
//!
//! The tests rehearse it; `BUG` is one of `loses-a-note`, `marks-the-source`.

use rusqlite::{Connection, Result, params};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bug = arguments.get(2).map(String::as_str);
    let mut new = Connection::open(&arguments[1])?;
    new.execute("attach ?1 as source", params![arguments[0]])?;
    let transaction = new.transaction()?;
    transaction.execute_batch(
        "delete from main.notes; delete from main.notebooks;
         insert into main.notebooks select * from source.notebooks;
         insert into main.notes select * from source.notes;",
    )?;
    match bug {
        Some("loses-a-note") => {
            transaction.execute_batch("delete from main.notes where id = (select max(id) from main.notes)")?
        }
        Some("marks-the-source") => {
            transaction.execute_batch("create table if not exists source.moved (id integer)")?
        }
        _ => {}
    }
    transaction.commit()
}
