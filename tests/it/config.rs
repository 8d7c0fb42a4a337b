//! Configuration files: good ones are read, bad ones are answered with exactly the expected words.
//!
//! `bad/NAME.toml` goes with `bad/NAME.expected`; `UPDATE_EXPECT=1` writes the expectations anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use notafter::config::{self, Config, LoadError};
use notafter::domain::policy::{AlertPolicy, PollPolicy, Thresholds};
use notafter::problem::Problems;
use toml::{Table, Value};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("tests/config").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files
}

fn parse_file(path: &Path) -> Result<Config, Problems> {
    let text = config::decode(fs::read(path).unwrap(), "config.toml")?;
    config::parse(&text, "config.toml")
}

fn parse(text: &str) -> Result<Config, Problems> {
    config::parse(text, "config.toml")
}

const ACCOUNT: &str = r#"
[[account]]
name = "prod"
provider = "alibaba"
credentials = { access_key_id = { env = "ID" }, access_key_secret = { env = "SECRET" } }
"#;

fn no_env(_: &str) -> Option<String> {
    None
}

fn keys(name: &str) -> Option<String> {
    ["ID", "SECRET"].contains(&name).then(|| "x".to_owned())
}

#[test]
fn every_bad_file_gets_the_expected_answer() {
    let mut wrong = Vec::new();
    for path in files("bad") {
        let found =
            parse_file(&path).map_or_else(|problems| format!("{problems}\n"), |_| "fine\n".to_owned());
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let want = fs::read_to_string(&expected).unwrap_or_default();
        if found != want || found == "fine\n" {
            wrong.push(format!("{}:\n--- expected\n{want}--- found\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_good_file_is_read_and_can_be_written_and_read_again() {
    for path in files("good") {
        let config = parse_file(&path).unwrap_or_else(|problems| panic!("{}:\n{problems}", path.display()));
        let written = config.effective();
        let again =
            parse(&written).unwrap_or_else(|problems| panic!("{}:\n{written}\n{problems}", path.display()));
        assert_eq!(again.effective(), written, "{}", path.display());
    }
}

#[test]
fn no_answer_repeats_a_secret() {
    for path in files("bad") {
        let Err(problems) = parse_file(&path) else { continue };
        let shown = format!("{problems}\n{problems:?}");
        assert!(!shown.contains("HUNTER2"), "{}:\n{shown}", path.display());
    }
}

#[test]
fn what_is_left_out_has_the_documented_value() {
    let config = parse(ACCOUNT).unwrap();
    assert_eq!(config.poll, PollPolicy::default());
    assert_eq!(config.poll.max_age, Duration::from_hours(6));
    assert_eq!(config.alert, AlertPolicy::default());
    assert_eq!(config.web.listen, ["127.0.0.1:9809".parse().unwrap()]);
    let account = &config.accounts[0];
    assert_eq!(account.services, ["redis", "rds", "mongodb"]);
    assert!(account.regions.is_none() && account.projects.is_none() && account.rate_limit.is_none());
}

#[test]
fn what_is_written_is_what_is_read() {
    let config = parse_file(Path::new("tests/config/good/full.toml")).unwrap();
    let account = &config.accounts[0];
    assert_eq!(account.services, ["redis", "mongodb"], "in the order of the cloud");
    assert_eq!(account.regions.as_deref().unwrap(), ["cn-hangzhou", "cn-beijing"]);
    assert_eq!(account.include[0].to_string(), r#"tag:env="prod""#);
    assert_eq!(account.labels["team"], "dba");
    assert_eq!(account.rate_limit, Some(250.0));
    assert_eq!(account.proxy.as_ref().unwrap().expose(), "http://proxy.example:3128");
    assert_eq!(config.poll.max_age, Duration::from_secs(2));
    assert_eq!(config.alert.timezone, Tz::Asia__Shanghai);
    let days = |n: u64| Duration::from_secs(n * 86_400);
    assert_eq!(config.alert.thresholds, Thresholds { info: days(45), warning: days(14), critical: days(7) });
    assert_eq!(
        config.alert.overrides[0].1,
        Thresholds { info: days(90), warning: days(60), critical: days(14) }
    );
    assert_eq!(config.web.listen.len(), 2);
}

#[test]
fn a_setting_of_the_interval_takes_the_other_along() {
    for (poll, max_age, min_interval) in [
        ("max_age = \"2s\"", 2, 2),
        ("min_interval = \"12h\"", 43_200, 43_200),
        ("max_age = \"1d\"", 86_400, 600),
        ("max_age = \"1d\"\nmin_interval = \"1s\"", 86_400, 1),
    ] {
        let found = parse(&format!("[poll]\n{poll}\n{ACCOUNT}")).unwrap().poll;
        let found = (found.max_age.as_secs(), found.min_interval.as_secs());
        assert_eq!(found, (max_age, min_interval), "{poll}");
    }
}

#[test]
fn literal_secrets_are_never_shown() {
    let text = r#"
[[account]]
name = "prod"
provider = "alibaba"
credentials = { access_key_id = "HUNTER2", access_key_secret = "HUNTER2", security_token = "HUNTER2" }
proxy = "http://me:HUNTER2@proxy.example:3128"
"#;
    let config = parse(text).unwrap();
    let shown = format!("{}\n{config:?}", config.effective());
    assert!(!shown.contains("HUNTER2"), "{shown}");
    assert!(shown.contains("http://proxy.example:3128"));
}

#[test]
fn a_long_line_is_answered_in_a_short_one() {
    let blob = "x".repeat(1_000_000);
    for text in [
        format!("{ACCOUNT}owner_tagg = \"{blob}\""),
        format!("{ACCOUNT}{blob} = 1"),
        format!("{ACCOUNT}services = [\"{blob}\"]"),
        format!("{ACCOUNT}include = ['{blob}=\"x\"']"),
        format!("{ACCOUNT}rate_limit = {}", "9".repeat(1_000_000)),
        blob.clone(),
    ] {
        let shown = parse(&text).unwrap_err().to_string();
        assert!(shown.len() < 1000, "{} bytes: {}", shown.len(), &shown[..300]);
    }
}

/// A folder with one file in it, which has the permission bits `mode`.
fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

const LITERAL: &str = r#"
[[account]]
name = "prod"
provider = "alibaba"
credentials = { access_key_id = { env = "ID" }, access_key_secret = "HUNTER2" }
"#;

#[test]
fn a_literal_secret_needs_a_file_that_others_cannot_read() {
    let (_folder, path) = written(LITERAL, 0o644);
    let error = config::load(&path, &keys).unwrap_err().to_string();
    let path = path.display();
    let want = format!(
        "{path}:5:69: account `prod`: `credentials.access_key_secret` is a secret, and everybody on this machine can \
         read the file\n  hint: chmod o-rwx {path}; or {{ env = … }}, {{ file = … }}, {{ credential = … }}"
    );
    assert_eq!(error, want);
    let (_folder, path) = written(LITERAL, 0o640);
    config::load(&path, &keys).unwrap();
}

#[test]
fn a_file_without_literal_secrets_may_be_read_by_everybody() {
    let (_folder, path) = written(&format!("{ACCOUNT}proxy = \"http://proxy.example:3128\""), 0o644);
    config::load(&path, &keys).unwrap();
    let (_folder, path) =
        written(&format!("{ACCOUNT}proxy = \"http://me:HUNTER2@proxy.example:3128\""), 0o644);
    let error = config::load(&path, &keys).unwrap_err().to_string();
    assert!(error.contains("`proxy` is a secret") && !error.contains("HUNTER2"), "{error}");
}

#[test]
fn every_secret_is_tried_along_with_everything_else() {
    let (_folder, path) = written(&format!("{ACCOUNT}regoins = []\n[poll]\ntimeout = \"0s\""), 0o600);
    let error = config::load(&path, &no_env).unwrap_err().to_string();
    for want in [
        ":5:33: account `prod`: `credentials.access_key_id`: environment variable `ID` is not set",
        ":5:69: account `prod`: `credentials.access_key_secret`: environment variable `SECRET` is not set",
        ":6:1: account `prod`: unknown key `regoins`",
        ":8:11: `poll.timeout` must be more than zero",
    ] {
        assert!(error.contains(want), "{want}:\n{error}");
    }
}

#[test]
fn a_credential_is_looked_for_where_systemd_puts_it() {
    let (folder, path) = written(&ACCOUNT.replace("{ env = \"SECRET\" }", "{ credential = \"key\" }"), 0o600);
    let error = config::load(&path, &keys).unwrap_err().to_string();
    assert!(error.contains("credential `key` needs $CREDENTIALS_DIRECTORY"), "{error}");
    fs::write(folder.path().join("key"), "x\n").unwrap();
    let directory = folder.path().display().to_string();
    let env = |name: &str| if name == "CREDENTIALS_DIRECTORY" { Some(directory.clone()) } else { keys(name) };
    config::load(&path, &env).unwrap();
}

#[test]
fn a_secret_file_that_others_can_read_is_only_warned_of() {
    let (folder, path) = written("", 0o600);
    let key = folder.path().join("key");
    fs::write(&key, "x").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let source = format!("{{ file = \"{}\" }}", key.display());
    fs::write(&path, ACCOUNT.replace("{ env = \"SECRET\" }", &source)).unwrap();
    let warnings = config::load(&path, &keys).unwrap().warnings.to_string();
    assert!(warnings.contains("can be read by others: chmod o-rwx"), "{warnings}");
}

#[test]
fn our_own_certificate_is_tried_and_open_hashes_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    fs::write(at("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(at("key.pem"), key.serialize_pem()).unwrap();
    let hash = format!("$2y$10${}", ".".repeat(53));
    let (cert, key, users) = (at("cert.pem"), at("key.pem"), format!("users = {{ alice = \"{hash}\" }}"));
    let text = |key: &Path| {
        let tls = format!("tls = {{ cert_file = \"{}\", key_file = \"{}\" }}", cert.display(), key.display());
        format!("{ACCOUNT}[web]\n{tls}\n{users}\n")
    };
    let load = |text: &str| {
        fs::write(at("config.toml"), text).unwrap();
        config::load(&at("config.toml"), &keys)
    };
    let set =
        |name: &str, mode: u32| fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    load(&text(&key)).unwrap();
    set("key.pem", 0o644);
    set("config.toml", 0o644);
    let warnings = load(&text(&key)).unwrap().warnings.to_string();
    for want in
        [":7:7: `web.tls`: key file ", "chmod o-rwx", ":8:9: `web.users`: everybody on this machine can read"]
    {
        assert!(warnings.contains(want), "{want}: {warnings}");
    }
    set("key.pem", 0o600);
    set("config.toml", 0o600);
    assert!(load(&text(&key)).unwrap().warnings.is_empty());
    for (name, key, want) in [
        ("nothing there", at("nothing.pem"), ":7:7: `web.tls`: "),
        ("no key", cert.clone(), "no private key in it"),
    ] {
        let error = load(&text(&key)).unwrap_err().to_string();
        assert!(error.contains(want) && error.contains(&key.display().to_string()), "{name}: {error}");
        assert!(!error.contains(&hash), "{name}: {error}");
    }
}

#[test]
fn the_file_is_looked_for_in_this_order() {
    let flag = Path::new("/flag.toml");
    let env = |name: &str| (name == "NOTAFTER_CONFIG").then(|| "/env.toml".to_owned());
    assert_eq!(config::find_path(Some(flag), &env).unwrap(), flag);
    assert_eq!(config::find_path(None, &env).unwrap(), Path::new("/env.toml"));
    if let Err(error) = config::find_path(None, &no_env) {
        let want = "no configuration found: --config is not given, $NOTAFTER_CONFIG is not set, \
                    /etc/notafter/config.toml and ./config.toml do not exist";
        assert_eq!(error.to_string(), want);
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("nothing.toml"), folder.path().to_owned()] {
        let error = config::load(&path, &no_env).unwrap_err();
        assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    }
}

/// The example as it is used: every key that is commented out is taken in.
fn uncommented() -> String {
    let example = fs::read_to_string("config.example.toml").unwrap();
    let lines = example
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn only_not_built(problems: &Problems) -> bool {
    problems.iter().all(|problem| problem.message.ends_with("is not built yet in this version"))
}

#[test]
fn the_example_works_as_it_is_shipped() {
    let config = parse_file(Path::new("config.example.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.accounts.len(), 1);
}

#[test]
fn the_example_knows_no_key_that_the_code_does_not() {
    // what is not built yet stands there too, and is refused by its own words
    if let Err(problems) = parse(&uncommented()) {
        assert!(only_not_built(&problems), "{problems}");
    }
}

#[test]
fn the_code_knows_no_key_that_the_example_does_not() {
    let document: Table = uncommented().parse().unwrap();
    let present = keys_of(&document);
    let mut probed = document;
    probe(&mut probed);
    let problems = parse(&toml::to_string(&probed).unwrap()).unwrap_err();
    let mut possible: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for problem in problems.iter() {
        let list = problem.hint.as_deref().and_then(|hint| hint.split_once("possible here: "));
        if let (Some(table), Some((_, list))) = (problem.key.strip_suffix(PROBE), list) {
            let table = kind_of_table(table.trim_end_matches('.'), &probed);
            possible.entry(table).or_default().extend(list.split(", ").map(str::to_owned));
        }
    }
    assert!(possible.len() > 25, "{possible:?}");
    let missing: Vec<_> = possible
        .iter()
        .filter(|(_, keys)| !keys.contains("credential")) // the ways to write a secret, named at the top
        .flat_map(|(table, keys)| keys.iter().map(move |key| format!("{table}.{key}")))
        .filter(|key| !present.contains(key))
        .collect();
    assert!(missing.is_empty(), "not in config.example.toml: {missing:#?}");
}

const PROBE: &str = "probe_that_is_no_key";

/// The blocks of TOML in a page, as one text.
fn toml_blocks(page: &str) -> String {
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```toml\n").skip(1).filter_map(|behind| behind.split("```").next());
    // inside of a list they are indented
    blocks.flat_map(str::lines).flat_map(|line| [line.trim_start(), "\n"]).collect()
}

#[test]
fn the_examples_of_the_documentation_work() {
    for page in ["README.md", "docs/alerts.md"] {
        let config = parse(&toml_blocks(page)).unwrap_or_else(|problems| panic!("{page}: {problems}"));
        let counts = (config.accounts.len(), config.channels.len(), config.routes.len());
        assert_eq!(counts, (1, 2, 2), "{page}");
    }
}

/// Adds a key that does not exist to every table, so that each answers with the keys that do.
fn probe(table: &mut Table) {
    for (_, value) in table.iter_mut() {
        match value {
            Value::Table(inner) => probe(inner),
            Value::Array(list) => list.iter_mut().filter_map(Value::as_table_mut).for_each(probe),
            _ => {}
        }
    }
    table.insert(PROBE.to_owned(), Value::from("x"));
}

/// `account[2].credentials` becomes `account(huawei).credentials`: what belongs to one cloud or type is told apart.
fn kind_of_table(path: &str, document: &Table) -> String {
    let mut value = &Value::Table(document.clone());
    let mut name = String::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (key, number) = part
            .split_once('[')
            .map_or((part, None), |(key, number)| (key, number.trim_end_matches(']').parse::<usize>().ok()));
        value = &value[key];
        value = number.map_or(value, |number| &value[number]);
        let dot = if name.is_empty() { "" } else { "." };
        name = format!("{name}{dot}{key}{}", kind(value));
    }
    name
}

fn kind(value: &Value) -> String {
    let kind = value.get("provider").or_else(|| value.get("type")).and_then(Value::as_str);
    kind.map_or_else(String::new, |kind| format!("({kind})"))
}

/// Every key of a document in the same notation.
fn keys_of(document: &Table) -> BTreeSet<String> {
    fn walk(table: &Table, name: &str, found: &mut BTreeSet<String>) {
        for (key, value) in table {
            let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            found.insert(if name.is_empty() { format!(".{key}") } else { path.clone() });
            let inner = value.as_array().into_iter().flatten().chain(std::iter::once(value));
            for element in inner.filter(|element| element.is_table()) {
                let table = element.as_table().unwrap();
                walk(table, &format!("{path}{}", kind(element)), found);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(document, "", &mut found);
    found
}
