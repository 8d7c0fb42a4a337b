//! Pairs as the usual tools leave them, and in every way in which they can be wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, date_time_ymd,
};

use super::*;

const HOST: &str = "pgm-1.pg.rds.aliyuncs.com";

/// A root, an issuer below it, and a certificate below that.
struct Shop {
    root: String,
    issuer: String,
    leaf: String,
    key: KeyPair,
}

fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    lasting(params, 2025, 2035)
}

fn lasting(mut params: CertificateParams, from: i32, to: i32) -> CertificateParams {
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 2), date_time_ymd(to, 3, 4));
    params
}

fn leaf() -> CertificateParams {
    lasting(CertificateParams::new(vec![HOST.to_owned()]).expect("params"), 2026, 2028)
}

fn key() -> KeyPair {
    KeyPair::generate().expect("key")
}

impl Shop {
    fn new(leaf: &CertificateParams, key: KeyPair, issuer: CertificateParams) -> Self {
        let (root_params, root_key, issuer_key) = (ca("Root"), self::key(), self::key());
        let root = root_params.self_signed(&root_key).expect("signed").pem();
        let above = Issuer::new(root_params, root_key);
        let below = issuer.signed_by(&issuer_key, &above).expect("signed").pem();
        let leaf = leaf.signed_by(&key, &Issuer::new(issuer, issuer_key)).expect("signed").pem();
        Self { root, issuer: below, leaf, key }
    }

    fn of(leaf: &CertificateParams) -> Self {
        Self::new(leaf, key(), ca("Issuer"))
    }

    fn usual() -> Self {
        Self::of(&leaf())
    }

    fn full(&self) -> String {
        [self.leaf.as_str(), &self.issuer].concat()
    }

    fn pair(&self) -> Pair {
        pair(&self.full(), &self.key.serialize_pem())
    }
}

