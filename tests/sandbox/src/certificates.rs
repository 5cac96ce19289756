//! Certificates and keys for tests, as the bytes of a PEM file and as a path for a program that wants one.
//!
//! They are checked in and valid for a century, so that no test depends on a tool or on the day; `certificates/make.sh`
//! made them. Two authorities know nothing of each other: [`ca`] signed all that is good here, [`other_ca`] the rest. The
//! keys protect nothing.

use std::path::PathBuf;

/// A PEM file.
#[derive(Debug, Clone, Copy)]
pub struct Pem {
    name: &'static str,
    bytes: &'static [u8],
}

impl Pem {
    /// Where it is, while the sources are where the sandbox was built from.
    pub fn path(self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("certificates")
            .join(self.name)
    }

    /// What it holds.
    pub fn bytes(self) -> &'static [u8] {
        self.bytes
    }
}

macro_rules! pem_files {
    ($($(#[$doc:meta])* $function:ident = $name:literal;)*) => {$(
        $(#[$doc])*
        pub fn $function() -> Pem {
            Pem { name: $name, bytes: include_bytes!(concat!("../certificates/", $name)) }
        }
    )*};
}

pem_files! {
    /// The authority that clients of the sandbox trust, and that the sandbox trusts its clients by.
    ca = "ca.pem";
    /// The authority that nobody trusts, unless a test does.
    other_ca = "other-ca.pem";

    /// A server's for `localhost`, 127.0.0.1 and `::1`; P-256.
    server = "server.pem";
    /// The same, RSA of 2048 bits.
    server_rsa = "server-rsa.pem";
    /// The same, issued by an intermediate authority, whose certificate follows it.
    server_chain = "server-chain.pem";
    /// For `elsewhere.example` and nothing else.
    server_wrong_name = "server-wrong-name.pem";
    /// As the good one, until 2021.
    server_expired = "server-expired.pem";
    /// As the good one, by [`other_ca`].
    server_unknown_authority = "server-unknown-authority.pem";
    /// The key of every server's certificate but the RSA one; PKCS#8.
    server_key = "server-key.pem";
    /// The key of [`server_rsa`]; PKCS#8.
    server_rsa_key = "server-rsa-key.pem";

    /// A client's, P-256.
    client = "client.pem";
    /// A client's, RSA of 2048 bits.
    client_rsa = "client-rsa.pem";
    /// As [`client`], issued by an intermediate authority, whose certificate follows it.
    client_chain = "client-chain.pem";
    /// As [`client`], by [`other_ca`].
    client_unknown_authority = "client-unknown-authority.pem";
    /// The key of every client's certificate but the RSA one; PKCS#8, `PRIVATE KEY`.
    client_key = "client-key.pem";
    /// The same key, SEC1, `EC PRIVATE KEY`.
    client_key_sec1 = "client-key-sec1.pem";
    /// The same key, encrypted with the password `sandbox`: `ENCRYPTED PRIVATE KEY`.
    client_key_encrypted = "client-key-encrypted.pem";
    /// The key of [`client_rsa`]; PKCS#8, `PRIVATE KEY`.
    client_rsa_key = "client-rsa-key.pem";
    /// The same key, PKCS#1, `RSA PRIVATE KEY`.
    client_rsa_key_pkcs1 = "client-rsa-key-pkcs1.pem";
}
