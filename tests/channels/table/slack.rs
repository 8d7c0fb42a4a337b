use std::sync::Arc;
use std::time::Duration;

use notafter::notifier::Refusal;
use notafter::sim::receivers::slack::Slack;
use notafter::sim::receivers::{Answer, TEXT};
use serde_json::json;

use super::{Channel, Code, Far, Want};

const PATH: &str = "/services/T0PLANTED/B0PLANTED/x0plantedHookToken";
const TOKEN: &str = "xoxb-0-planted-bot-token";

pub(super) fn entries() -> Vec<Channel> {
    vec![webhook(), api()]
}

fn webhook() -> Channel {
    Channel {
        settings: "url = \"{base}/services/T0PLANTED/B0PLANTED/x0plantedHookToken\"\n",
        secrets: &["T0PLANTED", "B0PLANTED", "x0plantedHookToken"],
        // 12,000 characters, which Chinese writes in three bytes each.
        budget: 40_000,
        most_requests: 1,
        faults: &[("404", Want::Refused(Refusal::Credentials))],
        codes: words(),
        ..Channel::new("slack", Far::Http(|| Arc::new(Slack::webhook(PATH))))
    }
}

/// What webhooks say in a word.
fn words() -> Vec<Code> {
    let code = |status, word, want| Code::new(word, Answer::refused(status, TEXT, word), want);
    let table = [
        (
            400,
            Refusal::Content,
            &[
                "invalid_payload",
                "no_text",
                "invalid_blocks",
                "invalid_attachments",
                "too_many_attachments",
                "missing_text_or_fallback_or_attachments",
                "user_not_found",
                "a_word_of_tomorrow",
            ][..],
        ),
        (
            403,
            Refusal::Credentials,
            &["action_prohibited", "invalid_token", "posting_to_general_channel_denied", "team_disabled"],
        ),
        (404, Refusal::Credentials, &["no_service", "no_active_hooks", "no_team", "channel_not_found"]),
        (410, Refusal::Gone, &["channel_is_archived"]),
        // A word is believed whatever the status says.
        (200, Refusal::Content, &["no_text"]),
    ];
    let refused = table.into_iter().flat_map(|(status, what, words)| {
        words.iter().map(move |word| code(status, *word, Want::Refused(what)))
    });
    let passing = [code(500, "rollup_error", Want::Retry), code(200, "OK", Want::Retry)];
    refused.chain(passing).collect()
}

fn api() -> Channel {
    Channel {
        name: "slack-api",
        settings: "token = \"xoxb-0-planted-bot-token\"\nchannel_id = \"C024BE91L\"\nbase_url = \"{base}\"\n",
        secrets: &[TOKEN],
        // 12,000 characters, which Chinese writes in three bytes each.
        budget: 40_000,
        most_requests: 1,
        codes: errors(),
        ..Channel::new("slack", Far::Http(|| Arc::new(Slack::api(TOKEN, "C024BE91L"))))
    }
}

/// What the Web API says with status 200.
fn errors() -> Vec<Code> {
    let answer = |error: &str| Answer::error(200, &json!({ "ok": false, "error": error }));
    let table = [
        (
            Want::Retry,
            &["internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"][..],
        ),
        (Want::Refused(Refusal::Target), &["channel_not_found", "not_in_channel", "is_archived"]),
        (
            Want::Refused(Refusal::Credentials),
            &[
                "invalid_auth",
                "not_authed",
                "account_inactive",
                "token_revoked",
                "missing_scope",
                "restricted_action",
            ],
        ),
        (
            Want::Refused(Refusal::Content),
            &[
                "msg_too_long",
                "msg_blocks_too_long",
                "invalid_blocks",
                "no_text",
                "too_many_attachments",
                "an_error_of_tomorrow",
            ],
        ),
    ];
    let codes = table
        .into_iter()
        .flat_map(|(want, errors)| errors.iter().map(move |error| Code::new(error, answer(error), want)));
    let limited = answer("ratelimited").with("retry-after", "30");
    let limited = Code::new("ratelimited with a time", limited, Want::RetryAfter(Duration::from_secs(30)));
    let bare = Answer::error(200, &json!({ "ok": true }));
    codes.chain([limited, Code::new("ok without an id", bare, Want::Retry)]).collect()
}
