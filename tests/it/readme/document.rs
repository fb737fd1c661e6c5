//! Markdown as far as the documents use it: fenced blocks, the comments above them, links, headings.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Document {
    /// From the root.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
}

pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
    /// Of its first fence, from 1.
    pub(super) line: usize,
    /// `key: value` of the comments right above it.
    directives: Vec<String>,
}

impl Block {
    /// The value of `<!-- key: value -->`.
    pub(super) fn directive(&self, key: &str) -> Option<&str> {
        self.directives.iter().find_map(|text| text.strip_prefix(key)?.strip_prefix(": "))
    }

    /// Whether there is `<!-- word -->`.
    pub(super) fn has(&self, word: &str) -> bool {
        self.directives.iter().any(|text| text == word)
    }

    pub(super) fn is_run(&self) -> bool {
        self.language == "sh" && self.directive("file").is_none()
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `README.md` and all of `docs/`.
pub(super) fn documents() -> Vec<Document> {
    let docs = super::files(&root().join("docs"));
    let docs = docs.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    [root().join("README.md")].into_iter().chain(docs).map(read).collect()
}

fn read(path: PathBuf) -> Document {
    let text = fs::read_to_string(&path).unwrap();
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    Document { blocks: blocks(&text), name, path, text }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut directives = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            directives.push(comment.to_owned());
        } else if let Some(language) = line.strip_prefix("```") {
            let body: String = lines
                .by_ref()
                .map(|(line, _)| line)
                .take_while(|line| *line != "```")
                .flat_map(|line| [line, "\n"])
                .collect();
            let directives = std::mem::take(&mut directives);
            blocks.push(Block { language: language.to_owned(), text: body, line: number, directives });
        } else {
            directives.clear();
        }
    }
    blocks
}

impl Document {
    /// What is outside of blocks.
    pub(super) fn prose(&self) -> String {
        let mut inside = false;
        let mut is_prose = |line: &&str| {
            let fence = line.starts_with("```");
            inside ^= fence;
            !inside && !fence
        };
        self.text.lines().filter(|line| is_prose(line)).flat_map(|line| [line, "\n"]).collect()
    }

    /// The targets of all links.
    pub(super) fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let targets = prose.split("](").skip(1);
        targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
    }
}

/// The anchors of a document's headings.
pub(super) fn headings(text: &str) -> Vec<String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || *c == '-' || *c == ' ';
    let anchor = |line: &str| {
        let title: String = line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect();
        title.replace(' ', "-")
    };
    titles.map(anchor).collect()
}
