//! The second and third wall against secrets: a filter on what children say, and a scan of what is about to be sealed.
//!
//! The filter gives the same bytes however the stream is cut into chunks. It masks the secrets that are known, in
//! their usual encodings, and then what looks like a secret: passwords in URLs, PEM private keys, `password=`.
//! Not found: a secret that is compressed, encrypted, encoded twice, or broken by newlines inside its base64.

mod secrets;
mod shapes;

use crate::error::{Error, Result};
use secrets::Secrets;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shapes::Shapes;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stands in the place of a secret.
pub const MASK: &[u8] = b"***";

/// Secrets shorter than this are not looked for: masking `1` everywhere would leave no evidence.
pub const MIN_SECRET_BYTES: usize = 4;

/// Knows the secrets of a run. It never shows them.
#[derive(Clone)]
pub struct Redactor {
    secrets: Arc<Secrets>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// A redactor of these values; those under [`MIN_SECRET_BYTES`] are left out.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Redactor {
        Redactor { secrets: Arc::new(Secrets::new(secrets)) }
    }

    /// `text` with every secret masked.
    pub fn mask(&self, text: &[u8]) -> Vec<u8> {
        let mut filter = self.filter();
        let mut masked = filter.push(text);
        masked.extend(filter.finish());
        masked
    }

    /// `value` with every secret in its texts and keys masked.
    pub fn mask_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.mask_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Value::Object(map) => {
                map.values_mut().for_each(|item| self.mask_json(item));
                *map = std::mem::take(map).into_iter().map(|(key, item)| (self.mask_text(&key), item)).collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn mask_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.mask(text.as_bytes())).into_owned()
    }

    /// `value` without secrets; nothing where it has none. `json` are its canonical bytes.
    ///
    /// # Errors
    /// A bug: without them it is no such value any more.
    pub fn masked<T: Serialize + DeserializeOwned>(&self, value: &T, json: &[u8]) -> Result<Option<T>> {
        if self.find(json).is_empty() {
            return Ok(None);
        }
        let bug = |error| Error::bug("a value that cannot be masked").caused_by(error);
        let mut masked = serde_json::to_value(value).map_err(bug)?;
        self.mask_json(&mut masked);
        serde_json::from_value(masked).map(Some).map_err(bug)
    }

    /// A filter for one stream.
    pub fn filter(&self) -> Filter {
        Filter { known: Stream::new(Arc::clone(&self.secrets)), shaped: Stream::new(Shapes) }
    }

    /// Where in `text` a secret begins, in bytes, ascending. `password=` is not a hit: a column may be called so.
    pub fn find(&self, text: &[u8]) -> Vec<usize> {
        let mut found = positions(&*self.secrets, text);
        found.extend(positions(&Shapes, text));
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Masks one stream, chunk by chunk.
pub struct Filter {
    known: Stream<Arc<Secrets>>,
    shaped: Stream<Shapes>,
}

impl Filter {
    /// Takes the next bytes and gives those that are safe to show. A possible beginning of a secret is held back.
    #[must_use]
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let known = self.known.push(chunk, false);
        self.shaped.push(&known, false)
    }

    /// The end of the stream: what was held back.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let known = self.known.push(&[], true);
        self.shaped.push(&known, true)
    }
}

/// A secret in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The file.
    pub file: PathBuf,
    /// Where the secret begins, in bytes.
    pub offset: u64,
}

/// Every secret in the regular files under `dir`, sorted by file and offset.
///
/// # Errors
/// The environment: a file or directory cannot be read.
pub fn scan(dir: &Path, redactor: &Redactor) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).map_err(|e| Error::io("list", &dir, e))? {
            let entry = entry.map_err(|e| Error::io("list", &dir, e))?;
            let (file, kind) = (entry.path(), entry.file_type().map_err(|e| Error::io("list", &dir, e))?);
            if kind.is_dir() {
                dirs.push(file);
            } else if kind.is_file() {
                let text = fs::read(&file).map_err(|e| Error::io("read", &file, e))?;
                hits.extend(redactor.find(&text).into_iter().map(|at| Hit { file: file.clone(), offset: at as u64 }));
            }
        }
    }
    hits.sort();
    Ok(hits)
}

/// Masks what [`scan`] finds, in place, but not in `spared`, a file of `dir` that must not change. Gives all that it found.
///
/// # Errors
/// The environment: a file or directory cannot be read or written.
pub fn mask_files(dir: &Path, redactor: &Redactor, spared: &str) -> Result<Vec<Hit>> {
    let hits = scan(dir, redactor)?;
    let mut files: Vec<&PathBuf> = hits.iter().map(|hit| &hit.file).filter(|file| **file != dir.join(spared)).collect();
    files.dedup();
    for file in files {
        let text = fs::read(file).map_err(|e| Error::io("read", file, e))?;
        fs::write(file, redactor.mask(&text)).map_err(|e| Error::io("mask a secret in", file, e))?;
    }
    Ok(hits)
}

