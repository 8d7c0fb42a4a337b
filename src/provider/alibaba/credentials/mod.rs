//! Where the keys of an account of Alibaba Cloud come from.
//!
//! `chain` finds out from environment and files what is meant, as a [`Plan`], and touches no network; `profile` and
//! `section` read the two kinds of credential files; `sts` and `instance` are the lenders. What comes out is a
//! [`KeySource`], of which the rest of the cloud knows nothing more.

use std::sync::Arc;

use super::Alibaba;
use super::settings::{AssumeRole, Settings};
use crate::clock::Clock;
use crate::fields::{Plain, check_url};
use crate::http::Route;
use crate::provider::keys::{
    Environment, FixedKeys, KeySource, Lender, LentKeys, Nearby, as_key_part, fits_a_header, from_files,
    written,
};
use crate::provider::settings::Credentials;
use crate::provider::{self, BuildError, Order};

mod chain;
#[cfg(test)]
mod fuzz;
mod instance;
mod plan;
mod profile;
mod section;
mod sts;

use chain::{Files, VARIABLES, default_chain};
use instance::{FirstOf, InstanceLender, UriLender};
use plan::{Plan, Role, StsHost};
use sts::{OidcLender, RoleLender, Sts};

/// What helps where keys are not lent.
pub(super) const ROLES: &[provider::Role] = &[
    provider::Role {
        action: sts::ASSUME_ROLE,
        way_out: "look at `assume_role`: is `role_arn` right, does the role's trust policy name the account that asks \
                  and the `external_id` (if it wants one), and does a policy allow the key in `credentials` the action \
                  `sts:AssumeRole` on that role?",
    },
    provider::Role {
        action: sts::ASSUME_ROLE_WITH_OIDC,
        way_out: "look at the role: is its ARN (`ALIBABA_CLOUD_ROLE_ARN`) right, and does its trust policy name the \
                  identity provider (`ALIBABA_CLOUD_OIDC_PROVIDER_ARN`), the issuer and the audience of the token?",
    },
    provider::Role { action: instance::TOKEN, way_out: MACHINE },
    provider::Role { action: instance::ROLE, way_out: MACHINE },
    provider::Role { action: instance::KEYS, way_out: MACHINE },
];

const MACHINE: &str =
    "give this machine a RAM role that grants the reading policy, or name another source in `credentials`";

/// Addresses that no configuration can change; tests put simulated ones in their place.
#[derive(Debug, Clone)]
pub struct Places {
    /// The metadata service.
    pub metadata: String,
}

impl Default for Places {
    fn default() -> Self {
        Self { metadata: "http://100.100.100.200".to_owned() }
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
    let maker = Arc::new(Maker::new(order, settings, places)?);
    let env = Environment::capture(VARIABLES, order.env);
    let base = match &settings.credentials {
        Credentials::Written(pair) => written(order, pair, fits_a_header)?,
        Credentials::InstanceRole => maker.make(&chain::instance(&env))?,
        Credentials::Default => from_chain(order, &maker, env)?,
    };
    Ok(match &settings.assume_role {
        Some(role) => maker.take_on(base, &configured(role)),
        None => base,
    })
}

fn configured(role: &AssumeRole) -> Role {
    Role {
        arn: role.role_arn.clone(),
        session_name: role.session_name.clone(),
        external_id: role.external_id.clone(),
        policy: None,
        seconds: plan::SESSION,
        sts: StsHost::default(),
    }
}

/// The SDKs' own chain, gone through again when one of its files changes.
fn from_chain(
    order: &Order<'_>,
    maker: &Arc<Maker>,
    env: Environment,
) -> Result<Arc<dyn KeySource>, BuildError> {
    let (maker, files) = (Arc::clone(maker), Files::of(&env));
    from_files(order, files.all().cloned().collect(), move |contents| {
        let plan = default_chain(&env, &files, &files.contents(contents));
        maker.make(&plan.map_err(|error| BuildError::Chain(error.to_string()))?)
    })
}

/// Makes sources of plans.
struct Maker {
    account: Arc<str>,
    clock: Clock,
    sts: Arc<Sts>,
    nearby: Arc<Nearby>,
    http: crate::http::Http,
    proxy: Option<String>,
}

impl Maker {
    fn new(order: &Order<'_>, settings: &Settings, places: &Places) -> Result<Self, BuildError> {
        let provider: Arc<str> = Alibaba::NAME.into();
        let route = settings.route_to_sts(order.proxy);
        let http = order.http.account(&provider, order.account, route, None).map_err(BuildError::Http)?;
        let region = order.regions.and_then(<[String]>::first).cloned();
        let endpoint = settings.endpoints.get("sts").cloned();
        Ok(Self {
            account: Arc::clone(order.account),
            clock: order.http.clock().clone(),
            sts: Arc::new(Sts::new(http, Arc::clone(order.account), endpoint, region)),
            nearby: Arc::new(Nearby::new(order, Alibaba::NAME, &places.metadata)?),
            http: order.http.clone(),
            proxy: order.proxy.map(str::to_owned),
        })
    }

    fn make(&self, plan: &Plan) -> Result<Arc<dyn KeySource>, BuildError> {
        match plan {
            Plan::Keys { id, secret, token, origin } => {
                let part = |part: &crate::secret::Secret| as_key_part(part.clone(), origin, fits_a_header);
                let token = token.as_ref().map(part).transpose()?;
                Ok(FixedKeys::of(part(id)?, part(secret)?, token))
            }
            Plan::Role { base, role } => Ok(self.take_on(self.make(base)?, role)),
            lent => Ok(self.lent(self.lender(lent)?)),
        }
    }

    fn take_on(&self, base: Arc<dyn KeySource>, role: &Role) -> Arc<dyn KeySource> {
        self.lent(Box::new(RoleLender::new(Arc::clone(&self.sts), base, role.clone())))
    }

    fn lent(&self, lender: Box<dyn Lender>) -> Arc<dyn KeySource> {
        Arc::new(LentKeys::new(&self.account, lender, &self.clock))
    }

    fn lender(&self, plan: &Plan) -> Result<Box<dyn Lender>, BuildError> {
        Ok(match plan {
            Plan::Oidc { provider_arn, token_file, role } => Box::new(OidcLender::new(
                Arc::clone(&self.sts),
                provider_arn.clone(),
                token_file.clone(),
                role.clone(),
            )),
            Plan::Instance { role, v1 } => {
                Box::new(InstanceLender::new(Arc::clone(&self.nearby), role.clone(), *v1))
            }
            Plan::Uri(url) => Box::new(self.uri(url.expose())?),
            Plan::FirstOf(plans) => {
                let lenders = plans.iter().map(|plan| self.lender(plan)).collect::<Result<_, _>>()?;
                Box::new(FirstOf(lenders))
            }
            Plan::Keys { .. } | Plan::Role { .. } => {
                unreachable!("only what lends by itself stands in a list of lenders")
            }
        })
    }

    fn uri(&self, url: &str) -> Result<UriLender, BuildError> {
        let refused = |text: &str| BuildError::Chain(format!("{}: the address {text}", chain::URI));
        let checked = check_url(url, Plain::Loopback).map_err(|fault| refused(&fault.message))?;
        let (provider, account) = (Arc::from(Alibaba::NAME), &self.account);
        let http = if checked.scheme() == "http" {
            self.http.nearby(&provider, account)
        } else {
            let route = Route { proxy: self.proxy.clone(), ..Route::default() };
            self.http.account(&provider, account, route, None)
        };
        Ok(UriLender::new(http.map_err(BuildError::Http)?, url))
    }
}
