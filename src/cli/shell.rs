//! Words of a command line, quoted for a shell.

use std::path::Path;

/// Returns the name this program was called by, quoted for a shell.
pub fn program() -> String {
    let name = std::env::args_os().next();
    name.map_or_else(
        || "perceptor".to_owned(),
        |name| shell_word(Path::new(&name)),
    )
}

/// Returns `path`, quoted for a shell.
pub fn shell_word(path: &Path) -> String {
    if path.to_str().is_none() {
        // The shells' own notation for bytes that are not text.
        let bytes = path.as_os_str().as_encoded_bytes().iter();
        let bytes = bytes.map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(byte) => {
                char::from(*byte).to_string()
            }
            byte => format!("\\{byte:03o}"),
        });
        return format!("$'{}'", bytes.collect::<String>());
    }
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
