//! The default chain of the cloud's SDKs, in their order: environment, OIDC, the CLI's file, the credentials file,
//! the instance, an address.
//!
//! What is there decides: the first place that says anything is the one that is meant. If it is broken, that is an
//! error which names it, and not a reason to go on with somebody else's identity.

use std::path::{Path, PathBuf};

use super::plan::{Plan, Role, SESSION, StsHost};
use super::{profile, section};
use crate::provider::keys::Environment;
use crate::secret::Secret;

const ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";
const ROLE: &str = "ALIBABA_CLOUD_ROLE_ARN";
const OIDC_PROVIDER: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const OIDC_TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const SESSION_NAME: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";
const PROFILE: &str = "ALIBABA_CLOUD_PROFILE";
const NO_CLI: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
const FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";
const INSTANCE: &str = "ALIBABA_CLOUD_ECS_METADATA";
const NO_INSTANCE: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
const NO_V1: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";
/// The variable with the address that hands out keys.
pub(super) const URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";
const STS_REGION: &str = "ALIBABA_CLOUD_STS_REGION";
const VPC: &str = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED";
const HOME: &str = "HOME";

/// Every variable that the chain looks at.
pub(super) const VARIABLES: &[&str] = &[
    ID,
    SECRET,
    TOKEN,
    ROLE,
    OIDC_PROVIDER,
    OIDC_TOKEN_FILE,
    SESSION_NAME,
    PROFILE,
    NO_CLI,
    FILE,
    INSTANCE,
    NO_INSTANCE,
    NO_V1,
    URI,
    STS_REGION,
    VPC,
    HOME,
];

/// The name under which roles are taken on unless another is given.
pub(super) const OUR_NAME: &str = "notafter";

/// Why the chain leads nowhere. Carries names, never values.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChainError {
    /// Half a key.
    #[error("{0} is set, and {1} is not")]
    Half(&'static str, &'static str),
    /// A file is not of its form.
    #[error("{}: {problem}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong, by its place.
        problem: String,
    },
    /// A profile lacks something.
    #[error("{}: profile `{profile}` has no `{key}`", file.display())]
    Incomplete {
        /// The file.
        file: PathBuf,
        /// The profile.
        profile: String,
        /// What it lacks.
        key: &'static str,
    },
    /// A profile is of a kind that cannot be used.
    #[error("{}: profile `{profile}` is of the kind `{kind}`, which is not supported; possible: {possible}", file.display())]
    Kind {
        /// The file.
        file: PathBuf,
        /// The profile.
        profile: String,
        /// Its kind.
        kind: String,
        /// Those that can be used.
        possible: &'static str,
    },
    /// A profile builds on itself, or on one that is not there.
    #[error("{}: profile `{profile}` builds on profile `{source_profile}`, which {problem}", file.display())]
    Source {
        /// The file.
        file: PathBuf,
        /// The profile.
        profile: String,
        /// What it names.
        source_profile: String,
        /// What is wrong with that.
        problem: &'static str,
    },
    /// Nothing anywhere.
    #[error(
        "no credentials found: {ID} and {OIDC_TOKEN_FILE} are not set, no profile in {looked}, \
         {NO_INSTANCE} is true, {URI} is not set"
    )]
    Nothing {
        /// The files that were looked at.
        looked: String,
    },
}

/// The two files of the chain; `None`: switched off, or nobody knows where.
#[derive(Debug, Clone)]
pub(super) struct Files {
    cli: Option<PathBuf>,
    shared: Option<PathBuf>,
}

/// What stood in them; `None`: no such file.
pub(super) struct Contents {
    cli: Option<Secret>,
    shared: Option<Secret>,
}

impl Files {
    /// Where they are.
    pub(super) fn of(env: &Environment) -> Self {
        let at_home = |path: &str| env.get(HOME).map(|home| Path::new(home).join(path));
        let cli = at_home(".aliyun/config.json").filter(|_| !env.is_true(NO_CLI));
        let shared = env.get(FILE).map(PathBuf::from);
        Self { cli, shared: shared.or_else(|| at_home(".alibabacloud/credentials.ini")) }
    }

    /// Both.
    pub(super) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.cli.iter().chain(&self.shared)
    }

    /// Says which content belongs to which; they come in the order of [`Self::all`].
    pub(super) fn contents(&self, texts: &[Option<Secret>]) -> Contents {
        let mut texts = texts.iter().cloned();
        let mut content = |file: &Option<PathBuf>| file.as_ref().and_then(|_| texts.next().flatten());
        Contents { cli: content(&self.cli), shared: content(&self.shared) }
    }
}

