//! Where the keys of an account of UCloud come from: written, from the SDK's own chain, or from the machine.
//!
//! The metadata service is known from the SDK alone, in two versions whose answers differ; whatever of the two comes
//! is understood.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::settings::Settings;
use crate::call::{CallError, CallErrorKind, clean};
use crate::clock::Clock;
use crate::http::Answer;
use crate::provider::keys::{
    Environment, Found, KeySource, Keys, Lender, LentKeys, Nearby, default_chain, fits_a_form, lent_keys,
    secret_text, written,
};
use crate::provider::settings::Credentials;
use crate::provider::{BoxFuture, BuildError, Order, Role};
use crate::secret::Secret;

const PROVIDER: &str = "ucloud";
const ROLE: &str = "metadata:Role";
const KEYS: &str = "metadata:SecurityCredentials";
const V1: &str = "/meta-data/v1/uam/security-credentials";
const V2: &str = "/meta-data/v2/iam/security-credentials";

/// What helps where keys are not lent.
pub(super) const ROLES: &[Role] =
    &[Role { action: ROLE, way_out: MACHINE }, Role { action: KEYS, way_out: MACHINE }];

const MACHINE: &str =
    "give this machine a role that grants the reading policy, or name another source in `credentials`";

/// Addresses that no configuration can change; tests put simulated ones in their place.
#[derive(Debug, Clone)]
pub struct Places {
    /// The metadata service.
    pub metadata: String,
}

impl Default for Places {
    fn default() -> Self {
        Self { metadata: "http://100.80.80.80".to_owned() }
    }
}

/// The source of an account's keys.
///
/// # Errors
/// Something that is written cannot be read, the default chain leads to something broken, or no HTTP client can be
/// made.
pub fn source(
    order: &Order<'_>,
    settings: &Settings,
    places: &Places,
) -> Result<Arc<dyn KeySource>, BuildError> {
    let env = Environment::capture(VARIABLES, order.env);
    let machine = Machine(Arc::new(Nearby::new(order, PROVIDER, &places.metadata)?));
    let clock = order.http.clock().clone();
    match &settings.credentials {
        Credentials::Written(pair) => written(order, pair, fits_a_form),
        Credentials::InstanceRole => Ok(machine.keys(order.account, &clock)),
        Credentials::Default => {
            let (account, files) = (Arc::clone(order.account), Files::of(&env));
            let watched = files.iter().flat_map(|files| [&files.keys, &files.profiles]).cloned().collect();
            let find = move |contents: &[Option<Secret>]| chain(&env, files.as_ref(), contents);
            default_chain(order, watched, fits_a_form, find, move || machine.keys(&account, &clock))
        }
    }
}

const PUBLIC: &str = "UCLOUD_PUBLIC_KEY";
const PRIVATE: &str = "UCLOUD_PRIVATE_KEY";
const PROFILE: &str = "UCLOUD_PROFILE";
const CONFIG_FILE: &str = "UCLOUD_SHARED_CONFIG_FILE";
const CREDENTIAL_FILE: &str = "UCLOUD_SHARED_CREDENTIAL_FILE";
const HOME: &str = "HOME";

/// Every variable that the chain looks at.
const VARIABLES: &[&str] = &[PUBLIC, PRIVATE, PROFILE, CONFIG_FILE, CREDENTIAL_FILE, HOME];

/// The files of the cloud's tools.
#[derive(Debug, Clone)]
struct Files {
    keys: PathBuf,
    profiles: PathBuf,
}

impl Files {
    /// `None`: nobody knows where they are.
    fn of(env: &Environment) -> Option<Self> {
        let at = |variable: &str, name: &str| {
            let at_home = || env.get(HOME).map(|home| Path::new(home).join(".ucloud").join(name));
            env.get(variable).map(PathBuf::from).or_else(at_home)
        };
        Some(Self {
            keys: at(CREDENTIAL_FILE, "credential.json")?,
            profiles: at(CONFIG_FILE, "config.json")?,
        })
    }
}

