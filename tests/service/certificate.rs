//! Our own TLS over reloads: new files, another path, a pair that cannot be used; connections that are kept, and new ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::house::House;
use crate::{MINUTE, reload};

/// Whom the client trusts, and who issues.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    client: TlsConnector,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new(Vec::new()).unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self { issuer: Issuer::new(params, key), client: TlsConnector::from(Arc::new(config)) }
    }

    /// Writes a new pair for `localhost`; its certificate in DER.
    pub(crate) fn issue(&self, house: &House, name: &str) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(house.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        let path = house.path(&format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        certificate.der().to_vec()
    }

    async fn connect(&self, house: &House) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(house.address).await.unwrap();
        self.client.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
    }

    /// What a new connection is shown.
    async fn shown(&self, house: &House) -> Vec<u8> {
        let mut stream = self.connect(house).await;
        assert!(ask(&mut stream).await, "it answers");
        shown_on(&stream)
    }
}

fn shown_on(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Whether one request on a connection that stays is answered.
async fn ask(stream: &mut TlsStream<TcpStream>) -> bool {
    let request = b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n";
    if stream.write_all(request).await.is_err() {
        return false;
    }
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).starts_with("HTTP/1.1 200")
}

pub(crate) fn tls(house: &House, name: &str) -> String {
    let [cert, key] = ["pem", "key"].map(|kind| house.path(&format!("{name}.{kind}")).display().to_string());
    format!("tls = {{ cert_file = '{cert}', key_file = '{key}' }}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_by_a_reload_and_no_connection_is_lost() {
    let house = House::new(4).await;
    let authority = Authority::new();
    let (first, other) = (authority.issue(&house, "first"), authority.issue(&house, "other"));
    let with = |name: &str| house.accounts.clone() + &house.rest() + &tls(&house, name);
    house.configure(&with("first"));
    let _running = house.start(MINUTE);
    let mut kept = authority.connect(&house).await;
    assert!(ask(&mut kept).await && shown_on(&kept) == first);

    // new files in the old place are in use at once, not only when they are looked at the next time
    let renewed = authority.issue(&house, "first");
    assert_eq!(reload(&house).await, 200, "{}", house.log());
    assert!(authority.shown(&house).await == renewed, "the new pair is shown after the reload");
    assert!(ask(&mut kept).await, "who was there stays");

    // another place
    house.configure(&with("other"));
    assert_eq!(reload(&house).await, 200, "{}", house.log());
    assert!(authority.shown(&house).await == other, "the other path is in use");
    assert!(ask(&mut kept).await, "who was there stays");

    // a place where nothing is, and a key that belongs to another certificate: refused, and nothing is different
    for bad in ["missing", "mixed"] {
        fs::copy(house.path("first.pem"), house.path("mixed.pem")).unwrap();
        fs::copy(house.path("other.key"), house.path("mixed.key")).unwrap();
        house.configure(&with(bad));
        assert_eq!(reload(&house).await, 422, "{bad}: {}", house.log());
        assert!(authority.shown(&house).await == other, "{bad}");
        assert!(ask(&mut kept).await, "{bad}");
    }

    // the files of the one in use still are followed, those of the one before are not
    house.configure(&with("other"));
    assert_eq!(reload(&house).await, 200);
    authority.issue(&house, "first");
    let followed = authority.issue(&house, "other");
    for _ in 0..300 {
        // who says nothing for too long is let go
        assert!(ask(&mut kept).await, "who was there stays");
        if authority.shown(&house).await == followed {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(authority.shown(&house).await == followed, "new files without a reload");

    // plain HTTP, and back
    house.configure(&(house.accounts.clone() + &house.rest()));
    assert_eq!(reload(&house).await, 200);
    assert!(house.page("/-/healthy").await.is_ok(), "plain HTTP from now on");
    assert!(ask(&mut kept).await, "who was there stays, as it spoke before");
    house.configure(&with("first"));
    assert_eq!(reload(&house).await, 200);
    assert!(house.page("/-/healthy").await.is_err(), "TLS again");
    authority.shown(&house).await;
}