fn pair(certificates: &str, key: &str) -> Pair {
    Pair { certificates: certificates.to_owned(), key: Secret::new(key) }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn now() -> DateTime<Utc> {
    at("2026-11-22T12:00:00Z")
}

fn judged(pair: &Pair) -> Result<DateTime<Utc>, String> {
    match pair.material(Some(HOST), at("2026-12-20T00:00:00Z"), now()) {
        Material::Fit { not_after } => Ok(not_after),
        Material::Unfit { why } => Err(why.into()),
        Material::Unread => panic!("it was looked at"),
    }
}

fn block(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// The older form is the last part of PKCS#8, which begins with so many other bytes.
fn older(key: &KeyPair, label: &str, others: usize) -> String {
    block(label, &key.serialize_der()[others..])
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("written");
        path
    }
}

fn files(cert: &Path, key: &Path) -> OwnCertificate {
    OwnCertificate { cert_file: cert.to_owned(), key_file: key.to_owned() }
}

#[test]
fn what_the_usual_tools_leave_fits() {
    let usual = Shop::usual();
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("key");
    let rsa_older = older(&rsa, "RSA PRIVATE KEY", 26);
    let rsa = Shop::new(&leaf(), rsa, ca("Issuer"));
    let ec_older = older(&usual.key, "EC PRIVATE KEY", 29);
    let parameters = block("EC PARAMETERS", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
    let with_root = [usual.full().as_str(), &usual.root].concat();
    let (pkcs8, full) = (usual.key.serialize_pem(), usual.full());
    for (name, certificates, key) in [
        ("certbot: fullchain.pem, privkey.pem", full.clone(), pkcs8.clone()),
        (
            "acme.sh: fullchain.cer with blank lines, domain.key",
            full.replace("-----\n-", "-----\n\n-"),
            ec_older.clone(),
        ),
        ("openssl ecparam", full.clone(), [parameters.as_str(), &ec_older].concat()),
        ("RSA, PKCS#8", rsa.full(), rsa.key.serialize_pem()),
        ("RSA, PKCS#1", rsa.full(), rsa_older),
        ("the root as well", with_root, pkcs8.clone()),
        ("text around", format!("subject=x\n{full}\nend"), format!("Key:\n{pkcs8}")),
        ("Windows", full.replace('\n', "\r\n"), pkcs8.replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{full}"), format!("\u{feff}{pkcs8}")),
        ("all in one", [full.as_str(), &pkcs8].concat(), [full.as_str(), &pkcs8].concat()),
    ] {
        let folder = Folder::new();
        let files = files(&folder.file("c", certificates), &folder.file("k", key));
        let pair = Pair::read(&files).expect(name);
        assert_eq!(judged(&pair), Ok(at("2028-03-04T00:00:00Z")), "{name}");
        assert!(!pair.certificates.contains("PRIVATE"), "{name}: no key among the certificates");
        assert!(pair.key.expose().starts_with("-----BEGIN "), "{name}");
        assert!(!pair.key.expose().contains("PARAMETERS") && !pair.key.expose().contains('\r'), "{name}");
    }
}

#[test]
fn every_kind_of_key_finds_its_certificate() {
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let shop = Shop::new(&leaf(), KeyPair::generate_for(algorithm).expect("key"), ca("Issuer"));
        assert!(judged(&shop.pair()).is_ok(), "{algorithm:?}: {:?}", judged(&shop.pair()));
    }
}

#[test]
fn a_key_that_cannot_be_used_is_named() {
    let shop = Shop::usual();
    let (pem, full) = (shop.key.serialize_pem(), shop.full());
    let header = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
    for (name, key, want) in [
        ("none", String::new(), "holds no private key"),
        ("a certificate", full.clone(), "holds no private key"),
        ("two", [pem.as_str(), &pem].concat(), "holds 2 private keys"),
        ("encrypted", block("ENCRYPTED PRIVATE KEY", b"x"), "is encrypted"),
        (
            "encrypted in the older way",
            format!("{header}AAAA\n-----END RSA PRIVATE KEY-----\n"),
            "is encrypted",
        ),
        ("cut", pem[..pem.len() / 2].to_owned(), "is damaged"),
        ("not base64", pem.replace("MI", "!!"), "is damaged"),
        ("of no kind", block("PRIVATE KEY", b"\x30\x00"), "cannot be read"),
        ("of SSH", block("OPENSSH PRIVATE KEY", b"openssh-key-v1"), "cannot be read"),
        ("another's", self::key().serialize_pem(), "belongs to another certificate"),
    ] {
        let why = judged(&pair(&full, &key)).expect_err(name);
        assert!(why.contains(want), "{name}: {why}");
    }
    let reversed = pair(&[shop.issuer.as_str(), &shop.leaf].concat(), &pem);
    assert!(judged(&reversed).expect_err("reversed").contains("must come first"));
}

#[test]
fn a_chain_that_is_not_one_is_named() {
    let (shop, other) = (Shop::usual(), Shop::usual());
    let ended = Shop::new(&leaf(), key(), lasting(ca("Issuer"), 2020, 2025));
    let no_ca = Shop::new(&leaf(), key(), {
        let mut params = ca("Issuer");
        params.is_ca = IsCa::ExplicitNoCa;
        params
    });
    let all = |parts: &[&String]| parts.iter().map(|part| part.as_str()).collect::<String>();
    let broken = shop.leaf.replacen("MII", "MIJ", 1);
    for (name, certificates, key, want) in [
        ("nothing", String::new(), &shop, "holds no certificate"),
        ("damaged", broken, &shop, "certificate 1 of the file is damaged"),
        ("cut", all(&[&shop.leaf])[..300].to_owned(), &shop, "certificate 1 of the file is damaged"),
        ("no issuer", all(&[&shop.leaf]), &shop, "is missing: the file must hold the whole chain"),
        (
            "the root, not the issuer",
            all(&[&shop.leaf, &shop.root]),
            &shop,
            "is not the issuer of certificate 1",
        ),
        (
            "the root first",
            all(&[&shop.leaf, &shop.root, &shop.issuer]),
            &shop,
            "is not the issuer of certificate 1",
        ),
        (
            "the same twice",
            all(&[&shop.leaf, &shop.leaf]),
            &shop,
            "certificate 2 of the file is the same as 1",
        ),
        (
            "more after the root",
            all(&[&shop.leaf, &shop.issuer, &shop.root, &other.root]),
            &shop,
            "is a root",
        ),
        ("signed by another of the same name", all(&[&shop.leaf, &other.issuer]), &shop, "is not signed by"),
        ("an issuer that has ended", ended.full(), &ended, "an issuer, has ended"),
        ("an issuer that may not", no_ca.full(), &no_ca, "may not issue others"),
    ] {
        let why = judged(&pair(&certificates, &key.key.serialize_pem())).expect_err(name);
        assert!(why.contains(want), "{name}: {why}");
    }
}

#[test]
fn one_that_signs_itself_is_complete() {
    let key = key();
    let certificate = leaf().self_signed(&key).expect("signed").pem();
    assert!(judged(&pair(&certificate, &key.serialize_pem())).is_ok());
}

#[test]
fn it_must_be_for_the_host_for_servers_and_for_longer() {
    let named =
        |name: &str| lasting(CertificateParams::new(vec![name.to_owned()]).expect("params"), 2026, 2028);
    let for_clients = || {
        let mut params = leaf();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params
    };
    let only_common = |host: &str| {
        let mut params = lasting(CertificateParams::new(vec![]).expect("params"), 2026, 2028);
        params.distinguished_name.push(DnType::CommonName, host);
        params
    };
    for (name, params, want) in [
        ("the host", leaf(), Ok(())),
        ("a wildcard", named("*.pg.rds.aliyuncs.com"), Ok(())),
        ("a wildcard of two labels", named("*.rds.aliyuncs.com"), Err("it is not for pgm-1")),
        ("another host", named("db.example.com"), Err("but for db.example.com")),
        ("common name alone", only_common(HOST), Ok(())),
        ("another common name", only_common("db.example.com"), Err("but for db.example.com")),
        ("for clients", for_clients(), Err("not meant for servers")),
        ("not yet", lasting(leaf(), 2027, 2028), Err("it begins only at 2027-01-02T00:00:00Z")),
        ("over", lasting(leaf(), 2025, 2026), Err("it ended at 2026-03-04T00:00:00Z already")),
    ] {
        let found = judged(&Shop::of(&params).pair()).map(|_| ());
        match want {
            Ok(()) => assert_eq!(found, Ok(()), "{name}"),
            Err(want) => assert!(found.as_ref().is_err_and(|why| why.contains(want)), "{name}: {found:?}"),
        }
    }
    let pair = Shop::usual().pair();
    let ends = at("2028-03-04T00:00:00Z");
    for (name, present, fits) in [
        ("a day later", ends - chrono::TimeDelta::days(1), true),
        ("less than a day", ends - chrono::TimeDelta::hours(23), false),
        ("the same", ends, false),
        ("earlier", ends + chrono::TimeDelta::days(9), false),
    ] {
        let found = pair.material(Some(HOST), present, now());
        assert_eq!(matches!(found, Material::Fit { .. }), fits, "{name}: {found:?}");
    }
    assert!(
        matches!(pair.material(None, now(), now()), Material::Unfit { why } if why.contains("not known"))
    );
}

#[test]
fn only_files_of_a_likely_size_are_read_and_errors_name_them_alone() {
    let folder = Folder::new();
    let good = folder.file("good", Shop::usual().full());
    let secret = "PLANTED-CONTENT-4711";
    let long = folder.file("long", secret.repeat(10_000));
    let der = folder.file("der", [&b"\xff\xfe"[..], secret.as_bytes()].concat());
    let missing = folder.0.path().join("missing");
    let pipe = folder.0.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success());
    let mut cases = vec![
        ("missing", missing, "No such file"),
        ("a folder", folder.0.path().to_owned(), "not a regular file"),
        ("a device", PathBuf::from("/dev/zero"), "not a regular file"),
        ("too long", long, "longer than any certificate or key"),
        ("not text", der, "not text"),
    ];
    if made {
        cases.push(("a pipe that nobody writes to", pipe, "not a regular file"));
    }
    for (name, path, want) in cases {
        for files in [files(&path, &good), files(&good, &path)] {
            let error = Pair::read(&files).expect_err(name);
            let text = format!("{error} {error:?}");
            assert!(text.contains(want) && text.contains(&*path.to_string_lossy()), "{name}: {text}");
            assert!(!text.contains(secret), "{name}");
        }
    }
}

#[test]
fn links_are_followed_as_certbot_needs_it() {
    let (folder, shop) = (Folder::new(), Shop::usual());
    let link = |name: &str, content: &str| {
        let (to, from) = (folder.file(&format!("{name}1"), content), folder.0.path().join(name));
        std::os::unix::fs::symlink(to, &from).expect("linked");
        from
    };
    let pair = Pair::read(&files(
        &link("fullchain.pem", &shop.full()),
        &link("privkey.pem", &shop.key.serialize_pem()),
    ));
    assert!(judged(&pair.expect("read")).is_ok());
}

#[test]
fn a_key_that_others_can_read_is_warned_of() {
    let folder = Folder::new();
    let key = folder.file("key", "x");
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("set");
        assert_eq!(Pair::warning(&files(&key, &key)).is_some(), warned, "{mode:o}");
    }
}