/// Why the chain leads nowhere. Carries names, never values.
#[derive(Debug, thiserror::Error)]
enum ChainError {
    #[error("{0} is set, and {1} is not")]
    Half(&'static str, &'static str),
    #[error("{}: not the JSON expected (line {line}, column {column})", file.display())]
    Malformed { file: PathBuf, line: usize, column: usize },
    #[error("{}: profile `{profile}` has no `{key}`{hint}", file.display())]
    Incomplete { file: PathBuf, profile: String, key: &'static str, hint: &'static str },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Profile {
    profile: String,
    active: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    profile: String,
    #[serde(deserialize_with = "secret_text")]
    public_key: Option<Secret>,
    #[serde(deserialize_with = "secret_text")]
    private_key: Option<Secret>,
    /// Left there by the command line's login in a browser.
    access_token: Option<IgnoredAny>,
}

/// What stands in the files wins over the environment, as in the SDK; `None`: the machine has to be asked.
fn chain(
    env: &Environment,
    files: Option<&Files>,
    contents: &[Option<Secret>],
) -> Result<Option<Found>, ChainError> {
    if let (Some(files), [Some(keys), profiles]) = (files, contents)
        && let Some(found) = from_profile(env, files, keys, profiles.as_ref())?
    {
        return Ok(Some(found));
    }
    match (env.secret(PUBLIC), env.secret(PRIVATE)) {
        (Some(id), Some(secret)) => {
            Ok(Some(Found { id, secret, token: None, origin: format!("{PUBLIC} and {PRIVATE}") }))
        }
        (Some(_), None) => Err(ChainError::Half(PUBLIC, PRIVATE)),
        (None, Some(_)) => Err(ChainError::Half(PRIVATE, PUBLIC)),
        (None, None) => Ok(None),
    }
}

fn from_profile(
    env: &Environment,
    files: &Files,
    keys: &Secret,
    profiles: Option<&Secret>,
) -> Result<Option<Found>, ChainError> {
    let profiles: Vec<Profile> = profiles.map_or(Ok(Vec::new()), |text| list(&files.profiles, text))?;
    let entries: Vec<Entry> = list(&files.keys, keys)?;
    let active = profiles.iter().find(|profile| profile.active).map(|profile| profile.profile.as_str());
    let name = env.get(PROFILE).or(active).unwrap_or("default");
    let Some(entry) = entries.into_iter().find(|entry| entry.profile == name) else { return Ok(None) };
    let missing = |key| {
        let login = entry.access_token.is_some();
        let hint = if login { "; a login in a browser is not supported" } else { "" };
        let (file, profile) = (files.keys.clone(), clean(name));
        ChainError::Incomplete { file, profile, key, hint }
    };
    let id = entry.public_key.clone().ok_or_else(|| missing("public_key"))?;
    let secret = entry.private_key.clone().ok_or_else(|| missing("private_key"))?;
    let origin = format!("{}: profile `{}`", files.keys.display(), clean(name));
    Ok(Some(Found { id, secret, token: None, origin }))
}

fn list<T: for<'de> Deserialize<'de>>(file: &Path, text: &Secret) -> Result<Vec<T>, ChainError> {
    serde_json::from_str(text.expose()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ChainError::Malformed { file: file.to_owned(), line, column }
    })
}

/// The role of the machine.
#[derive(Debug, Clone)]
struct Machine(Arc<Nearby>);

/// What the first question brings.
enum First {
    Keys(Keys),
    Role(String),
}

impl Machine {
    fn keys(&self, account: &Arc<str>, clock: &Clock) -> Arc<dyn KeySource> {
        Arc::new(LentKeys::new(account, Box::new(self.clone()), clock))
    }

    /// Without a role's name version 1 gives either the keys or the name; with the name, version 2 goes first.
    async fn ask(&self) -> Result<Keys, CallError> {
        let answer = self.0.ask(ROLE, Method::GET, V1, &[]).await?;
        let role = match first(&answer)? {
            First::Keys(keys) => return Ok(keys),
            First::Role(role) => role,
        };
        let answer = self.0.ask(KEYS, Method::GET, &format!("{V2}/{role}"), &[]).await?;
        match keys(&answer) {
            Ok(keys) => Ok(keys),
            Err(error) if error.kind == CallErrorKind::KeyDenied => {
                let answer = self.0.ask(KEYS, Method::GET, &format!("{V1}/{role}"), &[]).await?;
                keys(&answer)
            }
            Err(error) => Err(error),
        }
    }
}

impl Lender for Machine {
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
        Box::pin(self.ask())
    }

    fn action(&self) -> &'static str {
        KEYS
    }

    fn actions(&self) -> Vec<&'static str> {
        vec![ROLE, KEYS]
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default, rename = "RetCode")]
    code: Value,
    #[serde(default, rename = "Data")]
    data: Value,
}

