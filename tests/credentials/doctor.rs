//! `doctor` over keys that are lent: a refused role is mended at the role, a refused key at the key.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use notafter::cli::doctor;
use notafter::daemon::doctor::{Diagnosis, Verdict, examine};
use notafter::daemon::poll::{Account, Filter};
use notafter::provider::{Provider, find};

use crate::support::{KEY, READER, World, assume};

async fn examined(provider: Arc<dyn Provider>, cloud: &str, service: &'static str) -> Diagnosis {
    let (name, services, filter) = ("prod".into(), vec![service], Filter::default());
    examine(vec![Account { name, provider_name: cloud.into(), services, provider, filter }]).await.remove(0)
}

fn failing(found: &Diagnosis) -> Vec<&str> {
    let fails = found.findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Fails { .. }));
    fails.map(|finding| finding.action).collect()
}

#[tokio::test]
async fn a_refused_sts_role_names_what_to_look_at() {
    let wrong = r#"{ access_key_id = "base", access_key_secret = "WRONG-SECRET" }"#;
    let at_the_role = ["look at `assume_role`", "`external_id`", "`sts:AssumeRole`", "trust policy"];
    for (name, credentials, expects, want) in [
        ("an external id", KEY, Some("x-1"), &at_the_role[..]),
        ("the key itself", wrong, None, &["look at the credentials"]),
    ] {
        let world = World::new().await;
        world.cloud.modify(|fleet| fleet.sts.roles[0].external_id = expects.map(Into::into));
        let found = examined(world.provider(credentials, &assume(READER)), "alibaba", "redis").await;
        assert_eq!(failing(&found), ["sts:AssumeRole"], "{name}: {:?}", found.findings);
        let text = doctor::text(&[found]);
        for want in want {
            assert!(text.contains(want), "{name}: {want}\n{text}");
        }
        assert!(text.contains("  denied       sts:AssumeRole "), "{name}\n{text}");
        assert!(!text.contains("SECRET") && !text.contains("  works "), "{name}\n{text}");
    }
}

/// An IAM that answers everything alike.
async fn iam(status: u16, answer: &'static str) -> String {
    let app = Router::new().fallback(move || async move { (StatusCode::from_u16(status).unwrap(), answer) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test]
async fn a_refused_agency_names_what_to_look_at() {
    for (status, answer, want) in [
        (
            403,
            r#"{"error_code":"IAM.0002","error_msg":"no agent operator"}"#,
            "look at `assume_role`: is there an agency",
        ),
        (404, r#"{"error":{"title":"Not Found","message":"no agency"}}"#, "`Agent Operator`"),
        (401, r#"{"error_code":"APIGW.0301","error_msg":"x"}"#, "look at the credentials of the account"),
    ] {
        let (url, world) = (iam(status, answer).await, World::new().await);
        let text = format!(
            "[[account]]\nname = \"prod\"\nprovider = \"huawei\"\nendpoints = {{ iam = \"{url}\", dcs = \"{url}\" }}\n\
             credentials = {{ access_key = \"base\", secret_key = \"BASE-SECRET\" }}\n\
             assume_role = {{ agency = \"watch\", domain = \"other\" }}\n"
        );
        let config =
            notafter::config::parse(&text, "config.toml").unwrap_or_else(|problems| panic!("{problems}"));
        let provider = world.order(&config, find("huawei").unwrap().build.unwrap()).unwrap();
        let found = examined(provider, "huawei", "dcs").await;
        assert_eq!(failing(&found), ["iam:SecurityTokens"], "{status}: {:?}", found.findings);
        let text = doctor::text(&[found]);
        assert!(text.contains(want), "{status}: {want}\n{text}");
    }
}
