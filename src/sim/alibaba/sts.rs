//! The simulated service that hands out roles (STS, version 2015-04-01): AssumeRole, AssumeRoleWithOIDC and
//! GetCallerIdentity. A session is a temporary key of the account that owns the role, good for every other call.

use chrono::{DateTime, TimeDelta, Utc};

use super::account::{Key, Rights, Token};
use super::auth;
use super::cloud::{Cloud, Target};
use super::error::ApiError;
use super::fleet::Fleet;
use super::json::Json;
use super::model::Text;
use super::request::Received;
use crate::provider::alibaba::sign::timestamp;
use crate::sim::wire::reply::locked;

const VERSION: &str = "2015-04-01";

/// Who may take on which role, and what was handed out.
#[derive(Debug, Default)]
pub struct Sts {
    /// The roles.
    pub roles: Vec<Role>,
    issued: u64,
}

/// A role.
#[derive(Debug, Clone)]
pub struct Role {
    /// `acs:ram::<account id>:role/<name>`.
    pub arn: Text,
    /// Uids of the accounts whose keys may take it on.
    pub trusts: Vec<Text>,
    /// What must be sent with the request.
    pub external_id: Option<Text>,
    /// Whose tokens are good enough too.
    pub provider: Option<IdentityProvider>,
    /// The longest session.
    pub longest: TimeDelta,
    /// Sessions last this long whatever was asked for; a negative time makes them end in the past.
    pub lasts: Option<TimeDelta>,
    /// What a session may do.
    pub rights: Rights,
}

/// An identity provider (OIDC).
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// `acs:ram::<account id>:oidc-provider/<name>`.
    pub arn: Text,
    /// The only token that it vouches for.
    pub token: Text,
}

impl Role {
    /// A role that the keys of one account may take on for an hour and that may do everything.
    pub fn new(arn: &str, trusts: &str) -> Self {
        Self {
            arn: arn.into(),
            trusts: vec![trusts.into()],
            external_id: None,
            provider: None,
            longest: TimeDelta::hours(1),
            lasts: None,
            rights: Rights::Everything,
        }
    }

    /// Uid of the account that it belongs to.
    fn owner(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }
}

/// Whether a request is for this service.
pub(super) fn is_asked(received: &Received<'_>) -> bool {
    let header = received.header("x-acs-version");
    header == VERSION || (header.is_empty() && received.get("Version") == Some(VERSION))
}

/// Who asks.
struct Caller {
    uid: Text,
    key: Key,
}

impl Cloud {
    /// The honest answer to a call of this service.
    pub(super) fn hand_out(
        &self,
        received: &Received<'_>,
        target: &Target,
        now: DateTime<Utc>,
        request_id: &str,
    ) -> Result<Vec<u8>, ApiError> {
        match received.action_name() {
            "AssumeRoleWithOIDC" => with_token(&mut locked(&self.fleet), received, now, request_id),
            "AssumeRole" => {
                let caller = self.caller(received, target, now)?;
                with_key(&mut locked(&self.fleet), &caller, received, now, request_id)
            }
            "GetCallerIdentity" => Ok(identity(&self.caller(received, target, now)?, request_id)),
            _ => Err(ApiError::new(404, "InvalidAction.NotFound", "Specified api is not found.")),
        }
    }

    fn caller(
        &self,
        received: &Received<'_>,
        target: &Target,
        now: DateTime<Utc>,
    ) -> Result<Caller, ApiError> {
        let found = locked(&self.fleet).key(&target.key_id).map(|(of, key)| (of.uid.clone(), key.clone()));
        auth::verify(received, found.as_ref().map(|(_, key)| key), now)?;
        let (uid, key) = found.expect("an unknown key did not pass verification");
        locked(&self.gate).nonces.take(&key.id, received.header("x-acs-signature-nonce"), now)?;
        Ok(Caller { uid, key })
    }
}

fn with_key(
    fleet: &mut Fleet,
    caller: &Caller,
    received: &Received<'_>,
    now: DateTime<Utc>,
    request_id: &str,
) -> Result<Vec<u8>, ApiError> {
    let (role, seconds) = asked(fleet, received)?;
    let external_id = received.get("ExternalId");
    let trusted = role.trusts.contains(&caller.uid) && role.external_id.as_deref() == external_id;
    if !trusted || !caller.key.rights.allow("sts:AssumeRole") {
        return Err(denied());
    }
    Ok(hand_out(fleet, &role, received, now + seconds, request_id))
}