/// What the chain comes to.
pub(super) fn default_chain(
    env: &Environment,
    files: &Files,
    contents: &Contents,
) -> Result<Plan, ChainError> {
    if let Some(plan) = from_environment(env)?.or_else(|| from_oidc(env)) {
        return Ok(plan);
    }
    let named = env.get(PROFILE);
    if let (Some(file), Some(text)) = (&files.cli, &contents.cli)
        && let Some(plan) = profile::plan(file, text.expose(), named)?
    {
        return Ok(plan);
    }
    if let (Some(file), Some(text)) = (&files.shared, &contents.shared)
        && let Some(plan) = section::plan(file, text.expose(), named.unwrap_or("default"), &sts_host(env))?
    {
        return Ok(plan);
    }
    from_network(env).ok_or_else(|| {
        let looked: Vec<_> = files.all().map(|file| file.display().to_string()).collect();
        let looked = if looked.is_empty() { "any file".to_owned() } else { looked.join(" and ") };
        ChainError::Nothing { looked }
    })
}

fn from_environment(env: &Environment) -> Result<Option<Plan>, ChainError> {
    match (env.secret(ID), env.secret(SECRET)) {
        (Some(id), Some(secret)) => {
            let origin = format!("{ID} and {SECRET}");
            Ok(Some(Plan::Keys { id, secret, token: env.secret(TOKEN), origin }))
        }
        (Some(_), None) => Err(ChainError::Half(ID, SECRET)),
        (None, Some(_)) => Err(ChainError::Half(SECRET, ID)),
        (None, None) => Ok(None),
    }
}

fn from_oidc(env: &Environment) -> Option<Plan> {
    let role = Role {
        arn: env.get(ROLE)?.to_owned(),
        session_name: env.get(SESSION_NAME).unwrap_or(OUR_NAME).to_owned(),
        external_id: None,
        policy: None,
        seconds: SESSION,
        sts: sts_host(env),
    };
    let provider_arn = env.get(OIDC_PROVIDER)?.to_owned();
    Some(Plan::Oidc { provider_arn, token_file: env.get(OIDC_TOKEN_FILE)?.into(), role })
}

fn sts_host(env: &Environment) -> StsHost {
    StsHost { region: env.get(STS_REGION).map(str::to_owned), vpc: env.is_true(VPC) }
}

/// The role of the instance, whether or not there is one.
pub(super) fn instance(env: &Environment) -> Plan {
    Plan::Instance { role: env.get(INSTANCE).map(str::to_owned), v1: !env.is_true(NO_V1) }
}

/// Nobody knows without asking whether this machine has a role, so the two of them are tried in turn.
fn from_network(env: &Environment) -> Option<Plan> {
    let uri = env.secret(URI).map(Plan::Uri);
    let instance = (!env.is_true(NO_INSTANCE)).then(|| instance(env));
    match (instance, uri) {
        (Some(instance), Some(uri)) => Some(Plan::FirstOf(vec![instance, uri])),
        (one, None) | (None, one) => one,
    }
}

