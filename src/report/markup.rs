//! HTML as text: escaping, and the few shapes that a page consists of.

use crate::model::Verdict;
use std::fmt::Write as _;

/// `text` for the inside of an element or of a quoted attribute; what cannot be shown is spelled out.
pub(super) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{200a}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{d7ff}' => {
                html.push(c);
            }
            // Controls, and marks that turn the direction of what follows.
            _ => drop(write!(html, "\\u{{{:x}}}", u32::from(c))), // a string takes everything
        }
    }
    html
}

/// What can be the name of an anchor.
pub(super) fn anchor(text: &str) -> String {
    text.chars()
        .fold("at-".to_owned(), |anchor, c| anchor + &if c.is_ascii_alphanumeric() { c } else { '-' }.to_string())
}

/// A verdict as a coloured word with a sign: colour is never alone.
pub(super) fn badge(verdict: Verdict, word: &str) -> String {
    format!("<b class=\"{verdict}\">{} {}</b>", sign(verdict), escape(word))
}

/// A sign that differs in shape.
pub(super) fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "\u{2713}",
        Verdict::Unknown => "?",
        Verdict::Fail => "\u{2717}",
    }
}

/// A table with a caption; cells are HTML already.
pub(super) fn table(caption: &str, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let breakable = |head: &str| escape(head).replace('.', ".<wbr>").replace(',', ",<wbr>");
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{}</th>", breakable(head))).collect();
    let row = |cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = rows.into_iter().map(row).collect();
    let caption = escape(caption);
    format!(
        "<table border=\"1\" cellpadding=\"4\" cellspacing=\"0\"><caption align=\"left\">{caption}</caption>\n\
             <thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n"
    )
}

/// Where the numbers of the first screen begin; approvals come before them.
pub(super) const FACTS: &str = "<div class=\"facts\">";

/// Colours in light and dark, each 4.5 to 1 on its ground at least; on paper always light.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1f2328;--ground:#fff;--line:#d0d7de;--soft:#f6f8fa;--dim:#57606a;--link:#0550ae;\
--pass:#116329;--fail:#a40e26;--unknown:#7d4e00}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6edf3;--ground:#0d1117;--line:#3d444d;--soft:#161b22;\
--dim:#9da7b3;--link:#79c0ff;--pass:#56d364;--fail:#ff7b72;--unknown:#e3b341}}
body{margin:0 auto;padding:12px 24px;max-width:1280px;box-sizing:border-box;background:var(--ground);color:var(--ink);\
font:14px/1.4 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
a{color:var(--link)}h1{font-size:30px;margin:0}h2{font-size:17px;margin:20px 0 6px}h3{font-size:14px;margin:14px 0 4px}
.pass{color:var(--pass)}.fail{color:var(--fail)}.unknown{color:var(--unknown)}.dim{color:var(--dim)}
.head{display:flex;gap:24px;align-items:baseline;flex-wrap:wrap;border-bottom:2px solid var(--line);padding-bottom:8px}
.facts{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin:12px 0}
.fact{border:1px solid var(--line);border-radius:6px;padding:8px 12px;background:var(--soft)}.fact b{font-size:24px;display:block}
table{border-collapse:collapse;border:0;width:100%;margin:4px 0 12px}caption{font-weight:600;padding:2px 0;text-align:left}
th,td{border:1px solid var(--line);padding:3px 8px;text-align:left;vertical-align:top}th{background:var(--soft)}
td{overflow-wrap:anywhere}#criteria+table td:nth-child(-n+2){white-space:nowrap}#criteria+table td:last-child{min-width:11em}.pass,.fail,.unknown{white-space:nowrap}.matrix td,.matrix th{padding:3px 5px}.matrix td:first-child{min-width:14em}.matrix td:nth-child(2){overflow-wrap:break-word}\
code,pre{font:12px/1.45 ui-monospace,'DejaVu Sans Mono',Menlo,monospace}
pre{background:var(--soft);border:1px solid var(--line);padding:8px;white-space:pre-wrap;overflow-wrap:anywhere}
svg{width:100%;height:auto}summary{cursor:pointer}
@page{size:A4;margin:14mm}@media print{body{padding:0;font-size:11px}h2,h3,caption{break-after:avoid}.matrix table{font-size:9px}.matrix td,.matrix th{padding:2px 3px}.matrix td:first-child{min-width:9em}tr,pre{break-inside:avoid}\
.facts{gap:6px}.fact b{font-size:17px}}
";
