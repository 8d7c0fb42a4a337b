//! Nothing that a key is made of, and no private key that an answer holds, is ever to be seen.

use std::time::Duration;

use notafter::daemon::poll::Mode;
use notafter::sim::alibaba::{Fault, PRIVATE_KEY_MARKER, Where};

use super::end;
use crate::common::{Captured, everything};
use crate::service::{Asker, Service, Spot, Watch, patient};

const WRONG_SECRET: &str = "PLANTED-WRONG-SECRET-4711";

/// Never to be seen, whatever the cloud.
const NEVER: [&str; 4] = [WRONG_SECRET, PRIVATE_KEY_MARKER, "PRIVATE KEY", "StringToSign"];

/// Answers that repeat what they were asked with, and answers with a private key in them.
fn echoes(service: &Service) -> Vec<(&'static str, Fault)> {
    let keys = service.secrets.join(" and ");
    let private =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END RSA PRIVATE KEY-----\n");
    let plain = |status, body: &str| Fault::Custom {
        status,
        headers: vec![("x-request-id".into(), body.replace('\n', " "))],
        body: body.to_owned().into(),
    };
    vec![
        ("an error that repeats the keys", (service.echo)(&keys)),
        ("an error with a private key", (service.echo)(&private)),
        ("HTML that repeats the keys", plain(502, &format!("<html>{keys}"))),
        ("text that repeats the keys", plain(200, &keys)),
        ("a private key for an answer", plain(200, &private)),
        ("a private key with 403", plain(403, &private)),
        ("JSON that ends in a private key", plain(200, &format!("{{\"x\":\"{private}"))),
    ]
}

/// In no log at trace level, no page, no list, no metric, and no `Debug` text.
pub(super) async fn no_secret_anywhere(service: &'static Service) {
    let (log, _guard) = Captured::start();
    let cloud = service.cloud(["res-1".to_owned()]).await;
    let temporary = Asker { temporary: true, ..Asker::default() };
    let wrong = Asker { wrong_secret: Some(WRONG_SECRET), ..temporary };
    let watch = Watch::start(cloud, patient(), Mode::Continuous, |cloud, http| {
        let home = service.place(Spot::Home);
        let other = crate::service::Place { account: "other", ..*home };
        vec![cloud.account(home, temporary, http), cloud.account(&other, wrong, http)]
    });
    watch.until("read with a temporary key", |s| end(s, "res-1").is_some()).await;
    let mut seen = everything(&watch, "a good day").await;
    for (name, fault) in echoes(service) {
        watch.cloud.inject(fault, Where::default(), None);
        let failing =
            |s: &notafter::domain::snapshot::Snapshot| service.scope(s, Spot::Home).failure().is_some();
        watch.until(name, failing).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        seen.extend(everything(&watch, name).await);
        watch.cloud.clear_faults();
        watch.until("recovery", |s| service.scope(s, Spot::Home).is_up()).await;
    }
    watch.end().await;
    seen.push(("the log at trace level".to_owned(), log.text()));
    let refused = seen.iter().any(|(_, text)| text.contains("denied") || text.contains("Denied"));
    assert!(refused, "the wrong secret was refused, and that is told");
    for (place, text) in &seen {
        for secret in NEVER.iter().chain(service.secrets) {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} is in {place}: {}", line.unwrap_or_default());
        }
    }
}
