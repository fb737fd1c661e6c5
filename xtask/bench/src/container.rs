//! Containers: what we add to what testcontainers alone costs, and databases inside of one. Needs the feature `docker`.

use super::ground::Ground;
use super::line::{Line, What};
use rehearsal::Result;

const START: What<'static> = ("", "a container to the first query", "testcontainers alone", 1.05);
const DATABASE: What<'static> = ("G2", "fresh database inside a container", "on a server of this machine", 1.25);

pub(crate) fn lines(ground: &Ground) -> Result<Vec<Line>> {
    match measured::lines(ground) {
        Err(why) => Ok([START, DATABASE].map(|what| Line::missing(what, &why.to_string())).into()),
        lines => lines,
    }
}

#[cfg(not(feature = "docker"))]
mod measured {
    use super::{Ground, Line, Result};
    use rehearsal::Error;

    pub(super) fn lines(_: &Ground) -> Result<Vec<Line>> {
        Err(Error::environment("a build with --docker"))
    }
}

#[cfg(feature = "docker")]
mod measured {
    use super::{DATABASE, Ground, Line, Result, START};
    use crate::cluster::cloned;
    use rehearsal::Error;
    use rehearsal::clock::Stopwatch;
    use rehearsal::db::{Dsn, postgres};
    use rehearsal::target::{Cluster, Pool, Provider, Site, Wanted};
    use testcontainers::runners::AsyncRunner as _;
    use testcontainers::{ContainerAsync, ImageExt as _, TestcontainersError};
    use testcontainers_modules::postgres::Postgres;

    /// The image that the tests take too.
    const IMAGE: &str = "REHEARSE_PG_IMAGE";

    pub(super) fn lines(ground: &Ground) -> Result<Vec<Line>> {
        let image = std::env::var(IMAGE).map_err(|_| Error::environment(format!("an image, in {IMAGE}")))?;
        let start = Line::paired(START, ground.rounds, || ours(ground, &image), || theirs(ground, &image))?;
        let cluster = ground.runtime.block_on(begin(ground, &image))?;
        let pool = Pool::new(&cluster, ground.session.id());
        let inside = || ground.runtime.block_on(cloned(&pool));
        let here = || ground.runtime.block_on(cloned(&ground.pool));
        Ok(vec![start, Line::paired(DATABASE, ground.rounds.max(9), inside, here)?])
    }

    async fn begin(ground: &Ground, image: &str) -> Result<Cluster> {
        let wanted = Wanted { provider: Provider::Docker, major: None, image: Some(image.to_owned()) };
        Site::new(ground.session.base().clone(), wanted).join(&ground.session).await
    }

    fn ours(ground: &Ground, image: &str) -> Result<f64> {
        let watch = Stopwatch::start();
        let cluster = ground.runtime.block_on(async {
            let cluster = begin(ground, image).await?;
            postgres::connect(&cluster.aside()).await.map(|_| cluster)
        })?;
        let seconds = watch.elapsed().as_secs_f64();
        drop(cluster); // and the container with it
        Ok(seconds)
    }

    fn theirs(ground: &Ground, image: &str) -> Result<f64> {
        let failed = |error| Error::environment("testcontainers").caused_by(error);
        ground.runtime.block_on(async {
            let watch = Stopwatch::start();
            let container = plain(image).await.map_err(failed)?;
            let port = container.get_host_port_ipv4(5432).await.map_err(failed)?;
            let dsn = Dsn::parse(&format!("postgres://postgres:postgres@127.0.0.1:{port}/postgres"))?;
            postgres::connect(&dsn.options()).await?;
            let seconds = watch.elapsed().as_secs_f64();
            container.rm().await.map_err(failed)?;
            Ok(seconds)
        })
    }

    async fn plain(image: &str) -> std::result::Result<ContainerAsync<Postgres>, TestcontainersError> {
        let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
        Postgres::default().with_name(name).with_tag(tag).start().await
    }
}
