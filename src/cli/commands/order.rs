//! `plan`, `renew` and `renewals`: what the running daemon plans, and orders of people. What is ordered is written down
//! first, so that nobody orders it a second time. Where no daemon runs, `alone` stands in for it.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hyper::{Method, StatusCode};
use serde_json::json;

use super::talk::looks_itself;
use super::{Exit, failed, printed};
use crate::cli::args::{Order, Renew, Renewals, TextFormat};
use crate::cli::client::{Client, ClientError, encoded};
use crate::cli::renewing;
use crate::cli::text::utc;
use crate::domain::matcher::Matcher;
use crate::visible::visible;
use crate::web::api::renewals::{AttemptMember, RenewalDetail, RenewalItem};
use crate::web::json::{List, Moment, to_text};

const RENEWALS: &str = "/api/v1/renewals";
/// How often a renewal is asked for while it is followed.
const EVERY: Duration = Duration::from_secs(1);
/// So many times in a row the daemon may fail to answer, in a restart for example.
const PATIENCE: u32 = 60;

/// Prints the daemon's plan; `None`: none answers, or it plans nothing.
pub(super) async fn plan(socket: PathBuf, format: TextFormat) -> Option<Exit> {
    let client = Client::at(&socket);
    let text = match client.text(Method::GET, "/api/v1/plan", None).await {
        Ok(text) if format == TextFormat::Text => Ok(text),
        Ok(_) => everything(&client, "all=true").await.map(|list| to_text(&list)),
        Err(error) => Err(error),
    };
    match text {
        Ok(text) => Some(printed(&text, Exit::Ok)),
        Err(ClientError::Refused { status: StatusCode::CONFLICT, .. }) => None,
        Err(ClientError::Refused { detail, .. }) => Some(failed(&detail)),
        Err(error) => {
            looks_itself(&error);
            None
        }
    }
}

/// Every page of a list.
async fn everything(client: &Client, asked: &str) -> Result<List<RenewalItem>, ClientError> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{RENEWALS}?limit=1000&{asked}&cursor={cursor}");
        let page: List<RenewalItem> = client.json(Method::GET, &path, None).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => cursor = next,
            None => return Ok(List { items, next: None }),
        }
    }
}

/// Lists, shows, approves or rejects.
pub(super) async fn renewals(socket: PathBuf, renewals: &Renewals) -> Exit {
    let client = Client::at(&socket);
    let done = match renewals {
        Renewals::List { matcher, all, format } => list(&client, matcher.as_ref(), *all, *format).await,
        Renewals::Show { id, format } => show(&client, id, *format).await,
        Renewals::Approve { id, order, now } => decide(&client, id, order, Some(*now)).await,
        Renewals::Reject { id, order } => decide(&client, id, order, None).await,
    };
    done.unwrap_or_else(|error| failed(&error))
}

type Done = Result<Exit, Trouble>;

/// Why a command ends without what was wanted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// There is no good answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// In these words.
    #[error("{0}")]
    Said(String),
}

async fn list(client: &Client, matcher: Option<&Matcher>, all: bool, format: TextFormat) -> Done {
    let asked = matcher.map_or_else(String::new, |matcher| encoded(&matcher.to_string()));
    let list = everything(client, &format!("all={all}&match={asked}")).await?;
    let text = match format {
        TextFormat::Text => renewing::list(&list),
        TextFormat::Json => to_text(&list),
    };
    Ok(printed(&text, Exit::Ok))
}

async fn show(client: &Client, id: &str, format: TextFormat) -> Done {
    let item = meant(client, id, None, |_| true).await?;
    let path = format!("{RENEWALS}/{}", encoded(&item.id));
    let text = match format {
        TextFormat::Text => renewing::detail(&client.json(Method::GET, &path, None).await?),
        TextFormat::Json => client.text(Method::GET, &path, None).await?,
    };
    Ok(printed(&text, Exit::Ok))
}

/// The renewal with this id, or the one of the resource with this id. Of several, those that suit count.
async fn meant(
    client: &Client,
    id: &str,
    matcher: Option<&Matcher>,
    suits: fn(&RenewalItem) -> bool,
) -> Result<RenewalItem, Trouble> {
    if id.starts_with("ren_") {
        let detail: RenewalDetail =
            client.json(Method::GET, &format!("{RENEWALS}/{}", encoded(id)), None).await?;
        return Ok(detail.item);
    }
    // history is not what is meant where something is planned
    let current: Vec<_> =
        of_resource(client, id, matcher).await?.into_iter().filter(|item| item.decision.is_some()).collect();
    let suiting: Vec<_> = current.iter().filter(|item| suits(item)).cloned().collect();
    let several = if suiting.is_empty() { current } else { suiting };
    match &several[..] {
        [] => Err(Trouble::Said(format!(
            "no resource with the id `{}` is known to the daemon; `notafter renewals list --all` has them all",
            visible(id)
        ))),
        [only] => Ok(only.clone()),
        several => Err(Trouble::Said(renewing::several(several))),
    }
}

