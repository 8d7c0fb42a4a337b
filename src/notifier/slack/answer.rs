//! What Slack's answers mean. Webhooks answer a word, the Web API answers status 200 with or without an error in it.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::domain::reason::Reason;
use crate::notifier::post::{Post, Reply, gone, refused, retry};
use crate::notifier::{Outcome, Receipt, Refusal};

/// Success of a webhook: status 200 and this, nothing else.
const OK: &[u8] = b"ok";

/// The words by which webhooks refuse.
const WORDS: &[(&str, Refusal)] = &[
    ("invalid_payload", Refusal::Content),
    ("no_text", Refusal::Content),
    ("invalid_blocks", Refusal::Content),
    ("invalid_attachments", Refusal::Content),
    ("too_many_attachments", Refusal::Content),
    ("missing_text_or_fallback_or_attachments", Refusal::Content),
    ("user_not_found", Refusal::Content),
    ("action_prohibited", Refusal::Credentials),
    ("invalid_token", Refusal::Credentials),
    ("posting_to_general_channel_denied", Refusal::Credentials),
    ("team_disabled", Refusal::Credentials),
    ("no_service", Refusal::Credentials),
    ("no_active_hooks", Refusal::Credentials),
    ("no_team", Refusal::Credentials),
    ("channel_not_found", Refusal::Credentials),
    ("channel_is_archived", Refusal::Gone),
];

/// What an incoming webhook answered.
pub fn of_webhook(post: &Post, reply: &Reply) -> Outcome {
    if reply.status == StatusCode::OK && reply.body.as_ref() == OK {
        return Outcome::Delivered(Receipt { notes: Vec::new(), said: "ok".to_owned() });
    }
    let may_refuse = reply.status.is_success() || reply.status.is_client_error();
    let word = WORDS.iter().find(|(word, _)| may_refuse && reply.body.as_ref() == word.as_bytes());
    match (word, reply.status) {
        (Some((_, Refusal::Gone)), _) => gone(post.said(reply)),
        (Some((_, what)), _) => refused(*what, post.said(reply)),
        // The whole address is the credential: one that leads nowhere was revoked.
        (None, StatusCode::NOT_FOUND) => refused(Refusal::Credentials, post.said(reply)),
        _ => post.usual(reply).unwrap_or_else(|| unreadable(post, reply)),
    }
}

/// The errors of `chat.postMessage` that may pass; some of them after the message was posted.
const PASSING: [&str; 5] =
    ["ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"];

/// The errors that do not.
const ERRORS: &[(&str, Refusal)] = &[
    ("channel_not_found", Refusal::Target),
    ("not_in_channel", Refusal::Target),
    ("is_archived", Refusal::Target),
    ("restricted_action", Refusal::Credentials),
    ("invalid_auth", Refusal::Credentials),
    ("not_authed", Refusal::Credentials),
    ("account_inactive", Refusal::Credentials),
    ("token_revoked", Refusal::Credentials),
    ("token_expired", Refusal::Credentials),
    ("missing_scope", Refusal::Credentials),
];

#[derive(Deserialize)]
struct Posted {
    ok: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    ts: String,
}

/// What the Web API answered; `notes` makes of the id of the new message what is to be remembered.
pub fn of_api(post: &Post, reply: &Reply, notes: impl Fn(&str) -> Vec<(String, String)>) -> Outcome {
    if let Some(outcome) = post.usual(reply) {
        return outcome;
    }
    match serde_json::from_slice::<Posted>(&reply.body) {
        Ok(Posted { ok: true, ts, .. }) if !ts.is_empty() => {
            Outcome::Delivered(Receipt { notes: notes(&ts), said: format!("ok, ts {}", post.clean(&ts)) })
        }
        Ok(Posted { ok: false, error, .. }) => failed(post, reply, &error),
        Ok(_) | Err(_) => unreadable(post, reply),
    }
}

fn failed(post: &Post, reply: &Reply, error: &str) -> Outcome {
    if PASSING.contains(&error) {
        let reason = if error == "ratelimited" { Reason::Throttled } else { Reason::Unreachable };
        return post.later(reply, reason);
    }
    let known = ERRORS.iter().find(|(known, _)| *known == error);
    // What is not known is about this message more likely than about all of them.
    let what = known.map_or(Refusal::Content, |(_, what)| *what);
    let hint = if error == "missing_scope" { "; the bot needs the scope chat:write" } else { "" };
    refused(what, post.said(reply) + hint)
}

/// Somebody in between: Slack does not speak like this.
fn unreadable(post: &Post, reply: &Reply) -> Outcome {
    let said = post.said(reply);
    retry(Reason::Unreadable, format!("the answer is none of Slack's: {said}"))
}
