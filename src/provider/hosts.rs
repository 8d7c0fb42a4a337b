//! Which hosts a certificate is for, by the rules of those who check it (RFC 6125): its alternative names; the common name
//! only where it has none. Knows nothing of where a certificate came from.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::x509;

/// The names of hosts that a certificate is for, wildcards among them.
pub(super) fn names<'c>(certificate: &'c X509Certificate<'_>) -> Vec<&'c str> {
    match certificate.subject_alternative_name() {
        Ok(None) => certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect(),
        Ok(Some(names)) => names.value.general_names.iter().filter_map(dns_name).collect(),
        Err(_) => Vec::new(),
    }
}

fn dns_name<'c>(name: &GeneralName<'c>) -> Option<&'c str> {
    if let GeneralName::DNSName(name) = name { Some(name) } else { None }
}

/// Whether one of these names is a host's. A `*` stands for exactly one label, the first.
pub(super) fn cover(names: &[&str], host: &str) -> bool {
    let host = host.trim_end_matches('.');
    names.iter().any(|name| {
        let name = name.trim_end_matches('.');
        match (name.strip_prefix("*."), host.split_once('.')) {
            (Some(parent), Some((label, rest))) => {
                !label.is_empty() && parent.contains('.') && rest.eq_ignore_ascii_case(parent)
            }
            (Some(_), None) => false,
            (None, _) => !host.is_empty() && name.eq_ignore_ascii_case(host),
        }
    })
}

/// Whether the first certificate of a PEM text is for other hosts than this one. `false` where it cannot be read, or
/// names nothing that looks like a host.
pub(super) fn are_others(pem: &str, host: &str) -> bool {
    let Some(Ok(der)) = x509::ders(pem).next() else { return false };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return false };
    let names = names(&certificate);
    names.iter().any(|name| name.contains('.')) && !cover(&names, host)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn a_name_covers_as_much_as_clients_believe() {
        for (name, host, want) in [
            ("db.example.com", "db.example.com", true),
            ("DB.example.COM", "db.Example.com", true),
            ("db.example.com.", "db.example.com", true),
            ("db.example.com", "db.example.com.", true),
            ("db.example.com", "x.db.example.com", false),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("d*.example.com", "db.example.com", false),
            ("*.com", "example.com", false),
            ("*", "localhost", false),
            ("*.*.com", "db.example.com", false),
            ("", "", false),
        ] {
            assert_eq!(cover(&[name], host), want, "{name} for {host}");
        }
    }

    fn certificate(alternative: &[&str], common: &str) -> String {
        let alternative: Vec<_> = alternative.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(alternative).expect("names");
        params.distinguished_name.push(DnType::CommonName, common);
        params.self_signed(&KeyPair::generate().expect("key")).expect("signed").pem()
    }

    #[test]
    fn the_common_name_counts_only_without_alternative_names() {
        for (what, alternative, common, host, others) in [
            ("alternative", vec!["a.example"], "b.example", "a.example", false),
            ("common beside alternative", vec!["a.example"], "b.example", "b.example", true),
            ("an address alone", vec!["192.0.2.1"], "b.example", "b.example", false),
            ("common alone", vec![], "b.example", "b.example", false),
            ("another common", vec![], "b.example", "a.example", true),
            ("no host at all", vec![], "rds server", "a.example", false),
        ] {
            assert_eq!(are_others(&certificate(&alternative, common), host), others, "{what}");
        }
        assert!(!are_others("no certificate", "a.example"));
    }
}
