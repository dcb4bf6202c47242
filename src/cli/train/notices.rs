//! Notices on stderr about a run: why it has nothing left to do, and what could not be read or written.

use std::io::{self, Write};

use perceptor::run::{Resumption, WriteFailure};
use perceptor::train::Cause;
use perceptor::{REVISION, TrainConfig, VERSION};

use crate::cli::failure::print_error;
use crate::cli::spelling::Flags;

/// Returns why a resumed run has nothing left to do, and how to train on.
pub(super) fn finished(cause: Cause, config: &TrainConfig) -> &'static str {
    match cause {
        Cause::Epochs if config.schedule.schedule.spans_the_run() => {
            "all epochs of its schedule are done; start another run from its model with --init-from"
        }
        Cause::Epochs => "all epochs are done; to train on, give a larger --epochs",
        Cause::EarlyStop => "it ended early; start another run from its model with --init-from",
        Cause::TargetAccuracy => "its target accuracy is reached",
        Cause::MaxTime => "its time is over; to train on, give a larger --max-time",
    }
}

/// Prints that a file of the run could not be written.
pub(super) fn report_write_failure(failure: &WriteFailure) {
    let hint = match &failure.newest {
        Some(newest) => Some(format!("training continues; {} is valid", newest.display()).into()),
        None => failure.error.hint(),
    };
    print_error(&failure.error.message(), hint.as_ref());
}

/// Prints which checkpoints are damaged.
pub(super) fn warn_of_damage(resumption: &Resumption) {
    for error in resumption.damaged() {
        let error = error.message().spelled(&Flags);
        drop(writeln!(io::stderr(), "warning: {error}"));
    }
    if let (Some(from), true) = (resumption.from(), resumption.damaged().next().is_some()) {
        drop(writeln!(
            io::stderr(),
            "hint: the one before is valid: resuming from {}",
            from.display()
        ));
    }
}

/// Warns if another version of the program trained the run so far.
pub(super) fn warn_of_another_program(resumption: &Resumption) {
    if let Some(by) = resumption.other_program() {
        let (version, revision) = (&by.version, &by.revision);
        drop(writeln!(
            io::stderr(),
            "warning: the checkpoint was written by perceptor {version} ({revision}); this is {VERSION} ({REVISION}): \
             the bytes may differ from those of an uninterrupted run",
        ));
    }
}
