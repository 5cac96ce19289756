//! PEM files: certificates of authorities, a client certificate with its chain, its key.
//!
//! A file that is not what it should be is refused with what it is instead. No error repeats anything of a file's content: it may
//! be a key. What is around the sections, such as the text that `openssl x509 -text` writes, is passed over (RFC 7468).

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// A client certificate, its chain, and its key. `Debug` does not show the key; this copy of it is wiped when dropped (the
/// one that rustls works with lives as long as its configuration).
#[derive(Clone)]
pub struct Identity {
    /// The client certificate first, then those that lead to its authority.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Arc<Zeroizing<PrivateKeyDer<'static>>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Puts a certificate and a key together. Whether they fit is found out by [`TlsConfig::new`](super::TlsConfig::new).
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        let key = Arc::new(Zeroizing::new(key));
        Self { chain, key }
    }
}

/// All certificates of a PEM file, in its order; never none.
///
/// # Errors
/// What the file is instead, to follow its name: "holds no certificate".
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = without_mark(pem);
    let found: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("holds no certificate{}", instead(pem))),
        Ok(found) => Ok(found),
        Err(error) => Err(malformed(&error)),
    }
}

/// The first private key of a PEM file: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`).
///
/// # Errors
/// What the file is instead, to follow its name.
pub fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let pem = without_mark(pem);
    // RFC 7468, section 11; RFC 1421 headers are what older tools write.
    if has(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(pem, "Proc-Type: 4,ENCRYPTED") {
        return Err(
            "is encrypted with a pass phrase, which cannot be asked for here; decrypt it (openssl pkey -in KEY -out DECRYPTED) \
             and let only this user read it"
                .to_owned(),
        );
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        Error::NoItemsFound => format!("holds no private key{}", instead(pem)),
        error => malformed(&error),
    })
}

/// Without the byte order mark with which some editors begin a file of UTF-8, and which would hide its first BEGIN line.
fn without_mark(pem: &[u8]) -> &[u8] {
    pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem)
}

fn has(pem: &[u8], text: &str) -> bool {
    pem.windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// What a file without what was looked for seems to be.
fn instead(pem: &[u8]) -> &'static str {
    const KEYSTORE: &str = "; it seems to be a Java or PKCS#12 store: convert it to PEM (keytool -importkeystore, openssl pkcs12)";
    // JKS begins with FEEDFEED, DER (certificates and PKCS#12 alike) with a SEQUENCE with a long length.
    match pem {
        [] => "; it is empty",
        [0xfe, 0xed, 0xfe, 0xed, ..] => KEYSTORE,
        [0x30, 0x80..=0x84, ..] => {
            "; it is binary (DER or PKCS#12): convert it to PEM (openssl x509 -inform der, openssl pkcs12)"
        }
        _ if has(pem, "PRIVATE KEY-----") => "; it holds a private key",
        _ if has(pem, "-----BEGIN CERTIFICATE-----") => "; it holds a certificate",
        _ if has(pem, "-----BEGIN TRUSTED CERTIFICATE-----")
            || has(pem, "-----BEGIN X509 CERTIFICATE-----") =>
        {
            "; it holds one in a form of OpenSSL's own: convert it (openssl x509 -in FILE -out CERTIFICATE)"
        }
        _ => "; a PEM file has lines such as -----BEGIN CERTIFICATE-----",
    }
}

/// rustls's own words repeat lines of the file.
fn malformed(error: &Error) -> String {
    let what = match error {
        Error::MissingSectionEnd { .. } => "a section has no END line",
        Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        Error::Base64Decode(_) => "a section is not base64",
        _ => "a section cannot be read",
    };
    format!("is no proper PEM file: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str =
        "text before\n-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n";

    #[test]
    fn all_certificates_are_taken_in_their_order_and_what_is_around_them_is_not() {
        let two = format!("{CERTIFICATE}{KEY}{}", CERTIFICATE.replace("AAEC", "AwQF"));
        let found = certificates(two.as_bytes()).unwrap();
        let bytes: Vec<&[u8]> = found.iter().map(AsRef::as_ref).collect();
        assert_eq!(bytes, [[0, 1, 2], [3, 4, 5]]);
    }

    #[test]
    fn a_file_that_is_something_else_is_called_that() {
        let words = |pem: &[u8]| certificates(pem).unwrap_err();
        assert_eq!(words(b""), "holds no certificate; it is empty");
        assert!(words(KEY.as_bytes()).ends_with("; it holds a private key"));
        assert!(words(&[0x30, 0x82, 1, 1]).contains("binary"));
        assert!(words(&[0xfe, 0xed, 0xfe, 0xed, 0]).contains("keytool"));
        assert!(words(b"hello").contains("BEGIN CERTIFICATE"));
        assert!(
            key(CERTIFICATE.as_bytes())
                .unwrap_err()
                .ends_with("; it holds a certificate")
        );
    }

    #[test]
    fn a_certificate_in_openssls_own_form_is_refused_with_what_to_do() {
        for label in ["TRUSTED CERTIFICATE", "X509 CERTIFICATE"] {
            let words = certificates(CERTIFICATE.replace("CERTIFICATE", label).as_bytes());
            assert!(words.unwrap_err().contains("openssl x509 -in"), "{label}");
        }
    }

    #[test]
    fn a_byte_order_mark_hides_nothing() {
        let marked = |pem: &str| format!("\u{feff}{}", pem.trim_start_matches("text before\n"));
        assert_eq!(
            certificates(marked(CERTIFICATE).as_bytes()).unwrap().len(),
            1
        );
        assert_eq!(key(marked(KEY).as_bytes()).unwrap().secret_der(), [0, 1, 2]);
        assert_eq!(
            certificates("\u{feff}".as_bytes()).unwrap_err(),
            "holds no certificate; it is empty"
        );
    }

    #[test]
    fn each_of_the_three_forms_of_a_key_is_known() {
        for form in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let pem = KEY.replace("PRIVATE KEY", form);
            assert_eq!(
                key(pem.as_bytes()).unwrap().secret_der(),
                [0, 1, 2],
                "{form}"
            );
        }
    }

    #[test]
    fn an_encrypted_key_is_refused_with_what_to_do() {
        let pkcs8 = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let old = KEY.replace(
            "AAEC",
            "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAEC",
        );
        for pem in [pkcs8, old] {
            assert!(key(pem.as_bytes()).unwrap_err().contains("openssl pkey"));
        }
    }

    #[test]
    fn nothing_of_a_files_content_is_repeated() {
        let broken = [
            "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY hunter2\n",
            "-----BEGIN PRIVATE KEY-----\nhunter2A\n",
        ];
        for pem in broken {
            for words in [
                key(pem.as_bytes()).unwrap_err(),
                certificates(pem.as_bytes()).unwrap_err(),
            ] {
                assert!(!words.contains("hunter2"), "{words}");
            }
        }
        let identity = Identity::new(Vec::new(), key(KEY.as_bytes()).unwrap());
        assert_eq!(format!("{identity:?}"), "Identity { certificates: 0, .. }");
    }
}