async fn of_resource(
    client: &Client,
    id: &str,
    matcher: Option<&Matcher>,
) -> Result<Vec<RenewalItem>, ClientError> {
    let quoted = id.replace('\\', "\\\\").replace('"', "\\\"");
    let more = matcher.map_or_else(String::new, |matcher| format!(", {matcher}"));
    let expression = format!("resource_id=\"{quoted}\"{more}");
    Ok(everything(client, &format!("all=true&match={}", encoded(&expression))).await?.items)
}

/// The renewal of this attempt, if its resource is meant.
pub(super) async fn by_attempt(
    client: &Client,
    id: &str,
    matcher: Option<&Matcher>,
) -> Result<Option<RenewalItem>, ClientError> {
    let path = format!("{RENEWALS}/{}", encoded(id));
    let item = client.json::<RenewalDetail>(Method::GET, &path, None).await?.item;
    if matcher.is_none() {
        return Ok(Some(item));
    }
    let meant = of_resource(client, &item.resource_id, matcher).await?;
    let place = |item: &RenewalItem| {
        [&item.cloud_account, &item.cloud_project, &item.cloud_region, &item.cloud_service].map(String::clone)
    };
    Ok(meant.iter().any(|other| place(other) == place(&item)).then_some(item))
}

/// `now`: approve, at once or in the window; `None`: reject.
async fn decide(client: &Client, id: &str, order: &Order, now: Option<bool>) -> Done {
    let suits: fn(&RenewalItem) -> bool =
        if now.is_some() { |item| item.can_approve } else { |item| item.can_reject };
    let item = meant(client, id, None, suits).await?;
    let (word, question) = match now {
        Some(_) => ("approve", "Approve this renewal?"),
        None => ("reject", "Reject this renewal?"),
    };
    if let Some(exit) = unless_agreed(&item, order.yes, question) {
        return Ok(exit);
    }
    let mut body = json!({"by": order.who(), "changed_at": seen(&item)});
    if now == Some(true) {
        body["now"] = true.into();
    }
    let path = format!("{RENEWALS}/{}/{word}", encoded(&item.id));
    let attempt: AttemptMember = client.json(Method::POST, &path, Some(body.to_string())).await?;
    Ok(printed(&format!("{}: {}", visible(&attempt.id), renewing::outcome(&attempt)), Exit::Ok))
}

/// What was shown, so that nothing else is decided about; `null` where nothing was announced.
fn seen(item: &RenewalItem) -> Option<Moment> {
    item.attempt.as_ref().map(|attempt| attempt.changed_at)
}

/// Shows what is meant and asks. `Some`: it is not wanted, and the process ends so.
fn unless_agreed(item: &RenewalItem, yes: bool, question: &str) -> Option<Exit> {
    if printed(&renewing::item(item), Exit::Ok) != Exit::Ok {
        return Some(Exit::Failed);
    }
    if yes {
        return None;
    }
    if !std::io::stdin().is_terminal() {
        eprintln!("notafter: nothing was ordered: there is no terminal to ask on; say --yes");
        return Some(Exit::Usage);
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stderr().flush().and_then(|()| std::io::stdin().read_line(&mut answer));
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return None;
    }
    eprintln!("nothing was ordered");
    Some(Exit::Failed)
}

/// Orders one renewal and tells how it goes; `None`: no daemon answers.
pub(super) async fn renew(socket: PathBuf, renew: &Renew) -> Option<Exit> {
    match ordered(&Client::at(&socket), renew).await {
        Ok(exit) => Some(exit),
        Err(Trouble::Client(error)) if error.is_nobody() => None,
        Err(error) => Some(failed(&error)),
    }
}

async fn ordered(client: &Client, renew: &Renew) -> Done {
    let attempt = match placed(client, renew).await? {
        Placed::Ordered(attempt) => attempt,
        Placed::Not(exit) => return Ok(exit),
    };
    if renew.no_wait {
        return Ok(Exit::Ok);
    }
    eprintln!("following it; Ctrl-C ends this command, not the renewal");
    follow(client, &attempt, ended).await
}

/// What came of an order.
pub(super) enum Placed {
    /// It is written down.
    Ordered(Box<AttemptMember>),
    /// It is not wanted, and the process ends so.
    Not(Exit),
}

