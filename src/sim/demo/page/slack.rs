//! A message as Slack shows it: the line of the notification, then the attachment with its bar and its blocks.

use serde_json::Value;

use super::html::Html;

/// What people see of a message.
pub(super) fn show(body: &Value, html: &mut Html) {
    let text = body["text"].as_str().unwrap_or_default();
    html.element("p", "", |html| match &body["mrkdwn"] {
        Value::Bool(false) => html.text(&unescaped(text)),
        _ => inline(text, html),
    });
    for attachment in list(&body["attachments"]) {
        html.element("div", "attachment", |html| {
            html.bar(attachment["color"].as_str().unwrap_or_default());
            list(&attachment["blocks"]).iter().for_each(|block| show_block(block, html));
        });
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn show_block(block: &Value, html: &mut Html) {
    let text = block["text"]["text"].as_str().unwrap_or_default();
    match block["type"].as_str() {
        Some("header") => html.element("h4", "", |html| html.text(text)),
        Some("divider") => html.element("hr", "", |_| ()),
        Some("context") => html.element("p", "context", |html| {
            for element in list(&block["elements"]) {
                lines(element["text"].as_str().unwrap_or_default(), html);
            }
        }),
        _ => html.element("div", "block", |html| lines(text, html)),
    }
}

fn lines(text: &str, html: &mut Html) {
    for line in text.lines() {
        html.element("span", "line", |html| inline(line, html));
    }
}

/// `*bold*`, `` `code` ``, `<url|label>`, `<!date^…|text>`, and three escapes.
fn inline(text: &str, html: &mut Html) {
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        let apart = !is_word(before);
        let styled = match first {
            '<' => behind.split_once('>').filter(|(inner, _)| !inner.is_empty()),
            '`' if apart => behind.split_once('`').filter(|(inner, _)| !inner.is_empty()),
            '*' if apart => bold(behind),
            _ => None,
        };
        before = first;
        let Some((inner, after)) = styled else {
            rest = plain(rest, html);
            continue;
        };
        match first {
            '<' => bracketed(inner, html),
            '`' => html.element("code", "", |html| html.text(&unescaped(inner))),
            _ => html.element("b", "", |html| inline(inner, html)),
        }
        rest = after;
    }
}

/// What stands between the asterisks, and what behind them.
fn bold(behind: &str) -> Option<(&str, &str)> {
    if behind.starts_with([' ', '*']) {
        return None;
    }
    let ends = |(at, _): &(usize, &str)| {
        let after = behind[at + 1..].chars().next().unwrap_or(' ');
        !behind[..*at].ends_with(' ') && !is_word(after)
    };
    let (at, _) = behind.match_indices('*').find(ends)?;
    Some((&behind[..at], &behind[at + 1..]))
}

fn bracketed(inner: &str, html: &mut Html) {
    let (target, label) = inner.split_once('|').unwrap_or((inner, inner));
    match target.chars().next() {
        Some('!') if target.starts_with("!date^") => {
            html.element("time", "", |html| html.text(&unescaped(label)))
        }
        Some('!' | '@' | '#') => html.element("mark", "", |html| html.text(&unescaped(label))),
        _ => html.link(&unescaped(target), |html| html.text(&unescaped(label))),
    }
}

/// One character, or an escape.
fn plain<'a>(rest: &'a str, html: &mut Html) -> &'a str {
    const ESCAPES: [&str; 3] = ["&amp;", "&lt;", "&gt;"];
    if let Some(escape) = ESCAPES.into_iter().find(|escape| rest.starts_with(escape)) {
        html.text(&unescaped(escape));
        return &rest[escape.len()..];
    }
    let length = rest.chars().next().map_or(0, char::len_utf8);
    html.text(&rest[..length]);
    &rest[length..]
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn is_word(character: char) -> bool {
    !character.is_whitespace() && !character.is_ascii_punctuation()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_applied_and_the_rest_is_text() {
        for (name, text, want) in [
            ("bold", "*a b* c", "<b>a b</b> c"),
            ("no bold", "2*3*4 * 5", "2*3*4 * 5"),
            ("code in bold", "*a* `b*c*`", "<b>a</b> <code>b*c*</code>"),
            ("escapes", "a &lt;b&gt; &amp;amp;", "a &lt;b&gt; &amp;amp;"),
            ("a link", "<https://e/?a&amp;b|x>", "<a rel=\"noreferrer\" href=\"https://e/?a&amp;b\">x</a>"),
            ("no link", "<javascript:x|y>", "y"),
            ("a date", "<!date^1795910400^{date}|2026-11-29>", "<time>2026-11-29</time>"),
            ("a mention", "<!channel>", "<mark>!channel</mark>"),
        ] {
            let mut html = Html::default();
            inline(text, &mut html);
            assert_eq!(html.to_string(), want, "{name}");
        }
    }
}
