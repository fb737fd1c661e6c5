//! The file as pages, and which of them were met.

use super::tree::{Tree, structure};
use super::{Flaw, Kind};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file that nobody writes.
pub(crate) struct Pages {
    file: File,
    /// Bytes of a page.
    pub(super) size: usize,
    /// Those of them that hold something.
    pub(super) usable: usize,
    count: u32,
    /// The first page of the list of free ones, and how many there are.
    free: (u32, u32),
}

const HEADER: usize = 100;
/// A page that holds this byte is not used by SQLite: locks lie there.
const LOCKS: usize = 1 << 30;

impl Pages {
    /// Nothing where it is to be left to SQLite.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Pages>> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut header = [0; HEADER];
        if bytes < HEADER as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0)?;
        Ok(Pages::of(file, bytes, &header))
    }

    fn of(file: File, bytes: u64, header: &[u8; HEADER]) -> Option<Pages> {
        let number = |at: usize| u32_at(header, at);
        let size = match u16_at(header, 16) {
            1 => 1 << 16,
            size => size,
        };
        let is_known = header.starts_with(b"SQLite format 3\0")
            && size.is_power_of_two()
            && size >= 512
            && header[18..20].iter().all(|version| (1..=2).contains(version))
            && header[21..24] == [64, 32, 32];
        // Formats of schemas; no page moves; UTF-8.
        let is_plain = (1..=4).contains(&number(44)) && number(52) == 0 && number(64) == 0 && number(56) == 1;
        if !is_known || !is_plain {
            return None;
        }
        let usable = Some(size - usize::from(header[20])).filter(|usable| *usable >= 480)?;
        let in_file = u32::try_from(bytes / size as u64).ok()?;
        // Old versions of SQLite do not keep the number of pages up to date, and say so by the counter of changes.
        let count = if number(28) > 0 && number(24) == number(92) { number(28) } else { in_file };
        let free = (number(32), number(36));
        (count > 0 && count <= in_file).then_some(Pages { file, size, usable, count, free })
    }

    /// All bytes of a page, or the first of them.
    pub(super) fn read(&self, page: u32, bytes: &mut [u8]) -> Result<(), Flaw> {
        self.file.read_exact_at(bytes, (u64::from(page) - 1) * self.size as u64).map_err(Flaw::io)
    }

    /// No page was met.
    pub(super) fn none_seen(&self) -> Seen {
        Seen(vec![0; self.count as usize / 64 + 1])
    }

    /// Whether a page can be met, for the first time.
    pub(super) fn meet(&self, page: u32, seen: &mut Seen) -> Result<(), Flaw> {
        if page == 0 || page > self.count || page == self.locks() {
            return Err(Flaw::found(format!("there is no page {page}")));
        }
        match seen.add(page) {
            true => Ok(()),
            false => Err(Flaw::found(format!("page {page} is used twice"))),
        }
    }

    /// Whether each page is in one tree, or the schema's, or free. `trees`: what all trees but that of the schema met.
    pub(crate) fn account<'a>(&self, trees: impl IntoIterator<Item = &'a Seen>) -> Result<(), Flaw> {
        let schema = structure(self, Tree { root: 1, kind: Kind::Table })?;
        let all = trees.into_iter().try_fold(schema.and(&self.free()?)?, Seen::and)?;
        match (1..=self.count).find(|page| !all.has(*page) && *page != self.locks()) {
            Some(page) => Err(Flaw::found(format!("page {page} is never used"))),
            None => Ok(()),
        }
    }

    fn free(&self) -> Result<Seen, Flaw> {
        let (mut trunk, expected) = self.free;
        let (mut seen, mut found, mut bytes) = (self.none_seen(), 0, vec![0; self.usable]);
        while trunk != 0 {
            self.meet(trunk, &mut seen)?;
            self.read(trunk, &mut bytes)?;
            let leaves = u32_at(&bytes, 4) as usize;
            let list = bytes[8..].chunks_exact(4).take(leaves);
            if list.len() < leaves {
                return Err(Flaw::found(format!("page {trunk} lists more free pages than it can")));
            }
            found += 1 + leaves as u64;
            list.map(|page| u32_at(page, 0)).try_for_each(|page| self.meet(page, &mut seen))?;
            trunk = u32_at(&bytes, 0);
        }
        match found == u64::from(expected) {
            true => Ok(seen),
            false => Err(Flaw::found(format!("{found} pages are free, and the header says {expected}"))),
        }
    }

    fn locks(&self) -> u32 {
        (LOCKS / self.size) as u32 + 1
    }
}

/// Some pages in a row, read at once: who comes to a page and then to the next one will come to more.
pub(super) struct Window {
    bytes: Vec<u8>,
    /// Those that it has.
    pages: Range<u32>,
    /// After the page that was asked for last.
    next: u32,
}

const WINDOW_BYTES: usize = 1 << 16;

impl Window {
    pub(super) fn new() -> Window {
        Window { bytes: Vec::new(), pages: 0..0, next: 0 }
    }

    /// The bytes of a page.
    pub(super) fn read(&mut self, pages: &Pages, page: u32, bytes: &mut [u8]) -> Result<(), Flaw> {
        if page == self.next && !self.pages.contains(&page) {
            let count = ((WINDOW_BYTES / pages.size) as u32).min(pages.count + 1 - page);
            self.bytes.resize(count as usize * pages.size, 0);
            pages.read(page, &mut self.bytes)?;
            self.pages = page..page + count;
        }
        self.next = page + 1;
        if !self.pages.contains(&page) {
            return pages.read(page, bytes);
        }
        let begin = (page - self.pages.start) as usize * pages.size;
        bytes.copy_from_slice(&self.bytes[begin..begin + pages.size]);
        Ok(())
    }
}

/// The pages that were met: a bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen(Vec<u64>);

impl Seen {
    fn add(&mut self, page: u32) -> bool {
        let (word, bit) = (&mut self.0[page as usize / 64], 1 << (page % 64));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn has(&self, page: u32) -> bool {
        self.0[page as usize / 64] & 1 << (page % 64) != 0
    }

    /// Those of both, which have none in common.
    fn and(mut self, other: &Seen) -> Result<Seen, Flaw> {
        for (place, (mine, theirs)) in self.0.iter_mut().zip(&other.0).enumerate() {
            if *mine & theirs != 0 {
                let page = place * 64 + (*mine & theirs).trailing_zeros() as usize;
                return Err(Flaw::found(format!("page {page} is used twice")));
            }
            *mine |= theirs;
        }
        Ok(self)
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
