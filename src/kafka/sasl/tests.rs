//! The mechanisms against vectors of their RFCs, and against servers that lie.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::foreign::WORDS_CHARS_MAX;
use crate::kafka::config::Login;

/// What nonces are made of.
const KEY: [u8; 32] = [7; 32];

/// The first of them.
fn our_nonce() -> String {
    Nonces::new(KEY).draw()
}

fn login(user: &str, password: &str) -> Login {
    Login {
        user: user.to_owned(),
        password: Secret::new(password.to_owned()),
    }
}

fn bearer(extensions: &[(&str, &str)]) -> Sasl {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sasl::OAuthBearer {
        extensions: extensions.iter().map(owned).collect(),
    }
}

fn begin(sasl: &Sasl) -> Result<(Exchange, String), SaslError> {
    let token = Secret::new("a.token-of_ours".to_owned());
    let (exchange, first) = Exchange::begin(sasl, Some(&mut Nonces::new(KEY)), Some(&token))?;
    Ok((exchange, text(&first)))
}

fn text(message: &Message) -> String {
    String::from_utf8(message.expose().to_vec()).unwrap()
}

fn sent(step: Result<Step, SaslError>) -> String {
    match step.unwrap() {
        Step::Send(message) => text(&message),
        Step::Done => panic!("it is done"),
    }
}

