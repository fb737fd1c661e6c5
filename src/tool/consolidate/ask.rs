//! `health --url`: asks a running application for its three pages; `--url` with a path asks for that one.

use crate::{Error, Result};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const PAGES: [(&str, &str); 3] =
    [("ready", "/readyz"), ("database", "/api/v1/health/database"), ("startup", "/api/v1/health/startup")];
const PATIENCE: Duration = Duration::from_secs(10);

/// What the pages say.
///
/// # Errors
/// Environment: nobody answers. Refused: a page is red; the answers are in the message.
pub(super) fn ask(url: &str) -> Result<Value> {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = match address.find('/') {
        Some(slash) if slash + 1 < address.len() => address.split_at(slash),
        _ => (address.trim_end_matches('/'), ""),
    };
    let pages: Vec<(&str, &str)> = if path.is_empty() { PAGES.to_vec() } else { vec![("page", path)] };
    let mut said = serde_json::Map::new();
    let mut is_green = true;
    for (name, page) in pages {
        let (status, body) = get(host, page)?;
        is_green &= status == 200;
        said.insert(name.to_owned(), json!({ "status": status, "body": body }));
    }
    let said = Value::Object(said);
    match is_green {
        true => Ok(said),
        false => Err(Error::refused(format!("{url} is not well: {said:#}"))),
    }
}

fn get(host: &str, page: &str) -> Result<(u16, Value)> {
    let failed =
        |error: std::io::Error| Error::environment(format!("no answer from http://{host}{page}")).caused_by(error);
    let mut addresses = host.to_socket_addrs().map_err(failed)?;
    let address = addresses.next().ok_or_else(|| Error::environment(format!("{host} is no address")))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    write!(stream, "GET {page} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").map_err(failed)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(failed)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()))))
}
