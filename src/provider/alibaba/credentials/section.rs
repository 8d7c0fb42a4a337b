//! The SDKs' credentials file, `~/.alibabacloud/credentials.ini`.

use std::path::Path;

use super::chain::{ChainError, OUR_NAME, shown_kind};
use super::plan::{Plan, Role, SESSION, StsHost};
use crate::call::clean;
use crate::provider::keys::Ini;
use crate::secret::Secret;

const POSSIBLE: &str = "access_key, ram_role_arn, ecs_ram_role, oidc_role_arn";

/// What the section comes to; `None` if there is no such section.
pub(super) fn plan(
    file: &Path,
    text: &str,
    section: &str,
    sts: &StsHost,
) -> Result<Option<Plan>, ChainError> {
    let ini = Ini::parse(text, true)
        .map_err(|error| ChainError::Malformed { file: file.to_owned(), problem: error.to_string() })?;
    if !ini.has(section) {
        return Ok(None);
    }
    let reading = Reading { file, ini: &ini, section };
    Ok(Some(match reading.text("type")?.as_str() {
        "access_key" => reading.keys()?,
        "ram_role_arn" => Plan::Role { base: Box::new(reading.keys()?), role: reading.role(sts)? },
        "ecs_ram_role" => Plan::Instance { role: ini.get(section, "role_name").map(str::to_owned), v1: true },
        "oidc_role_arn" => Plan::Oidc {
            provider_arn: reading.text("oidc_provider_arn")?,
            token_file: reading.text("oidc_token_file_path")?.into(),
            role: reading.role(sts)?,
        },
        other => {
            return Err(ChainError::Kind {
                file: file.to_owned(),
                profile: clean(section),
                kind: shown_kind(other),
                possible: POSSIBLE,
            });
        }
    }))
}

struct Reading<'a> {
    file: &'a Path,
    ini: &'a Ini,
    section: &'a str,
}

impl Reading<'_> {
    fn keys(&self) -> Result<Plan, ChainError> {
        let origin = format!("{}: profile `{}`", self.file.display(), clean(self.section));
        let (id, secret) = (self.secret("access_key_id")?, self.secret("access_key_secret")?);
        Ok(Plan::Keys { id, secret, token: self.ini.secret(self.section, "security_token"), origin })
    }

    fn role(&self, sts: &StsHost) -> Result<Role, ChainError> {
        let optional = |key: &str| self.ini.get(self.section, key).map(str::to_owned);
        Ok(Role {
            arn: self.text("role_arn")?,
            session_name: optional("role_session_name").unwrap_or_else(|| OUR_NAME.to_owned()),
            external_id: optional("external_id"),
            policy: optional("policy"),
            seconds: SESSION,
            sts: sts.clone(),
        })
    }

    fn text(&self, key: &'static str) -> Result<String, ChainError> {
        self.secret(key).map(|value| value.expose().to_owned())
    }

    fn secret(&self, key: &'static str) -> Result<Secret, ChainError> {
        self.ini.secret(self.section, key).ok_or_else(|| ChainError::Incomplete {
            file: self.file.to_owned(),
            profile: clean(self.section),
            key,
        })
    }
}
