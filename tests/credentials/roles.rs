//! Roles: taken on once, renewed before their end, survived when renewal fails, and told when they are refused.

use bytes::Bytes;
use chrono::TimeDelta;
use notafter::call::CallErrorKind;
use notafter::provider::alibaba::sign::{ApiCall, KeyRef, signed_headers};
use notafter::secret::Secret;
use notafter::sim::alibaba::{Fault, IdentityProvider, Where};

use crate::support::{BASE, KEY, NOBODY, OTHER, READER, SECOND, THIRD, World, assume, id, look};

#[tokio::test]
async fn fifty_callers_make_one_call_for_the_role() {
    let world = World::new().await;
    let provider = world.provider(KEY, &assume(READER));
    let looks: Vec<_> = (0..50)
        .map(|_| {
            tokio::spawn({
                let provider = provider.clone();
                async move { look(&provider, OTHER).await }
            })
        })
        .collect();
    for looked in looks {
        looked.await.unwrap().unwrap();
    }
    assert_eq!(world.calls("AssumeRole"), 1);
    assert_eq!(world.callers("DescribeInstanceSSL"), vec!["STS.session1"; 50]);
    assert!(provider.key_calls().contains(&"sts:AssumeRole"), "its counter exists from the start");
}

#[tokio::test]
async fn a_session_is_renewed_before_its_end_and_no_call_is_refused() {
    let world = World::new().await;
    let provider = world.provider(KEY, &assume(READER));
    for minute in 0..180 {
        look(&provider, OTHER).await.unwrap_or_else(|error| panic!("minute {minute}: {error}"));
        world.pass(1);
    }
    let sessions = world.calls("AssumeRole");
    assert!((4..=5).contains(&sessions), "{sessions} sessions of an hour in three hours");
}

#[tokio::test]
async fn a_short_session_is_used_for_two_thirds_of_its_life() {
    let world = World::new().await;
    world.cloud.modify(|fleet| fleet.sts.roles[0].lasts = Some(TimeDelta::minutes(15)));
    let keys = world.source(KEY, &assume(READER)).unwrap();
    for _ in 0..8 {
        assert_eq!(id(&keys).await.unwrap(), "STS.session1");
        world.pass(1);
    }
    world.pass(3);
    assert_eq!(id(&keys).await.unwrap(), "STS.session2");
}

fn refuse_roles(world: &World) {
    let body = Bytes::from(r#"{"Code":"NoPermission","Message":"not now","RequestId":"R-77"}"#);
    let fault = Fault::Custom { status: 403, headers: vec![], body };
    world.cloud.inject(fault, Where::action("AssumeRole"), None);
}

#[tokio::test]
async fn a_refused_renewal_is_survived_while_the_session_lasts() {
    let world = World::new().await;
    let provider = world.provider(KEY, &assume(READER));
    look(&provider, OTHER).await.unwrap();
    refuse_roles(&world);
    world.pass(50);
    for _ in 0..20 {
        look(&provider, OTHER).await.unwrap();
    }
    assert_eq!(world.calls("AssumeRole"), 2, "one try, then a pause");
    world.pass(11);
    let error = look(&provider, OTHER).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (CallErrorKind::KeyDenied, Some("NoPermission")));
    world.cloud.clear_faults();
    world.pass(15);
    look(&provider, OTHER).await.unwrap();
    assert_eq!(world.callers("DescribeInstanceSSL").last().unwrap(), "STS.session2");
}

#[tokio::test]
async fn a_session_that_the_cloud_forgot_is_replaced_before_the_next_call() {
    let world = World::new().await;
    let provider = world.provider(KEY, &assume(READER));
    look(&provider, OTHER).await.unwrap();
    world.cloud.modify(|fleet| fleet.accounts[1].keys.clear());
    assert_eq!(look(&provider, OTHER).await.unwrap_err().kind, CallErrorKind::KeyDenied);
    // after a refused key an account is silent for a moment, whatever its keys
    world.pass(11);
    look(&provider, OTHER).await.unwrap();
    assert_eq!(world.calls("AssumeRole"), 2);
}

