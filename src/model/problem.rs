//! What is wrong in a scenario file, and where: line, column, caret, and what would be right.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

/// One thing that is wrong in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes; empty at the start for what concerns the whole file.
    pub span: Range<usize>,
    /// What would be right.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at `span`.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem { message: message.into(), span, help: None }
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Names what is allowed in place of `found`, the nearest first where one is near.
    pub fn unknown<'a>(
        span: Range<usize>,
        what: &str,
        found: &str,
        allowed: impl IntoIterator<Item = &'a str>,
    ) -> Problem {
        let allowed: Vec<&str> = allowed.into_iter().collect();
        let guess = guess(found, &allowed);
        let list = if allowed.is_empty() { "there are none here".to_owned() } else { allowed.join(", ") };
        Problem::new(span, format!("unknown {what} `{found}`")).help(format!("{guess}allowed: {list}"))
    }
}

/// All `problems` as text with carets, in the order of the file, without colours.
pub fn render(path: &str, text: &str, problems: &[Problem]) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| problem.span.start);
    sorted.iter().map(|problem| render_one(path, text, problem)).collect::<Vec<_>>().join("\n\n")
}

fn render_one(path: &str, text: &str, problem: &Problem) -> String {
    let span = problem.span.start.min(text.len())..problem.span.end.min(text.len());
    let snippet = Snippet::source(text).path(path).annotation(AnnotationKind::Primary.span(span));
    let mut group = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::plain().render(&[group])
}

/// Asks for the nearest of the names, where one is near, and ends with a blank; else nothing.
pub fn guess(found: &str, allowed: &[&str]) -> String {
    let near = allowed.iter().map(|name| (distance(name, found), *name)).filter(|(far, _)| *far <= 2).min();
    near.map_or(String::new(), |(_, name)| format!("did you mean `{name}`? "))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
