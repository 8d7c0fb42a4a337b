//! The CA's certificate: fetched seldom, never at the cost of the look, and never from a place that is not public.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use bytes::Bytes;
use notafter::daemon::poll::Mode;
use notafter::domain::identity::CertRole;
use notafter::domain::snapshot::Snapshot;
use notafter::sim::huawei::{
    Call, Download, Expiry, Fault, Instance, Link, Rights, Ssl, Where, archive, certificate as pem,
};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{
    AK, Build, PROJECT, Watch, beside_each_other, days, end, find, fleet, instance, often, scope, whole_days,
};

const DOWNLOAD: &str = "DownloadSslCert";
const DETAIL: &str = "ShowInstanceSslDetail";
const OBJECT: &str = "GetObject";

async fn watch_often(instances: &[Instance]) -> Watch {
    let mut fleet = fleet();
    for instance in instances {
        fleet.insert(instance.clone());
    }
    let account = Build { rhythm: often(), ..Build::account("prod") };
    Watch::with(fleet, Mode::Continuous, vec![account]).await
}

#[tokio::test]
async fn a_ca_is_downloaded_once_and_again_when_the_shown_end_changes() {
    let mut fleet = fleet();
    for n in 0..10 {
        fleet.insert(instance(&format!("d-{n}")));
    }
    let watch = Watch::over(fleet).await;
    watch.until_read().await;
    watch.until_called(DETAIL, 30).await;
    assert_eq!([DOWNLOAD, OBJECT].map(|action| watch.cloud.count(action)), [10, 10]);
    watch.cloud.change("d-3", |instance| instance.ssl = Ssl::On(Expiry::At(days(300))));
    watch.until("the new end", |s| end(s, "d-3", CertRole::Server) > Some(days(200))).await;
    watch.until_called(DETAIL, 30).await;
    assert_eq!([DOWNLOAD, OBJECT].map(|action| watch.cloud.count(action)), [11, 11]);
    watch.end().await;
}

#[tokio::test]
async fn a_ca_that_changes_alone_is_seen_when_its_time_has_come() {
    let watch = watch_often(&[instance("d-1")]).await;
    watch.until_read().await;
    let ca = whole_days(77);
    watch.cloud.change("d-1", |instance| instance.download = Download::Ca(ca));
    watch.until("the new CA", |s| end(s, "d-1", CertRole::Ca) == Some(ca)).await;
    watch.end().await;
}

#[tokio::test]
async fn a_key_that_may_not_download_still_gives_the_first_date() {
    let mut fleet = fleet();
    for n in 0..50 {
        fleet.insert(instance(&format!("d-{n:02}")));
    }
    fleet.accounts[0].keys[0].rights = Rights::Except(vec!["dcs:ssl:modify".into()]);
    let watch = Watch::over(fleet).await;
    let seen = watch.until_read().await;
    watch.until_called(DETAIL, 100).await;
    for (_, resource) in seen.resources() {
        let server = end(&seen, &resource.id, CertRole::Server);
        assert!(server.is_some() && resource.failure.is_none(), "{}: {:?}", resource.id, resource.failure);
        assert_eq!(end(&seen, &resource.id, CertRole::Ca), None);
    }
    let asked = watch.cloud.count(DOWNLOAD);
    assert!(asked <= 10, "{asked} downloads were asked for without a permission");
    assert!(scope(&watch.snapshot(), "prod", PROJECT).is_up());
    watch.end().await;
}

#[tokio::test]
async fn a_permission_that_is_granted_is_used() {
    let mut fleet = fleet();
    fleet.insert(instance("d-1"));
    fleet.accounts[0].keys[0].rights = Rights::Except(vec!["dcs:ssl:modify".into()]);
    let account = Build { rhythm: often(), ..Build::account("prod") };
    let watch = Watch::with(fleet, Mode::Continuous, vec![account]).await;
    watch.until_read().await;
    watch.cloud.modify(|fleet| fleet.accounts[0].keys[0].rights = Rights::Everything);
    watch.until("the CA", |s| end(s, "d-1", CertRole::Ca).is_some()).await;
    watch.end().await;
}

