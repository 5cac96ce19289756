//! The live line at the bottom of a terminal, and how other lines come to stand above it.
//!
//! All that is written to the terminal goes through one lock, in one write each: the live line is cleared, what is to stay is
//! written, and the live line is drawn again. Invariant: at the end of each write the cursor stands behind the live line or on an empty one,
//! and lines wrap as they did before. The line takes one row whatever its length, for wrapping is switched off while it is drawn, and
//! so nobody has to know how wide the terminal is. What the terminal does not take is lost.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::outlet;

/// Back to the first column, and the row is empty.
const CLEAR: &str = "\r\x1b[2K";
/// DECAWM: no wrapping at the right edge, and wrapping again. Without it what is too long falls on the last column, one over the
/// other: the last of it is a space.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = " \x1b[?7h";

/// The terminal of this process, which is one for all of its threads, as standard error is.
static SCREEN: Mutex<Screen> = Mutex::new(Screen::new());

/// Whether a terminal can do what is done here, and its user wants it: as `TERM` and `NO_COLOR` say.
pub(super) fn suits(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_plain = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_able = variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    is_able && !is_plain
}

/// From now on a live line may be shown; whatever else is written must go through [`Above`].
pub(super) fn enable() {
    lock().is_enabled = true;
}

/// Whether a live line may be shown.
pub(super) fn is_enabled() -> bool {
    lock().is_enabled
}

/// Shows the live line, in place of the one before.
pub(super) fn show(line: &str) {
    lock().show(line, &mut Stderr);
}

/// The live line is gone, and none comes any more.
pub(super) fn close() {
    lock().close(&mut Stderr);
}

/// The same for who cannot wait: a terminal that takes nothing keeps its live line.
pub fn close_at_once() {
    let screen = match SCREEN.try_lock() {
        Ok(screen) => Some(screen),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    if let Some(mut screen) = screen {
        screen.close(&mut StderrAtOnce);
    }
}

/// A panic elsewhere does not spoil a line of text: a poisoned lock is taken like any other.
fn lock() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard error, whose lines are to stay and stand above the live line.
#[derive(Debug)]
pub(super) struct Above;

impl Write for Above {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        lock().above(lines, &mut Stderr)?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error: each write is a whole.
#[derive(Debug)]
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        outlet::put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same for who cannot wait.
struct StderrAtOnce;

impl Write for StderrAtOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        outlet::put_at_once(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Screen {
    is_enabled: bool,
    /// The live line that is there.
    live: Option<String>,
}

impl Screen {
    const fn new() -> Self {
        Self {
            is_enabled: false,
            live: None,
        }
    }

    fn show(&mut self, line: &str, out: &mut impl Write) {
        if self.is_enabled {
            let _ = out.write_all(format!("{CLEAR}{WRAP_OFF}{line}{WRAP_ON}").as_bytes());
            self.live = Some(line.to_owned());
        }
    }

    fn close(&mut self, out: &mut impl Write) {
        self.is_enabled = false;
        if self.live.take().is_some() {
            let _ = out.write_all(CLEAR.as_bytes());
        }
    }

    /// `lines` end with a line feed.
    fn above(&self, lines: &[u8], out: &mut impl Write) -> io::Result<()> {
        let Some(live) = &self.live else {
            return out.write_all(lines);
        };
        let parts = [CLEAR, WRAP_OFF, live, WRAP_ON].map(str::as_bytes);
        let [clear, wrap_off, live, wrap_on] = parts;
        out.write_all(&[clear, lines, wrap_off, live, wrap_on].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_is_dumb_or_unknown_or_whose_user_wants_it_plain_has_no_live_line() {
        for (term, no_color, expected) in [
            (Some("xterm-256color"), None, true),
            (Some("linux"), Some(""), true),
            (Some("xterm"), Some("1"), false),
            (Some("dumb"), None, false),
            (Some(""), None, false),
            (None, None, false),
        ] {
            let variable = |name: &str| match name {
                "TERM" => term.map(OsString::from),
                "NO_COLOR" => no_color.map(OsString::from),
                _ => None,
            };
            assert_eq!(suits(variable), expected, "{term:?} {no_color:?}");
        }
    }

    #[test]
    fn lines_stand_above_the_live_line_which_is_drawn_again_and_gone_in_the_end() {
        let mut screen = Screen::new();
        let mut out = Vec::new();
        screen.show("not yet", &mut out);
        screen.above(b"first\n", &mut out).unwrap();
        assert_eq!(out, b"first\n");
        screen.is_enabled = true;
        screen.show("live 1", &mut out);
        screen.above(b"second\n", &mut out).unwrap();
        screen.show("live 2", &mut out);
        screen.close(&mut out);
        screen.show("too late", &mut out);
        screen.above(b"third\n", &mut out).unwrap();
        screen.close(&mut out);
        let live = |number| format!("{WRAP_OFF}live {number}{WRAP_ON}");
        let expected = [
            "first\n",
            CLEAR,
            &live(1),
            CLEAR,
            "second\n",
            &live(1),
            CLEAR,
            &live(2),
            CLEAR,
            "third\n",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), expected.concat());
    }
}
