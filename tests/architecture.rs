//! The floors of the house: a module uses only lower floors, and the core is pure.
//!
//! In a single crate the compiler does not stop an import that points upwards; this test does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module of the crate's root and its floor. A new one is entered here first.
const FLOORS: &[(&str, u8)] = &[
    ("domain", 0),
    ("visible", 0),
    ("call", 1),
    ("clock", 1),
    ("problem", 1),
    ("secret", 1),
    ("shutdown", 1),
    ("stamp", 1),
    ("systemd", 1),
    ("telemetry", 1),
    ("fields", 2),
    ("http", 2),
    ("tls", 2),
    ("metrics", 3),
    ("notifier", 3),
    ("provider", 3),
    ("store", 3),
    ("config", 4),
    ("sim", 4),
    ("web", 4),
    ("daemon", 5),
    ("cli", 6),
];

/// What the pure core must not contain: waiting, clocks, files, sockets, the other side's wire formats, and the names of
/// clouds. (Values that are kept, what was told and messages on their way, say with `serde` how they are written.)
const IMPURE: &[&str] = &[
    "async ",
    ".await",
    "tokio",
    "::now()",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant",
    "reqwest",
    "hyper",
    "tracing",
    "println!",
    "rand::",
];

struct Source {
    path: PathBuf,
    module: String,
    code: String,
}

/// Every source file below `src`, without its tests and comments.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(source(&root, &path));
            }
        }
    }
    assert!(found.len() > 30, "only {} files found", found.len());
    found
}

fn source(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("UTF-8");
    let inside = path.strip_prefix(root).expect("below src").to_path_buf();
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    // `tests.rs`, and whatever lies in a folder `tests`
    let is_test = |part: &std::ffi::OsStr| part == "tests" || part == "testing";
    let in_folder = inside.parent().is_some_and(|folder| folder.iter().any(is_test));
    let code = if in_folder || inside.file_stem().is_some_and(is_test) {
        String::new()
    } else {
        without_tests(&text)
    };
    Source { path: inside, module: first.trim_end_matches(".rs").to_owned(), code }
}

/// Tests stand last in a file; comments and documentation may say what they like.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn floors() -> BTreeMap<&'static str, u8> {
    FLOORS.iter().copied().collect()
}

/// The root modules that a text names as `crate::x`, also inside `use crate::{x::…, y::…}`.
fn used(code: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => names.push(name(rest)),
            Some(group) => {
                let inner = group.split("};").next().unwrap_or_default();
                names.extend(inner.split([',', '{']).map(|part| name(part.trim())));
            }
        }
    }
    names
}

#[test]
fn a_module_uses_only_lower_floors() {
    let floors = floors();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = floors.get(source.module.as_str()) else { continue };
        for used in used(&source.code) {
            let Some(floor) = floors.get(used.as_str()) else { continue };
            if used != source.module && floor >= own {
                wrong.push(format!("{} (floor {own}) uses {used} (floor {floor})", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point upwards or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let floors = floors();
    let missing: Vec<_> = sources()
        .into_iter()
        .filter(|source| !["lib", "main"].contains(&source.module.as_str()))
        .filter(|source| !floors.contains_key(source.module.as_str()))
        .map(|source| source.path)
        .collect();
    assert!(missing.is_empty(), "no floor in this test's table: {missing:?}");
}

#[test]
fn the_core_is_pure() {
    let floors = floors();
    let mut wrong = Vec::new();
    for source in sources().into_iter().filter(|source| floors.get(&*source.module) == Some(&0)) {
        for (number, line) in source.code.lines().enumerate() {
            for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
                wrong.push(format!(
                    "{}: `{}` ({impure}), line {} of the code",
                    source.path.display(),
                    line.trim(),
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "the core touches the world:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_and_the_shared_floors_name_no_cloud() {
    let clouds: Vec<String> = folders("src/provider");
    assert!(clouds.contains(&"alibaba".to_owned()));
    let mut wrong = Vec::new();
    for source in sources() {
        let may = ["provider", "sim", "cli"].contains(&source.module.as_str());
        for cloud in clouds.iter().filter(|_| !may) {
            if source.code.to_lowercase().contains(&format!("{cloud}::")) {
                wrong.push(format!("{} names {cloud}", source.path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "only a cloud's own folder and the list of clouds know its name:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_lists_of_clouds_and_channels_are_their_folders() {
    let mut clouds: Vec<_> = notafter::provider::PROVIDERS.iter().map(|kind| kind.name.to_owned()).collect();
    let mut channels: Vec<_> =
        notafter::notifier::NOTIFIERS.iter().map(|kind| kind.name.to_owned()).collect();
    clouds.sort();
    channels.sort();
    assert_eq!(clouds, folders("src/provider"));
    assert_eq!(channels, folders("src/notifier"));
}

/// Folders beside the clouds, and beside the channels, that all of them use.
const SHARED: &[&str] = &["keys", "pair", "text"];

fn folders(under: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(under);
    let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("an entry").path());
    let mut names: Vec<String> = entries
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .filter(|name| !SHARED.contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

#[test]
fn this_test_sees_what_it_must_see() {
    assert_eq!(
        used("use crate::{domain::pace, http::Rate};\nlet x = crate::sim::y();"),
        ["domain", "http", "sim"]
    );
    assert!(!without_tests("let a;\n// tokio\n#[cfg(test)]\nmod tests {\n tokio }").contains("tokio"));
}
