//! Spoilt answers about single resources, spoilt errors, spoilt archives: no panic, and no secret in what comes of them.

use std::io::{Cursor, Write as _};

use chrono::{TimeDelta, Utc};
use notafter::domain::listing::Inspection;
use notafter::sim::alibaba::{PRIVATE_KEY_MARKER, Where, certificate};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::clouds::{SERVICES, THREE, archive_is};
use crate::run::{Run, assert_hidden};

#[tokio::test]
async fn spoilt_details_are_read_or_refused() {
    for (start, target) in SERVICES.iter().zip([
        "details of redis",
        "details of rds",
        "details of mongodb",
        "details of ulb",
        "details of dcs",
    ]) {
        let service = start().await;
        let honest = vec![service.detail.1.to_string().into_bytes()];
        let mut run = Run::of(target, 20);
        while let Some(mut mutator) = run.next() {
            let body = mutator.spoil(&honest);
            service.answer(Where::action(service.detail.0), 200, body.clone());
            let outcome = service.provider().inspect(&service.scope, THREE[0]).await;
            assert_hidden(&format!("{outcome:?}"), service.hidden(&body));
            run.came(match outcome {
                Ok(Inspection::Read(_)) => "read",
                Ok(Inspection::ReadInPart(..)) => "read in part",
                Ok(Inspection::Gone) => "gone",
                Ok(Inspection::Busy) => "busy",
                Err(_) => "refused",
            });
        }
        run.end(&["read", "refused"]);
    }
}

#[tokio::test]
async fn spoilt_errors_show_no_key() {
    for (start, target) in SERVICES.iter().zip([
        "errors of redis",
        "errors of rds",
        "errors of mongodb",
        "errors of ulb",
        "errors of dcs",
    ]) {
        let service = start().await;
        let mut run = Run::of(target, 10);
        while let Some(mut mutator) = run.next() {
            let (status, _) = *mutator.pick(&service.errors);
            let honest: Vec<_> =
                service.errors.iter().map(|(_, body)| body.to_string().into_bytes()).collect();
            service.answer(Where::action(service.listing.0), status, mutator.spoil(&honest));
            let outcome = service.provider().discover(&service.scope).await;
            assert_hidden(&format!("{outcome:?}"), &service.secrets);
            run.came(match outcome {
                Ok(listing) if listing.incomplete.is_none() && listing.resources.is_empty() => {
                    panic!("{}: an error that says that nothing is there", service.name)
                }
                Ok(_) => "listed",
                Err(error) => {
                    assert_hidden(&error.to_string(), &service.secrets);
                    "refused"
                }
            });
        }
        run.end(&["refused"]);
    }
}

/// What a link leads to: a zip with the certificate and a private key, the certificate alone.
fn archives() -> Vec<Vec<u8>> {
    let pem = certificate("DCS CA", Utc::now(), Utc::now() + TimeDelta::days(2000));
    let key = format!("-----BEGIN PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END PRIVATE KEY-----\n");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("ca.crt", &pem), ("key.pem", &key), ("ca.jks", &"x".repeat(3000))] {
        writer.start_file(name, SimpleFileOptions::default()).expect("memory");
        writer.write_all(content.as_bytes()).expect("memory");
    }
    let zip = writer.finish().expect("memory").into_inner();
    vec![zip.clone(), zip, pem.into_bytes()]
}

#[tokio::test]
async fn spoilt_archives_cost_the_certificate_in_them_at_most() {
    let service = SERVICES.last().expect("there are some")().await;
    let honest = archives();
    let mut run = Run::of("archives", 20);
    while let Some(mut mutator) = run.next() {
        archive_is(&service, mutator.spoil(&honest));
        let outcome = service.provider().inspect(&service.scope, THREE[0]).await;
        assert_hidden(&format!("{outcome:?}"), &service.secrets);
        let Ok(Inspection::Read(reading)) = outcome else { panic!("the look is good: {outcome:?}") };
        run.came(if reading.certificates.len() == 2 { "read" } else { "refused" });
    }
    run.end(&["read", "refused"]);
}
