//! Spoilt files with keys: read or refused, never repeated, never a panic.

use std::path::Path;

use proptest::prelude::*;

use super::chain::OUR_NAME;
use super::plan::{Plan, StsHost};
use super::{profile, section};

const PLANTED: &str = "PLANTED-SECRET-4711";

const PROFILES: &str = r#"{"current":"b","profiles":[
    {"name":"a","mode":"AK","access_key_id":"PLANTED-SECRET-4711","access_key_secret":"PLANTED-SECRET-4711"},
    {"name":"b","mode":"ChainableRamRoleArn","source_profile":"a","ram_role_arn":"acs:ram::1:role/r","expired_seconds":900},
    {"name":"c","mode":"OIDC","oidc_provider_arn":"p","oidc_token_file":"/t","ram_role_arn":"r","sts_region":"cn-beijing"}]}"#;

const SECTIONS: &str = "[default]\ntype = ram_role_arn\naccess_key_id = PLANTED-SECRET-4711\n\
                        access_key_secret = PLANTED-SECRET-4711\nrole_arn = acs:ram::1:role/r\n";

/// The text with some bytes set, and some put in.
fn spoilt(text: &str, changes: &[(usize, u8, bool)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, byte, more) in changes {
        let at = at % bytes.len();
        if *more {
            bytes.insert(at, *byte);
        } else {
            bytes[at] = *byte;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8, bool)>> {
    proptest::collection::vec((any::<usize>(), any::<u8>(), any::<bool>()), 0..6)
}

/// No planted secret in what is told.
fn check(outcome: Result<Option<Plan>, super::chain::ChainError>) {
    if let Err(error) = outcome {
        assert!(!format!("{error} {error:?}").contains(PLANTED), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn profiles_are_read_or_refused(changes in changes(), named in 0..3_usize) {
        let named = [None, Some("a"), Some("c")][named];
        check(profile::plan(Path::new("config.json"), &spoilt(PROFILES, &changes), named));
    }

    #[test]
    fn sections_are_read_or_refused(changes in changes()) {
        let host = StsHost { region: None, vpc: false };
        check(section::plan(Path::new("credentials.ini"), &spoilt(SECTIONS, &changes), "default", &host));
    }

    #[test]
    fn texts_of_any_kind_are_read_or_refused(text in any::<String>()) {
        check(profile::plan(Path::new("config.json"), &text, None));
        let host = StsHost { region: None, vpc: false };
        check(section::plan(Path::new("credentials.ini"), &text, OUR_NAME, &host));
    }
}

#[test]
fn a_file_whose_lines_end_in_another_way_shows_no_key() {
    let host = StsHost { region: None, vpc: false };
    let text = SECTIONS.replacen("[default]\n", "[default]\n\n", 1).replace("arn\n", "arn\r");
    let error =
        section::plan(Path::new("credentials.ini"), &text, "default", &host).expect_err("no such kind");
    assert!(error.to_string().contains("(something that is no word)"), "{error}");
    check(Err(error));
}

#[test]
fn a_long_chain_of_profiles_ends() {
    let profile = |n: usize| {
        let (mode, next) = ("ChainableRamRoleArn", n + 1);
        format!(r#"{{"name":"p{n}","mode":"{mode}","source_profile":"p{next}","ram_role_arn":"r"}}"#)
    };
    let profiles: Vec<_> = (0..5000).map(profile).collect();
    let text = format!(r#"{{"current":"p0","profiles":[{}]}}"#, profiles.join(","));
    let error = profile::plan(Path::new("config.json"), &text, None).expect_err("it is refused");
    assert!(error.to_string().contains("builds on too many others"), "{error}");
}
