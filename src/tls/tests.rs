use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::shutdown::Stop;

/// A certificate that signs itself, and its key.
fn made(name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    (params.self_signed(&key).expect("signed").pem(), key.serialize_pem())
}

fn files(cert: &str, key: &str, clients: Option<&str>) -> (TempDir, TlsFiles) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("cert"), cert).expect("written");
    fs::write(at("key"), key).expect("written");
    fs::set_permissions(at("key"), Permissions::from_mode(0o600)).expect("ours");
    let client_ca_file = clients.map(|text| {
        fs::write(at("clients"), text).expect("written");
        at("clients")
    });
    let files = TlsFiles { cert_file: at("cert"), key_file: at("key"), client_ca_file };
    (folder, files)
}

#[test]
fn a_pair_that_belongs_together_is_used() {
    let (cert, key) = made("a.example");
    let (_, chain) = (0, format!("words before\n{cert}\n{}", made("issuer.example").0));
    let (_keep, files) = files(&chain, &key, Some(&cert));
    let tls = Tls::open(files).expect("usable");
    assert_eq!(tls.current().alpn_protocols, [PROTOCOL]);
    assert!(tls.ends().is_some());
    assert_eq!(tls.warning(), None);
    fs::set_permissions(&tls.files.key_file, Permissions::from_mode(0o644)).expect("ours");
    assert!(tls.warning().is_some_and(|text| text.contains("can be read by others: chmod o-rwx")));
}

#[test]
fn what_cannot_be_used_names_the_file_and_a_way_out_and_no_content() {
    let (cert, key) = made("a.example");
    let other = made("b.example").1;
    let secret = "SECRETSECRETSECRETSECRET";
    let halved = key.replace("-----END PRIVATE KEY-----", "");
    let spoilt = format!("-----BEGIN PRIVATE KEY-----\n{secret}!\n-----END PRIVATE KEY-----\n");
    let no_key = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
    let start = format!("-----BEGIN {secret}\n");
    let encrypted =
        format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{secret}\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let huge = "x".repeat(2_000_000);
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (name, cert, key, clients, file, want) in [
        ("an empty certificate", "", &*key, None, "cert", "no certificate in it"),
        ("a key in its place", &*key, &*key, None, "cert", "no certificate in it"),
        (
            "a certificate that is none",
            nonsense,
            &key,
            None,
            "cert",
            "the first certificate in it cannot be used",
        ),
        ("an empty key", &cert, "", None, "key", "no private key in it"),
        ("a certificate in its place", &cert, &cert, None, "key", "no private key in it"),
        ("half a key", &cert, &halved, None, "key", "broken PEM"),
        ("no base64", &cert, &spoilt, None, "key", "broken PEM"),
        ("a broken mark", &cert, &start, None, "key", "broken PEM"),
        ("no key between the marks", &cert, &no_key, None, "key", "this key cannot be used; RSA"),
        ("a passphrase", &cert, &encrypted, None, "key", "openssl pkey -in OLD -out NEW"),
        ("too long", &cert, &huge, None, "key", "longer than any certificate or key"),
        ("another key", &cert, &other, None, "key", "do not belong together"),
        ("no authority", &cert, &key, Some("nothing"), "clients", "no certificate in it"),
        (
            "an authority that is none",
            &cert,
            &key,
            Some(nonsense),
            "clients",
            "cannot be used as an authority",
        ),
    ] {
        let (keep, files) = files(cert, key, clients);
        let error = Tls::open(files).expect_err(name);
        let text = format!("{error} {error:?}");
        assert!(
            text.contains(want) && text.contains(&keep.path().join(file).display().to_string()),
            "{name}: {text}"
        );
        assert!(!text.contains(secret), "{name}: {text}");
    }
    let (_keep, mut files) = files(&cert, &key, None);
    files.key_file = "/nowhere/key".into();
    let error = Tls::open(files).expect_err("not there").to_string();
    assert!(error.starts_with("/nowhere/key: No such file"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn changed_files_are_read_once_they_are_at_rest_and_a_bad_pair_keeps_the_old_one() {
    let every = Duration::from_secs(5);
    let (cert, key) = made("a.example");
    let (keep, files) = files(&cert, &key, None);
    let write = |name: &str, text: &str| fs::write(keep.path().join(name), text).expect("written");
    let tls = Arc::new(Tls::open(files).expect("usable"));
    let stop = Stop::new();
    let following = tokio::spawn(Arc::clone(&tls).follow(every, stop.listener()));
    let first = tls.current();
    let same = |other: &Arc<ServerConfig>| Arc::ptr_eq(other, &tls.current());

    sleep(every * 4).await;
    assert!(same(&first), "nothing has changed");
    let (next_cert, next_key) = made("next.example");
    write("cert", &next_cert);
    sleep(every * 4).await;
    assert!(same(&first), "half of the next pair");
    write("key", &next_key);
    sleep(every * 4).await;
    assert!(!same(&first), "the next pair");
    let second = tls.current();
    write("key", "");
    sleep(every * 4).await;
    fs::remove_file(keep.path().join("cert")).expect("there");
    sleep(every * 4).await;
    assert!(same(&second), "nothing usable");
    stop.request();
    following.await.expect("ended");
}
