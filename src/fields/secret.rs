//! Secrets as written: a literal, or where to find one.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::text::Fault;
use super::{Fields, Item};
use crate::problem::Position;
use crate::secret::{Secret, SecretError, SecretSource};

/// The four ways to write a secret.
const WAYS: &str = "\"…\", { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";

/// A secret of the configuration: where it is to be found, and where that is written.
#[derive(Debug, Clone)]
pub struct SecretSetting {
    /// Where to find it.
    pub source: SecretSource,
    /// Where in the file that is written.
    pub position: Position,
    /// Dotted path of the key.
    pub key: String,
    /// How people are told which key it is: ``account `prod`: `credentials.access_key_id` ``.
    pub subject: String,
}

impl SecretSetting {
    /// Reads the secret now; see [`SecretSource::load`].
    pub fn load(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
        credentials: Option<&Path>,
    ) -> Result<Secret, SecretError> {
        self.source.load(env, credentials)
    }
}

/// Any literal will do.
pub fn no_check(_: &str) -> Result<(), Fault> {
    Ok(())
}

impl Item<'_> {
    /// A secret; a literal one must pass `check`, whose words must not repeat it.
    pub fn secret(mut self, check: impl Fn(&str) -> Result<(), Fault>) -> Option<SecretSetting> {
        let hint = format!("a secret is {WAYS}");
        match self.value {
            DeValue::String(text) => {
                let setting = self.note(SecretSource::Literal(Secret::new(text.as_ref())));
                let checked = literal(text).and_then(|()| check(text));
                checked.map_err(|fault| self.refuse(&fault.message, &fault.hint)).ok().map(|()| setting)
            }
            DeValue::Table(_) => {
                let source = self.reborrow().table(source)?;
                Some(self.note(source))
            }
            _ => self.refuse_kind("a secret", &hint),
        }
    }

    /// Remembers that a secret stands here, so that all of them can be tried and guarded together.
    pub(super) fn note(&mut self, source: SecretSource) -> SecretSetting {
        let (key, subject) = (self.place.path.clone(), self.place.subject());
        let setting = SecretSetting { source, position: self.position(), key, subject };
        self.sink.secrets.push(setting.clone());
        setting
    }

    fn reborrow(&mut self) -> Item<'_> {
        let Self { place, value, span, sink } = self;
        Item { place: place.clone(), value, span: span.clone(), sink }
    }
}

/// What stands between the braces. Nothing of it is repeated: it may be the secret itself, in the wrong place.
fn source(fields: &mut Fields<'_>) -> Option<SecretSource> {
    let written = ["env", "file", "credential"].into_iter().filter(|key| fields.has(key)).count();
    if written > 1 {
        fields.problem_here("names more than one source", &format!("a secret is {WAYS}"));
    } else if fields.is_empty() {
        fields.problem_here("names no source", &format!("a secret is {WAYS}"));
    }
    let env = fields.parsed("env", variable).map(SecretSource::Env);
    let file = fields.string("file").map(|path| SecretSource::File(PathBuf::from(path)));
    let credential = fields.parsed("credential", file_name).map(SecretSource::Credential);
    env.or(file).or(credential).filter(|_| written == 1)
}

fn literal(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new("must not be empty", format!("a secret is {WAYS}")));
    }
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if inner.is_some_and(is_variable) {
        let hint = "write { env = \"NAME\" } for the value of an environment variable";
        return Err(Fault::new("looks like a variable, and variables are not filled in", hint));
    }
    Ok(())
}

fn variable(text: &str) -> Result<String, Fault> {
    if is_variable(text) {
        return Ok(text.to_owned());
    }
    let hint = "letters, digits and `_`, without `$` and braces: { env = \"NAME\" }";
    Err(Fault::new("is not the name of an environment variable", hint))
}

fn is_variable(text: &str) -> bool {
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins_well && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn file_name(text: &str) -> Result<String, Fault> {
    if text.contains('/') || text == "." || text == ".." {
        let hint = "the name of a file in $CREDENTIALS_DIRECTORY, without a path; for a path write { file = \"PATH\" }";
        return Err(Fault::new("is not the name of a credential", hint));
    }
    Ok(text.to_owned())
}
