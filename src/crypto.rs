//! What cryptography needs of the processor.
//!
//! TLS and SCRAM use graviola, whose code is written for processors since about 2014 (x86-64 with AVX2, ADX and BMI; 64-bit ARM with
//! its cryptographic instructions) and panics on others. Whoever is about to use either asks here first. Nothing is computed here.

use std::fmt;

/// The instructions that the processor lacks. `Display` is one line that says what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingInstructions(Vec<&'static str>);

impl fmt::Display for MissingInstructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this processor lacks instructions that TLS and SCRAM need here ({}); use a newer processor (or a virtual machine that \
             passes them on), or do without TLS and SCRAM",
            self.0.join(", ")
        )
    }
}

impl std::error::Error for MissingInstructions {}

/// Whether TLS and SCRAM can be used on this processor.
///
/// # Errors
/// Which instructions it lacks.
pub fn check_processor() -> Result<(), MissingInstructions> {
    let missing: Vec<&'static str> = instructions()
        .into_iter()
        .filter_map(|(name, is_there)| (!is_there).then_some(name))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(MissingInstructions(missing))
    }
}

/// Bytes that nobody can foresee, from the operating system. Only for a processor that was checked. `None` where the system has
/// none to give.
pub fn random_key() -> Option<[u8; 32]> {
    let mut key = [0; 32];
    graviola::random::fill(&mut key).ok().map(|()| key)
}

/// What graviola asserts before its first use (`low/x86_64/cpu.rs`), and what its fast paths assume.
#[cfg(target_arch = "x86_64")]
fn instructions() -> [(&'static str, bool); 8] {
    use std::arch::is_x86_feature_detected as has;
    [
        ("AES", has!("aes")),
        ("PCLMULQDQ", has!("pclmulqdq")),
        ("SSSE3", has!("ssse3")),
        ("BMI1", has!("bmi1")),
        ("BMI2", has!("bmi2")),
        ("ADX", has!("adx")),
        ("AVX", has!("avx")),
        ("AVX2", has!("avx2")),
    ]
}

/// What graviola asserts before its first use (`low/aarch64/cpu.rs`).
#[cfg(target_arch = "aarch64")]
fn instructions() -> [(&'static str, bool); 4] {
    use std::arch::is_aarch64_feature_detected as has;
    [
        ("NEON", has!("neon")),
        ("AES", has!("aes")),
        ("PMULL", has!("pmull")),
        ("SHA2", has!("sha2")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let missing = MissingInstructions(vec!["ADX", "AVX2"]);
        let line = missing.to_string();
        assert!(line.contains("(ADX, AVX2)"), "{line}");
        assert!(line.contains("newer processor"), "{line}");
        assert!(!line.contains('\n'));
    }
}
