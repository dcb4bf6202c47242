//! The `perceptor` binary: see `perceptor --help`.

mod cli;

use std::io::{self, Write};
use std::process::{ExitCode, exit};

fn main() -> ExitCode {
    // A panic is a mistake of ours; the user gets one line to report, not a trace.
    std::panic::set_hook(Box::new(|panic| {
        // Where stderr is closed there is nobody to tell.
        let told = writeln!(
            io::stderr(),
            "internal error: {panic}\n\
             hint: this is a mistake in perceptor, please report it with the command you ran"
        );
        drop(told);
        exit(70);
    }));
    cli::run()
}