/// Shows what is meant, asks, and has it written down.
pub(super) async fn placed(client: &Client, renew: &Renew) -> Result<Placed, Trouble> {
    let item = meant(client, &renew.resource_id, renew.matcher.as_ref(), |item| item.can_order).await?;
    if !item.can_order {
        printed(&renewing::item(&item), Exit::Ok);
        return Err(Trouble::Said("it cannot be ordered as it is, see above".to_owned()));
    }
    let question = if renew.now { "Renew it as soon as possible?" } else { "Renew it in its window?" };
    let (shown, yes) = (item.clone(), renew.order.yes);
    // a person thinks for as long as they like, and may press Ctrl-C instead
    let refused = tokio::task::spawn_blocking(move || unless_agreed(&shown, yes, question));
    if let Some(exit) = refused.await.unwrap_or(Some(Exit::Failed)) {
        return Ok(Placed::Not(exit));
    }
    let body = json!({
        "resource_id": item.resource_id, "cloud_provider": item.cloud_provider, "cloud_account": item.cloud_account,
        "cloud_project": item.cloud_project, "cloud_region": item.cloud_region, "cloud_service": item.cloud_service,
        "by": renew.order.who(), "now": renew.now, "changed_at": seen(&item),
    });
    let attempt: AttemptMember = client.json(Method::POST, RENEWALS, Some(body.to_string())).await?;
    let said = format!("{}: {}", visible(&attempt.id), renewing::outcome(&attempt));
    Ok(match printed(&said, Exit::Ok) {
        Exit::Ok => Placed::Ordered(Box::new(attempt)),
        exit => Placed::Not(exit),
    })
}

/// Tells each change until it is over.
pub(super) async fn follow(
    client: &Client,
    ordered: &AttemptMember,
    mut ended: impl FnMut(&RenewalItem, &AttemptMember) -> Option<Exit>,
) -> Result<Exit, Trouble> {
    let path = format!("{RENEWALS}/{}", encoded(&ordered.id));
    let (mut last, mut failures) = (String::new(), 0);
    loop {
        tokio::time::sleep(EVERY).await;
        let detail: RenewalDetail = match client.json(Method::GET, &path, None).await {
            Ok(detail) => detail,
            Err(error) if failures >= PATIENCE => return Err(error.into()),
            // it restarts, or has not planned since the order
            Err(_) => {
                failures += 1;
                continue;
            }
        };
        failures = 0;
        let item = detail.item;
        let Some(attempt) = item.attempt.as_ref().filter(|now| now.changed_at.0 >= ordered.changed_at.0)
        else {
            continue;
        };
        let said = renewing::situation(&item);
        if said != last {
            let at = utc(DateTime::<Utc>::from(std::time::SystemTime::now()));
            if printed(&format!("{at}  {said}"), Exit::Ok) != Exit::Ok {
                return Ok(Exit::Failed);
            }
            last = said;
        }
        if let Some(exit) = ended(&item, attempt) {
            return Ok(exit);
        }
    }
}

/// How the process ends, once nothing more is to come by itself.
pub(super) fn ended(item: &RenewalItem, attempt: &AttemptMember) -> Option<Exit> {
    match &*attempt.state {
        "confirmed" => Some(Exit::Ok),
        "rejected" | "without_effect" | "failed_later" | "refused" | "unknown" => Some(Exit::Failed),
        _ if matches!(item.decision.as_deref(), None | Some("refuse")) => Some(Exit::Failed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(state: &str, decision: Option<&str>) -> RenewalItem {
        let mut value = json!({
            "id": "ren_1", "cloud_provider": "alibaba", "cloud_account": "prod", "cloud_project": "",
            "cloud_region": "cn-hangzhou", "cloud_service": "redis", "resource_id": "r-1", "can_approve": false,
            "can_reject": false, "can_order": true,
        });
        let at = to_text(&Moment(DateTime::UNIX_EPOCH));
        let at: serde_json::Value = serde_json::from_str(&at).expect("a moment");
        value["decision"] = decision.into();
        value["attempt"] = json!({
            "id": "ren_1", "number": 1, "state": state, "by": "alice", "rule": "", "overdue": false, "changed_at": at,
        });
        serde_json::from_value(value).expect("a renewal")
    }

    #[test]
    fn following_ends_with_an_outcome_or_where_a_person_is_needed() {
        for (state, decision, want) in [
            ("approved", Some("wait"), None),
            ("approved", Some("renew"), None),
            ("stored", Some("under_way"), None),
            ("accepted", Some("under_way"), None),
            ("not_sent", Some("wait"), None),
            ("approved", Some("refuse"), Some(Exit::Failed)),
            ("approved", None, Some(Exit::Failed)),
            ("confirmed", None, Some(Exit::Ok)),
            ("confirmed", Some("wait"), Some(Exit::Ok)),
            ("refused", Some("refuse"), Some(Exit::Failed)),
            ("unknown", Some("refuse"), Some(Exit::Failed)),
        ] {
            let item = detail(state, decision);
            let attempt = item.attempt.as_ref().expect("given");
            assert_eq!(ended(&item, attempt), want, "{state} {decision:?}");
        }
    }
}
