//! The guides of the clouds are complete and alike: whoever knows one finds their way in the others.

use std::fs;

use notafter::provider::PROVIDERS;

use super::pages;

/// The parts that every guide has, in this order; a cloud may have others between them.
const PARTS: [&str; 10] = [
    "Account",
    "Permissions",
    "Roles and other sources of keys",
    "What the dates mean",
    "Off, unsupported, gone, busy",
    "How it is read",
    "Addresses",
    "Limits",
    "Errors",
    "Renewal",
];

fn guide(name: &str) -> String {
    fs::read_to_string(format!("docs/clouds/{name}.md")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_cloud_has_a_guide_with_the_same_parts() {
    for kind in PROVIDERS {
        let parts = pages::headings(&guide(kind.name)).into_iter().filter(|(level, _)| *level == 2);
        let parts: Vec<_> = parts.map(|(_, words)| words).filter(|words| PARTS.contains(&&**words)).collect();
        assert_eq!(parts, PARTS, "{}", kind.name);
    }
}

#[test]
fn a_guide_names_every_service_address_and_policy_of_its_cloud() {
    for kind in PROVIDERS {
        let text = guide(kind.name);
        let keys = kind.endpoint_keys.iter().map(|key| format!("`{key}`"));
        let services = kind.services.iter().map(|service| format!("`{service}`"));
        let policies = [Some(kind.read_policy), kind.renew_policy].into_iter().flatten().map(str::to_owned);
        for wanted in services.chain(keys).chain(policies) {
            assert!(text.contains(&wanted), "{}: {wanted}", kind.name);
        }
    }
}
