//! The support bundle: what somebody needs who looks for a fault without being there. Texts under names; who asked for them
//! makes a file of it.
//!
//! Nothing here is a secret: the configuration hides its own, answers were cleaned when they were kept (`http`), and the
//! rest is what page, metrics and log show anyway. Names of accounts and resources are in it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::api::renewals::of_board;
use super::changes::status_now;
use super::json::{Moment, to_text};
use super::query::ScopesQuery;
use super::refusal::Refusal;
use super::view::Shown;
use super::{api, inside::Bundling};
use crate::http::KeptAnswers;
use crate::metrics::BuildInfo;

/// More of the metrics page is not worth its room.
const METRICS: usize = 4 * 1024 * 1024;
/// So many scopes are told one by one.
const SCOPES: &str = "limit=1000";

/// What is in a bundle.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bundle {
    /// Of this form.
    pub version: u8,
    /// In the order in which they are read.
    pub files: Vec<File>,
}

/// One file of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Without a folder.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

impl File {
    /// A file.
    pub fn new(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into() }
    }

    /// A file of JSON, for people too.
    pub fn json(name: &str, value: &impl Serialize) -> Self {
        let text = serde_json::to_string_pretty(value).expect("own values with text keys can be written");
        Self::new(name, text + "\n")
    }
}

/// What program it is, and where it runs.
pub fn about(now: DateTime<Utc>, started_at: Option<DateTime<Utc>>, by: &str) -> File {
    let BuildInfo { version, revision, rustversion } = BuildInfo::CURRENT;
    let about = json!({
        "version": version, "revision": revision, "rustversion": rustversion, "target": env!("NOTAFTER_TARGET"),
        "made_at": Moment(now), "started_at": started_at.map(Moment), "made_by": by,
    });
    File::json("about.json", &about)
}

/// The answers of the clouds that were kept.
pub fn answers(kept: &KeptAnswers) -> File {
    File::json(ANSWERS, &kept.all())
}

/// What `doctor --replay` looks for.
pub const ANSWERS: &str = "answers.json";

/// What the store is asked for has this long.
const STORE: Duration = Duration::from_secs(5);
const SILENT: &str = "not known: the store does not answer";

/// Everything that a running daemon can say.
pub(super) async fn bundle(shown: &Shown) -> Result<Bundle, Refusal> {
    let inside = &shown.view.inside;
    let nothing = || Refusal::conflict("this process keeps nothing for a bundle");
    let Bundling { config, answers, metrics } = inside.bundling.as_ref().ok_or_else(nothing)?;
    let now = (shown.view.now)();
    let log = inside.logging.as_ref().map(|logging| logging.recent().join("\n") + "\n");
    let snapshot = Arc::clone(&shown.view.snapshot.borrow());
    let mut files = vec![
        about(now, Some(shown.view.started_at), "the running daemon"),
        File::new("config.toml", config.to_string()),
        File::new("status.json", status(shown).await + "\n"),
        File::new("scopes.json", scopes(shown).await? + "\n"),
        File::new("renewals.json", renewals(shown).await + "\n"),
        File::json("store.json", &store(shown).await),
        File::new("log.txt", log.unwrap_or_default()),
        self::answers(answers),
    ];
    files.extend(metrics.plain(snapshot, now).await.ok().map(|page| File::new("metrics.txt", start(page))));
    Ok(Bundle { version: 1, files })
}

/// The beginning of a page that may be hundreds of megabytes.
fn start(page: impl Iterator<Item = bytes::Bytes>) -> String {
    let mut text = String::new();
    for block in page {
        text.push_str(&String::from_utf8_lossy(&block));
        if text.len() > METRICS {
            text.push_str("\n# the rest was left out\n");
            break;
        }
    }
    text
}

/// A store that hangs is when a bundle is wanted most.
async fn status(shown: &Shown) -> String {
    let status = timeout(STORE, status_now(shown)).await;
    status.unwrap_or_else(|_| json!({ "error": SILENT }).to_string())
}

async fn scopes(shown: &Shown) -> Result<String, Refusal> {
    let query = ScopesQuery::parse(Some(SCOPES))?;
    Ok(shown.make(move |snapshot, now, context| to_text(&api::scopes(snapshot, &query, now, context))).await)
}

async fn renewals(shown: &Shown) -> String {
    let text = shown.make(|_, now, context| context.renewals.map(|board| to_text(&of_board(board, now))));
    text.await.unwrap_or_else(|| "null".to_owned())
}

/// Numbers, or why there are none.
async fn store(shown: &Shown) -> Value {
    let Some(handle) = &shown.view.inside.store else { return json!({ "configured": false }) };
    let Some(store) = handle.store() else { return json!({ "configured": true, "usable": false }) };
    let Ok(facts) = timeout(STORE, store.facts()).await else {
        return json!({ "configured": true, "usable": null, "error": SILENT });
    };
    match facts {
        Err(error) => json!({ "configured": true, "usable": false, "error": error.to_string() }),
        Ok(facts) => json!({
            "configured": true, "usable": true, "place": store.place(), "kind": facts.kind,
            "schema": facts.schema.0, "schema_known": facts.schema.1, "bytes": facts.bytes,
            "rows": facts.rows.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        }),
    }
}
