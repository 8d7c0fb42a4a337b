//! Where the demonstration's messages arrive: a Slack channel, a DingTalk group and somebody's own webhook, on loopback.
//!
//! They are the strict receivers of `sim::receivers`, so that what is delivered is delivered in earnest: over HTTP, signed,
//! from the outbox. What came is shown by `page`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;

use super::page::{Inbox, Look, Page};
use super::quoted;
use crate::sim::receivers::dingtalk::Dingtalk;
use crate::sim::receivers::slack::Slack;
use crate::sim::receivers::webhook::Webhook;
use crate::sim::receivers::{Receiver, Reception};

const SLACK_PATH: &str = "/services/T0DEMO/B0DEMO/demoOnlyNothingIsReal";
const DINGTALK_TOKEN: &str = "demo-robot";
const DINGTALK_SECRET: &str = "SECdemoOnlyNothingIsReal";
/// The key that signs webhooks, before it is written as its vendor-neutral standard wants it.
const WEBHOOK_KEY: &[u8; 32] = b"a demonstration, nothing is real";

/// The receivers and the page that shows what they got. The last to go stops them.
pub struct Inboxes {
    slack: Reception,
    dingtalk: Reception,
    webhook: Reception,
    page: Page,
}

impl Inboxes {
    /// Starts each on a loopback port of its own. `status_page` is linked from the page, where there is one.
    pub async fn start(status_page: Option<&str>) -> io::Result<Self> {
        let slack = reception(Slack::webhook(SLACK_PATH)).await?;
        let dingtalk = reception(Dingtalk::new(DINGTALK_TOKEN).signed(DINGTALK_SECRET)).await?;
        let webhook = reception(Webhook::notafter(&[&webhook_secret()])).await?;
        let inboxes = vec![
            Inbox { look: Look::Slack, reception: slack.clone() },
            Inbox { look: Look::Dingtalk, reception: dingtalk.clone() },
            Inbox { look: Look::Webhook, reception: webhook.clone() },
        ];
        let page = Page::start(inboxes, status_page.map(str::to_owned)).await?;
        Ok(Self { slack, dingtalk, webhook, page })
    }

    /// Where the page is served: `http://127.0.0.1:PORT/`.
    pub fn page_url(&self) -> String {
        self.page.url()
    }

    /// The part of the configuration that is about alerts. What has to be remembered is kept in the file `store`.
    ///
    /// Everything waits as short as somebody does who watches.
    pub fn config_toml(&self, store: &Path) -> String {
        let url = |reception: &Reception, path: &str| quoted(&format!("{}{path}", reception.base_url()));
        format!(
            "\n[store]\nurl = {store}\n\n[alert]\ntimezone = \"Asia/Shanghai\"\nblind_after = \"1m\"\n\n\
             [[channel]]\nname = \"ops-slack\"\ntype = \"slack\"\nurl = {slack}\n\n\
             [[channel]]\nname = \"dba-dingtalk\"\ntype = \"dingtalk\"\nlocale = \"zh\"\nurl = {dingtalk}\nsecret = {dingtalk_secret}\n\n\
             [[channel]]\nname = \"own-tool\"\ntype = \"webhook\"\nurl = {webhook}\nsecret = {webhook_secret}\n\n\
             # Everything, to these two; and the databases and caches to those who run them, in Chinese.\n\
             [[route]]\nchannels = [\"ops-slack\", \"own-tool\"]\ngroup_wait = \"3s\"\ncontinue = true\n\n\
             [[route]]\nmatch = 'cloud_service!=\"ulb\"'\nchannels = [\"dba-dingtalk\"]\ngroup_wait = \"3s\"\n",
            store = quoted(&format!("sqlite:{}", store.display())),
            slack = url(&self.slack, SLACK_PATH),
            dingtalk = url(&self.dingtalk, &format!("/robot/send?access_token={DINGTALK_TOKEN}")),
            dingtalk_secret = quoted(DINGTALK_SECRET),
            webhook = url(&self.webhook, "/certificates"),
            webhook_secret = quoted(&webhook_secret()),
        )
    }
}

async fn reception(receiver: impl Receiver + 'static) -> io::Result<Reception> {
    Reception::start(Arc::new(receiver), Utc::now).await
}

fn webhook_secret() -> String {
    format!("whsec_{}", STANDARD.encode(WEBHOOK_KEY))
}
