//! Both databases, read side by side.

use super::options::Engine;
use super::place::{Place, Side};
use super::read::{Reading, Sink};
use super::table::Which;
use crate::Result;
use crate::db::TableShape;

/// The two places and what is open of them.
pub(super) struct Sides {
    source: Open,
    target: Open,
}

struct Open {
    place: Place,
    side: Option<Side>,
}

impl Sides {
    /// Connects to both.
    pub(super) async fn open(source: &Place, target: &Place) -> Result<Sides> {
        let (source, target) = tokio::try_join!(Open::new(source), Open::new(target))?;
        Ok(Sides { source, target })
    }

    /// The tables of both.
    pub(super) async fn shapes(&mut self) -> Result<(Vec<TableShape>, Vec<TableShape>)> {
        tokio::try_join!(self.source.shapes(), self.target.shapes())
    }

    pub(super) fn engine(&self, which: Which) -> Engine {
        self.of(which).place.engine()
    }

    /// Reads both at once, each on a thread of its own.
    pub(super) async fn both<S: Sink>(&mut self, readings: [Reading; 2], sinks: [S; 2]) -> Result<[S; 2]> {
        let ([source, target], [one, other]) = (readings, sinks);
        // Both to the end, so that an error of one leaves the other usable.
        let (one, other) = tokio::join!(self.source.read(source, one), self.target.read(target, other));
        Ok([one?, other?])
    }

    /// Reads one.
    pub(super) async fn read<S: Sink>(&mut self, which: Which, reading: Reading, sink: S) -> Result<S> {
        match which {
            Which::Source => self.source.read(reading, sink).await,
            Which::Target => self.target.read(reading, sink).await,
        }
    }

    fn of(&self, which: Which) -> &Open {
        match which {
            Which::Source => &self.source,
            Which::Target => &self.target,
        }
    }
}

impl Open {
    async fn new(place: &Place) -> Result<Open> {
        Ok(Open { place: place.clone(), side: Some(place.open().await?) })
    }

    /// What is open, or opened again: after an error it was dropped.
    async fn take(&mut self) -> Result<Side> {
        match self.side.take() {
            Some(side) => Ok(side),
            None => self.place.open().await,
        }
    }

    async fn shapes(&mut self) -> Result<Vec<TableShape>> {
        let mut side = self.take().await?;
        let shapes = side.shapes().await.map_err(|error| error.within(&self.place))?;
        self.side = Some(side);
        Ok(shapes)
    }

    async fn read<S: Sink>(&mut self, reading: Reading, sink: S) -> Result<S> {
        let side = self.take().await?;
        let (side, sink) = side.read(reading, sink).await.map_err(|error| error.within(&self.place))?;
        self.side = Some(side);
        Ok(sink)
    }
}
