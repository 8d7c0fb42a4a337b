//! Certificates out of a text in which a private key may stand beside them: each is read, and written anew from what was
//! read. Whatever else was there is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// As the standard has it (RFC 7468).
const WIDTH: usize = 64;

/// The certificates of a text; one that cannot be read keeps its place and nothing else. `None`: there is none.
pub(super) fn certificates(text: &str) -> Option<String> {
    let blocks = text
        .split(BEGIN)
        .skip(1)
        .map(|rest| rest.split_once(END).and_then(|(inside, _)| certificate(inside)));
    let blocks: Vec<String> = blocks.map(|block| block.unwrap_or_else(|| "*".repeat(WIDTH))).collect();
    let written = blocks.iter().map(|block| format!("{BEGIN}\n{block}\n{END}\n"));
    (!blocks.is_empty()).then(|| written.collect())
}

/// The lines of a certificate, if it is one and nothing besides.
fn certificate(inside: &str) -> Option<String> {
    // bundles of clouds escape the ends of lines twice at times
    let plain = inside.replace("\\n", "").replace("\\r", "");
    let plain: String = plain.chars().filter(|c| !c.is_whitespace()).collect();
    let der = STANDARD.decode(plain).ok()?;
    let (rest, _) = x509_parser::parse_x509_certificate(&der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let text = STANDARD.encode(&der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(WIDTH).filter_map(|line| str::from_utf8(line).ok()).collect();
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> String {
        rcgen::generate_simple_self_signed(["a.example".to_owned()]).expect("a certificate").cert.pem()
    }

    #[test]
    fn only_certificates_are_written_anew() {
        let (one, other) = (made().replace("\r\n", "\n"), made().replace("\r\n", "\n"));
        let key = "-----BEGIN RSA PRIVATE KEY-----\nPLANTED\n-----END RSA PRIVATE KEY-----\n";
        for (name, text, want) in [
            ("alone", one.clone(), one.clone()),
            ("around keys", format!("PLANTED {key}{one}{key}{other}{key}PLANTED"), format!("{one}{other}")),
            ("escaped", one.replace('\n', "\\n"), one.clone()),
        ] {
            assert_eq!(certificates(&text).as_deref(), Some(&*want), "{name}");
        }
        for (name, text) in [
            ("unclosed before a key", format!("{BEGIN}\n{key}")),
            ("a key for a certificate", format!("{BEGIN}\nUExBTlRFRA==\n{END}")),
            ("a key behind it", one.replace(END, &format!("PLANTED\n{END}"))),
        ] {
            let kept = certificates(&text).expect("its place");
            assert!(
                !kept.contains("PLANTED") && !kept.contains("UExBTlRFRA") && kept.contains("***"),
                "{name}: {kept}"
            );
        }
        assert_eq!(certificates(key), None);
    }
}
