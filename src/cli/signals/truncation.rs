//! SIGBUS: a mapped file was truncated while it was read.

use std::sync::OnceLock;

/// The exit code after a data file was truncated while it was read.
#[cfg(unix)]
const TRUNCATED: u8 = 5;

/// The message for a truncated file, if a command has set one.
static MESSAGE: OnceLock<String> = OnceLock::new();
#[cfg(unix)]
const TRUNCATED_MESSAGE: &str = "\
error: a mapped file was truncated while it was read (SIGBUS), expected it to stay unchanged
hint: use files that no other program writes to
";

/// Sets the hint that follows the error about a truncated file. Only the first call in a process counts.
pub fn set_truncation_hint(hint: &str) {
    drop(MESSAGE.set(format!(
        "error: a mapped data file was truncated while it was read (SIGBUS), expected it to stay unchanged\n\
         hint: {hint}\n"
    )));
}

#[cfg(unix)]
pub fn report_truncated_files() {
    extern "C" fn end(_: libc::c_int) {
        let message = MESSAGE.get().map_or(TRUNCATED_MESSAGE, String::as_str);
        // SAFETY: `write` and `_exit` are async-signal-safe, and `message` is valid for reads of its length.
        unsafe {
            libc::write(2, message.as_ptr().cast(), message.len());
            libc::_exit(i32::from(TRUNCATED));
        }
    }
    // Replaces the handler that was there: Rust's own removes itself when it is called, and a second worker that reads
    // the same file would then end the program without a message.
    // SAFETY: zero bits are a valid `libc::sigaction`; `end` has the signature of a handler and calls only
    // functions that are async-signal-safe; the old action may be null.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = end as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}
