//! A webhook as a program gets it: its headers, and the body, a line for each value, in the order in which it was sent.

use serde_json::Value;

use super::html::Html;
use crate::sim::receivers::Request;

const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// What came.
pub(super) fn show(request: &Request, body: &Value, html: &mut Html) {
    let kind = body["type"].as_str().unwrap_or("no type");
    html.element("h4", "", |html| html.element("code", "", |html| html.text(kind)));
    let total = body["data"]["total"].as_u64().unwrap_or_default();
    let severity = body["data"]["severity"].as_str().unwrap_or_default();
    let items = if total == 1 { "1 item".to_owned() } else { format!("{total} items") };
    html.element("p", "", |html| html.text(&format!("{severity} · {items}")));
    html.scrolling(|html| {
        html.text(&format!("{} {}\n", request.method, request.path));
        for name in HEADERS {
            if let Some(value) = request.header(name) {
                html.element("i", "", |html| html.text(name));
                html.text(&format!(": {value}\n"));
            }
        }
        html.text("\n");
        pretty(&String::from_utf8_lossy(&request.body), html);
    });
}

/// JSON on one line, on many; names stand out.
fn pretty(json: &str, html: &mut Html) {
    let mut depth = 0;
    let mut rest = json.trim();
    while let Some(first) = rest.chars().next() {
        let after = match first {
            '"' => string(rest, html),
            '{' | '[' => {
                let inner = rest[1..].trim_start();
                html.text(&rest[..1]);
                if let Some(after) = inner.strip_prefix(['}', ']']) {
                    html.text(&inner[..1]);
                    after
                } else {
                    depth += 1;
                    new_line(depth, html);
                    inner
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(depth, html);
                html.text(&rest[..1]);
                &rest[1..]
            }
            ',' => {
                html.text(",");
                new_line(depth, html);
                rest[1..].trim_start()
            }
            ':' => {
                html.text(": ");
                rest[1..].trim_start()
            }
            plain => {
                html.text(&rest[..plain.len_utf8()]);
                &rest[plain.len_utf8()..]
            }
        };
        rest = after;
    }
}

/// The string at the beginning; what is behind it is returned.
fn string<'a>(rest: &'a str, html: &mut Html) -> &'a str {
    let mut escaped = true;
    let end = rest.find(|character: char| {
        let ends = character == '"' && !escaped;
        // the first quote counts as escaped: it begins the string
        escaped = !escaped && character == '\\';
        ends
    });
    let (text, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
    if after.trim_start().starts_with(':') {
        html.element("b", "", |html| html.text(text));
    } else {
        html.text(text);
    }
    after
}

fn new_line(depth: usize, html: &mut Html) {
    html.text("\n");
    html.text(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_get_a_line_each_and_keep_their_order() {
        let mut html = Html::default();
        pretty(r#"{"z":[1,{"a":"{,\"}"}],"b":{},"c":[],"d":null}"#, &mut html);
        let want = "{\n  <b>\"z\"</b>: [\n    1,\n    {\n      <b>\"a\"</b>: \"{,\\\"}\"\n    }\n  ],\n  <b>\"b\"</b>: {},\n  \
                    <b>\"c\"</b>: [],\n  <b>\"d\"</b>: null\n}";
        assert_eq!(html.to_string().replace("&quot;", "\""), want);
    }
}
