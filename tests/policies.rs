//! The shipped policies grant exactly the calls that are made: none is missing, none is too many.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use notafter::provider::{Calls, PROVIDERS};

/// Calls that every key may make, whatever its policies.
const FREE: &[&str] = &["iam:KeystoneListAuthProjects"];

/// Every `prefix:Action` in a policy file.
fn actions(path: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    let policy: serde_json::Value = serde_json::from_str(&text).expect(path);
    let statements = policy["Statement"].as_array().expect("statements");
    let listed =
        statements.iter().flat_map(|statement| statement["Action"].as_array().expect("a list of actions"));
    listed.map(|action| action.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn reading_and_renewing_are_granted_apart_and_exactly() {
    for kind in PROVIDERS.iter().filter(|kind| kind.build.is_some()) {
        let calls = || kind.services.iter().map(|service| (kind.calls)(service));
        let reading: BTreeSet<String> =
            calls().flat_map(Calls::reading).filter(|a| !FREE.contains(a)).map(str::to_owned).collect();
        assert_eq!(actions(kind.read_policy), reading, "{}", kind.read_policy);
        let renewing: BTreeSet<String> =
            calls().flat_map(|calls| calls.renewal.iter().map(|a| (*a).to_owned())).collect();
        let granted = kind.renew_policy.map(actions).unwrap_or_default();
        assert_eq!(granted, renewing, "{:?}", kind.renew_policy);
    }
}

#[test]
fn what_is_tried_beside_the_looks_is_granted_apart_and_exactly() {
    let calls = PROVIDERS.iter().flat_map(|kind| kind.services.iter().map(|service| (kind.calls)(service)));
    let (mut needed, mut policies) = (BTreeSet::new(), BTreeSet::new());
    for extra in calls.flat_map(|calls| calls.beside) {
        needed.extend(extra.permission.map(str::to_owned));
        policies.insert(extra.policy);
    }
    let granted: BTreeSet<String> = policies.iter().flat_map(|policy| actions(policy)).collect();
    assert_eq!(granted, needed, "{policies:?}");
}
