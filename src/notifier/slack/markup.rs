//! Slack's own markup (`mrkdwn`): three characters are escaped, everything else that styles is kept out of the way.
//!
//! Names are chosen by others. What would call everybody or forge a link is escaped; what would merely style the name
//! (`*a*`, `:fire:`) has no escape in this markup, so such a name is shown as code, in which nothing styles.

use crate::domain::alert::message::Tone;
use crate::notifier::script::{Line, Markup, Span};
use crate::notifier::text::tidy;

/// Longest address that a link may have.
const LONGEST_LINK: usize = 3000;

/// With bold, code, links and moments in the reader's own zone.
#[derive(Debug, Clone, Copy)]
pub struct Mrkdwn {
    /// A bullet before each entry: where they are many, of one line each.
    pub bullets: bool,
}

impl Mrkdwn {
    /// Between two blocks; never within one.
    pub const BLOCK_BREAK: &str = "\n\n";
}

/// Without any style, for when the styled form was refused.
#[derive(Debug, Clone, Copy)]
pub struct Simple;

impl Markup for Mrkdwn {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) => out.push_str(&escape(text)),
            Span::Strong(text) => styled(&format!("*{}*", escape(text)), out),
            Span::Foreign(text) => foreign(text, false, out),
            Span::Name(text) => foreign(text, true, out),
            Span::Code(text) => code(&one_line(text), out),
            Span::Moment { at, shown } => {
                let text = escape(shown).replace(['|', '^'], " ");
                let at = at.timestamp().to_string();
                out.extend(["<!date^", &at, "^{date_short} {time}|", &text, ">"]);
            }
            Span::Link { label, url } => link(label, url, out),
        }
    }

    fn before_entry(&self, _tone: Tone, out: &mut String) {
        out.push_str(if self.bullets { "• " } else { "" });
    }

    fn block_break(&self) -> &'static str {
        Self::BLOCK_BREAK
    }

    /// A style ends only before a blank or an ASCII mark; full-width ones do not count.
    fn line(&self, line: &Line, out: &mut String) {
        for span in line {
            let start = out.len();
            self.span(span, out);
            let touches = out[start..].starts_with(|c| !is_border(c));
            if touches && out[..start].ends_with(['*', '`']) {
                out.insert(start, ' ');
            }
        }
    }
}

impl Markup for Simple {
    fn span(&self, span: &Span, out: &mut String) {
        match span {
            Span::Own(text) | Span::Strong(text) => out.push_str(&escape(text)),
            Span::Foreign(text) | Span::Name(text) | Span::Code(text) => {
                out.push_str(&escape(&one_line(text)));
            }
            Span::Moment { shown, .. } => out.push_str(&escape(shown)),
            Span::Link { label, url } => link(label, url, out),
        }
    }

    fn before_entry(&self, _tone: Tone, out: &mut String) {
        out.push_str("- ");
    }
}

/// `&`, `<` and `>`, in this order.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// On one line, and nothing hidden.
fn one_line(text: &str) -> String {
    tidy(text).trim().to_owned()
}

fn foreign(text: &str, is_name: bool, out: &mut String) {
    let text = one_line(text);
    match () {
        () if text.is_empty() => {}
        () if would_style(&text) => code(&text, out),
        () if is_name => styled(&format!("*{}*", escape(&text)), out),
        () => out.push_str(&escape(&text)),
    }
}

/// Whether a text holds something that this markup makes something else of: a style, an emoji, a quotation.
fn would_style(text: &str) -> bool {
    let emoji = text.matches(':').count() > 1;
    emoji
        || text.contains(['*', '~', '`'])
        || text.starts_with(['_', '>'])
        || text.ends_with('_')
        || text.contains(" _")
        || text.contains("_ ")
}

fn code(text: &str, out: &mut String) {
    if !text.is_empty() {
        styled(&format!("`{}`", escape(&text.replace('`', "'"))), out);
    }
}

/// A style begins only behind a blank or an ASCII mark that is no style itself.
fn styled(text: &str, out: &mut String) {
    if out.ends_with(|c| !is_border(c) || matches!(c, '*' | '`')) {
        out.push(' ');
    }
    out.push_str(text);
}

fn is_border(character: char) -> bool {
    character.is_whitespace() || character.is_ascii_punctuation()
}

/// An address in angle brackets ends at `|` and `>`; a label without `|`.
fn link(label: &str, url: &str, out: &mut String) {
    let label = escape(&one_line(label).replace('|', " "));
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if !is_web || url.len() > LONGEST_LINK || url.contains(char::is_whitespace) {
        return out.push_str(&label);
    }
    let url = url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace('&', "&amp;");
    out.extend(["<", &url, "|", &label, ">"]);
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn rendered(line: &Line) -> String {
        let mut out = String::new();
        Mrkdwn { bullets: false }.line(line, &mut out);
        out
    }

    #[test]
    fn names_are_shown_literally() {
        for (name, text, want) in [
            ("plain", "orders-redis", "*orders-redis*"),
            ("everybody", "<!channel>", "*&lt;!channel&gt;*"),
            ("once only", "a&lt;b", "*a&amp;lt;b*"),
            ("a style", "*a*", "`*a*`"),
            ("an emoji", ":fire:", "`:fire:`"),
            ("a quotation", "> a", "`&gt; a`"),
            ("code within", "a`b", "`a'b`"),
            ("underscores inside of words", "orders_redis_1", "*orders_redis_1*"),
            ("underscores around a word", "_a_", "`_a_`"),
            ("controls", "a\u{0}\u{202e}b\nc\r\td", "*ab c  d*"),
            ("nothing", "\n", ""),
            ("Chinese", "订单库", "*订单库*"),
        ] {
            assert_eq!(rendered(&vec![Span::Name(text.into())]), want, "{name}");
        }
    }

    #[test]
    fn a_style_stands_apart_from_words() {
        let line = vec![
            Span::Own("证书".into()),
            Span::Name("订单库".into()),
            Span::Own("到期".into()),
            Span::Code("r-1".into()),
            Span::Own(", then".into()),
            Span::Strong("now".into()),
            Span::Own("\u{ff0c}".into()),
        ];
        assert_eq!(rendered(&line), "证书 *订单库* 到期 `r-1`, then *now* \u{ff0c}");
    }

    #[test]
    fn links_and_moments_cannot_be_broken_out_of() {
        let link = |url: &str| rendered(&vec![Span::Link { label: "a|b>".into(), url: url.into() }]);
        assert_eq!(link("https://h/?a=1&b=<|>"), "<https://h/?a=1&amp;b=%3C%7C%3E|a b&gt;>");
        assert_eq!(link("javascript:alert(1)"), "a b&gt;");
        let at = DateTime::from_timestamp(1_795_910_400, 0).unwrap();
        assert_eq!(
            rendered(&vec![Span::Moment { at, shown: "2026-11-29 00:00 UTC".into() }]),
            "<!date^1795910400^{date_short} {time}|2026-11-29 00:00 UTC>"
        );
    }
}
