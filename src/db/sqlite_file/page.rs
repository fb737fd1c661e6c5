//! One page of a tree, and the cells in it.

use super::pages::{Window, u16_at, u32_at};
use super::{Flaw, Pages, varint};

/// What a tree holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rows, by their rowid.
    Table,
    /// Entries in the order of their values: an index, or a table without a rowid.
    Index,
}

/// See the module. Used again for page after page.
#[derive(Default)]
pub(super) struct Page {
    number: u32,
    bytes: Vec<u8>,
    usable: usize,
    kind: Option<Kind>,
    pub(super) is_leaf: bool,
    pub(super) cells: usize,
    /// Where its header begins.
    header: usize,
    /// Where what it holds begins.
    content: usize,
    /// From here to the end every byte belongs to a cell.
    floor: usize,
    /// A bit for each byte before it that belongs to something, once there are gaps.
    taken: Vec<u64>,
    has_gaps: bool,
    taken_bytes: usize,
    /// The one that was gone to.
    pub(super) cell: Cell,
}

/// One cell. What it does not have is zero.
#[derive(Default)]
pub(super) struct Cell {
    /// The page that holds what comes before it.
    pub(super) left: u32,
    pub(super) rowid: i64,
    /// Of the whole entry.
    pub(super) length: usize,
    /// What of it is in the page.
    begin: usize,
    end: usize,
    /// The page with the rest.
    pub(super) overflow: u32,
}

impl Page {
    /// Reads it; the cells are checked as they are asked for.
    pub(super) fn load(&mut self, pages: &Pages, window: &mut Window, number: u32, kind: Kind) -> Result<(), Flaw> {
        self.bytes.resize(pages.size, 0);
        window.read(pages, number, &mut self.bytes)?;
        self.header = if number == 1 { 100 } else { 0 };
        let flag = self.bytes[self.header];
        let (is_kind, is_leaf) = match (flag, kind) {
            (5 | 13, Kind::Table) | (2 | 10, Kind::Index) => (true, flag > 8),
            _ => (false, false),
        };
        (self.number, self.usable, self.kind, self.is_leaf) = (number, pages.usable, Some(kind), is_leaf);
        if !is_kind {
            return Err(self.flaw(format!("it is of kind {flag}, which does not belong here")));
        }
        self.cells = u16_at(&self.bytes, self.header + 3);
        self.content = match u16_at(&self.bytes, self.header + 5) {
            0 => 1 << 16,
            content => content,
        };
        self.taken.clear();
        self.taken.resize(self.usable.div_ceil(64), 0);
        (self.taken_bytes, self.floor, self.has_gaps) = (0, self.usable, false);
        let is_in_order = self.pointers() + 2 * self.cells <= self.content && self.content <= self.usable;
        let has_cells = self.cells > 0 || number == 1 || self.is_leaf;
        match is_in_order && has_cells {
            true => Ok(()),
            false => Err(self.flaw("its header is not in order")),
        }
    }

    fn pointers(&self) -> usize {
        self.header + if self.is_leaf { 8 } else { 12 }
    }

    /// The page that holds what comes after all cells.
    pub(super) fn right(&self) -> u32 {
        u32_at(&self.bytes, self.header + 8)
    }

    /// What of the entry is in the page.
    #[inline]
    pub(super) fn local_bytes(&self) -> &[u8] {
        &self.bytes[self.cell.begin..self.cell.end]
    }

    /// Goes to the cell at `index`; each must be gone to once.
    #[inline]
    pub(super) fn go_to(&mut self, index: usize) -> Result<(), Flaw> {
        let begin = u16_at(&self.bytes, self.pointers() + 2 * index);
        if begin < self.content || begin + 4 > self.usable {
            return Err(self.flaw(format!("cell {index} begins at {begin}")));
        }
        let Some(end) = self.parse(begin) else {
            return Err(self.flaw(format!("cell {index} extends off the page")));
        };
        self.take(begin, end.max(begin + 4))
    }

