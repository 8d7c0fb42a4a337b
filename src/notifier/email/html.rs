//! The face of a letter: one table, colours, and everything escaped. No picture and nothing from elsewhere.

use std::fmt::Write as _;

use crate::domain::alert::message::Tone;
use crate::domain::policy::Locale;
use crate::notifier::script::{DETAILED, Entry, Line, Markup, Script, Span};
use crate::notifier::text::tidy;

/// The whole page.
pub(super) fn page(script: &Script) -> String {
    let lang = script.locale.as_str();
    let colour = colour(script.tone);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\"></head>\n\
         <body style=\"font-family:sans-serif;font-size:14px;color:#212121\">\n\
         <h2 style=\"font-size:18px;border-left:6px solid {colour};padding-left:8px\">"
    );
    Html.line(&script.title, &mut out);
    out.push_str("</h2>\n");
    paragraphs(&script.opening, &mut out);
    table(script, &mut out);
    paragraphs(&script.closing, &mut out);
    out.push_str("<p style=\"font-size:12px;color:#757575\">");
    Html.line(&script.footer, &mut out);
    out.push_str("</p>\n</body></html>\n");
    out
}

fn paragraphs(lines: &[Line], out: &mut String) {
    for line in lines {
        out.push_str("<p>");
        Html.line(line, out);
        out.push_str("</p>\n");
    }
}

fn table(script: &Script, out: &mut String) {
    if !script.entries.is_empty() {
        out.push_str("<table cellspacing=\"0\" cellpadding=\"6\" style=\"border-collapse:collapse\">\n");
        let detailed = script.entries.len() <= DETAILED;
        for entry in &script.entries {
            row(entry, detailed, out);
        }
        out.push_str("</table>\n");
    }
    if script.left_out > 0 {
        let _ = match script.locale {
            Locale::En => writeln!(out, "<p>… and {} more</p>", script.left_out),
            Locale::Zh => writeln!(out, "<p>……另有 {} 项</p>", script.left_out),
        };
    }
}

fn row(entry: &Entry, detailed: bool, out: &mut String) {
    let colour = colour(entry.tone);
    let _ = write!(
        out,
        "<tr><td style=\"border-left:4px solid {colour};border-bottom:1px solid #e0e0e0;vertical-align:top\">"
    );
    if detailed {
        Html.line(&entry.head, out);
        for line in &entry.lines {
            out.push_str("<br>\n");
            Html.line(line, out);
        }
    } else {
        linked(&entry.short, entry.link.as_deref(), out);
    }
    out.push_str("</td></tr>\n");
}

/// A line in which the names lead to the console.
fn linked(line: &Line, console: Option<&str>, out: &mut String) {
    for span in line {
        match (span, console.filter(|url| is_web(url))) {
            (Span::Name(_), Some(url)) => {
                let _ = write!(out, "<a href=\"{}\">", escaped(url));
                Html.span(span, out);
                out.push_str("</a>");
            }
            _ => Html.span(span, out),
        }
    }
}

struct Html;

impl Markup for Html {
    fn span(&self, span: &Span, out: &mut String) {
        let _ = match span {
            Span::Own(text) | Span::Moment { shown: text, .. } | Span::Foreign(text) => {
                write!(out, "{}", escaped(text))
            }
            Span::Strong(text) | Span::Name(text) => write!(out, "<b>{}</b>", escaped(text)),
            Span::Code(text) => write!(out, "<code>{}</code>", escaped(text)),
            Span::Link { label, url } if is_web(url) => {
                write!(out, "<a href=\"{}\">{}</a>", escaped(url), escaped(label))
            }
            Span::Link { label, url } => write!(out, "{} {}", escaped(label), escaped(url)),
        };
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in tidy(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            plain => out.push(plain),
        }
    }
    out
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "#2e7d32",
        Tone::Health => "#757575",
        Tone::Info => "#1976d2",
        Tone::Warning => "#f9a825",
        Tone::Critical | Tone::Expired => "#d32f2f",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::{samples, text};

    #[test]
    fn nothing_foreign_becomes_markup() {
        for locale in [Locale::En, Locale::Zh] {
            let script = text::script(&samples::hostile_name(), &samples::setting(locale));
            let page = page(&script);
            for bad in ["</b> [x]", "<!channel", "<at", "<@all>", "href=\"http://e"] {
                assert!(!page.contains(bad), "{bad} in {page}");
            }
            assert!(page.contains("&lt;!channel&gt; &amp; &lt;/b&gt; [x](http://e) *a* | &lt;at"), "{page}");
        }
    }

    #[test]
    fn a_link_that_is_none_of_the_web_is_text() {
        let link = Span::Link { label: "console".into(), url: "javascript:alert(\"1\")".into() };
        let mut out = String::new();
        Html.span(&link, &mut out);
        assert_eq!(out, "console javascript:alert(&quot;1&quot;)");
    }
}