fn unusable(sasl: &Sasl) -> String {
    match begin(sasl).unwrap_err() {
        SaslError::Unusable(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_sends_user_and_password_once_and_is_done() {
    let sasl = Sasl::Plain(login("key", "se=cr,et é"));
    let (mut exchange, first) = begin(&sasl).unwrap();
    assert_eq!(first, "\0key\0se=cr,et é");
    assert_eq!(exchange.step(b""), Ok(Step::Done));
}

#[test]
fn plain_refuses_what_it_cannot_tell_apart() {
    for (user, password, name) in [
        ("a\0b", "p", "user name"),
        ("u", "a\0b", "password"),
        ("", "p", "user name"),
        ("u", "", "password"),
    ] {
        let why = unusable(&Sasl::Plain(login(user, password)));
        assert!(why.starts_with(&format!("the {name} ")), "{why}");
    }
}

/// User, password, our nonce, the server's first message, our proof, the server's signature.
struct Vector(ScramHash, [&'static str; 6]);

/// The first is that of RFC 7677, section 3. The second is the same exchange with SHA-512, computed by Python's `hashlib`:
/// `pbkdf2_hmac('sha512', b'pencil', salt, 4096)`, and the rest by `hmac.new(…, 'sha512')`.
const VECTORS: [Vector; 2] = [
    Vector(
        ScramHash::Sha256,
        [
            "user",
            "pencil",
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    ),
    Vector(
        ScramHash::Sha512,
        [
            "user",
            "pencil",
            "rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
            "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
        ],
    ),
];

/// SCRAM that has sent its proof, and what the signature must be.
fn proven(
    Vector(hash, [user, password, nonce, first, proof, signature]): &Vector,
) -> (Scram, String) {
    let (mut scram, message) = Scram::begin(*hash, &login(user, password), nonce).unwrap();
    assert_eq!(text(&message), format!("n,,n={user},r={nonce}"));
    let nonces = first.split(',').next().unwrap();
    let last = sent(scram.step(first.as_bytes()));
    assert_eq!(last, format!("c=biws,{nonces},p={proof}"));
    (scram, format!("v={signature}"))
}

#[test]
fn scram_proves_itself_and_believes_the_right_signature_as_the_rfc_has_it() {
    for vector in &VECTORS {
        let (mut scram, signature) = proven(vector);
        assert_eq!(scram.step(signature.as_bytes()), Ok(Step::Done));
    }
}

/// Scenario 39.
#[test]
fn a_scram_server_without_the_right_signature_is_not_believed() {
    for vector in &VECTORS {
        let (_, signature) = proven(vector);
        let mut forged = signature.clone();
        forged.replace_range(2..3, if &signature[2..3] == "A" { "B" } else { "A" });
        let other = VECTORS[usize::from(vector.0 == ScramHash::Sha256)].1[5];
        for (last, words) in [
            (forged.as_str(), "its signature is wrong"),
            (&format!("v={other}"), "its signature is wrong"),
            ("v=", "its signature is wrong"),
            ("v=***", "its signature is not base64"),
            ("", "it sent no signature"),
            ("r=again", "it sent no signature"),
            (&format!("{signature},?"), "no attribute"),
        ] {
            let (mut scram, _) = proven(vector);
            let error = scram.step(last.as_bytes()).unwrap_err();
            let line = error.to_string();
            assert!(line.starts_with("the server is not trusted: "), "{line}");
            assert!(line.contains(words), "{last}: {line}");
        }
    }
}

/// Scenario 39.
#[test]
fn a_scram_server_that_breaks_the_rules_is_refused_each_with_its_own_words() {
    let salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
    let ours = our_nonce();
    let nonce = format!("r={ours}theirs");
    for (first, words) in [
        (format!("r=theirs,s={salt},i=4096"), "does not extend ours"),
        (format!("r={ours},s={salt},i=4096"), "does not extend ours"),
        (format!("{nonce} ,s={salt},i=4096"), "does not extend ours"),
        (format!("s={salt},i=4096"), "no nonce"),
        (format!("m=new,{nonce},s={salt},i=4096"), "an extension"),
        (format!("{nonce},i=4096"), "no salt"),
        (format!("{nonce},s=,i=4096"), "its salt is empty"),
        (
            format!("{nonce},s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096"),
            "its salt is not base64",
        ),
        (format!("{nonce},s={salt}"), "no number of iterations"),
        (format!("{nonce},s={salt},i="), "not a number"),
        (format!("{nonce},s={salt},i=+4096"), "not a number"),
        (format!("{nonce},s={salt},i=04096"), "not a number"),
        (format!("{nonce},s={salt},i=99999999999"), "not a number"),
        (format!("{nonce},s={salt},i=4095"), "4095 iterations"),
        (format!("{nonce},s={salt},i=1000001"), "1000001 iterations"),
        (format!("{nonce},s={salt},i=4096,oops"), "no attribute"),
        (String::new(), "no nonce"),
    ] {
        let sasl = Sasl::Scram(ScramHash::Sha256, login("u", "p"));
        let (mut exchange, _) = begin(&sasl).unwrap();
        let error = exchange.step(first.as_bytes()).unwrap_err();
        assert!(matches!(error, SaslError::Distrusted(_)), "{first}");
        let line = error.to_string();
        assert!(line.contains(words), "{first}: {line}");
    }
    let (mut exchange, _) = begin(&Sasl::Scram(ScramHash::Sha512, login("u", "p"))).unwrap();
    assert!(exchange.step(&[0xff]).is_err(), "not UTF-8");
    assert!(exchange.step(&vec![b'r'; 1 << 20]).is_err(), "too long");
}

#[test]
fn a_scram_server_may_say_more_than_we_know_and_its_error_is_shown() {
    let sasl = Sasl::Scram(ScramHash::Sha256, login("u", "p"));
    let ours = our_nonce();
    let first = format!("r={ours}theirs,s=c2FsdA==,i=4096,x=from the future");
    let (mut exchange, _) = begin(&sasl).unwrap();
    assert!(sent(exchange.step(first.as_bytes())).contains(",p="));
    let error = exchange.step(b"e=unknown-user").unwrap_err();
    assert_eq!(error, SaslError::Refused("unknown-user".to_owned()));
}

#[test]
fn scram_escapes_the_user_name_and_refuses_what_brokers_prepare_differently() {
    let sasl = Sasl::Scram(ScramHash::Sha256, login("a=b,c", "p"));
    let (_, first) = begin(&sasl).unwrap();
    let ours = our_nonce();
    assert_eq!(first, format!("n,,n=a=3Db=2Cc,r={ours}"));
    for (user, password) in [
        ("é", "p"),
        ("u", "pässword"),
        ("u", "a\tb"),
        ("u", ""),
        ("", "p"),
    ] {
        let why = unusable(&Sasl::Scram(ScramHash::Sha512, login(user, password)));
        let why_not = if password.is_empty() || user.is_empty() {
            "is empty"
        } else {
            "printable ASCII"
        };
        assert!(why.contains(why_not), "{why}");
        assert!(!why.contains("pässword"), "{why}");
    }
}

#[test]
fn a_scram_nonce_is_needed_and_is_in_the_first_message() {
    let sasl = Sasl::Scram(ScramHash::Sha256, login("u", "p"));
    let error = Exchange::begin(&sasl, None, None).unwrap_err();
    assert_eq!(error, SaslError::NoNonce);
    let mut nonces = Nonces::new([1; 32]);
    let first = |nonces: &mut Nonces| {
        let (_, first) = Exchange::begin(&sasl, Some(nonces), None).unwrap();
        text(&first)
    };
    let drawn = [first(&mut nonces), first(&mut nonces)];
    assert_ne!(drawn[0], drawn[1]);
    let mut again = Nonces::new([1; 32]);
    assert_eq!(first(&mut again), drawn[0], "the same key, the same nonces");
    assert_ne!(first(&mut Nonces::new([2; 32])), drawn[0]);
}

#[test]
fn oauthbearer_sends_the_token_with_its_extensions_and_an_empty_answer_is_success() {
    let sasl = bearer(&[("logicalCluster", "lkc-1"), ("identityPoolId", "pool a")]);
    let (mut exchange, first) = begin(&sasl).unwrap();
    assert_eq!(
        first,
        "n,,\x01auth=Bearer a.token-of_ours\x01logicalCluster=lkc-1\x01identityPoolId=pool a\x01\x01"
    );
    assert_eq!(exchange.step(b""), Ok(Step::Done));
    let (_, bare) = begin(&bearer(&[])).unwrap();
    assert_eq!(bare, "n,,\x01auth=Bearer a.token-of_ours\x01\x01");
}

#[test]
fn oauthbearer_ends_a_refused_exchange_and_tells_the_servers_status() {
    for (challenge, words) in [
        (&br#"{"status":"invalid_token"}"#[..], "invalid_token"),
        (
            br#"{"status":"insufficient_scope","scope":"kafka","openid-configuration":"x"}"#,
            "insufficient_scope, scope kafka",
        ),
        (b"no json\n\x1b[31m", "no json[31m"),
        (br#"{"status":7}"#, r#"{"status":7}"#),
    ] {
        let (mut exchange, _) = begin(&bearer(&[])).unwrap();
        assert_eq!(sent(exchange.step(challenge)), "\x01");
        // Whether the server ends it with a code of its own, or goes on as if nothing were wrong.
        let refused = SaslError::Refused(words.to_owned());
        assert_eq!(exchange.refused(None), refused);
        assert_eq!(exchange.refused(Some(words)), refused);
        assert_eq!(exchange.step(b""), Err(refused));
        let both = exchange.refused(Some("go away")).to_string();
        assert_eq!(both, format!("go away ({words})"));
    }
}

#[test]
fn oauthbearer_refuses_what_would_end_a_field_early() {
    for (name, value) in [
        ("", "v"),
        ("logical_cluster", "v"),
        ("auth", "v"),
        ("Auth", "v"),
        ("n", ""),
        ("n", "a\x01b"),
        ("n", "é"),
    ] {
        let why = unusable(&bearer(&[(name, value)]));
        assert!(why.contains("the SASL extension"), "{why}");
    }
    for token in ["", "a b", "a\x01auth=Bearer b", "é"] {
        let token = Secret::new(token.to_owned());
        let error = Exchange::begin(&bearer(&[]), None, Some(&token)).unwrap_err();
        assert!(matches!(error, SaslError::Unusable(_)), "{error:?}");
        assert!(!error.to_string().contains("Bearer"), "{error}");
    }
    let error = Exchange::begin(&bearer(&[]), None, None).unwrap_err();
    assert_eq!(error, SaslError::NoToken);
}

#[test]
fn whatever_a_server_sends_is_an_answer_or_an_error() {
    let mut random = fastrand::Rng::with_seed(39);
    let ours = our_nonce();
    // Too few iterations, so that most of what comes of it is not computed.
    let first = format!("r={ours}theirs,s=c2FsdA==,i=95,x=y");
    let json = r#"{"status":"invalid_token","scope":"kafka"}"#;
    let mechanisms = [
        (
            Sasl::Scram(ScramHash::Sha256, login("u", "p")),
            first.as_str(),
        ),
        (bearer(&[]), json),
        (Sasl::Plain(login("u", "p")), ""),
    ];
    for (sasl, sound) in &mechanisms {
        for _ in 0..2000 {
            let mut challenge = sound.as_bytes().to_vec();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..=challenge.len());
                if at < challenge.len() && random.bool() {
                    challenge.remove(at);
                } else {
                    challenge.insert(at, random.u8(..));
                }
            }
            let (mut exchange, _) = begin(sasl).unwrap();
            if let Err(error) = exchange.step(&challenge) {
                let line = error.line(exchange.mechanism());
                assert!(line.chars().all(is_showable), "{line:?}");
            }
        }
    }
}

#[test]
fn a_secret_that_the_server_repeats_is_not_shown_and_words_are_bounded() {
    let sasl = Sasl::Plain(login("key", "hunter2"));
    let (exchange, first) = Exchange::begin(&sasl, None, None).unwrap();
    let error = exchange.refused(Some("bad\r\npassword hunter2 of key"));
    assert_eq!(error.to_string(), "badpassword [hidden] of key");
    let error = exchange.refused(Some("hun\u{200b}ter2"));
    assert_eq!(error.to_string(), "[hidden]");
    let cut = format!("{}hunter2", "x".repeat(WORDS_CHARS_MAX - 3));
    assert!(!exchange.refused(Some(&cut)).to_string().contains("hun"));
    let printed = format!("{exchange:?} {first:?}");
    assert_eq!(printed, "Exchange { mechanism: \"PLAIN\", .. } [hidden]");
    let error = exchange.refused(Some(&"long".repeat(1000)));
    assert_eq!(error.to_string().len(), WORDS_CHARS_MAX);
    let (exchange, _) = begin(&bearer(&[])).unwrap();
    let error = exchange.refused(Some("a.token-of_ours has expired"));
    assert_eq!(error.to_string(), "[hidden] has expired");
    // With what is not shown, which an encoder keeps.
    let sasl = Sasl::Plain(login("key", "hun\u{200b}ter2"));
    let (exchange, first) = Exchange::begin(&sasl, None, None).unwrap();
    let base64 = BASE64_STANDARD.encode(first.expose());
    for (words, told) in [
        ("no hun%E2%80%8Bter2", "no [hidden]"),
        ("no hunter2", "no [hidden]"),
        (&base64, "AGtleQB[hidden]"),
    ] {
        assert_eq!(exchange.refused(Some(words)).to_string(), told);
    }
    assert_eq!(
        exchange.refused(None).to_string(),
        "the server gave no reason"
    );
}

#[test]
fn a_mechanism_that_is_not_enabled_is_told_with_the_brokers_own_list() {
    let line = |listed: &[&str]| {
        let listed: Vec<String> = listed.iter().map(|&name| name.to_owned()).collect();
        let error = SaslError::not_enabled("PLAIN", &listed);
        assert!(error.is_final());
        format!("{error}; {}", error.advice())
    };
    assert_eq!(
        line(&["SCRAM-SHA-256", "GSS\r\nAPI"]),
        "PLAIN is not enabled there, but SCRAM-SHA-256, GSSAPI; set KAFKA_SASL_MECHANISM to one of these, or enable it on the broker"
    );
    assert!(
        line(&[]).starts_with("PLAIN is not enabled there, nor is any other mechanism; enable")
    );
    assert!(line(&["long"; 1000]).len() < 500);
}
