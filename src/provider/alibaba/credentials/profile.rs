//! The file of the cloud's command line, `~/.aliyun/config.json`.

use std::path::Path;

use serde::Deserialize;

use super::chain::{ChainError, OUR_NAME, shown_kind};
use super::plan::{Plan, Role, SESSION, StsHost};
use crate::call::clean;
use crate::provider::keys::secret_text;
use crate::provider::loose::Loose;
use crate::secret::Secret;

const POSSIBLE: &str = "AK, StsToken, RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn";

/// Session lengths that the cloud takes, in seconds.
const LENGTHS: std::ops::RangeInclusive<u32> = 900..=43_200;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    current: Loose,
    #[serde(default)]
    profiles: Vec<Profile>,
}

/// A profile in the file's own words; what is not named here never becomes a value.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Profile {
    name: Loose,
    mode: Loose,
    access_key_id: Loose,
    #[serde(deserialize_with = "secret_text")]
    access_key_secret: Option<Secret>,
    #[serde(deserialize_with = "secret_text")]
    sts_token: Option<Secret>,
    ram_role_name: Loose,
    ram_role_arn: Loose,
    ram_session_name: Loose,
    role_session_name: Loose,
    expired_seconds: Loose,
    external_id: Loose,
    policy: Loose,
    sts_region: Loose,
    enable_vpc: Loose,
    oidc_provider_arn: Loose,
    oidc_token_file: Loose,
    #[serde(rename = "source_profile")]
    source: Loose,
}

/// More profiles than anybody builds on each other.
const LONGEST_CHAIN: usize = 16;

/// What the profile `named` (else the current one) comes to; `None` if there is no such profile.
pub(super) fn plan(file: &Path, text: &str, named: Option<&str>) -> Result<Option<Plan>, ChainError> {
    let parsed: File = serde_json::from_str(text).map_err(|error| {
        let problem = format!("not the JSON expected (line {}, column {})", error.line(), error.column());
        ChainError::Malformed { file: file.to_owned(), problem }
    })?;
    let name = named.or(parsed.current.text()).unwrap_or("default");
    let reading = Reading { file, profiles: &parsed.profiles };
    reading.find(name).map(|profile| reading.plan(profile, name, &mut vec![name])).transpose()
}

struct Reading<'a> {
    file: &'a Path,
    profiles: &'a [Profile],
}

impl<'a> Reading<'a> {
    fn find(&self, name: &str) -> Option<&'a Profile> {
        self.profiles.iter().find(|profile| profile.name.text() == Some(name))
    }

    fn plan(&self, profile: &'a Profile, name: &str, path: &mut Vec<&'a str>) -> Result<Plan, ChainError> {
        match self.required(name, &profile.mode, "mode")? {
            "AK" => self.keys(profile, name, None),
            "StsToken" => {
                let token = profile.sts_token.clone().ok_or_else(|| self.incomplete(name, "sts_token"))?;
                self.keys(profile, name, Some(token))
            }
            "RamRoleArn" => {
                let base = Box::new(self.keys(profile, name, profile.sts_token.clone())?);
                Ok(Plan::Role { base, role: self.role(profile, name)? })
            }
            "EcsRamRole" => {
                Ok(Plan::Instance { role: profile.ram_role_name.text().map(str::to_owned), v1: true })
            }
            "OIDC" => {
                let provider = self.required(name, &profile.oidc_provider_arn, "oidc_provider_arn")?;
                let token_file = self.required(name, &profile.oidc_token_file, "oidc_token_file")?.into();
                let role = self.role(profile, name)?;
                Ok(Plan::Oidc { provider_arn: provider.to_owned(), token_file, role })
            }
            "ChainableRamRoleArn" => {
                let base = Box::new(self.source(profile, name, path)?);
                Ok(Plan::Role { base, role: self.role(profile, name)? })
            }
            other => Err(ChainError::Kind {
                file: self.file.to_owned(),
                profile: clean(name),
                kind: shown_kind(other),
                possible: POSSIBLE,
            }),
        }
    }

    fn source(&self, profile: &'a Profile, name: &str, path: &mut Vec<&'a str>) -> Result<Plan, ChainError> {
        let source = self.required(name, &profile.source, "source_profile")?;
        let wrong = |problem| ChainError::Source {
            file: self.file.to_owned(),
            profile: clean(name),
            source_profile: clean(source),
            problem,
        };
        if path.contains(&source) {
            return Err(wrong("builds on it"));
        }
        if path.len() == LONGEST_CHAIN {
            return Err(wrong("builds on too many others"));
        }
        path.push(source);
        self.plan(self.find(source).ok_or_else(|| wrong("is not there"))?, source, path)
    }

    fn keys(&self, profile: &'a Profile, name: &str, token: Option<Secret>) -> Result<Plan, ChainError> {
        let id = Secret::new(self.required(name, &profile.access_key_id, "access_key_id")?);
        let secret = profile.access_key_secret.clone();
        let secret = secret.ok_or_else(|| self.incomplete(name, "access_key_secret"))?;
        let origin = format!("{}: profile `{}`", self.file.display(), clean(name));
        Ok(Plan::Keys { id, secret, token, origin })
    }

    fn role(&self, profile: &'a Profile, name: &str) -> Result<Role, ChainError> {
        let owned = |value: &Loose| value.text().map(str::to_owned);
        let session_name = owned(&profile.ram_session_name).or_else(|| owned(&profile.role_session_name));
        let seconds = profile.expired_seconds.number().and_then(|seconds| u32::try_from(seconds).ok());
        Ok(Role {
            arn: self.required(name, &profile.ram_role_arn, "ram_role_arn")?.to_owned(),
            session_name: session_name.unwrap_or_else(|| OUR_NAME.to_owned()),
            external_id: owned(&profile.external_id),
            policy: owned(&profile.policy),
            seconds: seconds.filter(|seconds| LENGTHS.contains(seconds)).unwrap_or(SESSION),
            sts: StsHost {
                region: owned(&profile.sts_region),
                vpc: profile.enable_vpc.text() == Some("true"),
            },
        })
    }

    fn required(&self, name: &str, value: &'a Loose, key: &'static str) -> Result<&'a str, ChainError> {
        value.text().ok_or_else(|| self.incomplete(name, key))
    }

    fn incomplete(&self, name: &str, key: &'static str) -> ChainError {
        ChainError::Incomplete { file: self.file.to_owned(), profile: clean(name), key }
    }
}
