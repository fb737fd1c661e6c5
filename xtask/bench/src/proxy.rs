//! What it costs to come through the proxy.

use super::ground::Ground;
use super::line::Line;
use rehearsal::engine::proxy::{Proxy, ProxyRules};
use rehearsal::{Error, Result};

const TRIPS: usize = 3000;
/// What a round trip may cost more, in microseconds.
const ALLOWED_US: f64 = 60.0;

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    let database = ground.narrow("proxied", "select 1")?;
    let (socket, port) = ground.cluster().socket();
    let upstream = socket.join(format!(".s.PGSQL.{port}"));
    let proxy = ground.runtime.block_on(Proxy::start("pg.bench", upstream, ProxyRules::default()))?;
    let trips = ground.dir.path().join("trips.sql");
    std::fs::write(&trips, "select 1;\n".repeat(TRIPS)).map_err(|error| Error::io("write", &trips, error))?;
    let lines = vec![copied(ground, &proxy, database.name())?, trip(ground, &proxy, database.name())?];
    ground.runtime.block_on(proxy.sever());
    Ok(lines)
}

fn through(ground: &Ground, proxy: &Proxy, database: &str, script: &str) -> Result<f64> {
    let (port, cluster) = (proxy.port().to_string(), ground.cluster());
    let env = [
        ("S", database),
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", port.as_str()),
        ("PGUSER", cluster.tool_role()),
        ("PGPASSWORD", cluster.tool_password()),
    ];
    let seconds = ground.sh(script, &env, &[0])?;
    drop(proxy.take_trace()); // it would grow
    Ok(seconds)
}

fn copied(ground: &Ground, proxy: &Proxy, database: &str) -> Result<Line> {
    let script = "psql -q -d $S -c 'copy narrow to stdout (format binary)' > /dev/null";
    let ours = || through(ground, proxy, database, script);
    let theirs = || ground.sh(script, &[("S", database)], &[0]);
    let what = ("", "psql copy through the proxy", "psql copy, direct", 1.05);
    Line::paired(what, ground.rounds, ours, theirs)
}

/// Microseconds more per round trip, of those that are allowed.
fn trip(ground: &Ground, proxy: &Proxy, database: &str) -> Result<Line> {
    let script = "psql -q -d $S -f trips.sql > /dev/null";
    let ours = || {
        let proxied = through(ground, proxy, database, script)?;
        let direct = ground.sh(script, &[("S", database)], &[0])?;
        Ok((proxied - direct).max(0.0) * 1e6 / TRIPS as f64)
    };
    let what = ("", "a round trip through the proxy, microseconds more than direct", "60 microseconds", 1.0);
    Line::paired(what, ground.rounds, ours, || Ok(ALLOWED_US))
}
