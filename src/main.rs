//! The `perceptor` binary: see `perceptor --help`.

mod cli;

use std::process::{ExitCode, exit};

fn main() -> ExitCode {
    // A panic is a mistake of ours; the user gets one line to report, not a trace.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("internal error: {panic}");
        eprintln!(
            "hint: this is a mistake in perceptor, please report it with the command you ran"
        );
        exit(70);
    }));
    cli::run()
}