    /// Where the cell that begins there ends. What it has is written where it stays: handing it over took longer than
    /// finding it.
    #[inline]
    fn parse(&mut self, begin: usize) -> Option<usize> {
        let (bytes, mut at) = (&self.bytes[..self.usable], begin);
        if !self.is_leaf {
            self.cell.left = u32_at(bytes, at); // a cell has four bytes at least
            at += 4;
        }
        let is_table = self.kind == Some(Kind::Table);
        let mut length = 0;
        if self.is_leaf || !is_table {
            let (number, taken) = varint(&bytes[at..])?;
            length = usize::try_from(number).ok()?;
            at += taken;
        }
        if is_table {
            let (number, taken) = varint(bytes.get(at..)?)?;
            self.cell.rowid = number as i64;
            at += taken;
        }
        let local = self.local(length);
        let end = at + local;
        self.cell.length = length;
        (self.cell.begin, self.cell.end, self.cell.overflow) = (at, end, 0);
        if local == length {
            return (end <= self.usable).then_some(end);
        }
        self.cell.overflow = u32::from_be_bytes(bytes.get(end..end + 4)?.try_into().ok()?);
        Some(end + 4)
    }

    /// How much of an entry of this length is in the page.
    #[inline]
    fn local(&self, length: usize) -> usize {
        let most = match self.kind {
            Some(Kind::Table) => self.usable - 35,
            _ => (self.usable - 12) * 64 / 255 - 23,
        };
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fits = least + (length - least) % (self.usable - 4);
        if fits <= most { fits } else { least }
    }

    /// Bytes that nothing else may have. Where each cell ends where the one before it begins, as when rows only came,
    /// no bit is needed.
    #[inline]
    fn take(&mut self, begin: usize, end: usize) -> Result<(), Flaw> {
        self.taken_bytes += end - begin;
        if end == self.floor && !self.has_gaps {
            self.floor = begin;
            return Ok(());
        }
        self.has_gaps = true;
        match end <= self.floor && self.mark(begin, end) {
            true => Ok(()),
            false => Err(self.flaw(format!("the bytes at {begin} belong to two cells"))),
        }
    }

    #[inline]
    fn mark(&mut self, begin: usize, end: usize) -> bool {
        let (first, last) = (begin / 64, (end - 1) / 64);
        let (head, tail) = (u64::MAX << (begin % 64), u64::MAX >> (63 - (end - 1) % 64));
        if first == last {
            return self.mark_word(first, head & tail);
        }
        let between = (first + 1..last).all(|word| self.mark_word(word, u64::MAX));
        let (head, tail) = (self.mark_word(first, head), self.mark_word(last, tail));
        between && head && tail
    }

    #[inline]
    fn mark_word(&mut self, word: usize, bits: u64) -> bool {
        let is_free = self.taken[word] & bits == 0;
        self.taken[word] |= bits;
        is_free
    }

    /// Once every cell was asked for: what is free in it.
    pub(super) fn finish(&mut self) -> Result<(), Flaw> {
        let mut free = u16_at(&self.bytes, self.header + 1);
        while free != 0 {
            if free < self.content || free + 4 > self.usable {
                return Err(self.flaw(format!("free bytes begin at {free}")));
            }
            let (next, length) = (u16_at(&self.bytes, free), u16_at(&self.bytes, free + 2));
            if length < 4 || (next != 0 && next < free + length) {
                return Err(self.flaw("its free bytes are not in order"));
            }
            self.take(free, free + length)?;
            free = next;
        }
        let (fragments, said) =
            (self.usable - self.content - self.taken_bytes, usize::from(self.bytes[self.header + 7]));
        match fragments == said {
            true => Ok(()),
            false => Err(self.flaw(format!("{fragments} bytes of it are in fragments, and it says {said}"))),
        }
    }

    pub(super) fn flaw(&self, what: impl std::fmt::Display) -> Flaw {
        Flaw::found(format!("page {}: {what}", self.number))
    }
}
