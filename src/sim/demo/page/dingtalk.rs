//! A message as DingTalk shows it: the subset of Markdown that it knows.

use serde_json::Value;

use super::html::Html;

/// What people see of a message.
pub(super) fn show(body: &Value, html: &mut Html) {
    let text = body["markdown"]["text"].as_str().or(body["text"]["content"].as_str()).unwrap_or_default();
    html.element("div", "card", |html| paragraphs(text, html));
}

/// An empty line, or two blanks at the end of one, begin a new paragraph; a single newline is a blank.
fn paragraphs(text: &str, html: &mut Html) {
    let text = text.replace("  \n", "\n\n");
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let block = block.replace('\n', " ");
        let title = block.trim_start_matches('#');
        if title.len() < block.len() {
            html.element("h4", "", |html| inline(title.trim(), html));
        } else if let Some(quoted) = block.strip_prefix("> ") {
            html.element("blockquote", "", |html| inline(quoted, html));
        } else if let Some(item) = block.strip_prefix("- ") {
            html.element("p", "item", |html| inline(item, html));
        } else {
            html.element("p", "", |html| inline(&block, html));
        }
    }
}

/// `**bold**`, `` `code` `` and `[label](address)`.
fn inline(mut rest: &str, html: &mut Html) {
    while let Some(first) = rest.chars().next() {
        let Some(after) = code(rest, html).or_else(|| bold(rest, html)).or_else(|| link(rest, html)) else {
            html.text(&rest[..first.len_utf8()]);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = after;
    }
}

fn code<'a>(rest: &'a str, html: &mut Html) -> Option<&'a str> {
    let (inner, after) = rest.strip_prefix('`')?.split_once('`')?;
    html.element("code", "", |html| html.text(inner));
    Some(after)
}

fn bold<'a>(rest: &'a str, html: &mut Html) -> Option<&'a str> {
    let (inner, after) = rest.strip_prefix("**")?.split_once("**")?;
    html.element("b", "", |html| inline(inner, html));
    Some(after)
}

fn link<'a>(rest: &'a str, html: &mut Html) -> Option<&'a str> {
    let (label, behind) = rest.strip_prefix('[')?.split_once("](")?;
    let (address, after) = behind.split_once(')')?;
    html.link(address, |html| html.text(label));
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_applied_and_the_rest_is_text() {
        for (name, text, want) in [
            ("a heading", "### a **b**", "<h4>a <b>b</b></h4>"),
            ("paragraphs", "a\nb\n\nc  \nd", "<p>a b</p><p>c</p><p>d</p>"),
            ("code is literal", "`**a** <b>`", "<p><code>**a** &lt;b&gt;</code></p>"),
            ("a link", "[a](https://e)", "<p><a rel=\"noreferrer\" href=\"https://e\">a</a></p>"),
            ("no link", "[a](javascript:x)", "<p>a</p>"),
            ("marks without an end", "**a `b [c", "<p>**a `b [c</p>"),
            ("a quote and an item", "> a\n\n- b", "<blockquote>a</blockquote><p class=\"item\">b</p>"),
        ] {
            let mut html = Html::default();
            paragraphs(text, &mut html);
            assert_eq!(html.to_string(), want, "{name}");
        }
    }
}
