//! What keeps a file from being replaced though its folder takes new ones: a mount on it, or an owner who is somebody else.
//!
//! Pure but for [`on`], which asks the system. Where that does not say (no `/proc`), nothing is in the way.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// In such a folder only owners may replace files.
const STICKY: u32 = 0o1000;

/// Stands above what `CAP_FOWNER` allows, which is to replace other people's files too (`capabilities(7)`).
const CAP_FOWNER: u32 = 3;

/// What is in the way of a file `name` in `folder`; in words that follow the path. `ours`: a file that this process has made there.
pub(super) fn on(folder: &Path, name: &OsStr, ours: &Metadata) -> Option<&'static str> {
    let place = fs::canonicalize(folder).ok()?.join(name);
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    if is_mount_point(&mounts, &place) {
        return Some("is a mount of its own, which no file can replace; mount its folder instead");
    }
    let (about, folder) = (
        fs::symlink_metadata(&place).ok()?,
        fs::metadata(folder).ok()?,
    );
    let is_foreign = ![about.uid(), folder.uid()].contains(&ours.uid());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_kept = folder.mode() & STICKY != 0 && is_foreign && !may_do_as_owners(&status);
    is_kept.then_some(
        "belongs to another user, and its folder lets only owners replace files (sticky bit)",
    )
}

/// `mounts`: as `/proc/self/mountinfo` has them; the fifth field is the mount point (`proc_pid_mountinfo(5)`).
fn is_mount_point(mounts: &[u8], place: &Path) -> bool {
    let place = place.as_os_str().as_bytes();
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .any(|point| unescaped(point) == place)
}

/// White space and backslashes stand there as a backslash with three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(*first));
        let taken = if code.is_some() { 3 } else { 0 };
        rest = after.get(taken..).unwrap_or_default();
    }
    bytes
}

/// `status`: as `/proc/self/status` has it. Without it nothing is taken for allowed.
fn may_do_as_owners(status: &str) -> bool {
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    capabilities.is_some_and(|capabilities| capabilities >> CAP_FOWNER & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n\
        37 35 98:0 /sub/ledger.json /out/a\\040b\\134c/ledger.json rw - ext4 /dev/sda rw\n";

    #[test]
    fn a_mount_point_is_found_however_its_name_is_written() {
        for (place, is_one) in [
            ("/mnt2", true),
            ("/mnt1", false),
            ("/mnt2/ledger.json", false),
            ("/out/a b\\c/ledger.json", true),
            ("/out/a b\\c", false),
        ] {
            assert_eq!(is_mount_point(MOUNTS, Path::new(place)), is_one, "{place}");
        }
        assert!(!is_mount_point(b"", Path::new("/")));
        for (field, bytes) in [
            (&b"\\040"[..], &b" "[..]),
            (b"\\04", b"\\04"),
            (b"\\999\\", b"\\999\\"),
            (b"\\777", b"\\777"),
        ] {
            assert_eq!(unescaped(field), bytes);
        }
    }

    #[test]
    fn who_may_do_what_owners_may_is_read_from_the_capabilities() {
        assert!(may_do_as_owners("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        assert!(may_do_as_owners("CapEff:\t0000000000000008\n"));
        assert!(!may_do_as_owners(
            "CapPrm:\tffff\nCapEff:\t0000000000000007\n"
        ));
        assert!(!may_do_as_owners(""));
    }
}
