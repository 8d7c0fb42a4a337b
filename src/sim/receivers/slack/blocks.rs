//! Blocks: which are allowed, how long they may be, and what people see of them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::Shown;
use super::mrkdwn::{self, Reading};

const BLOCKS: usize = 50;
const HEADER: usize = 150;
const SECTION: usize = 3000;
const FIELD: usize = 2000;
const ELEMENTS: usize = 10;
const BLOCK_ID: usize = 255;
/// Of all blocks together; written down nowhere, found out by users.
const TOTAL: usize = 13_100;

type Checked = Result<(), &'static str>;

/// Whether Slack takes these blocks.
pub(super) fn check(blocks: &Value) -> Checked {
    let blocks = blocks.as_array().filter(|blocks| !blocks.is_empty()).ok_or("invalid_blocks")?;
    let total: usize = blocks.iter().flat_map(texts).map(|(text, _)| text.chars().count()).sum();
    if blocks.len() > BLOCKS {
        return Err("invalid_blocks");
    }
    if total > TOTAL {
        return Err("msg_blocks_too_long");
    }
    let mut ids = BTreeSet::new();
    for block in blocks {
        let id = block["block_id"].as_str();
        if id.is_some_and(|id| id.len() > BLOCK_ID || !ids.insert(id)) || known(block).is_none() {
            return Err("invalid_blocks");
        }
    }
    Ok(())
}

/// `Some` where the block is one that Slack knows, with nothing in it that it does not know.
fn known(block: &Value) -> Option<()> {
    match block["type"].as_str()? {
        "header" => {
            only(block, &["type", "text", "block_id"])?;
            text(&block["text"], HEADER, &["plain_text"])
        }
        "section" => {
            only(block, &["type", "text", "fields", "block_id", "expand"])?;
            let fields = block["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
            fields.iter().try_for_each(|field| text(field, FIELD, &["plain_text", "mrkdwn"]))?;
            let has_fields = (1..=ELEMENTS).contains(&fields.len());
            if has_fields && block.get("text").is_none() {
                return Some(());
            }
            text(&block["text"], SECTION, &["plain_text", "mrkdwn"])
        }
        "context" => {
            only(block, &["type", "elements", "block_id"])?;
            let elements = block["elements"].as_array()?;
            let fits = (1..=ELEMENTS).contains(&elements.len());
            elements.iter().try_for_each(|element| text(element, SECTION, &["plain_text", "mrkdwn"]))?;
            fits.then_some(())
        }
        "divider" => only(block, &["type", "block_id"]),
        _ => None,
    }
}

fn text(object: &Value, most: usize, kinds: &[&str]) -> Option<()> {
    let kind = object["type"].as_str().filter(|kind| kinds.contains(kind))?;
    only(object, if kind == "mrkdwn" { &["type", "text", "verbatim"] } else { &["type", "text", "emoji"] })?;
    let length = object["text"].as_str()?.chars().count();
    (1..=most).contains(&length).then_some(())
}

fn only(object: &Value, names: &[&str]) -> Option<()> {
    let members: &Map<String, Value> = object.as_object()?;
    members.keys().all(|name| names.contains(&name.as_str())).then_some(())
}

/// What people see.
pub(super) fn show(blocks: &Value, shown: &mut Shown) {
    for (text, reading) in blocks.as_array().into_iter().flatten().flat_map(texts) {
        for line in text.lines() {
            let line = match &reading {
                None => line.to_owned(),
                Some(reading) => mrkdwn::read(line, reading, shown),
            };
            shown.lines.push(line);
        }
    }
}

/// Every text of a block, and how it is read; `None`: as it is.
fn texts(block: &Value) -> Vec<(&str, Option<Reading>)> {
    let lists = [&block["fields"], &block["elements"]];
    let listed = lists.into_iter().filter_map(Value::as_array).flatten();
    let reading = |text: &Value| {
        let is_mrkdwn = text["type"] == "mrkdwn";
        is_mrkdwn.then(|| Reading { styles: true, finds_links: text["verbatim"] != true })
    };
    let objects = std::iter::once(&block["text"]).chain(listed);
    objects.filter_map(|object| Some((object["text"].as_str()?, reading(object)))).collect()
}