#[tokio::test]
async fn an_answer_that_ends_in_the_past_is_an_error_and_not_a_key() {
    for (name, lasts, want) in [
        ("an hour ago", TimeDelta::hours(-1), "the keys that came ended at 2026-11-22 11:00:00 UTC already"),
        ("right now", TimeDelta::zero(), "ended at 2026-11-22 12:00:00 UTC already"),
        ("in a year", TimeDelta::days(365), "which cannot be true"),
    ] {
        let world = World::new().await;
        world.cloud.modify(|fleet| fleet.sts.roles[0].lasts = Some(lasts));
        let provider = world.provider(KEY, &assume(READER));
        for _ in 0..10 {
            let error = look(&provider, OTHER).await.unwrap_err();
            assert_eq!((error.kind, error.action), (CallErrorKind::Unreadable, "sts:AssumeRole"), "{name}");
            assert!(error.message.contains(want), "{name}: {error}");
        }
        assert_eq!((world.calls("AssumeRole"), world.calls("DescribeInstanceSSL")), (1, 0), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_ends_in_the_past_does_not_replace_a_good_session() {
    let world = World::new().await;
    let provider = world.provider(KEY, &assume(READER));
    look(&provider, OTHER).await.unwrap();
    world.cloud.modify(|fleet| fleet.sts.roles[0].lasts = Some(TimeDelta::hours(-1)));
    world.pass(50);
    look(&provider, OTHER).await.unwrap();
    assert_eq!(world.callers("DescribeInstanceSSL"), ["STS.session1", "STS.session1"]);
}

#[tokio::test]
async fn a_refused_role_is_told_with_account_role_and_code() {
    let wrong_id = format!("assume_role = {{ role_arn = \"{READER}\", external_id = \"wrong\" }}");
    let unknown = READER.replace("reader", "nobody");
    for (name, role, expects, code, want) in [
        ("a wrong external id", wrong_id, Some("right"), "NoPermission", READER),
        ("none", assume(READER), Some("right"), "NoPermission", READER),
        ("no trust", assume(SECOND), None, "NoPermission", SECOND),
        ("an unknown role", assume(&unknown), None, "EntityNotExist.Role", &*unknown),
    ] {
        let world = World::new().await;
        world.cloud.modify(|fleet| fleet.sts.roles[0].external_id = expects.map(Into::into));
        let error = look(&world.provider(KEY, &role), OTHER).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::KeyDenied, "{name}: the whole account stands still");
        let text = error.to_string();
        for part in ["sts:AssumeRole: denied", code, "account `prod`", want] {
            assert!(text.contains(part), "{name}: {part}: {text}");
        }
    }
}

#[tokio::test]
async fn the_right_external_id_is_let_in() {
    let world = World::new().await;
    world.cloud.modify(|fleet| fleet.sts.roles[0].external_id = Some("x-1".into()));
    let role =
        format!("assume_role = {{ role_arn = \"{READER}\", external_id = \"x-1\", session_name = \"me\" }}");
    look(&world.provider(KEY, &role), OTHER).await.unwrap();
}

#[tokio::test]
async fn a_base_key_that_is_refused_says_so() {
    let world = World::new().await;
    let wrong = r#"{ access_key_id = "base", access_key_secret = "WRONG-SECRET" }"#;
    let error = look(&world.provider(wrong, &assume(READER)), OTHER).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (CallErrorKind::KeyDenied, Some("SignatureDoesNotMatch"))
    );
    assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
}

#[tokio::test]
async fn roles_are_chained_on_top_of_a_chained_profile() {
    let world = World::new().await;
    let profiles = format!(
        r#"{{"current":"reader","profiles":[
            {{"name":"base","mode":"AK","access_key_id":"base","access_key_secret":"BASE-SECRET"}},
            {{"name":"reader","mode":"ChainableRamRoleArn","source_profile":"base","ram_role_arn":"{READER}"}}]}}"#
    );
    world.write(".aliyun/config.json", &profiles);
    let provider = world.provider(r#"{ source = "default" }"#, &assume(SECOND));
    look(&provider, THIRD).await.unwrap();
    assert_eq!(world.callers("AssumeRole"), ["base", "STS.session1"]);
    assert_eq!(world.callers("DescribeInstanceSSL"), ["STS.session2"]);
    for _ in 0..60 {
        world.pass(2);
        look(&provider, THIRD).await.unwrap();
    }
    let callers = world.callers("AssumeRole");
    assert!((5..=7).contains(&callers.len()), "two roles of an hour in two hours: {callers:?}");
}