/// Links that nobody may follow, and whether the store is asked all the same.
fn bad_links(base: &str) -> Vec<(&'static str, Link, bool)> {
    let text = |text: &str| Link::Text(text.to_owned());
    vec![
        ("a file", text("file:///etc/passwd"), false),
        ("a file of a host", text("file://localhost/etc/passwd"), false),
        ("metadata", text("http://169.254.169.254/latest/meta-data"), false),
        ("metadata over https", text("https://169.254.169.254/openstack/latest/securitykey"), false),
        ("metadata as a number", text("http://2852039166/latest"), false),
        ("a private network", text("https://10.0.0.1/ca.zip"), false),
        ("plain http", text("http://bucket.example.com/ca.zip"), false),
        ("a user part", Link::Text(base.replace("http://", "http://user:password@")), false),
        ("another scheme", text("gopher://127.0.0.1:6379/_FLUSHALL"), false),
        ("nothing", Link::Absent, false),
        ("an empty one", text(""), false),
        ("no address", text("CA-1648543471965.zip"), false),
        ("a blank in the host", text("https://a b/"), false),
        ("expired at once", Link::Expired, true),
        ("no signature", Link::Text(format!("{base}/obs/bucket/ca.zip")), true),
    ]
}

#[tokio::test]
async fn bad_links_cost_the_ca_only() {
    beside_each_other((0..bad_links("").len()).map(bad_link)).await;
}

async fn bad_link(number: usize) {
    let watch = watch_often(&[instance("d-bad"), instance("d-good")]).await;
    let both = |s: &Snapshot| ["d-bad", "d-good"].iter().all(|id| end(s, id, CertRole::Ca).is_some());
    let seen = watch.until("both CAs", both).await;
    let last = end(&seen, "d-bad", CertRole::Ca);
    let (name, link, asked) = bad_links(&watch.cloud.base_url()).swap_remove(number);
    watch.cloud.change("d-bad", |instance| instance.link = link);
    // The first may have been under way already.
    watch.until_called(DOWNLOAD, 6).await;
    watch.cloud.forget_calls();
    watch.until_called(DOWNLOAD, 6).await;
    let fetched = |call: &Call| call.action == OBJECT && &*call.resource != "d-good";
    assert_eq!(watch.cloud.calls().iter().any(fetched), asked, "{name}");
    let seen = watch.snapshot();
    assert_eq!(end(&seen, "d-bad", CertRole::Ca), last, "{name}: the last one stays");
    assert!(find(&seen, "d-bad").is_some_and(|r| r.failure.is_none()), "{name}: the look is good");
    watch.end().await;
}

#[tokio::test]
async fn a_link_that_expired_is_asked_for_once_more() {
    let mut fleet = fleet();
    fleet.insert(Instance { link: Link::Expired, ..instance("d-1") });
    let (cloud, snapshot) = Watch::once(fleet, Build::account("prod")).await;
    assert_eq!([DOWNLOAD, OBJECT].map(|action| cloud.count(action)), [2, 2]);
    assert!(
        end(&snapshot, "d-1", CertRole::Server).is_some() && end(&snapshot, "d-1", CertRole::Ca).is_none()
    );
}

fn zipped(entries: &[(&str, &[u8])]) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).expect("memory");
        writer.write_all(content).expect("memory");
    }
    writer.finish().expect("memory").into_inner().into()
}

