//! All entries of a tree, in their order.

use super::page::Page;
use super::pages::{Seen, Window, u32_at};
use super::{Flaw, Kind, Pages};

/// Where a tree begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: u32,
    pub(crate) kind: Kind,
}

/// Gives each entry with its rowid (0 in an index) to `take`, and answers with the pages of the tree.
///
/// # Errors
/// It is not sound, the file cannot be read, or those of `take`.
pub(crate) fn entries(
    pages: &Pages,
    tree: Tree,
    take: impl FnMut(i64, &[u8]) -> Result<(), Flaw>,
) -> Result<Seen, Flaw> {
    walk(pages, tree, Some(take))
}

/// The same for who wants none of them.
///
/// # Errors
/// It is not sound, or the file cannot be read.
pub(crate) fn structure(pages: &Pages, tree: Tree) -> Result<Seen, Flaw> {
    walk(pages, tree, None::<fn(i64, &[u8]) -> Result<(), Flaw>>)
}

struct Walk<'a, F> {
    pages: &'a Pages,
    kind: Kind,
    take: Option<F>,
    window: Window,
    seen: Seen,
    /// Pages that are not needed now.
    spare: Vec<Page>,
    /// An entry that is not in one page.
    whole: Vec<u8>,
    /// The rowid that the next one must be above.
    last: Option<i64>,
}

fn walk<F: FnMut(i64, &[u8]) -> Result<(), Flaw>>(pages: &Pages, tree: Tree, take: Option<F>) -> Result<Seen, Flaw> {
    let (seen, window) = (pages.none_seen(), Window::new());
    let (spare, whole) = (Vec::new(), Vec::new());
    let mut walk = Walk { pages, kind: tree.kind, take, window, seen, spare, whole, last: None };
    walk.descend(tree.root, 1)?;
    Ok(walk.seen)
}

/// As SQLite has it.
const DEEPEST: usize = 20;

impl<F: FnMut(i64, &[u8]) -> Result<(), Flaw>> Walk<'_, F> {
    /// Answers with the height of what is below, which must be the same everywhere.
    fn descend(&mut self, number: u32, depth: usize) -> Result<usize, Flaw> {
        self.pages.meet(number, &mut self.seen)?;
        let mut page = self.spare.pop().unwrap_or_default();
        page.load(self.pages, &mut self.window, number, self.kind)?;
        if depth > DEEPEST || (depth > 1 && page.cells == 0) {
            return Err(page.flaw("nothing is in it, or it is too far down"));
        }
        let mut heights = (usize::MAX, 0);
        let mut below = |walk: &mut Self, child: u32| {
            let height = walk.descend(child, depth + 1)?;
            heights = (heights.0.min(height), heights.1.max(height));
            Ok::<(), Flaw>(())
        };
        for index in 0..page.cells {
            page.go_to(index)?;
            if !page.is_leaf {
                below(self, page.cell.left)?;
            }
            self.entry(&page)?;
        }
        if !page.is_leaf {
            below(self, page.right())?;
        }
        if !page.is_leaf && heights.0 != heights.1 {
            return Err(page.flaw("what is below it is not of one height"));
        }
        page.finish()?;
        self.spare.push(page);
        Ok(heights.1 + 1)
    }

    #[inline]
    fn entry(&mut self, page: &Page) -> Result<(), Flaw> {
        let rowid = page.cell.rowid;
        if self.kind == Kind::Table {
            // Above a leaf there are no rows: the number is the largest that may be on its left.
            let is_above = self.last.is_none_or(|last| rowid > last || (rowid == last && !page.is_leaf));
            if !is_above {
                return Err(page.flaw(format!("rowid {rowid} is not above the one before it")));
            }
            self.last = Some(rowid);
            if !page.is_leaf {
                return Ok(());
            }
        }
        let local = page.local_bytes();
        let is_local = local.len() == page.cell.length;
        if !is_local {
            self.gather(page)?;
        }
        let Some(take) = &mut self.take else { return Ok(()) };
        take(rowid, if is_local { local } else { &self.whole })
    }

    /// Follows an entry over its pages.
    fn gather(&mut self, page: &Page) -> Result<(), Flaw> {
        self.whole.clear();
        self.whole.extend_from_slice(page.local_bytes());
        let (mut next, mut left) = (page.cell.overflow, page.cell.length - self.whole.len());
        let mut bytes = vec![0; self.pages.usable];
        while left > 0 {
            self.pages.meet(next, &mut self.seen)?;
            let here = left.min(self.pages.usable - 4);
            // Who wants no entries needs to know only where the rest is.
            let wanted = if self.take.is_some() { 4 + here } else { 4 };
            self.pages.read(next, &mut bytes[..wanted])?;
            self.whole.extend_from_slice(&bytes[4..wanted]);
            left -= here;
            next = u32_at(&bytes, 0);
        }
        match next {
            0 => Ok(()),
            _ => Err(page.flaw("an entry ends, and a page follows it")),
        }
    }
}