/// What a pattern says of the bytes at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Nothing begins here.
    No,
    /// It depends on bytes that are not here yet.
    More,
    /// A secret: `keep` bytes are shown, and what follows until `until` is masked.
    Secret { keep: usize, until: Until, certain: bool },
}

/// Where a secret ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// After so many bytes.
    Length(usize),
    /// Before this quote, or the end of the line.
    Quote(u8),
    /// Before the end of a word.
    Word,
    /// Before `-----END `.
    PemEnd,
}

/// Something that recognises secrets. Its answers depend on the bytes alone, so that chunks do not matter: while more
/// bytes could change an answer, it is [`At::More`], unless `last` says that there are none.
trait Pattern {
    fn at(&self, text: &[u8], last: bool) -> At;

    /// Whether something may begin with these two bytes; the quick answer, because almost nowhere does anything begin.
    fn may_begin(&self, first: u8, second: Option<u8>) -> bool;

    /// How many bytes at the beginning of `text` are surely none of a secret's.
    fn plain_bytes(&self, text: &[u8]) -> usize {
        let mut at = 0;
        while at < text.len() && !self.may_begin(text[at], text.get(at + 1).copied()) {
            at += 1;
        }
        at
    }
}

impl<P: Pattern + ?Sized> Pattern for Arc<P> {
    fn at(&self, text: &[u8], last: bool) -> At {
        (**self).at(text, last)
    }

    fn may_begin(&self, first: u8, second: Option<u8>) -> bool {
        (**self).may_begin(first, second)
    }
}

struct Stream<P> {
    pattern: P,
    held: Vec<u8>,
    until: Option<Until>,
}

impl<P: Pattern> Stream<P> {
    fn new(pattern: P) -> Stream<P> {
        Stream { pattern, held: Vec::new(), until: None }
    }

    fn push(&mut self, chunk: &[u8], last: bool) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(chunk);
        let (mut shown, mut at) = (Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let rest = &text[at..];
            if let Some(until) = self.until {
                let (gone, ended) = until.swallow(rest, last);
                at += gone;
                if !ended {
                    break;
                }
                self.until = None;
                continue;
            }
            let plain = self.pattern.plain_bytes(rest);
            if plain > 0 {
                shown.extend_from_slice(&rest[..plain]);
                at += plain;
                continue;
            }
            match self.pattern.at(rest, last) {
                At::No => {
                    shown.push(rest[0]);
                    at += 1;
                }
                At::More => break,
                At::Secret { keep, until, .. } => {
                    shown.extend_from_slice(&rest[..keep]);
                    shown.extend_from_slice(MASK);
                    at += keep;
                    self.until = Some(until);
                }
            }
        }
        self.held = text.split_off(at);
        shown
    }
}

impl Until {
    /// How many bytes of `text` belong to the secret, and whether it ends there.
    fn swallow(self, text: &[u8], last: bool) -> (usize, bool) {
        let end = match self {
            Until::Length(length) => return (length.min(text.len()), true),
            Until::Quote(quote) => text.iter().position(|byte| *byte == quote || *byte == b'\n'),
            Until::Word => text.iter().position(|byte| shapes::ends_word(*byte)),
            // Keys hold no quotes and no tags: one that is cut off must not take the rest of a JSON or XML text along.
            Until::PemEnd => {
                let foreign = text.iter().position(|byte| b"\"'<>`".contains(byte));
                shapes::find(text, shapes::PEM_END).into_iter().chain(foreign).min()
            }
        };
        match (end, self) {
            (Some(end), _) => (end, true),
            (None, Until::PemEnd) if !last => (text.len().saturating_sub(shapes::PEM_END.len() - 1), false),
            (None, _) => (text.len(), false),
        }
    }
}

/// Where certain secrets begin; those that are masked already are none.
fn positions(pattern: &impl Pattern, text: &[u8]) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() {
        at += pattern.plain_bytes(&text[at..]);
        if at == text.len() {
            break;
        }
        match pattern.at(&text[at..], true) {
            At::Secret { keep, until, certain } => {
                let begin = at + keep;
                let length = until.swallow(&text[begin..], true).0;
                let masked = text[begin..begin + length].trim_ascii() == MASK;
                found.extend((certain && !masked).then_some(begin));
                at = (begin + length).max(at + 1);
            }
            At::No | At::More => at += 1,
        }
    }
    found
}