#[tokio::test]
async fn archives_of_every_kind_are_read_or_refused() {
    let text = pem("CA", whole_days(-100), whole_days(321));
    let (later, zeros) = (pem("CA 2", whole_days(-100), whole_days(654)), vec![0_u8; 20 << 20]);
    let good = archive("ca.crt", text.as_bytes());
    let sixty_five: Vec<String> = (0..65).map(|n| format!("{n}.crt")).collect();
    let sixty_five: Vec<(&str, &[u8])> = sixty_five.iter().map(|name| (&**name, text.as_bytes())).collect();
    for (name, bytes, readable) in [
        ("an honest zip", good.clone(), true),
        ("plain PEM", Bytes::from(text.clone()), true),
        ("several certificates", zipped(&[("a", later.as_bytes()), ("b", text.as_bytes())]), true),
        (
            "foreign files",
            zipped(&[("README", b"hello"), ("x.jks", b"\xfe\xed\xfe\xed"), ("ca.crt", text.as_bytes())]),
            true,
        ),
        ("names that climb", zipped(&[("../notafter-was-here", text.as_bytes())]), true),
        (
            "a private key beside it",
            zipped(&[("key.pem", b"-----BEGIN PRIVATE KEY-----\nx\n"), ("ca", text.as_bytes())]),
            true,
        ),
        ("nothing", Bytes::new(), false),
        ("HTML", Bytes::from_static(b"<html>Login</html>"), false),
        ("JSON", Bytes::from_static(b"{\"error_code\":\"DCS.5000\"}"), false),
        ("cut", good.slice(..good.len() / 2), false),
        ("a bomb", zipped(&[("ca.crt", &zeros)]), false),
        ("a bomb behind the certificate", zipped(&[("ca.crt", text.as_bytes()), ("x", &zeros)]), false),
        ("too many entries", zipped(&sixty_five), false),
        ("longer than a MiB", Bytes::from([text.as_bytes(), &vec![b' '; 1 << 20]].concat()), false),
        ("an archive in an archive", zipped(&[("inner.zip", &good)]), false),
    ] {
        let mut fleet = fleet();
        fleet.insert(Instance { download: Download::Bytes(bytes), ..instance("d-1") });
        let (_cloud, snapshot) = Watch::once(fleet, Build::account("prod")).await;
        let want = readable.then(|| whole_days(321).date_naive());
        assert_eq!(end(&snapshot, "d-1", CertRole::Ca).map(|at| at.date_naive()), want, "{name}");
        let resource = find(&snapshot, "d-1").expect("there");
        assert!(end(&snapshot, "d-1", CertRole::Server).is_some() && resource.failure.is_none(), "{name}");
    }
    assert!(!std::path::Path::new("../notafter-was-here").exists());
}