#[test]
fn the_key_shows_nowhere_and_is_recognised_where_it_is_repeated() {
    let shop = Shop::usual();
    let pem = shop.key.serialize_pem();
    let pair = pair(&shop.leaf, &pem);
    let inner: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let why = judged(&pair).expect_err("no issuer");
    for text in [format!("{pair:?}"), why.clone(), format!("{:?}", pair.material(None, now(), now()))] {
        assert!(!text.contains(&inner[..20]), "{text}");
    }
    let encoded = percent_encoding::utf8_percent_encode(&pem, percent_encoding::NON_ALPHANUMERIC).to_string();
    for (name, text, want) in [
        ("whole", pem.clone(), true),
        ("encoded", encoded.clone(), true),
        ("its middle", format!("near `{}`", &inner[40..70]), true),
        (
            "in pieces",
            inner[40..80].replace(&inner[50..52], &format!("{}\\n{}", &inner[50..51], &inner[51..52])),
            true,
        ),
        ("on several lines", format!("{} \n {}", &inner[40..50], &inner[50..60]), true),
        ("the middle of the encoded", encoded[120..220].to_owned(), true),
        ("a certificate", shop.leaf.clone(), true),
        ("other words", "The specified server certificate or private key is invalid.".to_owned(), false),
        ("a reason of ours", why, false),
        ("nothing", String::new(), false),
    ] {
        assert_eq!(pair.is_repeated_in(&text), want, "{name}");
    }
}
