//! Every route that changes something, out of the source of the router: a new one is asked for without being named here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const METHODS: [&str; 4] = ["post", "put", "delete", "patch"];

/// Method and path of each, with `x_1` where an id stands.
pub(crate) fn routes() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut routes);
    let is_there = |method: &str, path: &str| routes.contains(&(method.to_owned(), path.to_owned()));
    // one of each way of writing it
    for (method, path) in [
        ("POST", "/-/reload"),
        ("POST", "/silences"),
        ("POST", "/resource"),
        ("DELETE", "/api/v1/log-level"),
        ("POST", "/api/v1/renewals/x_1/approve"),
    ] {
        assert!(is_there(method, path), "{method} {path} is not among {routes:?}");
    }
    assert!(!is_there("POST", "/api/v1/plan"), "{routes:?}");
    routes
}

fn read(folder: &Path, routes: &mut BTreeSet<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, routes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("text");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            routes.extend(code.split(".route(").skip(1).flat_map(changes));
        }
    }
}

/// What comes behind `.route(`, to its end.
fn changes(text: &str) -> Vec<(String, String)> {
    let mut open = 1;
    let end = text.find(|letter| {
        open += i32::from(letter == '(') - i32::from(letter == ')');
        open == 0
    });
    let route = &text[..end.expect("a closing bracket")];
    let (path, answer) = route.trim().trim_start_matches('"').split_once('"').expect("a path");
    let words: Vec<&str> = answer.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let known = |word: &&str| METHODS.contains(word) || *word == "get";
    assert!(words.iter().any(known), "{path} is routed in a way that is not understood: {answer}");
    let path = path.replace("{id}", "x_1");
    assert!(!path.contains('{'), "{path} has a part that is not understood");
    let methods = METHODS.iter().filter(|method| words.contains(method));
    methods.map(|method| (method.to_uppercase(), path.clone())).collect()
}
