//! Spoilt listings never count as complete ones with fewer resources: that is what would make certificates vanish.

use notafter::domain::identity::Scope;
use notafter::provider::Provider;
use notafter::sim::alibaba::Where;
use serde_json::Value;

use crate::clouds::{SERVICES, Service, THREE};
use crate::run::{Run, assert_hidden};

#[tokio::test]
async fn a_spoilt_listing_is_no_complete_one_with_fewer_resources() {
    for (start, target) in SERVICES.iter().zip([
        "listings of redis",
        "listings of rds",
        "listings of mongodb",
        "listings of ulb",
        "listings of dcs",
    ]) {
        listings(&start().await, Run::of(target, 16)).await;
    }
}

async fn listings(service: &Service, mut run: Run) {
    let honest = vec![service.listing.1.to_string().into_bytes()];
    // Pages only: what is asked for by its id is answered honestly.
    let pages = Where { resource: Some(String::new()), ..Where::action(service.listing.0) };
    while let Some(mut mutator) = run.next() {
        let provider = service.provider();
        // Where totals say nothing, an account remembers what it saw, and has to have seen it.
        if service.name == "ulb" {
            service.heal();
            let good = provider.discover(&service.scope).await.expect("an honest listing");
            assert_eq!((good.resources.len(), &good.incomplete), (THREE.len(), &None));
        }
        let body = mutator.spoil(&honest);
        service.answer(pages.clone(), 200, body.clone());
        run.came(listed(service, &*provider, &service.scope, &body).await);
    }
    run.end(&["complete", "refused"]);
}

async fn listed(service: &Service, provider: &dyn Provider, scope: &Scope, body: &[u8]) -> &'static str {
    let outcome = provider.discover(scope).await;
    assert_hidden(&format!("{outcome:?}"), service.hidden(body));
    match outcome {
        Err(error) => {
            assert_hidden(&error.to_string(), service.hidden(body));
            "refused"
        }
        Ok(listing) if listing.incomplete.is_some() => "incomplete",
        Ok(listing) if listing.resources.len() >= THREE.len() => "complete",
        Ok(_) if is_honest_about_fewer(service, body) => "an honest answer about fewer",
        Ok(listing) => {
            let ids: Vec<_> = listing.resources.iter().map(|listed| &listed.id).collect();
            panic!("{}: complete with {ids:?}: {}", service.name, String::from_utf8_lossy(body));
        }
    }
}

/// A list of fewer rows, all of them well and different, that also says that there are no more than that.
fn is_honest_about_fewer(service: &Service, body: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(body) else { return false };
    let Some(rows) = json.pointer(service.rows).and_then(Value::as_array) else { return false };
    let total = json.pointer(service.total).and_then(Value::as_u64);
    rows.len() < THREE.len() && total == Some(rows.len() as u64) && rows.iter().all(Value::is_object)
}

/// A case that chance finds seldom: one row stands in the place of another, and the number of rows is right.
#[tokio::test]
async fn a_page_with_a_row_twice_is_no_complete_one_with_fewer_resources() {
    for start in SERVICES {
        let service = start().await;
        let mut json = service.listing.1.clone();
        let rows = json.pointer_mut(service.rows).and_then(Value::as_array_mut).expect("rows");
        rows[1] = rows[0].clone();
        let pages = Where { resource: Some(String::new()), ..Where::action(service.listing.0) };
        let provider = service.provider();
        provider.discover(&service.scope).await.expect("an honest listing");
        service.answer(pages, 200, json.to_string().into_bytes());
        let came = listed(&service, &*provider, &service.scope, json.to_string().as_bytes()).await;
        assert!(["incomplete", "complete"].contains(&came), "{}: {came}", service.name);
    }
}

#[tokio::test]
async fn a_spoilt_list_of_places_is_never_an_empty_one() {
    for (start, target) in SERVICES.iter().zip([
        "places of redis",
        "places of rds",
        "places of mongodb",
        "places of ulb",
        "places of dcs",
    ]) {
        let service = start().await;
        let honest = vec![service.places.1.to_string().into_bytes()];
        let mut run = Run::of(target, 10);
        while let Some(mut mutator) = run.next() {
            service.answer(Where::action(service.places.0), 200, mutator.spoil(&honest));
            let outcome = service.provider().scopes(&service.scope.service).await;
            assert_hidden(&format!("{outcome:?}"), &service.secrets);
            run.came(match outcome {
                Err(_) => "refused",
                Ok(scopes) => {
                    assert!(!scopes.scopes.is_empty(), "{}: no place, and no error", service.name);
                    "read"
                }
            });
        }
        run.end(&["read", "refused"]);
    }
}