/// The kind of a profile as it may be shown: where a line end is lost, what stands there runs on into the next lines,
/// and those hold the key.
pub(super) fn shown_kind(text: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if text.len() <= 32 && text.bytes().all(is_word) {
        return text.to_owned();
    }
    "(something that is no word)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(set: &[(&str, &str)]) -> Environment {
        let find = |name: &str| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned()).or_else(|| (name == HOME).then(|| "/home/me".into()))
        };
        Environment::capture(VARIABLES, &find)
    }

    /// What the chain comes to with these variables and these files.
    fn chain(set: &[(&str, &str)], on_disk: &[(&str, &str)]) -> Result<Plan, ChainError> {
        let env = env(set);
        let files = Files::of(&env);
        let content = |path: &PathBuf| {
            let found = on_disk.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| Secret::new(*text))
        };
        let contents: Vec<_> = files.all().map(content).collect();
        default_chain(&env, &files, &files.contents(&contents))
    }

    /// One word for a plan.
    fn word(plan: &Plan) -> String {
        match plan {
            Plan::Keys { id, token, .. } => {
                format!("keys {}{}", id.expose(), if token.is_some() { " with token" } else { "" })
            }
            Plan::Role { base, role } => format!("{} by {}", role.arn, word(base)),
            Plan::Oidc { token_file, role, .. } => format!("{} by {}", role.arn, token_file.display()),
            Plan::Instance { role, v1 } => format!("instance {} v1={v1}", role.as_deref().unwrap_or("?")),
            Plan::Uri(_) => "uri".into(),
            Plan::FirstOf(plans) => plans.iter().map(word).collect::<Vec<_>>().join(", else "),
        }
    }

    const CLI: &str = "/home/me/.aliyun/config.json";
    const INI: &str = "/home/me/.alibabacloud/credentials.ini";
    const AK: &str = r#"{"current":"default","profiles":[
        {"name":"default","mode":"AK","access_key_id":"cli","access_key_secret":"HUNTER2"},
        {"name":"other","mode":"StsToken","access_key_id":"sts","access_key_secret":"HUNTER2","sts_token":"HUNTER2"}]}"#;
    const SECTIONS: &str = "[default]\ntype = access_key\naccess_key_id = ini\naccess_key_secret = HUNTER2 # note\n\
                            [other]\ntype=ecs_ram_role\nrole_name=reader\n";

    #[test]
    fn the_places_are_taken_in_the_order_of_the_sdks() {
        let both: &[(&str, &str)] = &[(CLI, AK), (INI, SECTIONS)];
        let oidc = [(ROLE, "role"), (OIDC_PROVIDER, "provider"), (OIDC_TOKEN_FILE, "/token")];
        let with = |more: &[(&'static str, &'static str)]| [&oidc[..], more].concat();
        for (name, set, on_disk, want) in [
            ("keys before all", with(&[(ID, "env"), (SECRET, "s")]), both, "keys env"),
            ("with a token", vec![(ID, "env"), (SECRET, "s"), (TOKEN, "t")], both, "keys env with token"),
            ("then OIDC", with(&[]), both, "role by /token"),
            ("OIDC needs all three", oidc[..2].to_vec(), both, "keys cli"),
            ("then the CLI's file", vec![], both, "keys cli"),
            ("its profile by name", vec![(PROFILE, "other")], both, "keys sts with token"),
            ("unless it is switched off", vec![(NO_CLI, "TRUE")], both, "keys ini"),
            ("then the credentials file", vec![], &[(INI, SECTIONS)], "keys ini"),
            (
                "its section by name",
                vec![(PROFILE, "other"), (NO_CLI, "true")],
                both,
                "instance reader v1=true",
            ),
            ("at another place", vec![(FILE, "/x.ini")], &[("/x.ini", SECTIONS)], "keys ini"),
            ("a profile that neither has", vec![(PROFILE, "none")], both, "instance ? v1=true"),
            ("then the instance", vec![], &[], "instance ? v1=true"),
            ("its role by name", vec![(INSTANCE, "r"), (NO_V1, "true")], &[], "instance r v1=false"),
            ("and the address", vec![(URI, "https://x")], &[], "instance ? v1=true, else uri"),
            ("the address alone", vec![(URI, "https://x"), (NO_INSTANCE, "true")], &[], "uri"),
        ] {
            let plan = chain(&set, on_disk).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(word(&plan), want, "{name}");
            assert!(!format!("{plan:?}").contains("HUNTER2"), "{name}");
        }
    }

    #[test]
    fn what_is_broken_is_named_and_not_passed_over() {
        let cli = |profile: &str| format!(r#"{{"current":"p","profiles":[{{"name":"p",{profile}}}]}}"#);
        let loops = r#"{"current":"a","profiles":[
            {"name":"a","mode":"ChainableRamRoleArn","source_profile":"b","ram_role_arn":"x"},
            {"name":"b","mode":"ChainableRamRoleArn","source_profile":"a","ram_role_arn":"x"}]}"#;
        for (name, set, file, text, want) in [
            (
                "half a key",
                vec![(ID, "HUNTER2")],
                CLI,
                AK.to_owned(),
                "ALIBABA_CLOUD_ACCESS_KEY_ID is set, and ALIBABA_CLOUD_ACCESS_KEY_SECRET is not",
            ),
            (
                "the other half",
                vec![(SECRET, "HUNTER2")],
                CLI,
                AK.to_owned(),
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET is set, and ALIBABA_CLOUD_ACCESS_KEY_ID is not",
            ),
            (
                "no JSON",
                vec![],
                CLI,
                "HUNTER2".to_owned(),
                "config.json: not the JSON expected (line 1, column 1)",
            ),
            (
                "half a profile",
                vec![],
                CLI,
                cli(r#""mode":"AK","access_key_id":"HUNTER2","access_key_secret":"""#),
                "profile `p` has no `access_key_secret`",
            ),
            (
                "a browser login",
                vec![],
                CLI,
                cli(r#""mode":"CloudSSO","access_token":"HUNTER2""#),
                "profile `p` is of the kind `CloudSSO`, which is not supported; possible: AK, ",
            ),
            ("OAuth", vec![], CLI, cli(r#""mode":"OAuth""#), "kind `OAuth`"),
            (
                "a program",
                vec![],
                CLI,
                cli(r#""mode":"External","process_command":"HUNTER2""#),
                "kind `External`",
            ),
            ("no kind", vec![], CLI, cli(r#""language":"en""#), "profile `p` has no `mode`"),
            (
                "a role without a name",
                vec![],
                CLI,
                cli(r#""mode":"RamRoleArn","access_key_id":"i","access_key_secret":"s""#),
                "no `ram_role_arn`",
            ),
            (
                "a source that is not there",
                vec![],
                CLI,
                cli(r#""mode":"ChainableRamRoleArn","source_profile":"q","ram_role_arn":"x""#),
                "builds on profile `q`, which is not there",
            ),
            ("a circle", vec![], CLI, loops.to_owned(), "builds on profile `a`, which builds on it"),
            ("no INI", vec![], INI, "[default]\nHUNTER2".to_owned(), "credentials.ini: line 2 is neither"),
            (
                "a key pair",
                vec![],
                INI,
                "[default]\ntype=rsa_key_pair\nprivate_key_file=HUNTER2".to_owned(),
                "kind `rsa_key_pair`",
            ),
            (
                "half a section",
                vec![],
                INI,
                "[default]\ntype=access_key\naccess_key_id=HUNTER2".to_owned(),
                "profile `default` has no `access_key_secret`",
            ),
            (
                "nothing at all",
                vec![(NO_INSTANCE, "true")],
                "/nowhere",
                String::new(),
                "no credentials found",
            ),
        ] {
            let error =
                chain(&set, &[(file, &text)]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(want), "{name}: {error}");
            assert!(!error.contains("HUNTER2"), "{name}: {error}");
        }
    }

    #[test]
    fn roles_of_both_files_are_taken_on_by_what_stands_beside_them() {
        let cli = r#"{"current":"c","profiles":[
            {"name":"a","mode":"RamRoleArn","access_key_id":"i","access_key_secret":"s","ram_role_arn":"R1",
             "ram_session_name":"me","expired_seconds":900,"external_id":"x1","policy":"{}","sts_region":"cn-beijing","enable_vpc":true},
            {"name":"c","mode":"ChainableRamRoleArn","source_profile":"a","ram_role_arn":"R2"},
            {"name":"e","mode":"EcsRamRole","ram_role_name":"reader"},
            {"name":"o","mode":"OIDC","ram_role_arn":"R3","oidc_provider_arn":"P","oidc_token_file":"/t"}]}"#;
        let ini = "[default]\ntype=ram_role_arn\naccess_key_id=i\naccess_key_secret=s\nrole_arn=R4\npolicy={}\n\
                   [o]\ntype=oidc_role_arn\nrole_arn=R5\noidc_provider_arn=P\noidc_token_file_path=/t2\n";
        for (named, off, want) in [
            ("c", "", "R2 by R1 by keys i"),
            ("e", "", "instance reader v1=true"),
            ("o", "", "R3 by /t"),
            ("default", "true", "R4 by keys i"),
            ("o", "true", "R5 by /t2"),
        ] {
            let plan = chain(&[(PROFILE, named), (NO_CLI, off)], &[(CLI, cli), (INI, ini)]).unwrap();
            assert_eq!(word(&plan), want, "{named}");
        }
        let Plan::Role { role, .. } = chain(&[(PROFILE, "a")], &[(CLI, cli)]).unwrap() else {
            panic!("a role")
        };
        let sts = StsHost { region: Some("cn-beijing".into()), vpc: true };
        let (external_id, policy) = (Some("x1".into()), Some("{}".into()));
        let want =
            Role { arn: "R1".into(), session_name: "me".into(), external_id, policy, seconds: 900, sts };
        assert_eq!(role, want);
    }
}
