//! `renew` where no daemon runs: this command does for one resource what the daemon would do, and keeps the daemon away
//! from the store meanwhile. What it shows, asks and tells is what `order` does, asked of routes in this process.

use chrono::{DateTime, Utc};

use super::order::{self, Placed, Trouble};
use super::signals::stop_at_signals;
use super::{Exit, environment, failed};
use crate::cli::args::Renew;
use crate::cli::client::Client;
use crate::cli::renewing;
use crate::config::Config;
use crate::daemon::alone::{Alone, Station};
use crate::domain::renewal::refusal::Refusal;
use crate::shutdown::{Shutdown, Stop};
use crate::visible::visible;
use crate::web::api::renewals::{AttemptMember, RenewalItem};

/// What passes while somebody follows it. For everything else a daemon has to wait.
const PASSING: [Refusal; 7] = [
    Refusal::StaleReading,
    Refusal::NotSentYet,
    Refusal::UnderWayElsewhere,
    Refusal::Changing,
    Refusal::GroupBusy,
    Refusal::AccountLimit,
    Refusal::NotRead,
];

/// How the work at a station ended.
enum End {
    /// The outcome is known since then.
    Over(Exit, DateTime<Utc>),
    /// Nothing was begun, or nobody follows it any more.
    Left(Exit),
}

/// Renews one resource, and ends when the outcome is known.
pub(super) async fn renew(config: Config, renew: &Renew) -> Exit {
    if renew.no_wait {
        eprintln!("notafter: --no-wait needs a daemon: without one nobody carries the order out");
        return Exit::Usage;
    }
    let stop = Stop::new();
    let asked = stop.listener();
    if let Err(error) = stop_at_signals(stop) {
        return failed(&error);
    }
    let alone = match Alone::open(config, &environment).await {
        Ok(alone) => alone,
        Err(error) => return failed(&error),
    };
    eprintln!(
        "no daemon runs: this command lists everything, looks, and goes the way of the daemon for this one"
    );
    let (begun, has_channels) = (alone.under_way(&renew.resource_id), alone.has_channels());
    let Some(mut station) = alone.begin(&renew.resource_id, &asked).await else {
        return failed(&"stopped before everything was listed; nothing was ordered");
    };
    let end = work(&mut station, renew, &begun, &asked).await;
    let (exit, over) = match end {
        End::Over(exit, at) => (exit, Some(at)),
        End::Left(exit) => (exit, None),
    };
    station.end(over, &asked).await;
    if over.is_some() && has_channels {
        eprintln!("messages about it are written down; the daemon sends them when it is started next");
    }
    exit
}

async fn work(station: &mut Station, renew: &Renew, begun: &[Box<str>], asked: &Shutdown) -> End {
    let client = Client::inside(station.routes());
    if let Err(trouble) = station.planned().await {
        return End::Left(failed(&trouble));
    }
    tokio::select! {
        () = asked.requested() => {
            eprintln!(
                "notafter: stopped. What was sent to the cloud is read, and not sent again, by the next `notafter run` or \
                 `notafter renew`; what was only ordered may be made by the next `notafter run`, until its yes ends"
            );
            End::Left(Exit::Failed)
        }
        error = station.broken() => {
            eprintln!("notafter: {error}");
            eprintln!("  what was begun is found out by reading, by the next `notafter run` or `notafter renew`");
            End::Left(Exit::Failed)
        }
        end = order_and_follow(&client, renew, begun) => end.unwrap_or_else(|error| End::Left(failed(&error))),
    }
}

async fn order_and_follow(client: &Client, renew: &Renew, begun: &[Box<str>]) -> Result<End, Trouble> {
    let attempt = match taken_up(client, renew, begun).await? {
        Some(item) => {
            super::printed(&renewing::item(&item), Exit::Ok);
            eprintln!("it was sent before: nothing is sent now, and this command tells what becomes of it");
            item.attempt.ok_or_else(|| Trouble::Said("nothing is known of what was sent".to_owned()))?
        }
        None => match order::placed(client, renew).await? {
            Placed::Ordered(attempt) => *attempt,
            Placed::Not(exit) => return Ok(End::Left(exit)),
        },
    };
    eprintln!(
        "following it; Ctrl-C ends this command, and nobody follows it any more until a daemon is started"
    );
    let mut over = None;
    let exit = order::follow(client, &attempt, |item, attempt| {
        if let Some(exit) = order::ended(item, attempt) {
            over = is_outcome(attempt).then_some(attempt.changed_at.0);
            return Some(exit);
        }
        parked(item, attempt)
    });
    let exit = exit.await?;
    Ok(over.map_or(End::Left(exit), |at| End::Over(exit, at)))
}

/// What somebody sent who ended before the outcome was known. That is followed, whatever became of it meanwhile.
async fn taken_up(
    client: &Client,
    renew: &Renew,
    begun: &[Box<str>],
) -> Result<Option<RenewalItem>, Trouble> {
    let mut found = Vec::new();
    for id in begun {
        found.extend(order::by_attempt(client, id, renew.matcher.as_ref()).await?);
    }
    match &found[..] {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        several => Err(Trouble::Said(renewing::several(several))),
    }
}

fn is_outcome(attempt: &AttemptMember) -> bool {
    !["announced", "approved", "not_sent", "rejected"].contains(&&*attempt.state)
}

/// Nothing was sent, and what it waits for does not pass while somebody sits here.
fn parked(item: &RenewalItem, attempt: &AttemptMember) -> Option<Exit> {
    let reason = item.reason.as_ref().filter(|_| item.decision.as_deref() == Some("wait"))?;
    if is_outcome(attempt) || PASSING.iter().any(|passing| passing.code() == reason.code) {
        return None;
    }
    let id = visible(&attempt.id);
    eprintln!(
        "notafter: nothing was sent, and without a daemon nobody waits for it. {id} stays ordered as shown above: a daemon \
         that is started by then makes it (`notafter run`), or say --now; `notafter renewals reject {id}` takes it back"
    );
    Some(Exit::Failed)
}