/// Keys, or the name of a role: as the whole answer, as `Data`, or as the first of a list there.
fn first(answer: &Answer) -> Result<First, CallError> {
    if !answer.status.is_success() || !answer.body.trim_ascii().starts_with(b"{") {
        return Nearby::role_name(answer, ROLE).map(|role| First::Role(role.to_owned()));
    }
    let envelope = read(answer)?;
    let data = envelope.data.as_array().and_then(|list| list.first()).unwrap_or(&envelope.data);
    match data.as_str() {
        Some(role) if Nearby::is_role_name(role) => Ok(First::Role(role.to_owned())),
        _ => keys(answer).map(First::Keys),
    }
}

fn keys(answer: &Answer) -> Result<Keys, CallError> {
    if !answer.status.is_success() {
        return Err(Nearby::refusal(answer, KEYS));
    }
    read(answer)?;
    lent_keys(&answer.body, KEYS)
}

/// Refuses an answer that says it failed, which UCloud does with status 200.
fn read(answer: &Answer) -> Result<Envelope, CallError> {
    let envelope: Envelope = serde_json::from_slice(&answer.body).map_err(|error| {
        let text = format!("the answer is not the JSON expected (column {})", error.column());
        CallError::new(CallErrorKind::Unreadable, KEYS, text)
    })?;
    let code = match &envelope.code {
        Value::Number(code) => code.to_string(),
        Value::String(code) => clean(code),
        _ => "0".to_owned(),
    };
    if code == "0" {
        return Ok(envelope);
    }
    let text = "the metadata service gives this machine no keys";
    Err(CallError::new(CallErrorKind::KeyDenied, KEYS, text).with_code(&code, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS_FILE: &str = r#"[{"profile":"default","public_key":"file","private_key":"HUNTER2"},
        {"profile":"work","public_key":"work","private_key":"HUNTER2"},
        {"profile":"half","public_key":"HUNTER2","private_key":""},
        {"profile":"login","access_token":"HUNTER2"}]"#;
    const WORK: &str = r#"[{"profile":"default","active":false},{"profile":"work","active":true}]"#;

    fn found(set: &[(&str, &str)], contents: [Option<&str>; 2]) -> Result<String, String> {
        let find = |name: &str| {
            let value = set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            value.or_else(|| (name == HOME).then(|| "/home/me".to_owned()))
        };
        let env = Environment::capture(VARIABLES, &find);
        let contents = contents.map(|text| text.map(Secret::new));
        let word = |found: Option<Found>| {
            found.map_or_else(|| "machine".to_owned(), |found| found.id.expose().to_owned())
        };
        let found = chain(&env, Files::of(&env).as_ref(), &contents);
        found.map(word).map_err(|error| error.to_string())
    }

    #[test]
    fn the_chain_is_that_of_the_sdk() {
        let env = [(PUBLIC, "env"), (PRIVATE, "HUNTER2")];
        for (name, set, contents, want) in [
            ("the file wins", env.to_vec(), [Some(KEYS_FILE), None], Ok("file")),
            ("its active profile", vec![], [Some(KEYS_FILE), Some(WORK)], Ok("work")),
            ("or a named one", vec![(PROFILE, "default")], [Some(KEYS_FILE), Some(WORK)], Ok("file")),
            (
                "one that is not there",
                [&env[..], &[(PROFILE, "none")]].concat(),
                [Some(KEYS_FILE), None],
                Ok("env"),
            ),
            ("the environment", env.to_vec(), [None, Some(WORK)], Ok("env")),
            ("the machine", vec![], [None, None], Ok("machine")),
            (
                "half a key",
                vec![(PUBLIC, "HUNTER2")],
                [None, None],
                Err("UCLOUD_PUBLIC_KEY is set, and UCLOUD_PRIVATE_KEY is not"),
            ),
            (
                "half a profile",
                vec![(PROFILE, "half")],
                [Some(KEYS_FILE), None],
                Err("/home/me/.ucloud/credential.json: profile `half` has no `private_key`"),
            ),
            (
                "a browser login",
                vec![(PROFILE, "login")],
                [Some(KEYS_FILE), None],
                Err("a login in a browser is not supported"),
            ),
            (
                "no JSON",
                vec![],
                [Some("HUNTER2"), None],
                Err("credential.json: not the JSON expected (line 1, column 1)"),
            ),
        ] {
            match (found(&set, contents), want) {
                (Ok(found), Ok(want)) => assert_eq!(found, want, "{name}"),
                (Err(error), Err(want)) => {
                    assert!(error.contains(want) && !error.contains("HUNTER2"), "{name}: {error}");
                }
                (found, want) => panic!("{name}: {found:?} instead of {want:?}"),
            }
        }
    }
}