fn with_token(
    fleet: &mut Fleet,
    received: &Received<'_>,
    now: DateTime<Utc>,
    request_id: &str,
) -> Result<Vec<u8>, ApiError> {
    let (role, seconds) = asked(fleet, received)?;
    let (provider, token) = (received.required("OIDCProviderArn")?, received.required("OIDCToken")?);
    let trusted = role.provider.as_ref().filter(|trusted| *trusted.arn == *provider).ok_or_else(denied)?;
    if *trusted.token != *token {
        let message = format!("The OIDC token {token} is invalid.");
        return Err(ApiError::new(400, "AuthenticationFail.OIDCToken.Invalid", message));
    }
    Ok(hand_out(fleet, &role, received, now + seconds, request_id))
}

fn denied() -> ApiError {
    let message = "You are not authorized to do this action. You should be authorized by RAM.";
    ApiError::new(403, "NoPermission", message)
}

/// The role that is asked for, and for how long.
fn asked(fleet: &Fleet, received: &Received<'_>) -> Result<(Role, TimeDelta), ApiError> {
    let arn = received.required("RoleArn")?;
    let invalid = |what: &str| {
        let message = format!("The parameter {what} is wrongly formed.");
        ApiError::new(400, format!("InvalidParameter.{what}"), message)
    };
    if !arn.starts_with("acs:ram::") || !arn.contains(":role/") {
        return Err(invalid("RoleArn"));
    }
    let name = received.required("RoleSessionName")?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(invalid("RoleSessionName"));
    }
    if received.get("ExternalId").is_some_and(|id| !(2..=1224).contains(&id.len())) {
        return Err(invalid("ExternalId"));
    }
    let unknown = || ApiError::new(404, "EntityNotExist.Role", format!("The role not exists: {arn}."));
    let role = fleet.sts.roles.iter().find(|role| *role.arn == *arn).cloned().ok_or_else(unknown)?;
    if !fleet.accounts.iter().any(|account| *account.uid == *role.owner()) {
        return Err(unknown());
    }
    let seconds = received.get("DurationSeconds").unwrap_or("3600").parse().unwrap_or(0);
    if seconds < 900 || TimeDelta::seconds(seconds) > role.longest {
        return Err(invalid("DurationSeconds"));
    }
    let seconds = role.lasts.unwrap_or(TimeDelta::seconds(seconds));
    Ok((role, seconds))
}

/// Makes the session: from now on its key is one of the account's.
fn hand_out(
    fleet: &mut Fleet,
    role: &Role,
    received: &Received<'_>,
    expires: DateTime<Utc>,
    request_id: &str,
) -> Vec<u8> {
    fleet.sts.issued += 1;
    let number = fleet.sts.issued;
    let (id, secret) = (format!("STS.session{number}"), format!("session-secret-{number}"));
    let token = format!("CAIS+session/token=={number}");
    let account = fleet.accounts.iter_mut().find(|account| *account.uid == *role.owner());
    let account = account.expect("a role without an account was refused");
    let temporary = Token { text: token.as_str().into(), expires };
    account.keys.push(Key { token: Some(temporary), rights: role.rights.clone(), ..Key::new(&id, &secret) });
    let session = received.get("RoleSessionName").unwrap_or_default();
    let user = format!("acs:ram::{}:assumed-role/{}/{session}", role.owner(), role.name());
    Json::answer(request_id, |json| {
        json.object("Credentials", |json| {
            json.text("AccessKeyId", &id);
            json.text("AccessKeySecret", &secret);
            json.text("SecurityToken", &token);
            json.text("Expiration", &timestamp(expires));
        });
        json.object("AssumedRoleUser", |json| {
            json.text("Arn", &user);
            json.text("AssumedRoleId", &format!("{number}:{session}"));
        });
    })
}

fn identity(caller: &Caller, request_id: &str) -> Vec<u8> {
    let kind = if caller.key.token.is_some() { "AssumedRoleUser" } else { "RAMUser" };
    Json::answer(request_id, |json| {
        json.text("AccountId", &caller.uid);
        json.text("Arn", &format!("acs:ram::{}:{}/{}", caller.uid, kind.to_lowercase(), caller.key.id));
        json.text("IdentityType", kind);
        json.text("PrincipalId", &caller.key.id);
    })
}