/// Every way in which one of the two calls can go wrong.
fn faults() -> Vec<(&'static str, Fault)> {
    use notafter::sim::huawei::{Charset, Hang, Reset, WrongType};
    let custom = |status, kind: &str, body: &'static str| Fault::Custom {
        status,
        headers: vec![("content-type".into(), kind.to_owned())],
        body: Bytes::from_static(body.as_bytes()),
    };
    vec![
        ("HTML with 200", Fault::Html { status: 200 }),
        ("HTML with 502", Fault::Html { status: 502 }),
        ("empty body", Fault::EmptyBody),
        ("cut body", Fault::CutBody),
        ("garbage", Fault::Garbage),
        ("endless", Fault::EndlessBody { gzip: false }),
        ("a gzip bomb", Fault::EndlessBody { gzip: true }),
        ("a redirect to metadata", Fault::Redirect { to: "http://169.254.169.254/latest".into() }),
        ("a redirect to itself", Fault::Redirect { to: "/".into() }),
        ("UTF-16", Fault::WrongCharset(Charset::Utf16)),
        ("reset", Fault::Reset(Reset::BeforeAnswer)),
        ("500 without a word", Fault::Status { status: 500, json: false }),
        ("500 with JSON", Fault::Status { status: 500, json: true }),
        ("throttled", Fault::Throttle { retry_after_ms: Some(50) }),
        (
            "XML",
            custom(200, "application/xml", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"),
        ),
        ("XML with 403", custom(403, "application/xml", "<Error><Code>SignatureDoesNotMatch</Code></Error>")),
        ("JSON with 403", custom(403, "application/json", r#"{"error_code":"DCS.2003","error_msg":"no"}"#)),
        ("a list", custom(200, "application/json", r#"["https://bucket.example.com/"]"#)),
        (
            "an object for the link",
            custom(200, "application/json", r#"{"link":{"href":"https://a.example/"}}"#),
        ),
        ("null", Fault::WrongTypes(WrongType::NullEverywhere)),
        ("no answer", Fault::Hang(Hang::NoAnswer)),
        ("a byte a second", Fault::Hang(Hang::Drip)),
    ]
}

#[tokio::test]
async fn whatever_goes_wrong_with_a_download_the_look_is_good_and_the_last_ca_stays() {
    let links = faults().into_iter().map(|(name, fault)| spoilt_download(DOWNLOAD, name, fault));
    // The archive is no JSON that could be rewritten.
    let rewritten = |fault: &Fault| matches!(fault, Fault::WrongTypes(_) | Fault::WrongCharset(_));
    let archives = faults().into_iter().filter(|(_, fault)| !rewritten(fault));
    let archives = archives.map(|(name, fault)| spoilt_download(OBJECT, name, fault));
    beside_each_other(links.chain(archives)).await;
}

async fn spoilt_download(action: &'static str, name: &'static str, fault: Fault) {
    let watch = watch_often(&[instance("d-1")]).await;
    let seen = watch.until(name, |s| end(s, "d-1", CertRole::Ca).is_some()).await;
    let last = end(&seen, "d-1", CertRole::Ca);
    watch.cloud.inject(fault, Where::action(action), None);
    watch.until_called(action, 1).await;
    watch.until_called(DETAIL, 2).await;
    let (server, ca) = (days(222), whole_days(444));
    watch.cloud.change("d-1", |instance| {
        (instance.ssl, instance.download) = (Ssl::On(Expiry::At(server)), Download::Ca(ca));
    });
    let seen = watch.until(name, |s| end(s, "d-1", CertRole::Server) == Some(server)).await;
    assert_eq!(end(&seen, "d-1", CertRole::Ca), last, "{action}: {name}");
    assert!(find(&seen, "d-1").is_some_and(|r| r.failure.is_none()), "{action}: {name}");
    watch.cloud.clear_faults();
    watch.until(&format!("{action}: {name}: recovery"), |s| end(s, "d-1", CertRole::Ca) == Some(ca)).await;
    watch.end().await;
}

#[tokio::test]
async fn throttled_downloads_do_not_hold_up_the_details() {
    let mut fleet = fleet();
    for n in 0..30 {
        fleet.insert(instance(&format!("d-{n:02}")));
    }
    let watch = Watch::over(fleet).await;
    watch.cloud.inject(Fault::Throttle { retry_after_ms: None }, Where::action(DOWNLOAD), None);
    let read = |s: &Snapshot| s.resources().filter(|(_, r)| !r.certificates().is_empty()).count() == 30;
    watch.until("all first dates, while downloads are held for a minute", read).await;
    watch.until_called(DETAIL, 60).await;
    watch.end().await;
}

#[tokio::test]
async fn no_key_goes_with_a_link() {
    let mut fleet = fleet();
    fleet.insert(instance("d-1"));
    let watch = Watch::over(fleet).await;
    watch.until("the CA", |s| end(s, "d-1", CertRole::Ca).is_some()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let calls = watch.cloud.calls();
    let unsigned: Vec<_> =
        calls.iter().filter(|call| call.action == OBJECT).map(|call| &*call.key_id).collect();
    assert_eq!(
        unsigned,
        [""],
        "the store refuses every header of the cloud's own, and this one was answered"
    );
    assert!(calls.iter().any(|call| &*call.key_id == AK));
    watch.end().await;
}
