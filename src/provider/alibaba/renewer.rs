//! Renewal on Alibaba Cloud: reads what it needs to know, and makes the one call.
//!
//! The call goes out as the planner wrote it, once. Nothing in here decides whether it should; what its answer means is said
//! in `refusal`.

use std::borrow::Cow;
use std::sync::Arc;

use super::api::Told;
use super::product::{Operation, Product};
use super::wire::{Attribute, Loose};
use super::{Alibaba, examination, product_of, refusal};
use crate::call::{CallError, CallErrorKind};
use crate::domain::identity::Scope;
use crate::domain::renewal::method::Call;
use crate::http::Unanswered;
use crate::provider::{BoxFuture, Examination, Late, Pair, Renewer, Sent};

impl Renewer for Alibaba {
    fn examine<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Examination, CallError>> {
        Box::pin(async move {
            let product = product_of(&scope.service)?;
            let began = self.api.http().clock().now();
            let attribute = self.attribute(product, &scope.region, id).await;
            let ssl = self.api.ssl(product, &scope.region, id).await;
            examination::examination(attribute, ssl, began)
        })
    }

    fn renew<'a>(
        &'a self,
        scope: &'a Scope,
        call: &'a Call,
        pair: Option<&'a Pair>,
        late: &'a Late<'a>,
    ) -> BoxFuture<'a, Sent> {
        Box::pin(async move {
            let (product, form) = match ordered(scope, call, pair) {
                Ok(ordered) => ordered,
                Err(text) => return Sent::NotSent { text },
            };
            let query: Vec<(Cow<'_, str>, Cow<'_, str>)> =
                call.parameters.iter().map(|(name, value)| ((*name).into(), (&**value).into())).collect();
            let sent = outcome(self.api.modify(product, &scope.region, &query, &form, late).await);
            without_the_key(sent, pair)
        })
    }
}

impl Alibaba {
    async fn attribute(&self, product: Product, region: &Arc<str>, id: &str) -> Result<Attribute, CallError> {
        self.api.attributes(product, region, id).await?.of(id).ok_or_else(|| {
            let action = product.action(Operation::Attribute);
            CallError::new(CallErrorKind::Unreadable, action, format!("the answer is not about {id} alone"))
        })
    }
}

/// Parameters that travel in the body.
type Form<'p> = Vec<(&'static str, &'p str)>;

/// Whom to ask, and what travels in the body: certificate and key, where the call has a place for them.
fn ordered<'p>(scope: &Scope, call: &Call, pair: Option<&'p Pair>) -> Result<(Product, Form<'p>), Box<str>> {
    let product = product_of(&scope.service).map_err(|error| error.to_string())?;
    if product.action(Operation::Modify).split_once(':').map(|(_, name)| name) != Some(call.action) {
        return Err(format!("{} is no call that renews {}", call.action, scope.service).into());
    }
    let form = match (&call.material, pair) {
        (None, _) => Vec::new(),
        (Some((certificate, key, _)), Some(pair)) => {
            vec![(*certificate, pair.certificates.as_str()), (*key, pair.key.expose())]
        }
        (Some(_), None) => return Err("certificate and key were not handed over".into()),
    };
    Ok((product, form))
}

fn outcome(told: Result<Told, Unanswered>) -> Sent {
    match told {
        Err(Unanswered { error, unsent: true }) => Sent::NotSent { text: error.to_string().into() },
        Err(Unanswered { error, unsent: false }) => Sent::Lost { text: error.to_string().into() },
        Ok((status, Err(error))) => refusal::outcome(status, error),
        Ok((_, Ok(modified))) => accepted(&modified.RequestId),
    }
}

/// A success of this cloud always has a number; what has none came from somebody else.
fn accepted(request_id: &Loose) -> Sent {
    match request_id.text() {
        Some(id) => Sent::Accepted { request_id: crate::call::clean(id).into() },
        None => Sent::Lost { text: "an answer without the number that every answer of the cloud has".into() },
    }
}

/// Clouds and gateways repeat what they were sent.
fn without_the_key(sent: Sent, pair: Option<&Pair>) -> Sent {
    let hidden = |text: Box<str>| -> Box<str> {
        if pair.is_some_and(|pair| pair.is_repeated_in(&text)) {
            "a text that repeats the certificate or its key, which is not shown".into()
        } else {
            text
        }
    };
    match sent {
        Sent::Accepted { request_id } => Sent::Accepted { request_id: hidden(request_id) },
        Sent::Refused { class, code, text, request_id } => {
            Sent::Refused { class, code: hidden(code), text: hidden(text), request_id: hidden(request_id) }
        }
        Sent::NotSent { text } => Sent::NotSent { text: hidden(text) },
        Sent::Lost { text } => Sent::Lost { text: hidden(text) },
    }
}
