//! Adaptive cards 1.4: the elements that a workflow shows, and what people see of them.

use serde_json::Value;

use super::super::Shown;

/// What people see; `None` if something in it is not understood, then they see nothing.
pub(super) fn read(card: &Value) -> Option<Shown> {
    let known = ["$schema", "type", "version", "msteams", "body", "actions", "lang", "fallbackText"];
    only(card, &known)?;
    if card["type"] != "AdaptiveCard" || card["version"] != "1.4" {
        return None;
    }
    let mut shown = Shown::default();
    let mentioned = card["msteams"]["entities"].as_array().into_iter().flatten();
    shown.mentions.extend(mentioned.map(|entity| entity["text"].to_string()));
    let body = card["body"].as_array().filter(|body| !body.is_empty())?;
    body.iter().try_for_each(|item| element(item, &mut shown))?;
    let actions = card["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
    actions.iter().try_for_each(|item| action(item, &mut shown))?;
    if !shown.lines.is_empty() {
        shown.title = shown.lines.remove(0);
    }
    Some(shown)
}

fn element(item: &Value, shown: &mut Shown) -> Option<()> {
    match item["type"].as_str()? {
        "TextBlock" => {
            let known =
                ["type", "text", "wrap", "weight", "size", "color", "spacing", "separator", "isSubtle"];
            only(item, &known)?;
            one_of(&item["weight"], &["Default", "Lighter", "Bolder"])?;
            one_of(&item["size"], &["Default", "Small", "Medium", "Large", "ExtraLarge"])?;
            one_of(&item["color"], &["Default", "Accent", "Warning", "Attention", "Good", "Dark", "Light"])?;
            one_of(
                &item["spacing"],
                &["Default", "None", "Small", "Medium", "Large", "ExtraLarge", "Padding"],
            )?;
            if shown.colour.is_none() {
                shown.colour = item["color"].as_str().map(str::to_owned);
            }
            let text = item["text"].as_str().filter(|text| !text.is_empty())?;
            for line in text.lines() {
                let line = markdown(line.strip_prefix("- ").unwrap_or(line), shown);
                shown.lines.push(line);
            }
            Some(())
        }
        "Container" => {
            only(item, &["type", "items", "separator", "spacing", "style"])?;
            let items = item["items"].as_array().filter(|items| !items.is_empty())?;
            items.iter().try_for_each(|item| element(item, shown))
        }
        "FactSet" => {
            only(item, &["type", "facts", "spacing", "separator"])?;
            item["facts"].as_array()?.iter().try_for_each(|fact| {
                shown.lines.push(format!("{}: {}", fact["title"].as_str()?, fact["value"].as_str()?));
                Some(())
            })
        }
        _ => None,
    }
}

fn action(item: &Value, shown: &mut Shown) -> Option<()> {
    only(item, &["type", "title", "url"])?;
    item["title"].as_str().filter(|title| !title.is_empty())?;
    shown.links.push(item["url"].as_str()?.to_owned());
    (item["type"] == "Action.OpenUrl").then_some(())
}

fn only(object: &Value, known: &[&str]) -> Option<()> {
    object.as_object()?.keys().all(|name| known.contains(&name.as_str())).then_some(())
}

/// One of these, or absent.
fn one_of(value: &Value, possible: &[&str]) -> Option<()> {
    (value.is_null() || value.as_str().is_some_and(|text| possible.contains(&text))).then_some(())
}

/// The Markdown of a `TextBlock`: a backslash makes the next character plain, `*` and `_` style, `[a](b)` links.
fn markdown(line: &str, shown: &mut Shown) -> String {
    let mut seen = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            '\\' if behind.starts_with(|c: char| c.is_ascii_punctuation()) => {
                seen.push_str(&behind[..1]);
                &behind[1..]
            }
            '*' | '_' => behind,
            '[' if let Some((label, url, after)) = link(behind) => {
                shown.links.push(url.to_owned());
                seen.push_str(&label.replace('\\', ""));
                after
            }
            _ => {
                seen.push(first);
                behind
            }
        };
    }
    seen
}

fn link(behind: &str) -> Option<(&str, &str, &str)> {
    let (label, rest) = behind.split_once("](")?;
    let (url, after) = rest.split_once(')')?;
    (!label.ends_with('\\')).then_some((label, url, after))
}