fn trust_tokens(world: &World, token: &str) {
    let provider = IdentityProvider { arn: "acs:ram::1:oidc-provider/k8s".into(), token: token.into() };
    world.cloud.modify(|fleet| fleet.sts.roles[0].provider = Some(provider));
}

#[tokio::test]
async fn a_token_of_an_identity_provider_is_enough_and_read_anew_each_time() {
    let mut world = World::new().await;
    trust_tokens(&world, "OIDC-TOKEN-1");
    let file = world.write("token", "OIDC-TOKEN-1\n");
    world.set(&[
        ("ALIBABA_CLOUD_ROLE_ARN", READER),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/k8s"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", file.to_str().unwrap()),
    ]);
    let keys = world.source(r#"{ source = "default" }"#, "").unwrap();
    assert_eq!(id(&keys).await.unwrap(), "STS.session1");
    trust_tokens(&world, "OIDC-TOKEN-2");
    std::fs::write(&file, "OIDC-TOKEN-2").unwrap();
    world.pass(50);
    assert_eq!(id(&keys).await.unwrap(), "STS.session2");
    std::fs::write(&file, "OIDC-TOKEN-3").unwrap();
    world.pass(70);
    let error = id(&keys).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("AuthenticationFail.OIDCToken.Invalid") && text.contains(READER), "{text}");
    assert!(!text.contains("OIDC-TOKEN"), "the cloud repeats the token, the error does not: {text}");
    std::fs::remove_file(&file).unwrap();
    world.pass(30);
    let text = id(&keys).await.unwrap_err().to_string();
    assert!(text.contains("token: No such file"), "{text}");
}

/// GetCallerIdentity, as somebody would ask it to see whether a key is good.
async fn identity(world: &World, key: &KeyRef<'_>, number: usize) -> serde_json::Value {
    let (host, query) = (world.cloud.host(), []);
    let call =
        ApiCall { host: &host, action: "GetCallerIdentity", version: "2015-04-01", query: &query, form: "" };
    let signed = signed_headers(&call, key, world.clock.now(), &format!("nonce-{number}"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/?{}", world.cloud.base_url(), signed.query));
    let request = signed.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_session_belongs_to_the_account_of_its_role() {
    let world = World::new().await;
    let lent = world.source(KEY, &assume(READER)).unwrap().keys().await.unwrap();
    let token = lent.token.as_ref().map(Secret::expose);
    let session = KeyRef { id: lent.id.expose(), secret: lent.secret.expose(), token };
    let base = KeyRef { id: "base", secret: "BASE-SECRET", token: None };
    let wrong = KeyRef { id: "base", secret: "WRONG", token: None };
    for (number, (key, field, want)) in [
        (&session, "AccountId", OTHER),
        (&session, "IdentityType", "AssumedRoleUser"),
        (&base, "AccountId", BASE),
        (&wrong, "Code", "SignatureDoesNotMatch"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(identity(&world, key, number).await[field], want, "{} {field}", key.id);
    }
}

#[tokio::test]
async fn silence_of_the_role_service_is_told_as_that() {
    let world = World::new().await;
    let config = world.config(KEY, &assume(READER));
    let text = config
        .effective()
        .replace(&format!("sts = \"{}\"", world.cloud.base_url()), &format!("sts = \"{NOBODY}\""));
    let text = text.replace("\"[hidden]\"", "{ env = \"K\" }");
    let config = notafter::config::parse(&text, "c.toml").unwrap();
    let mut world = world;
    world.set(&[("K", "base")]);
    let build = notafter::provider::find("alibaba").unwrap().build.unwrap();
    let provider = world.order(&config, build).unwrap();
    let error = look(&provider, BASE).await.unwrap_err();
    assert_eq!((error.kind, error.action), (CallErrorKind::Unreachable, "sts:AssumeRole"));
}
